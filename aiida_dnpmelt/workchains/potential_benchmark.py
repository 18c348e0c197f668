"""Benchmark of a potential: properties of a crystal beside experiment, given values and another potential."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, WorkChain
from pydantic import ValidationError

from aiida_dnpmelt.calculations.job_resources import fitted_options, takes_resources
from aiida_dnpmelt.calculations.lammps_job import missing_species
from aiida_dnpmelt.calculations.properties import GIVEN, OTHER, property_table, validate_values
from aiida_dnpmelt.calculations.properties_settings import PropertiesSettings
from aiida_dnpmelt.calculations.validators import both, explain, may_run, runs
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.workchains.properties import PropertiesWorkChain, validate_species
from aiida_dnpmelt.workchains.protocols import load_protocol, merge
from aiida_dnpmelt.workchains.steps import submit_once, why

_OWN, _REFERENCE = "potential", "reference"


class PotentialBenchmarkWorkChain(WorkChain):
    """Compute properties of a crystal with a potential, and put them into a table beside what is known of it.

    Beside experiment, from the table of the elements, there can be given values with their sources, and another
    potential, such as the teacher of a model. A reference that fails leaves a gap, which is named.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(PropertiesWorkChain, include=("code", "structure", "potential", "settings", "seed", "job"))
        spec.input(
            "reference_potential",
            valid_type=PotentialData,
            validator=may_run,
            required=False,
            help="Another potential to compare with, such as the teacher.",
        )
        spec.input(
            "reference_code",
            valid_type=orm.AbstractCode,
            validator=both(may_run, runs("LAMMPS")),
            required=False,
            help="LAMMPS that runs it, if not `code`.",
        )
        spec.input(
            "values",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=validate_values,
            required=False,
            help="Values to compare with, of DFT or literature: {'c11_gpa': {'value': 170.0, 'source': '...'}, ...}.",
        )
        spec.input(
            "protocol",
            valid_type=orm.Str,
            serializer=orm.to_aiida_type,
            default=lambda: orm.Str("custom"),
            help="Name of the protocol that the settings come from.",
        )
        spec.inputs.validator = both(takes_resources, cls.validate_inputs)
        spec.outline(cls.setup, cls.run_jobs, cls.inspect_jobs, cls.results)
        spec.output("table", valid_type=orm.Dict, help="Properties beside references, with relative errors.")
        spec.output("properties", valid_type=orm.Dict, help="Properties of the potential.")
        spec.output(
            "reference_properties", valid_type=orm.Dict, required=False, help="Properties of the other potential."
        )
        spec.exit_code(401, "ERROR_PROPERTIES_FAILED", message="The properties could not be computed. {reason}")

    @classmethod
    def validate_inputs(cls, inputs: Mapping[str, Any], _: Any) -> str | None:
        """Check that both potentials know the element."""
        problem = validate_species(inputs, _)
        if problem is not None or "reference_potential" not in inputs or "structure" not in inputs:
            return problem
        missing = missing_species(inputs["reference_potential"], inputs["structure"].get_ase().get_chemical_symbols())
        return None if missing is None else f"reference_{missing}"

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        structure: orm.StructureData,
        potential: PotentialData,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        reference_potential: PotentialData | None = None,
        reference_code: orm.AbstractCode | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with the settings of a protocol.

        :param code: LAMMPS that knows the pair style of the potential.
        :param protocol: ``balanced`` (default), ``fast`` or ``stringent``.
        :param overrides: values over the protocol's, see `PropertiesSettings`.
        :param options: options of the jobs, such as ``max_wallclock_seconds``.
        :param reference_potential: another potential to compare with.
        :param reference_code: LAMMPS that runs it, if not ``code``.
        :param values: values to compare with, each with its source.
        :raises ValueError: for an unknown protocol or setting.
        """
        found = load_protocol("properties", protocol)
        settings = merge(found["settings"], dict(overrides or {}))
        try:
            PropertiesSettings(**settings)
        except ValidationError as exception:
            raise ValueError(explain(exception, "overrides")) from exception
        builder = cls.get_builder()
        builder.code, builder.structure, builder.potential = code, structure, potential
        builder.settings = orm.Dict(settings)
        builder.protocol = orm.Str(found["name"])
        builder.job.metadata.options = fitted_options(code, options or {})
        if reference_potential is not None:
            builder.reference_potential = reference_potential
        if reference_code is not None:
            builder.reference_code = reference_code
        if values:
            builder.values = orm.Dict(dict(values))
        return builder

    def setup(self) -> None:
        """Name everything that the context holds: plain values and stored nodes."""
        self.ctx.runs = [_OWN, _REFERENCE] if "reference_potential" in self.inputs else [_OWN]
        self.ctx.gaps = {}

    def run_jobs(self) -> None:
        """Submit the properties of each potential."""
        labels = [self.inputs[name].label for name in ("potential", "reference_potential") if name in self.inputs]
        formula = self.inputs.structure.get_formula()
        self.report(f"properties of {formula} with {' and '.join(labels)}")
        for name in self.ctx.runs:
            submitted = submit_once(self, PropertiesWorkChain, f"properties_{name}", self._inputs(name))
            self.to_context(**{name: submitted})

    def inspect_jobs(self) -> ExitCode | None:
        """End if the potential has no properties; name a reference that has none."""
        own = self.ctx[_OWN]
        if not own.is_finished_ok:
            return self.exit_codes.ERROR_PROPERTIES_FAILED.format(reason=why(own))
        if _REFERENCE in self.ctx.runs and not self.ctx[_REFERENCE].is_finished_ok:
            self.ctx.gaps[OTHER] = why(self.ctx[_REFERENCE])
            self.report(f"the reference potential has no properties: {self.ctx.gaps[OTHER]}")
        return None

    def results(self) -> None:
        """Make the table."""
        properties = self.ctx[_OWN].outputs.properties
        references = {}
        if "values" in self.inputs:
            references[GIVEN] = self.inputs["values"]
        if _REFERENCE in self.ctx.runs and OTHER not in self.ctx.gaps:
            references[OTHER] = self.ctx[_REFERENCE].outputs.properties
            self.out("reference_properties", references[OTHER])
        gaps = orm.Dict(self.ctx.gaps)
        table = property_table(properties, gaps, metadata={"call_link_label": "table"}, **references)
        self.out("properties", properties)
        self.out("table", table)
        self.node.description = summary(table.get_dict())
        self.report(self.node.description)

    def _inputs(self, name: str) -> dict[str, Any]:
        inputs = {
            "code": self.inputs.code,
            "potential": self.inputs.potential,
            "structure": self.inputs.structure,
            "settings": self.inputs.settings,
            "seed": self.inputs.seed,
            "job": self.exposed_inputs(PropertiesWorkChain)["job"],
        }
        if name == _REFERENCE:
            inputs["potential"] = self.inputs.reference_potential
            inputs["code"] = self.inputs.get("reference_code", self.inputs.code)
        return inputs


def summary(table: Mapping[str, Any]) -> str:
    """Return the most important numbers of a table in a line."""
    values = {row["property"]: row["value"] for row in table["rows"] if row["value"] is not None}
    shown = (
        ("a", "lattice_a_angstrom", ".4f", "Angstrom"),
        ("E_coh", "cohesive_energy_ev", ".3f", "eV"),
        ("B", "bulk_modulus_gpa", ".1f", "GPa"),
        ("E_vac", "vacancy_formation_energy_ev", ".2f", "eV"),
    )
    parts = [f"{name} = {values[key]:{form}} {unit}" for name, key, form, unit in shown if key in values]
    parts += [f"warnings: {', '.join(table['flags'])}"] if table["flags"] else []
    parts += [f"missing: {', '.join(table['missing'])}"] if table["missing"] else []
    return f"{table['element']} ({table['lattice']}), {table['potential_label']}: {', '.join(parts) or 'no crystal'}"
