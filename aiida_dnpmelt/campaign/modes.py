"""What a cell of a campaign is computed by: the one place that knows the work chains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessBuilder, WorkChain

from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.calculations.job_resources import fitted_options
from aiida_dnpmelt.campaign.cells import Campaign, Cell
from aiida_dnpmelt.data.potential import DEEPMD, PotentialData
from aiida_dnpmelt.provenance.cost import MODEL_SPEED, coexistence_bytes, learning_bytes, speed_of
from aiida_dnpmelt.workchains.forecasts import forecast_learning, forecast_melting
from aiida_dnpmelt.workchains.melting import MeltingWorkChain
from aiida_dnpmelt.workchains.tpc import LaunchForecast, TPCWorkChain, forecast_of


@dataclass(frozen=True)
class Load:
    """What cells are expected to take, if their first guesses are good.

    :param jobs: jobs.
    :param labels: frames that are labelled, at most.
    :param training_steps: steps of DeePMD trainings, at most; their time is not among the core-hours.
    :param atom_steps: of molecular dynamics.
    :param core_hours: of molecular dynamics.
    :param disk_bytes: in the folders of the jobs and in the repository.
    """

    jobs: int = 0
    labels: int = 0
    training_steps: int = 0
    atom_steps: float = 0.0
    core_hours: float = 0.0
    disk_bytes: float = 0.0

    def __add__(self, other: Load) -> Load:
        """Return what both take."""
        return Load(**{name: value + getattr(other, name) for name, value in vars(self).items()})


@dataclass(frozen=True)
class Mode:
    """A way to compute a cell.

    :param process: work chain that computes it.
    :param output: its output that holds T_m, with the keys of a melting point.
    :param round: what it does again and again.
    :param rounds: counts those that it has done so far.
    :param needed_codes: returns the keys of `CodeSettings` that potentials need.
    :param builder: makes its inputs, without a first guess unless the file gives one.
    :param load: foresees what it takes.
    """

    process: type[WorkChain]
    output: str
    round: str
    rounds: Callable[[orm.WorkChainNode], int]
    needed_codes: Callable[[list[PotentialData]], list[str]]
    builder: Callable[[Campaign, Cell], ProcessBuilder]
    load: Callable[[ProcessBuilder], Load]


def code_of(potential: PotentialData) -> str:
    """Return the key of `CodeSettings` of the LAMMPS that runs a potential."""
    return "lammps_deepmd" if potential.pair_style == DEEPMD else "lammps"


def builder_of(campaign: Campaign, cell: Cell) -> ProcessBuilder:
    """Return the inputs of the work chain of a cell, known by its key, without a guess unless the file gives one.

    :raises ValueError: for unknown sections of the overrides, or values that a port refuses.
    """
    builder = MODES[campaign.settings.mode].builder(campaign, cell)
    builder.pressure = orm.Float(cell.pressure_gpa)
    guess = campaign.settings.elements[cell.element].temperature_k
    if guess is not None:
        builder.temperature = orm.Float(guess)
    builder.metadata.label = cell.key
    return builder


def load_of(builder: ProcessBuilder) -> Load:
    """Return what the work chain of a builder is expected to take."""
    return next(mode for mode in MODES.values() if mode.process is builder.process_class).load(builder)


def _point(campaign: Campaign, cell: Cell) -> ProcessBuilder:
    settings, potential = campaign.settings, campaign.potentials[cell.checksum]
    overrides = dict(settings.overrides)
    if settings.seeds is not None:
        overrides["seeds"] = list(settings.seeds)
    return TPCWorkChain.get_builder_from_protocol(
        campaign.codes[code_of(potential)],
        campaign.structures[cell.element],
        potential,
        settings.protocol,
        overrides,
        settings.options.options(),
    )


def _melting(campaign: Campaign, cell: Cell) -> ProcessBuilder:
    settings, reference = campaign.settings, campaign.potentials[cell.checksum]
    builder = MeltingWorkChain.get_builder_from_protocol(
        campaign.codes["deepmd"],
        campaign.codes["lammps_deepmd"],
        campaign.structures[cell.element],
        {"code": campaign.codes[code_of(reference)], "potential": reference},
        settings.protocol,
        settings.overrides,
        teacher=settings.teacher,
        options=settings.options.scheduler_options(),
    )
    for name in ("tpc", "teacher_tpc") if settings.teacher else ("tpc",):
        job = builder[name]["coexistence"]["calc"]
        job["metadata"] = {"options": fitted_options(job["code"], settings.options.options())}
    return builder


def _load_of_point(builder: ProcessBuilder) -> Load:
    found = forecast_of(builder)
    return _coexistence(found, builder.parameters, builder.potential, builder.coexistence.calc.code)


def _load_of_melting(builder: ProcessBuilder) -> Load:
    learning = forecast_learning(builder.structure, builder.learning)
    models, teacher = forecast_melting(builder)
    load = Load(
        jobs=learning.jobs,
        labels=learning.labels,
        training_steps=learning.training_steps,
        atom_steps=learning.atom_steps,
        core_hours=learning.atom_steps / MODEL_SPEED / 3600,
        disk_bytes=learning_bytes(learning.models * learning.iterations),
    )
    for _ in range(learning.models):
        load += _coexistence(models, builder.tpc["parameters"], None)
    if teacher is not None:
        own = builder.teacher_tpc
        load += _coexistence(teacher, own["parameters"], builder.teacher, own["coexistence"]["calc"]["code"])
    return load


def _coexistence(
    found: LaunchForecast, parameters: orm.Dict, potential: PotentialData | None, code: orm.AbstractCode | None = None
) -> Load:
    """Return the load of a coexistence, with a model that is still to be trained if no potential is given."""
    settings = CoexistenceSettings(**parameters.get_dict())
    if potential is None:
        hours, size = found.atom_steps / MODEL_SPEED / 3600, 0
    else:
        hours = speed_of(potential, code).core_hours(found.atom_steps)
        size = potential.base.repository.get_object_size(potential.filename)
    return Load(
        jobs=found.jobs,
        atom_steps=found.atom_steps,
        core_hours=hours,
        disk_bytes=coexistence_bytes(settings, found.n_atoms, found.time_ps, found.runs, found.jobs, size),
    )


def _codes_of_points(potentials: list[PotentialData]) -> list[str]:
    return sorted({code_of(potential) for potential in potentials})


def _codes_of_melting(references: list[PotentialData]) -> list[str]:
    return sorted({"deepmd", "lammps_deepmd", *map(code_of, references)})


def _rounds_of_point(node: orm.WorkChainNode) -> int:
    return len(node.base.links.get_outgoing(link_label_filter="assessment_%").all())


def _iterations_of_melting(node: orm.WorkChainNode) -> int:
    learning = node.base.links.get_outgoing(link_label_filter="learning", link_type=LinkType.CALL_WORK).first()
    return 0 if learning is None else len(learning.node.base.links.get_outgoing(link_label_filter="decision_%").all())


MODES = {
    "points": Mode(TPCWorkChain, "melting_point", "round", _rounds_of_point, _codes_of_points, _point, _load_of_point),
    "melting": Mode(
        MeltingWorkChain, "melting", "iteration", _iterations_of_melting, _codes_of_melting, _melting, _load_of_melting
    ),
}


def mode_of(node: orm.WorkChainNode) -> Mode:
    """Return the mode of a work chain of a campaign."""
    return next(mode for mode in MODES.values() if mode.process.build_process_type() == node.process_type)


def problem_of(builder: ProcessBuilder) -> str | None:
    """Return what its work chain would refuse of its inputs, None if nothing."""
    problem = builder.process_class.spec().inputs.validate(builder._inputs(prune=True))
    return None if problem is None else str(problem.message)
