"""Properties of a crystal with a potential."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import (
    BaseRestartWorkChain,
    ExitCode,
    ProcessHandlerReport,
    ProcessSpec,
    process_handler,
    while_,
)

from aiida_dnpmelt.calculations.job_resources import takes_resources
from aiida_dnpmelt.calculations.lammps_job import EXPLODED, NO_OUTPUT, REFUSED, exit_codes_of, missing_species
from aiida_dnpmelt.calculations.lammps_properties import LammpsPropertiesCalculation, validate_crystal
from aiida_dnpmelt.calculations.properties import crystal_properties
from aiida_dnpmelt.calculations.structures import coexistence_cell
from aiida_dnpmelt.calculations.validators import both

_JOB = LammpsPropertiesCalculation


class PropertiesWorkChain(BaseRestartWorkChain):
    """Compute properties of a crystal in one job, which is run once more if it is cut.

    The properties are derived from its numbers. A part that fails is named as missing; those before it stand.
    """

    _process_class = _JOB

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(LammpsPropertiesCalculation, exclude=("metadata", "structure"))
        spec.expose_inputs(LammpsPropertiesCalculation, namespace="job", include=("metadata",))
        spec.input(
            "structure",
            valid_type=orm.StructureData,
            validator=validate_crystal,
            help="Crystal of an element, any cell of it: fcc, bcc, hcp or diamond.",
        )
        spec.inputs.validator = both(takes_resources, validate_species)
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),
            cls.results,
        )
        spec.output("properties", valid_type=orm.Dict, help="The properties, see the reference of the schema.")
        spec.output("series", valid_type=orm.ArrayData, required=False, help="Energies and stresses of the job.")
        spec.output("released", valid_type=orm.StructureData, required=False, help="Crystal after its release.")
        spec.exit_code(410, "ERROR_INPUT_REFUSED", message="LAMMPS refused the input. {reason}")
        spec.exit_code(411, "ERROR_NOT_RELAXED", message="The crystal could not be relaxed. {reason}")
        spec.exit_code(412, "ERROR_NO_OUTPUT", message="Two jobs came to no end. {reason}")

    def setup(self) -> None:
        """Prepare the inputs of the job."""
        super().setup()
        inputs = AttributeDict(
            {name: self.inputs[name] for name in ("code", "potential", "settings", "seed") if name in self.inputs}
        )
        inputs.structure = coexistence_cell(self.inputs.structure, metadata={"call_link_label": "cell"})
        inputs.metadata = self.exposed_inputs(LammpsPropertiesCalculation, "job")["metadata"]
        self.ctx.inputs = inputs
        self.ctx.cut = False

    @process_handler(priority=600, exit_codes=exit_codes_of(_JOB, REFUSED))
    def handle_refused_input(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Stop: the same input would be refused again; keep what came before it."""
        return self._keep(node) or ProcessHandlerReport(
            True, self.exit_codes.ERROR_INPUT_REFUSED.format(reason=node.exit_message)
        )

    @process_handler(priority=500, exit_codes=exit_codes_of(_JOB, EXPLODED))
    def handle_explosion(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Keep the parts before the one that exploded; stop if there is no relaxed crystal."""
        return self._keep(node) or ProcessHandlerReport(
            True, self.exit_codes.ERROR_NOT_RELAXED.format(reason=node.exit_message)
        )

    @process_handler(priority=400, exit_codes=exit_codes_of(_JOB, (*NO_OUTPUT, "ERROR_INTERRUPTED")))
    def handle_cut_job(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Run the same job once more; the second time, keep the parts that are whole."""
        if self.ctx.cut:
            return self._keep(node) or ProcessHandlerReport(
                True, self.exit_codes.ERROR_NO_OUTPUT.format(reason=node.exit_message)
            )
        self.ctx.cut = True
        self.report(f"job {node.pk} came to no end, running it once more: {node.exit_message}")
        return ProcessHandlerReport(True)

    def results(self) -> ExitCode | None:
        """Derive the properties from the numbers of the last job."""
        if not self.ctx.is_finished:
            return super().results()
        node = self.ctx.children[-1]
        more = {name: node.outputs[name] for name in ("series", "released") if name in node.outputs}
        properties = crystal_properties(
            structure=node.inputs.structure,
            potential=node.inputs.potential,
            settings=node.inputs.settings,
            results=node.outputs.results,
            metadata={"call_link_label": "properties"},
            **more,
        )
        self.out("properties", properties)
        for name, output in more.items():
            self.out(name, output)
        for warning in properties["warnings"]:
            self.report(warning)
        return None

    def _keep(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """End with the parts that a failed job has; None if it has not even a relaxed crystal."""
        if "results" not in node.outputs or node.outputs.results["relaxed_energy_ev"] is None:
            return None
        missing = ", ".join(node.outputs.results["missing"])
        self.report(f"job {node.pk} failed, what it has is kept, missing is {missing}: {node.exit_message}")
        self.ctx.is_finished = True
        return ProcessHandlerReport(True)


def validate_species(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Check that the potential knows the element of the crystal."""
    if any(name not in inputs for name in ("structure", "potential")):
        return None
    return missing_species(inputs["potential"], inputs["structure"].get_ase().get_chemical_symbols())
