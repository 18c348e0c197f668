"""Melting temperature by two-phase coexistence: runs at guesses, verdicts, and a joint estimate over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, WorkChain, append_, while_

from aiida_dnpmelt.calculations.coexistence_settings import ONE_PHASE, CoexistenceSettings
from aiida_dnpmelt.calculations.coexistence_stages import preparation_time_ps
from aiida_dnpmelt.calculations.job_resources import fitted_options
from aiida_dnpmelt.calculations.lammps_coexistence import validate_atoms, validate_cell
from aiida_dnpmelt.calculations.melting_point import (
    Size,
    assess_runs,
    cell_repetitions,
    repetitions_of,
    start_plan,
    tabulated_melting_temperature,
)
from aiida_dnpmelt.calculations.structures import coexistence_cell
from aiida_dnpmelt.calculations.validators import (
    fits,
    may_run,
    positive,
    validate_pressure,
    validate_repetitions,
    validate_seeds,
    validate_structure,
)
from aiida_dnpmelt.data.elements import element
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import orthogonal_cell
from aiida_dnpmelt.physics.forecast import Forecast, forecast
from aiida_dnpmelt.physics.notation import notation
from aiida_dnpmelt.physics.ordering import ordered
from aiida_dnpmelt.physics.plan import Plan, first_round_atom_steps, first_runs
from aiida_dnpmelt.workchains.coexistence import CoexistenceWorkChain
from aiida_dnpmelt.workchains.protocols import load_protocol, merge

_SECTIONS = ("run", "plan", "size", "seeds")
_OWN = (
    "structure",
    "potential",
    "temperature",
    "pressure",
    "seed",
    "repetitions",
    "production_time",
    "parameters",
)


class TPCWorkChain(WorkChain):
    """Compute a melting temperature by two-phase coexistence.

    Runs start at guesses. One that freezes or melts moves a bracket and is never averaged; those in which both
    phases live are lengthened, and joined by others, until the standard uncertainty of the joint estimate
    reaches its target or the budget is spent.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.input(
            "structure",
            valid_type=orm.StructureData,
            validator=validate_structure,
            help="Crystal that melts, any cell of it.",
        )
        spec.input("potential", valid_type=PotentialData, validator=may_run, help="Interatomic potential.")
        spec.input(
            "pressure",
            valid_type=orm.Float,
            serializer=orm.to_aiida_type,
            validator=validate_pressure,
            default=lambda: orm.Float(0.0),
            help="Pressure in GPa.",
        )
        spec.input(
            "temperature",
            valid_type=orm.Float,
            serializer=orm.to_aiida_type,
            validator=positive("temperature", "K", 20_000),
            required=False,
            help="First guess of T_m in K; without it, the experimental T_m of the element.",
        )
        spec.input(
            "repetitions",
            valid_type=orm.List,
            serializer=orm.to_aiida_type,
            validator=validate_repetitions,
            required=False,
            help="Repetitions of the conventional cell along x, y, z; without it, `size` decides.",
        )
        spec.input(
            "size",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(Size, "size"),
            help="How the size of the cell is chosen, see Size.",
        )
        spec.input(
            "seeds",
            valid_type=orm.List,
            serializer=orm.to_aiida_type,
            validator=validate_seeds,
            help="Seeds, one for each run that may be started, in this order.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(CoexistenceSettings, "parameters"),
            help="Settings of each run, see CoexistenceSettings.",
        )
        spec.input(
            "plan",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(Plan, "plan"),
            help="Rounds, target uncertainty, budget and criteria, see Plan.",
        )
        spec.input(
            "protocol",
            valid_type=orm.Str,
            serializer=orm.to_aiida_type,
            default=lambda: orm.Str("custom"),
            help="Name of the protocol that the settings come from.",
        )
        spec.expose_inputs(
            CoexistenceWorkChain,
            namespace="coexistence",
            exclude=(
                *(f"calc.{name}" for name in _OWN),
                "calc.parent_folder",
                "calc.restart",
                "clean_workdir",
            ),
        )
        spec.inputs.validator = cls.validate_inputs

        spec.outline(
            cls.setup,
            cls.prepare_cell,
            while_(cls.should_run_round)(cls.run_round, cls.inspect_round),
            cls.results,
        )
        spec.output("melting_point", valid_type=orm.Dict, help="The melting point, see the reference of the schema.")
        spec.output("assessment", valid_type=orm.Dict, help="Verdict and measures of each run.")
        spec.output("cell", valid_type=orm.StructureData, help="Conventional cell that was repeated.")
        spec.output_namespace("runs", valid_type=orm.ArrayData, help="Series, frames and profiles, a node a run.")

        spec.exit_code(
            401,
            "ERROR_RUNS_FAILED",
            message="No run of the round came to an end. {reason}",
        )
        spec.exit_code(
            501,
            "ERROR_NO_COEXISTENCE",
            message="No run held both phases: {reason}. Try another guess, a larger cell, or "
            "the crystal that its solid became.",
        )

    @classmethod
    def validate_inputs(cls, inputs: Mapping[str, Any], _: Any) -> str | None:
        """Check what depends on more than one input."""
        method = inputs["parameters"].get_dict().get("method") if "parameters" in inputs else None
        if method in ONE_PHASE:
            return f"parameters.method: {method!r} runs one phase alone, choose one with two"
        if any(name not in inputs for name in ("structure", "size")):
            return None
        problem = validate_structure(inputs["structure"], None) or missing_guess(inputs)
        if problem is not None:
            return problem
        try:
            cell = orthogonal_cell(inputs["structure"].get_ase())
            counts = (
                inputs["repetitions"].get_list()
                if "repetitions" in inputs
                else repetitions_of(cell, inputs["size"].get_dict())
            )
        except (ValueError, KeyError) as exception:
            return f"structure, size: {exception}"
        return (
            validate_atoms(cell, counts)
            or _validate_budget(inputs, len(cell) * math.prod(counts))
            or (validate_cell(cell, counts, inputs["potential"]) if "potential" in inputs else None)
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.InstalledCode,
        structure: orm.StructureData,
        potential: PotentialData | None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with the settings of a protocol.

        :param code: LAMMPS that knows the pair style of the potential.
        :param potential: None for one that comes later, as a model that is still to be trained.
        :param protocol: ``balanced`` (default), ``fast``, ``stringent``, ``paper`` or ``paper-script``.
        :param overrides: values over the protocol's, in its sections ``run``, ``plan``, ``size`` and ``seeds``.
        :param options: options of the LAMMPS jobs, such as ``max_wallclock_seconds``.
        :raises ValueError: for an unknown protocol or section.
        """
        settings = load_protocol("tpc", protocol)
        unknown = set(overrides or {}) - set(_SECTIONS)
        if unknown:
            raise ValueError(f"overrides: {', '.join(sorted(unknown))} unknown, there are {', '.join(_SECTIONS)}")
        settings = merge(settings, dict(overrides or {}))
        builder = cls.get_builder()
        builder.structure = structure
        if potential is not None:
            builder.potential = potential
        builder.pressure = orm.Float(settings.get("pressure_gpa", 0.0))
        builder.parameters = orm.Dict(settings["run"])
        builder.plan = orm.Dict(settings["plan"])
        builder.size = orm.Dict(settings["size"])
        builder.seeds = orm.List(settings["seeds"])
        builder.protocol = orm.Str(settings["name"])
        builder.coexistence.calc.code = code
        builder.coexistence.calc.metadata.options = fitted_options(code, options or {})
        return builder

    def setup(self) -> None:
        """Name everything that the context holds: plain values and stored nodes."""
        self.ctx.round = 0
        self.ctx.cell = None
        self.ctx.repetitions = None
        self.ctx.next = None
        self.ctx.assessment = None
        self.ctx.extend = []
        self.ctx.used_seeds = []
        self.ctx.children = []
        self.ctx.last = {}
        self.ctx.pieces = []
        self.ctx.failed = []

    def prepare_cell(self) -> None:
        """Find the conventional cell, its repetitions, and the guesses of the first round."""
        self.ctx.cell = coexistence_cell(self.inputs.structure, metadata={"call_link_label": "cell"})
        self.ctx.repetitions = (
            self.inputs.repetitions
            if "repetitions" in self.inputs
            else cell_repetitions(self.ctx.cell, self.inputs.size, metadata={"call_link_label": "repetitions"})
        )
        guess = (
            self.inputs.temperature
            if "temperature" in self.inputs
            else tabulated_melting_temperature(self.ctx.cell, metadata={"call_link_label": "first_guess"})
        )
        self.ctx.next = start_plan(guess, self.inputs.plan, metadata={"call_link_label": "plan"})
        nx, ny, nz = self.ctx.repetitions.get_list()
        atoms = nx * ny * nz * len(self.ctx.cell.sites)
        self.report(f"{atoms} atoms ({nx} x {ny} x {nz} cells), first guess {guess.value:.0f} K")

    def should_run_round(self) -> bool:
        """Tell whether the assessment asks for more runs."""
        if self.ctx.next:
            return True
        point = self.ctx.assessment["melting_point"]
        self.report(f"done after {self.ctx.round} rounds: {summary(point.get_dict())}")
        return False

    def run_round(self) -> None:
        """Submit the new runs at their guesses, and take the living ones further."""
        self.ctx.round += 1
        time = self.ctx.next["production_time"]
        guesses = [node for name, node in ordered(self.ctx.next).items() if name.startswith("guess_")]
        free = [seed for seed in self.inputs.seeds.get_list() if seed not in self.ctx.used_seeds]
        submitted = {}
        for seed in self.ctx.extend:
            node = self.ctx.last[str(seed)]
            origin = {
                "parent_folder": node.outputs.remote_folder,
                "restart": node.outputs.restart,
                "parameters": node.outputs.parameters,
            }
            submitted[seed] = self._submit(seed, node.inputs.calc.temperature, time, origin)
        for seed, guess in zip(free, guesses, strict=False):
            self.ctx.used_seeds.append(seed)
            submitted[seed] = self._submit(seed, guess, time, {})
        self.report(
            f"round {self.ctx.round}: "
            + ", ".join(
                f"seed {seed} from {node.inputs.calc.temperature.value:.0f} K" for seed, node in submitted.items()
            )
            + f", each to {time.value:.0f} ps"
        )
        self.ctx.children = []
        for node in submitted.values():
            self.to_context(children=append_(node))

    def inspect_round(self) -> ExitCode | None:
        """Assess all runs so far; failed ones are left out, and named."""
        silent = 0
        for node in self.ctx.children:
            jobs = [job for job in node.called if isinstance(job, orm.CalcJobNode)]
            told = [job.outputs.results for job in jobs if "results" in job.outputs]
            silent += len(jobs) - len(told)
            if not node.is_finished_ok:
                self.report(f"{node.label or node.pk} failed: {node.exit_message or node.process_state}")
                self.ctx.failed += told
                continue
            self.ctx.last[str(node.inputs.calc.seed.value)] = node
            self.ctx.pieces.append(node)
        if silent:
            some, took = ("1 job", "it took") if silent == 1 else (f"{silent} jobs", "they took")
            self.report(f"{some} left nothing that tells what {took}: it is not known, and not counted")
        if not self.ctx.pieces:
            reason = "; ".join(sorted({str(node.exit_message) for node in self.ctx.children}))
            return self.exit_codes.ERROR_RUNS_FAILED.format(reason=reason)
        nodes: dict[str, orm.Data] = {}
        for index, node in enumerate(self.ctx.pieces, start=1):
            nodes[f"run_{index:03d}"] = node.outputs.run
            nodes[f"results_{index:03d}"] = node.outputs.results
        nodes |= {f"failed_{index:03d}": results for index, results in enumerate(self.ctx.failed, start=1)}
        found = assess_runs(
            plan=self.inputs.plan,
            structure=self.ctx.cell,
            potential=self.inputs.potential,
            pressure=self.inputs.pressure,
            repetitions=self.ctx.repetitions,
            parameters=self.inputs.parameters,
            protocol=self.inputs.protocol,
            round_number=orm.Int(self.ctx.round),
            unused_seeds=orm.Int(len(self.inputs.seeds.get_list()) - len(self.ctx.used_seeds)),
            metadata={"call_link_label": f"assessment_{self.ctx.round:02d}"},
            **nodes,
        )
        self.ctx.assessment = {name: found[name] for name in ("assessment", "melting_point")}
        self.ctx.next = {
            name: node for name, node in found.items() if name == "production_time" or name.startswith("guess_")
        }
        extend = found["assessment"]["extend"]
        self.ctx.extend = [int(label.removeprefix("seed_")) for label in extend]
        text = summary(found["melting_point"].get_dict())
        self.report(f"after round {self.ctx.round}: {text}")
        self.node.description = text
        return None

    def results(self) -> ExitCode | None:
        """Attach the melting point, whatever its verdict, and the last piece of each run."""
        for name, node in self.ctx.assessment.items():
            self.out(name, node)
        self.out("cell", self.ctx.cell)
        for index, node in enumerate(self.ctx.pieces, start=1):
            seed = node.inputs.calc.seed.value
            self.out(f"runs.seed_{seed}_piece_{index:03d}", node.outputs.run)
        point = self.ctx.assessment["melting_point"].get_dict()
        if point["verdict"] == "invalid":
            return self.exit_codes.ERROR_NO_COEXISTENCE.format(reason="; ".join(point["reasons"]))
        return None

    def _submit(self, seed: int, guess: orm.Float, time: orm.Float, origin: Mapping[str, Any]) -> orm.ProcessNode:
        """Submit one run, or return it if this step had already done so before it was cut."""
        label = f"seed_{seed}_round_{self.ctx.round:02d}"
        submitted = self.node.base.links.get_outgoing(link_type=LinkType.CALL_WORK, link_label_filter=label).first()
        if submitted is not None:
            return submitted.node
        inputs = self.exposed_inputs(CoexistenceWorkChain, "coexistence")
        inputs.calc.update(
            structure=self.ctx.cell,
            potential=self.inputs.potential,
            temperature=guess,
            pressure=self.inputs.pressure,
            seed=orm.Int(seed),
            repetitions=self.ctx.repetitions,
            production_time=time,
            **{"parameters": self.inputs.parameters, **origin},
        )
        name = f"{self.ctx.cell.get_formula()}_{self.inputs.pressure.value:g}gpa_{label}".lower()
        inputs.metadata = {"call_link_label": label, "label": name}
        return self.submit(CoexistenceWorkChain, **inputs)


def missing_guess(inputs: Mapping[str, Any]) -> str | None:
    """Return that a first guess is needed, because there is none in the table; None if it is given, or there is one."""
    if "temperature" in inputs:
        return None
    species = set(inputs["structure"].get_ase().get_chemical_symbols())
    if len(species) != 1:
        formula = inputs["structure"].get_formula()
        return f"temperature: a guess of T_m in K is needed for {formula}, which is no element"
    try:
        element(*species)
    except ValueError as exception:
        return f"temperature: a guess of T_m in K is needed, {exception}"
    return None


def _validate_budget(inputs: Mapping[str, Any], n_atoms: int) -> str | None:
    """Check that the budget holds the first round, which is always run."""
    if any(name not in inputs for name in ("plan", "parameters", "seeds")):
        return None
    plan, settings = Plan(**inputs["plan"].get_dict()), CoexistenceSettings(**inputs["parameters"].get_dict())
    seeds, preparation = len(inputs["seeds"].get_list()), preparation_time_ps(settings)
    needed = first_round_atom_steps(plan, seeds, n_atoms, settings.timestep_fs, preparation)
    if plan.budget_atom_steps >= needed:
        return None
    return (
        f"plan.budget_atom_steps: {plan.budget_atom_steps:.3g} atom-steps do not reach for the first round: "
        f"{first_runs(plan, seeds)} runs of {plan.first_time_ps + preparation:.4g} ps in a cell of {n_atoms} atoms "
        f"take {needed:.3g}. Give at least {_rounded_up(needed):.3g}, or a smaller cell"
    )


def _rounded_up(value: float) -> float:
    """Return the next number of three digits that is not smaller."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return math.ceil(value / unit) * unit


@dataclass(frozen=True)
class LaunchForecast(Forecast):
    """What a launch is expected to run, with the number of atoms and the first guess (K)."""

    n_atoms: int
    temperature_k: float


def forecast_of(builder: ProcessBuilder) -> LaunchForecast:
    """Return what a launch is expected to run, if its first guess is good."""
    cell = orthogonal_cell(builder.structure.get_ase())
    counts = builder.repetitions.get_list() if builder.repetitions else repetitions_of(cell, builder.size.get_dict())
    n_atoms = len(cell) * math.prod(counts)
    guess = (
        builder.temperature.value
        if builder.temperature
        else element(cell.get_chemical_symbols()[0]).melting_temperature
    )
    plan, settings = Plan(**builder.plan.get_dict()), CoexistenceSettings(**builder.parameters.get_dict())
    seeds = len(builder.seeds.get_list())
    expected = forecast(plan, guess, seeds, n_atoms, settings.timestep_fs, preparation_time_ps(settings))
    return LaunchForecast(**vars(expected), n_atoms=n_atoms, temperature_k=guess)


def summary(point: Mapping[str, Any]) -> str:
    """Return a melting point in a line."""
    if point["melting_temperature_k"] is None:
        sides = (("above", point["bracket_low_k"]), ("below", point["bracket_high_k"]))
        bounds = " and ".join(f"{side} {bound:.0f} K" for side, bound in sides if bound is not None)
        return f"no T_m yet, {bounds or 'nothing bounds it'} ({point['verdict']})"
    value, uncertainty = point["melting_temperature_k"], point["standard_uncertainty_k"]
    return f"T_m = {notation(value, uncertainty)} K ({point['verdict']}, {len(point['seeds_used'])} runs)"
