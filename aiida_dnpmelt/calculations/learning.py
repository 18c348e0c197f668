"""Calculation functions of adaptive learning: the inputs of each step, and the decision after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_dnpmelt.calculations.deepmd_settings import counted_cutoffs, sel_refusal
from aiida_dnpmelt.calculations.exploration_runs import derived_seed
from aiida_dnpmelt.calculations.learning_plan import LearningPlan, Stage, WarmStart, checked_phases
from aiida_dnpmelt.calculations.training import FRAMES
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.physics.crystals import repetitions
from aiida_dnpmelt.physics.initial_frames import InitialFramesSettings
from aiida_dnpmelt.physics.learning import UNREPORTED, Limits, Progress, Shift, TemperatureState, decide
from aiida_dnpmelt.physics.neighbours import most_neighbours
from aiida_dnpmelt.physics.ordering import ordered

GIVEN = "given_"
"""Beginning of the names of the frames that a learning began with."""
_INITIAL = ("number", "smallest_scale", "largest_scale", "strain", "displacement_angstrom")


@calcfunction
def first_frames_inputs(
    cell: orm.StructureData, temperature: orm.Float, pressure: orm.Float, plan: orm.Dict, seed: orm.Int
) -> dict[str, orm.Data]:
    """Return the inputs of the first frames, for each kind: ``settings_``, ``label_`` and ``seed_``.

    :param cell: orthogonal cell of the crystal.
    :param temperature: guess of T_m in K.
    :param pressure: in GPa; the pressure at which melts relax.
    :param plan: see `LearningPlan`.
    """
    nodes: dict[str, orm.Data] = {}
    for name, first in LearningPlan(**plan.get_dict()).first_frames.items():
        settings = InitialFramesSettings(
            **{key: getattr(first, key) for key in _INITIAL},
            repetitions=repetitions(cell.get_ase(), first.minimum_atoms, 1.0),
            temperatures_k=tuple(temperature.value * factor for factor in first.temperature_factors),
        )
        nodes[f"settings_{name}"] = orm.Dict(settings.model_dump(mode="json"))
        nodes[f"label_{name}"] = orm.Dict({**first.label.model_dump(), "pressure_gpa": pressure.value})
        nodes[f"seed_{name}"] = orm.Int(derived_seed(seed.value, "first", name))
    return nodes


@calcfunction
def exploration_inputs(
    plan: orm.Dict,
    stage: orm.Int,
    iteration: orm.Int,
    seed: orm.Int,
    decision: orm.Dict | None = None,
    **frames: FramesData,
) -> dict[str, orm.Data]:
    """Return the inputs of an exploration.

    :param plan: see `LearningPlan`.
    :param stage: number of the stage, from 0.
    :param iteration: number of the iteration, from 1.
    :param decision: the last decision: its emphasis changes the number of unbiased frames.
    :param frames: all labelled frames, for their rms force.
    :return: ``runs``, ``exploration_settings``, ``selection``, ``label_settings``, ``seed``, ``check_solid`` and
        ``check_liquid`` as far as they are wanted.
    """
    settings = LearningPlan(**plan.get_dict())
    now = settings.stages[stage.value]
    unit = 1.0 if settings.thresholds.unit == "ev_per_angstrom" else rms_force(frames.values())
    emphasis = decision["emphasis"] if decision is not None else None
    nodes: dict[str, orm.Data] = {
        "runs": orm.Dict(now.model_dump(mode="json", include={"runs"})),
        "exploration_settings": orm.Dict(settings.exploration.model_dump()),
        "selection": orm.Dict(
            {
                "lower_ev_per_angstrom": settings.thresholds.lower * unit,
                "upper_ev_per_angstrom": settings.thresholds.upper * unit,
                "frames_per_temperature": settings.frames_per_temperature,
                "minimum_spacing_ps": settings.minimum_spacing_ps,
                "mode": settings.mode,
            }
        ),
        "label_settings": orm.Dict(settings.label.model_dump()),
        "seed": orm.Int(derived_seed(seed.value, "iteration", iteration.value)),
    }
    for phase in checked_phases(now) if settings.check_frames else ():
        factor = settings.emphasis if phase == emphasis else 1.0
        nodes[f"check_{phase}"] = orm.Int(round(settings.check_frames * factor))
    return nodes


@calcfunction
def decide_learning(
    plan: orm.Dict,
    stage: orm.Int,
    iteration: orm.Int,
    selection: orm.Dict,
    comparison: orm.Dict | None = None,
    **nodes: orm.Data,
) -> orm.Dict:
    """Return what comes after an exploration, and why.

    :param selection: thresholds of the exploration, see `SelectionSettings`.
    :param comparison: the models against the labels, if anything was labelled.
    :param nodes: ``report_`` and a run: what was selected; ``frames_`` and a name: all frames that the learning has
        labelled so far; ``given_`` and a name: those that it began with, which the budget does not count.
    :return: ``action`` (``again``, ``next_stage`` or ``stop``), ``converged``, ``reasons``, ``failed`` temperatures,
        ``emphasis``, ``next_stage``, all ``labels`` so far and how many of them were given (``labels_given``), the
        ``thresholds``, and by run and temperature the numbers of frames, deviations and histograms (``deviations``);
        the predicted shift of T_m (``shift``).
    """
    settings = LearningPlan(**plan.get_dict())
    now = settings.stages[stage.value]
    reports = {name.removeprefix("report_"): node for name, node in nodes.items() if name.startswith("report_")}
    made, given = (number_of_frames(nodes, prefix) for prefix in (FRAMES, GIVEN))
    unit = selection["upper_ev_per_angstrom"] / settings.thresholds.upper
    limits = Limits(
        settings.thresholds.converged * unit,
        settings.target_shift_k,
        settings.maximum_iterations,
        settings.label_budget,
        settings.frames_share,
    )
    last = stage.value + 1 == len(settings.stages)
    shift = None if comparison is None else _shift(comparison.get_dict())
    found = decide(
        _states(settings, now, reports),
        shift,
        limits,
        Progress(iteration.value, made, last),
    )
    return orm.Dict(
        {
            "iteration": iteration.value,
            "stage": now.name,
            "action": found.action,
            "converged": found.converged,
            "reasons": list(found.reasons),
            "failed": [vars(state) for state in found.failed],
            "emphasis": found.emphasis,
            "next_stage": stage.value + (found.action == "next_stage"),
            "labels": made + given,
            "labels_given": given,
            "thresholds_ev_per_angstrom": {
                "lower": selection["lower_ev_per_angstrom"],
                "upper": selection["upper_ev_per_angstrom"],
                "converged": limits.converged_ev_per_angstrom,
            },
            "target_shift_k": settings.target_shift_k,
            "shift_k": None if shift is None else dict(shift.by_model_k),
            "shift_uncertainty_k": None if shift is None else dict(shift.uncertainty_by_model_k),
            "deviations": {name: report["by_temperature"] for name, report in reports.items()},
            "histogram_edges_ev_per_angstrom": next(
                (report["histogram_edges_ev_per_angstrom"] for report in reports.values()), None
            ),
        }
    )


@calcfunction
def warm_training(settings: orm.Dict, warm: orm.Dict) -> dict[str, orm.Data]:
    """Return ``settings`` and ``steps`` of a training that begins with models of these settings.

    :param warm: see `WarmStart`.
    """
    start = WarmStart(**warm.get_dict())
    changed = settings.get_dict()
    if start.start_lr is not None:
        changed["learning_rate"]["start_lr"] = start.start_lr
    for name in ("start_pref_e", "start_pref_f"):
        if (value := getattr(start, name)) is not None:
            changed["loss"][name] = value
    return {"settings": orm.Dict(changed), "steps": orm.Int(start.steps)}


@calcfunction
def sel_suffices(settings: orm.Dict, **frames: FramesData) -> orm.Bool:
    """Tell whether the numbers of neighbours in the settings of a trained model hold the densest of the frames."""
    filled = settings.get_dict()
    parts = [frames[name].frames for name in sorted(frames)]
    most = {cutoff: most_neighbours(parts, cutoff) for cutoff in counted_cutoffs(filled)}
    return orm.Bool(sel_refusal(filled, most) is None)


def rms_force(frames: Any) -> float:
    """Return the rms length of a force of all frames in eV/Angstrom."""
    forces = [node.get_array("forces").reshape(-1, 3) for node in frames]
    return float(np.sqrt((np.concatenate(forces) ** 2).sum(axis=1).mean()))


def number_of_frames(nodes: Mapping[str, orm.Data], prefix: str) -> int:
    """Return the number of frames of all nodes whose names begin with a prefix."""
    found = [node for name, node in nodes.items() if name.startswith(prefix)]
    return sum(int(node.base.attributes.get("number_of_frames")) for node in found)


def _states(plan: LearningPlan, stage: Stage, reports: Mapping[str, orm.Dict]) -> list[TemperatureState]:
    """Return how far each planned temperature of a stage came; a run without a report has no frame."""
    states = []
    for name, run in ordered(stage.runs).items():
        parts = reports[name]["by_temperature"] if name in reports else []
        states += [_state(plan, name, part) for part in parts]
        if len(parts) < len(run.temperature_factors):
            states.append(TemperatureState(name, None, None, ended=UNREPORTED if parts else None))
    return states


def _state(plan: LearningPlan, name: str, part: Mapping[str, Any]) -> TemperatureState:
    """Return how far a run came at a temperature; reports of earlier versions do not tell what ended it."""
    return TemperatureState(
        name,
        part["temperature_k"],
        part[f"{plan.thresholds.measure}_deviation_ev_per_angstrom"],
        part.get("frames_seen"),
        plan.exploration.frames,
        part["accurate"] + part["candidate"] if "accurate" in part else None,
        part.get("ended"),
    )


def _shift(comparison: Mapping[str, Any]) -> Shift | None:
    """Return the predicted shift of T_m of each model, None if it is not known."""
    offset = comparison["offset"]
    if offset is None:
        return None
    mean, models = offset["mean_of_models"], offset["by_model"]
    solid, liquid = (abs(mean[f"offset_{phase}_mev_per_atom"]) for phase in ("solid", "liquid"))
    return Shift(
        {model: values["predicted_shift_k"] for model, values in models.items()},
        {model: values["predicted_shift_uncertainty_k"] for model, values in models.items()},
        "solid" if solid > liquid else "liquid",
    )


@calcfunction
def summarise_learning(**nodes: orm.Dict) -> orm.Dict:
    """Return the course of a loop: an entry for each iteration, and what it came to.

    :param nodes: ``decision_01``, ..., ``training_01``, ... (results of the training before the exploration, none if
        the models were given) and ``comparison_01``, ..., by the number of the iteration.
    """
    decisions = {
        name.removeprefix("decision_"): node for name, node in ordered(nodes).items() if name.startswith("decision_")
    }
    course = []
    for number, decision in decisions.items():
        training = nodes[f"training_{number}"].get_dict() if f"training_{number}" in nodes else {}
        comparison = nodes[f"comparison_{number}"].get_dict() if f"comparison_{number}" in nodes else {}
        course.append(
            {
                **{key: decision[key] for key in ("iteration", "stage", "action", "converged", "reasons", "labels")},
                "shift_k": decision["shift_k"],
                "shift_uncertainty_k": decision["shift_uncertainty_k"],
                "largest_deviation_ev_per_angstrom": _largest(decision["deviations"]),
                "rmse_force_ev_per_angstrom": _force_errors(comparison),
                "frames_training": training.get("frames_training"),
                "training_steps": _steps(training),
                "training_core_hours": training.get("core_hours"),
            }
        )
    last = course[-1]
    return orm.Dict(
        {
            "converged": last["converged"] and last["action"] == "stop",
            "iterations": len(course),
            "labels": last["labels"],
            "labels_given": next(reversed(decisions.values())).get("labels_given"),
            "reasons": last["reasons"],
            "shift_k": last["shift_k"],
            "shift_uncertainty_k": last["shift_uncertainty_k"],
            "training_core_hours": sum(entry["training_core_hours"] or 0.0 for entry in course),
            "course": course,
        }
    )


def _largest(deviations: Mapping[str, Any]) -> float | None:
    values = [part["largest_deviation_ev_per_angstrom"] for parts in deviations.values() for part in parts]
    known = [value for value in values if value is not None]
    return max(known) if known else None


def _force_errors(comparison: Mapping[str, Any]) -> dict[str, float]:
    """Return the largest rms error of the forces of any model, by set."""
    return {
        name: max(errors["rmse_force_ev_per_angstrom"] for errors in values["by_model"].values())
        for name, values in comparison.get("by_set", {}).items()
    }


def _steps(training: Mapping[str, Any]) -> int | None:
    """Return the steps of all trainings of an iteration."""
    trainings = training.get("trainings")
    return sum(values["steps"] for values in trainings.values()) if trainings else None
