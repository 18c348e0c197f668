"""What a launch of the learning or of the whole chain would run, before anything is stored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_dnpmelt.calculations.bulk_phases import BulkSettings, bulk_repetitions
from aiida_dnpmelt.calculations.exploration_settings import ExplorationSettings
from aiida_dnpmelt.calculations.finite_size import cells_of
from aiida_dnpmelt.calculations.learning_plan import LearningPlan, Stage, checked_phases, first_labels
from aiida_dnpmelt.calculations.melting import CorrectionSettings
from aiida_dnpmelt.physics.crystals import orthogonal_cell, repetitions
from aiida_dnpmelt.workchains.tpc import LaunchForecast, TPCWorkChain, forecast_of


@dataclass(frozen=True)
class LearningForecast:
    """What a loop would run at most.

    :param first_labels: labels of the first frames.
    :param iterations: iterations.
    :param models: models of the committee.
    :param explorations: jobs of exploration in an iteration, in the largest stage.
    :param labels_an_iteration: most labels of an iteration.
    :param labels: most labels of all: the budget ends the loop before an iteration, not within.
    :param jobs: jobs of all iterations.
    :param training_steps: of all models and iterations.
    :param atom_steps: of the explorations.
    :param fewest_iterations: those that it takes if each stage is learned at once.
    :param first_ionic_steps: self-consistent cycles that a DFT teacher computes for the first labels.
    :param ionic_steps_an_iteration: most of these of an iteration.
    :param ionic_steps: most of these of all.
    """

    first_labels: int
    iterations: int
    models: int
    explorations: int
    labels_an_iteration: int
    labels: int
    jobs: int
    training_steps: int
    atom_steps: float
    fewest_iterations: int
    first_ionic_steps: int
    ionic_steps_an_iteration: int
    ionic_steps: int


def forecast_learning(structure: orm.StructureData, inputs: Any) -> LearningForecast:
    """Return what a loop would run at most.

    :param inputs: builder of `AdaptiveLearningWorkChain`, or its part of the whole chain's.
    """
    plan = LearningPlan(**inputs.plan.get_dict())
    models = len(inputs.training.seeds.get_list())
    given = bool(inputs.get("frames"))
    first = 0 if given else first_labels(plan)
    an_iteration = max(_labels(plan, stage) for stage in plan.stages)
    labels = min(max(plan.label_budget - 1, first) + an_iteration, first + plan.maximum_iterations * an_iteration)
    first_ionic = 0 if given else sum(kind.number * kind.label.ionic_steps for kind in plan.first_frames.values())
    ionic = max(_ionic_steps(plan, stage) for stage in plan.stages)
    each = max(plan.label.ionic_steps / plan.label.frames_per_start, 1.0 if plan.check_frames else 0.0)
    explorations = max(len(stage.runs) for stage in plan.stages)
    steps, warm = inputs.training.steps.value, inputs.get("warm")
    later = warm["steps"] if warm is not None else steps
    jobs_an_iteration = 2 * models + explorations + 2  # trainings, explorations, two labellings, tests
    cell = orthogonal_cell(structure.get_ase())
    return LearningForecast(
        first_labels=first,
        iterations=plan.maximum_iterations,
        models=models,
        explorations=explorations,
        labels_an_iteration=an_iteration,
        labels=labels,
        jobs=(0 if given else len(plan.first_frames)) + plan.maximum_iterations * jobs_an_iteration,
        training_steps=models * (steps + (plan.maximum_iterations - 1) * later),
        atom_steps=plan.maximum_iterations * max(_atom_steps(cell, plan.exploration, s) for s in plan.stages),
        fewest_iterations=len(plan.stages),
        first_ionic_steps=first_ionic,
        ionic_steps_an_iteration=ionic,
        ionic_steps=first_ionic + min(plan.maximum_iterations * ionic, math.ceil((labels - first) * each)),
    )


def forecast_melting(builder: ProcessBuilder) -> tuple[LaunchForecast, LaunchForecast | None]:
    """Return what the coexistence of each model would run, and that of the teacher if its T_m is asked for."""
    return _tpc(builder, "tpc"), _tpc(builder, "teacher_tpc") if builder.teacher is not None else None


def correction_labels(builder: ProcessBuilder) -> int:
    """Return the labels of the bulk runs at T_m, both phases together; each is a frame as it is."""
    return 2 * CorrectionSettings(**builder.correction.get_dict()).frames


def forecast_sizes(builder: ProcessBuilder) -> list[tuple[str, LaunchForecast]]:
    """Return what the coexistence in each size would run, with its repetitions as text, the smallest first.

    :param builder: of `FiniteSizeWorkChain`.
    """
    found = []
    cell = orthogonal_cell(builder.tpc.structure.get_ase())
    for counts in cells_of(cell, builder.study.get_dict()).values():
        tpc = TPCWorkChain.get_builder()
        for name in ("structure", "temperature", "plan", "parameters", "seeds"):
            if builder.tpc.get(name) is not None:
                tpc[name] = builder.tpc[name]
        tpc.repetitions = orm.List(list(counts))
        found.append(("x".join(map(str, counts)), forecast_of(tpc)))
    return found


def forecast_sweep(builder: ProcessBuilder) -> tuple[LaunchForecast, float]:
    """Return what the coexistence at each pressure would run, if all are alike, and the atom-steps of its slope.

    :param builder: of `PressureSweepWorkChain`.
    """
    bulk = BulkSettings(**builder.bulk.get_dict())
    cell = orthogonal_cell(builder.structure.get_ase())
    atoms = len(cell) * math.prod(bulk_repetitions(cell, bulk.minimum_atoms, builder.potential.cutoff))
    time = 2 * (bulk.time_ps + bulk.equilibrate_ps) + bulk.melt_ps
    return _tpc(builder, "tpc"), atoms * time * 1000 / builder.tpc["parameters"]["timestep_fs"]


def _tpc(builder: ProcessBuilder, namespace: str) -> LaunchForecast:
    tpc = TPCWorkChain.get_builder()
    tpc.structure = builder.structure
    if builder.temperature is not None:
        tpc.temperature = builder.temperature
    for name in ("size", "plan", "parameters", "repetitions", "seeds"):
        value = builder[namespace].get(name)
        if value is not None:
            tpc[name] = value
    return forecast_of(tpc)


def _labels(plan: LearningPlan, stage: Stage) -> int:
    """Return the most labels of an exploration."""
    return _chosen(plan, stage) * plan.label.frames_per_start + _unbiased(plan, stage)


def _ionic_steps(plan: LearningPlan, stage: Stage) -> int:
    """Return the most self-consistent cycles of an exploration: unbiased frames are labelled as they are."""
    return _chosen(plan, stage) * plan.label.ionic_steps + _unbiased(plan, stage)


def _chosen(plan: LearningPlan, stage: Stage) -> int:
    return plan.frames_per_temperature * sum(len(run.temperature_factors) for run in stage.runs.values())


def _unbiased(plan: LearningPlan, stage: Stage) -> int:
    phases = len(checked_phases(stage)) if plan.check_frames else 0
    return math.ceil(plan.check_frames * (phases - 1 + plan.emphasis)) if phases else 0


def _atom_steps(cell: Any, settings: ExplorationSettings, stage: Stage) -> float:
    """Return the atom-steps of the explorations of a stage."""
    total = 0.0
    for run in stage.runs.values():
        atoms = len(cell) * math.prod(repetitions(cell, run.minimum_atoms, run.aspect))
        melting = 0 if run.phase == "solid" else settings.in_steps(settings.melt_ps)
        total += atoms * (melting + len(run.temperature_factors) * settings.last_step)
    return total
