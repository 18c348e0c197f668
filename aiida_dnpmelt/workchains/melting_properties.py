"""Volume and enthalpy of melting at a melting point: crystal and melt, each run by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, WorkChain

from aiida_dnpmelt.calculations.bulk_phases import (
    BulkSettings,
    bulk_flaw,
    bulk_inputs,
    melting_properties,
    quantity_of,
)
from aiida_dnpmelt.calculations.coexistence_settings import ONE_PHASE, CoexistenceSettings
from aiida_dnpmelt.calculations.job_resources import fitted_options
from aiida_dnpmelt.calculations.known_points import Wanted, known_flaw, no_melting_point
from aiida_dnpmelt.calculations.lammps_job import missing_species
from aiida_dnpmelt.calculations.melting_point import SCHEMA as POINT_SCHEMA
from aiida_dnpmelt.calculations.structures import coexistence_cell
from aiida_dnpmelt.calculations.validators import fits, may_run, validate_seed
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import orthogonal_cell
from aiida_dnpmelt.physics.notation import notation
from aiida_dnpmelt.workchains.coexistence import CoexistenceWorkChain
from aiida_dnpmelt.workchains.protocols import load_protocol, merge
from aiida_dnpmelt.workchains.steps import submit_once, why

_SECTIONS = ("bulk", "run", "seed")
_OWN = (
    "structure",
    "potential",
    "temperature",
    "pressure",
    "seed",
    "repetitions",
    "production_time",
    "parameters",
    "parent_folder",
    "restart",
)


class MeltingPropertiesWorkChain(WorkChain):
    """Compute what melting changes at a melting point: volume, enthalpy, entropy, and from them the slope dT_m/dP."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.input(
            "melting_point",
            valid_type=orm.Dict,
            validator=validate_point,
            help="Melting point of the potential, see the reference of the schema.",
        )
        spec.input("structure", valid_type=orm.StructureData, help="Crystal that melts, any cell of it.")
        spec.input("potential", valid_type=PotentialData, validator=may_run, help="Interatomic potential.")
        spec.input(
            "bulk",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(BulkSettings, "bulk"),
            default=lambda: orm.Dict({}),
            help="Size and lengths of the runs, see BulkSettings.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(CoexistenceSettings, "parameters"),
            help="Settings of the runs that `bulk` does not have, see CoexistenceSettings.",
        )
        spec.input(
            "seed",
            valid_type=orm.Int,
            serializer=orm.to_aiida_type,
            validator=validate_seed,
            help="Seed of all random numbers of both runs.",
        )
        spec.expose_inputs(
            CoexistenceWorkChain, namespace="coexistence", exclude=(*(f"calc.{name}" for name in _OWN), "clean_workdir")
        )
        spec.inputs.validator = cls.validate_inputs
        spec.outline(cls.run_phases, cls.inspect_phases)
        spec.output("properties", valid_type=orm.Dict, help="See the reference of the melting properties.")
        spec.output_namespace("runs", valid_type=orm.ArrayData, help="Series and frames of `crystal` and `melt`.")
        spec.exit_code(401, "ERROR_RUN_FAILED", message="A phase was not run to its end. {reason}")
        spec.exit_code(
            501, "ERROR_WRONG_PHASE", message="The runs are not those of a crystal and its melt: {reason}. See `bulk`."
        )

    @classmethod
    def validate_inputs(cls, inputs: Mapping[str, Any], _: Any) -> str | None:
        """Check what depends on more than one input."""
        if any(name not in inputs for name in ("structure", "potential", "melting_point")):
            return None
        atoms, potential = inputs["structure"].get_ase(), inputs["potential"]
        try:
            orthogonal_cell(atoms)
        except ValueError as exception:
            return f"structure: {exception}"
        flaw = known_flaw(inputs["melting_point"].get_dict(), Wanted.of(atoms, potential), (POINT_SCHEMA,))
        if flaw is not None:
            return f"melting_point: {flaw}"
        if "bulk" in inputs and "parameters" in inputs:
            flaw = bulk_flaw(inputs["bulk"].get_dict(), inputs["parameters"].get_dict())
        return flaw or missing_species(potential, atoms.get_chemical_symbols())

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.InstalledCode,
        structure: orm.StructureData,
        potential: PotentialData,
        melting_point: orm.Dict,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with the settings of a protocol of `TPCWorkChain`, and of pressure sweeps.

        :param overrides: values over the protocol's, in its sections ``bulk``, ``run`` and ``seed``.
        :param options: options of the LAMMPS jobs.
        :raises ValueError: for an unknown protocol or section.
        """
        unknown = set(overrides or {}) - set(_SECTIONS)
        if unknown:
            raise ValueError(f"overrides: {', '.join(sorted(unknown))} unknown, there are {', '.join(_SECTIONS)}")
        values = load_protocol("pressure_sweep", protocol)
        values = merge({"run": load_protocol("tpc", values["name"])["run"], **values}, dict(overrides or {}))
        builder = cls.get_builder()
        builder.melting_point = melting_point
        builder.structure = structure
        builder.potential = potential
        builder.bulk = orm.Dict(values["bulk"])
        builder.parameters = orm.Dict(values["run"])
        builder.seed = orm.Int(values["seed"])
        builder.coexistence.calc.code = code
        builder.coexistence.calc.metadata.options = fitted_options(code, options or {})
        return builder

    def run_phases(self) -> None:
        """Submit the runs of both phases."""
        cell = coexistence_cell(self.inputs.structure, metadata={"call_link_label": "cell"})
        names = ("melting_point", "potential", "bulk", "parameters", "seed")
        given = {name: self.inputs[name] for name in names}
        found = bulk_inputs(cell=cell, metadata={"call_link_label": "bulk_inputs"}, **given)
        self.ctx.cell = cell
        for phase in ONE_PHASE:
            inputs = self.exposed_inputs(CoexistenceWorkChain, "coexistence")
            inputs.calc.update(
                structure=cell,
                potential=self.inputs.potential,
                parameters=found[f"parameters_{phase}"],
                seed=found[f"seed_{phase}"],
                **{name: found[name] for name in ("temperature", "pressure", "repetitions", "production_time")},
            )
            name = f"{cell.get_formula()}_{found['pressure'].value:g}gpa_{phase}".lower()
            self.to_context(**{phase: submit_once(self, CoexistenceWorkChain, phase, inputs, name)})
        time, atoms = found["production_time"].value, len(cell.sites) * _product(found["repetitions"])
        self.report(
            f"crystal and melt, {atoms} atoms, {time:.0f} ps each at {found['temperature'].value:.0f} K and "
            f"{found['pressure'].value:g} GPa"
        )

    def inspect_phases(self) -> ExitCode | None:
        """Take the means of both runs, and say what melting changes."""
        nodes = {phase: self.ctx[phase] for phase in ONE_PHASE}
        failed = [f"{phase} ({node.pk}): {why(node)}" for phase, node in nodes.items() if not node.is_finished_ok]
        for phase, node in nodes.items():
            if "run" in node.outputs:
                self.out(f"runs.{phase}", node.outputs.run)
        if failed:
            return self.exit_codes.ERROR_RUN_FAILED.format(reason="; ".join(failed))
        properties = melting_properties(
            melting_point=self.inputs.melting_point,
            cell=self.ctx.cell,
            metadata={"call_link_label": "properties"},
            **{phase: node.outputs.run for phase, node in nodes.items()},
            **{f"results_{phase}": node.outputs.results for phase, node in nodes.items()},
        )
        self.out("properties", properties)
        if properties["verdict"] == "invalid":
            return self.exit_codes.ERROR_WRONG_PHASE.format(reason="; ".join(properties["reasons"]))
        self.node.description = properties_summary(properties.get_dict())
        self.report(self.node.description)
        return None


def validate_point(node: orm.Dict, _: Any) -> str | None:
    """Check that a dictionary is a melting point with a T_m."""
    values = node.get_dict()
    if values.get("schema") != POINT_SCHEMA:
        return f"melting_point: its schema is {values.get('schema')!r}, it must be {POINT_SCHEMA!r}"
    flaw = no_melting_point(values)
    return None if flaw is None else f"melting_point: {flaw}; there is no T_m to run the phases at"


def properties_summary(properties: Mapping[str, Any]) -> str:
    """Return what melting changes in a line."""
    names = ("volume_of_melting", "enthalpy_of_melting", "slope")
    volume, enthalpy, slope = (quantity_of(properties, name) for name in names)
    assert volume is not None and enthalpy is not None and slope is not None
    return (
        f"dV = {notation(volume.value, volume.uncertainty)} A^3/atom, "
        f"dH = {notation(enthalpy.value, enthalpy.uncertainty)} eV/atom, "
        f"dT_m/dP = {notation(slope.value, slope.uncertainty)} K/GPa"
    )


def _product(repetitions: orm.List) -> int:
    nx, ny, nz = repetitions.get_list()
    return int(nx * ny * nz)
