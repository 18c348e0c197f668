"""Cohesive energy of a crystal against the free atom, and the melting temperature that it lets expect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, WorkChain
from aiida_vasp.data.potcar import PotcarData
from aiida_vasp.workchains.v2.vasp import VaspWorkChain
from pydantic import ValidationError

from aiida_dnpmelt.calculations.cohesion import temperature_from_cohesion
from aiida_dnpmelt.calculations.cohesive_energy import (
    ATOM,
    cohesive_energy_of,
    cohesive_energy_result,
    cohesive_runs,
    energies_of_potential,
    energies_of_vasp,
    has_estimate,
    static_label,
)
from aiida_dnpmelt.calculations.cohesive_settings import VaspCohesiveSettings
from aiida_dnpmelt.calculations.job_resources import fitted_options, takes_resources, vasp_options
from aiida_dnpmelt.calculations.lammps_properties import validate_crystal
from aiida_dnpmelt.calculations.properties_settings import PropertiesSettings
from aiida_dnpmelt.calculations.validators import both, explain, fits, may_run, runs
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.cohesion import RELATIONS
from aiida_dnpmelt.physics.crystals import lattice_name
from aiida_dnpmelt.workchains.properties import PropertiesWorkChain, validate_species
from aiida_dnpmelt.workchains.protocols import load_protocol, merge
from aiida_dnpmelt.workchains.steps import submit_once, why

_PROPERTIES = "properties"
_OF_VASP = ("vasp", "potential_family")


class CohesiveEnergyWorkChain(WorkChain):
    """Compute a cohesive energy with a potential or with VASP, and estimate T_m from it.

    With a potential, the relaxed crystal and the free atom are one job of LAMMPS. With VASP, they are static runs of
    the crystal at several volumes (of hcp also ratios c/a), and a spin-polarised free atom in a box with three
    different edges.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.input("code", valid_type=orm.AbstractCode, validator=may_run, help="LAMMPS for a potential, or VASP.")
        spec.input(
            "structure",
            valid_type=orm.StructureData,
            validator=validate_crystal,
            help="Crystal of an element, any cell of it: fcc, bcc, hcp or diamond.",
        )
        spec.input(
            "potential", valid_type=PotentialData, validator=may_run, required=False, help="Interatomic potential."
        )
        spec.input(
            "settings",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(PropertiesSettings, "settings"),
            required=False,
            help="Of a potential: see PropertiesSettings; the part `atom` is needed, unless its energy is given.",
        )
        spec.input(
            "atom_energy",
            valid_type=orm.Float,
            serializer=orm.to_aiida_type,
            required=False,
            help="Of a potential: energy of the free atom in eV that is taken instead of its own, on the same scale, "
            "such as that of the teacher of a model.",
        )
        spec.input(
            "potential_family",
            valid_type=orm.Str,
            serializer=orm.to_aiida_type,
            required=False,
            help="Of VASP: family of POTCAR files, as `aiida-vasp potcar uploadfamily` stored it.",
        )
        spec.input(
            "potential_mapping",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            required=False,
            help="Of VASP: name of the POTCAR of the element, such as {'Ti': 'Ti_pv'}; its symbol if not given.",
        )
        spec.input(
            "vasp",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(VaspCohesiveSettings, "vasp"),
            required=False,
            help="Of VASP: see VaspCohesiveSettings.",
        )
        spec.input(
            "relation",
            valid_type=orm.Str,
            serializer=orm.to_aiida_type,
            validator=_validate_relation,
            default=lambda: orm.Str("corrected"),
            help="Relation that the estimate of T_m is from: `corrected`, `as_printed` or `all`.",
        )
        spec.input("job.metadata.options", valid_type=dict, required=False, non_db=True, help="Options of the jobs.")
        spec.inputs.validator = both(takes_resources, cls.validate_inputs)
        spec.outline(cls.setup, cls.run_jobs, cls.inspect_jobs, cls.results)
        spec.output("cohesive_energy", valid_type=orm.Dict, help="The result, see the reference of the schema.")
        spec.exit_code(401, "ERROR_BULK_FAILED", message="There is no energy of the crystal. {reason}")
        spec.exit_code(402, "ERROR_ATOM_FAILED", message="There is no energy of the free atom. {reason}")

    @classmethod
    def validate_inputs(cls, inputs: Mapping[str, Any], _: Any) -> str | None:
        """Check that it is either a potential that knows the element, or VASP with a POTCAR of it."""
        of_vasp = [name for name in _OF_VASP if name in inputs]
        if ("potential" in inputs) == bool(of_vasp):
            return "potential: give either a potential, or `vasp` and `potential_family`"
        problem = runs("LAMMPS" if "potential" in inputs else "VASP")(inputs.get("code"), None)
        if problem is not None or "structure" not in inputs:
            return problem
        if "potential" in inputs:
            return validate_species(inputs, _) or _validate_atom(inputs)
        if len(of_vasp) < len(_OF_VASP) or "atom_energy" in inputs:
            return "vasp: it goes with `potential_family`, and without `atom_energy`, which VASP computes"
        symbols = sorted(set(inputs["structure"].get_ase().get_chemical_symbols()))
        try:
            PotcarData.get_potcars_dict(symbols, inputs["potential_family"].value, _mapping(inputs, symbols))
        except Exception as exception:  # aiida-vasp raises several kinds
            return f"potential_family: {exception}"
        return None

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        structure: orm.StructureData,
        potential: PotentialData | None = None,
        potential_family: str | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        potential_mapping: Mapping[str, str] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with the settings of a protocol, for a potential or for a family of POTCAR files.

        :param code: LAMMPS for a potential, VASP for a family.
        :param protocol: ``balanced`` (default) or ``paper``.
        :param overrides: values over the protocol's, see `PropertiesSettings` and `VaspCohesiveSettings`.
        :param options: options of the jobs.
        :param potential_mapping: name of the POTCAR of the element, if it is not its symbol.
        :raises ValueError: for an unknown protocol or setting.
        """
        found = load_protocol("cohesive_energy", protocol)
        model, section = (VaspCohesiveSettings, "vasp") if potential is None else (PropertiesSettings, "potential")
        settings = merge(found[section], dict(overrides or {}))
        try:
            model(**settings)
        except ValidationError as exception:
            raise ValueError(explain(exception, "overrides")) from exception
        builder = cls.get_builder()
        builder.code, builder.structure = code, structure
        if potential is not None:
            builder.potential, builder.settings = potential, orm.Dict(settings)
        else:
            builder.vasp = orm.Dict(settings)
        if potential_family is not None:
            builder.potential_family = orm.Str(potential_family)
        if potential_mapping:
            builder.potential_mapping = orm.Dict(dict(potential_mapping))
        given = fitted_options(code, options or {})
        if given:
            builder.job = {"metadata": {"options": given}}
        return builder

    def setup(self) -> None:
        """Name everything that the context holds, and make the inputs of the runs of VASP."""
        self.ctx.runs = [_PROPERTIES]
        self.ctx.made = {}
        self.ctx.energies = None
        if "potential" in self.inputs:
            return
        made = cohesive_runs(self.inputs.structure, self.inputs.vasp, metadata={"call_link_label": "runs"})
        self.ctx.made = dict(made)
        settings = VaspCohesiveSettings(**self.inputs.vasp.get_dict())
        volumes, _ = settings.factors(lattice_name(self.inputs.structure.get_ase()))
        places = [(row, column) for row in range(volumes.shape[0]) for column in range(volumes.shape[1])]
        self.ctx.runs = [ATOM, *(static_label(*place) for place in places)]

    def run_jobs(self) -> None:
        """Submit the job of the potential, or the runs of VASP."""
        self.report(f"cohesive energy of {self.inputs.structure.get_formula()}: {len(self.ctx.runs)} runs")
        for name in self.ctx.runs:
            if name == _PROPERTIES:
                submitted = submit_once(self, PropertiesWorkChain, name, self._properties_inputs())
            else:
                submitted = submit_once(self, VaspWorkChain, name, self._vasp_inputs(name))
            self.to_context(**{name: submitted})

    def inspect_jobs(self) -> ExitCode | None:
        """Take the energies out of the runs; those that failed are named and left out."""
        if _PROPERTIES in self.ctx.runs:
            node = self.ctx[_PROPERTIES]
            if not node.is_finished_ok:
                return self.exit_codes.ERROR_BULK_FAILED.format(reason=why(node))
            given = {"atom_energy": self.inputs.atom_energy} if "atom_energy" in self.inputs else {}
            self.ctx.energies = energies_of_potential(
                node.outputs.properties, metadata={"call_link_label": "energies"}, **given
            )
            return None
        failed = {name: why(node) for name in self.ctx.runs if not (node := self.ctx[name]).is_finished_ok}
        for name, reason in failed.items():
            self.report(f"{name} failed: {reason}")
        self.ctx.energies = energies_of_vasp(
            structure=self.inputs.structure,
            vasp=self.inputs.vasp,
            failed=orm.Dict(failed),
            metadata={"call_link_label": "energies"},
            **{name: self.ctx[name].outputs.retrieved for name in self.ctx.runs if name not in failed},
        )
        return None

    def results(self) -> ExitCode | None:
        """Estimate T_m by each relation, and attach what there is."""
        energies = self.ctx.energies.get_dict()
        problem = has_estimate(energies)
        estimates = {}
        if problem is None:
            energy = cohesive_energy_of(self.ctx.energies, metadata={"call_link_label": "cohesive_energy"})
            symbol = orm.Str(energies["element"])
            for name in RELATIONS:
                label = {"call_link_label": f"estimate_{name}"}
                estimates[name] = temperature_from_cohesion(symbol, energy, orm.Str(name), metadata=label)
        else:
            self.report(f"no estimate of T_m: {problem}")
        result = cohesive_energy_result(
            self.ctx.energies, self.inputs.relation, metadata={"call_link_label": "result"}, **estimates
        )
        self.out("cohesive_energy", result)
        for warning in result["warnings"]:
            self.report(warning)
        self.node.description = cohesive_summary(result.get_dict())
        self.report(self.node.description)
        reason = "; ".join(result["warnings"])
        if energies["bulk_energy_ev"] is None:
            return self.exit_codes.ERROR_BULK_FAILED.format(reason=reason)
        if energies["atom_energy_ev"] is None:
            return self.exit_codes.ERROR_ATOM_FAILED.format(reason=reason)
        return None

    def _properties_inputs(self) -> dict[str, Any]:
        inputs = {
            name: self.inputs[name] for name in ("code", "structure", "potential", "settings") if name in self.inputs
        }
        return {**inputs, "job": {"metadata": {"options": self._options()}}}

    def _vasp_inputs(self, name: str) -> dict[str, Any]:
        symbols = sorted(set(self.inputs.structure.get_ase().get_chemical_symbols()))
        return {
            "code": self.inputs.code,
            "structure": self.ctx.made[f"structure_{name}"],
            "kpoints": self.ctx.made[f"kpoints_{name}"],
            "parameters": self.ctx.made[f"parameters_{name}"],
            "potential_family": self.inputs.potential_family,
            "potential_mapping": orm.Dict(_mapping(self.inputs, symbols)),
            "settings": orm.Dict({"parser_settings": {"check_ionic_convergence": False}}),
            "calc": {"metadata": {"options": vasp_options(self.inputs.code, self._options())}},
        }

    def _options(self) -> dict[str, Any]:
        return dict(self.inputs.get("job", {}).get("metadata", {}).get("options", {}))


def cohesive_summary(result: Mapping[str, Any]) -> str:
    """Return a cohesive energy and what follows from it in a line."""
    head = f"{result['element']} ({result['lattice']}), {result['labeller']}"
    energy = result["cohesive_energy_ev"]
    parts = ["no cohesive energy" if energy is None else f"E_coh = {energy:.3f} eV/atom"]
    if result["experiment_ev"] is not None:
        parts.append(f"experiment {result['experiment_ev']:g} eV/atom")
    if result["melting_temperature_k"] is not None:
        known = result["experiment_melting_temperature_k"]
        parts.append(
            f"T_m some {result['melting_temperature_k']:.0f} K ({result['relation']}), experiment {known:.0f} K"
        )
    parts += [f"warnings: {', '.join(result['flags'])}"] if result["flags"] else []
    return f"{head}: {', '.join(parts)}"


def _mapping(inputs: Mapping[str, Any], symbols: list[str]) -> dict[str, str]:
    given = inputs["potential_mapping"].get_dict() if "potential_mapping" in inputs else {}
    return {symbol: given.get(symbol, symbol) for symbol in symbols}


def _validate_atom(inputs: Mapping[str, Any]) -> str | None:
    if "atom_energy" in inputs or "settings" not in inputs:
        return None
    if PropertiesSettings(**inputs["settings"].get_dict()).has("atom"):
        return None
    return "settings.parts: `atom` is needed for a cohesive energy, unless `atom_energy` is given"


def _validate_relation(node: orm.Str | None, _: Any) -> str | None:
    if node is not None and node.value not in RELATIONS:
        return f"relation: '{node.value}' is not one of {', '.join(RELATIONS)}"
    return None
