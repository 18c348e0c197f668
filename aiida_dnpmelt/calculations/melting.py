"""Calculation functions of the whole chain: guesses for the models, and the result with its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import calcfunction
from pydantic import BaseModel, ConfigDict, Field

from aiida_dnpmelt import __version__
from aiida_dnpmelt.calculations.exploration_runs import derived_seed
from aiida_dnpmelt.calculations.exploration_settings import ExplorationSettings
from aiida_dnpmelt.calculations.melting_point import measured
from aiida_dnpmelt.physics.error_budget import Budget, Measured, agreement, error_budget, mean_shift
from aiida_dnpmelt.physics.ordering import by_number

SCHEMA = "dnpmelt.melting"
SCHEMA_VERSION = 1
_POINT = "point_"
_TOTALS = ("atom_steps", "core_hours")


class CorrectionSettings(BaseModel):
    """Bulk runs at the T_m that was found: labelled by the teacher, they tell the shift of T_m."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    exploration: ExplorationSettings = Field(description="Settings of the runs.")
    minimum_atoms: int = Field(ge=64, le=1_000_000, description="Least number of atoms of the cells.")
    frames: int = Field(ge=2, le=10_000, description="Labelled frames of each phase.")


@calcfunction
def temperature_of_teacher(melting_point: orm.Dict) -> orm.Float:
    """Return the T_m of a teacher in K, which the guesses for its models start from."""
    return orm.Float(melting_point["melting_temperature_k"])


@calcfunction
def guess_of_model(temperature: orm.Float, comparison: orm.Dict, model: orm.Str) -> orm.Float:
    """Return a first guess of the T_m of a model in K: that of its teacher, and the predicted shift if it is known.

    :param temperature: T_m of the teacher in K, or what stands for it: a guess that was given, or the tabulated one.
    :param comparison: the models against the teacher, which has the shift T_m(model) - T_m(teacher).
    """
    offset = comparison["offset"]
    if offset is None:
        return orm.Float(temperature.value)
    return orm.Float(temperature.value + offset["by_model"][model.value]["predicted_shift_k"])


@calcfunction
def correction_inputs(correction: orm.Dict, seed: orm.Int, **points: orm.Dict) -> dict[str, orm.Data]:
    """Return the inputs of the exploration at the T_m that was found.

    :param correction: see `CorrectionSettings`.
    :param points: melting points of the models.
    :return: ``temperature`` (mean T_m of the models, K), ``runs``, ``exploration_settings``, ``check_frames`` and
        ``seed``.
    """
    settings = CorrectionSettings(**correction.get_dict())
    found = [point["melting_temperature_k"] for point in points.values()]
    run = {"temperature_factors": [1.0], "minimum_atoms": settings.minimum_atoms}
    return {
        "temperature": orm.Float(sum(found) / len(found)),
        "runs": orm.Dict({"runs": {phase: {"phase": phase, **run} for phase in ("solid", "liquid")}}),
        "exploration_settings": orm.Dict(settings.exploration.model_dump()),
        "check_frames": orm.Int(settings.frames),
        "seed": orm.Int(derived_seed(seed.value, "correction")),
    }


@calcfunction
def melting_result(
    learning: orm.Dict, comparison: orm.Dict | None = None, teacher: orm.Dict | None = None, **points: orm.Dict
) -> orm.Dict:
    """Return the result of the whole chain; see the reference of the schema.

    :param learning: summary of the adaptive learning.
    :param comparison: the models against labels of bulk frames at their T_m.
    :param teacher: melting point of the teacher.
    :param points: ``point_seed_1``, ...: melting points of the models that have one.
    """
    models = {name.removeprefix(_POINT): points[name].get_dict() for name in sorted(points, key=by_number)}
    shifts = {} if comparison is None else _shifts(comparison.get_dict())
    second_order = None if comparison is None else _second_order(comparison.get_dict(), list(models))
    budget = error_budget(
        [measured(point) for point in models.values()], mean_shift(shifts, list(models)), second_order or 0.0
    )
    first = next(iter(models.values()))
    reasons = _reasons(models, learning.get_dict(), comparison)
    return orm.Dict(
        {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            **{key: first[key] for key in ("element", "lattice", "pressure_gpa")},
            "verdict": "valid" if not reasons else "unfinished",
            "reasons": reasons,
            **_numbers(budget),
            "second_order_k": second_order,
            "models": {
                name: {
                    "melting_temperature_k": point["melting_temperature_k"],
                    "standard_uncertainty_k": point["standard_uncertainty_k"],
                    "timestep_uncertainty_k": point.get("timestep_uncertainty_k"),
                    "between_runs_k": point["between_runs_k"],
                    "verdict": point["verdict"],
                    "predicted_shift_k": shifts[name].value_k if name in shifts else None,
                    "predicted_shift_uncertainty_k": shifts[name].uncertainty_k if name in shifts else None,
                    "potential_uuid": point["potential_uuid"],
                }
                for name, point in models.items()
            },
            **_teacher(budget, teacher),
            "labels": learning["labels"],
            "iterations": learning["iterations"],
            "learning_converged": learning["converged"],
            **{f"coexistence_{key}": sum(point[key] for point in models.values()) for key in _TOTALS},
            "training_core_hours": learning["training_core_hours"],
            "dnpmelt_version": __version__,
        }
    )


def final_temperature(result: Mapping[str, Any]) -> tuple[float, float]:
    """Return T_m of a result of the whole chain and its standard uncertainty in K, corrected where that is known."""
    name = "corrected_" if result["corrected_melting_temperature_k"] is not None else ""
    uncertainty = "corrected_uncertainty_k" if name else "standard_uncertainty_k"
    return result[f"{name}melting_temperature_k"], result[uncertainty]


def _shifts(comparison: Mapping[str, Any]) -> dict[str, Measured]:
    """Return the predicted shift of each model, none if they are not known."""
    if comparison["offset"] is None:
        return {}
    return {
        name: Measured(values["predicted_shift_k"], values["predicted_shift_uncertainty_k"])
        for name, values in comparison["offset"]["by_model"].items()
    }


def _second_order(comparison: Mapping[str, Any], used: list[str]) -> float | None:
    """Return the mean of the second-order terms of the shifts of some models, None if they are not known."""
    if comparison["offset"] is None:
        return None
    by_model = comparison["offset"]["by_model"]
    values = [by_model[name]["second_order_k"] for name in used if name in by_model]
    return float(sum(values) / len(values)) if values else None


def _numbers(budget: Budget) -> dict[str, Any]:
    """Return the temperatures and the parts of their uncertainties."""
    low, high = budget.total.interval_k
    corrected = budget.corrected
    return {
        "melting_temperature_k": budget.raw.value_k,
        "standard_uncertainty_k": budget.total_uncertainty_k,
        "interval_low_k": low,
        "interval_high_k": high,
        "coverage": 0.95,
        "statistical_uncertainty_k": budget.raw.uncertainty_k,
        "timestep_uncertainty_k": budget.raw.common_k,
        "spread_of_models_k": budget.spread_k,
        "predicted_shift_k": None if budget.shift is None else budget.shift.value_k,
        "predicted_shift_uncertainty_k": None if budget.shift is None else budget.shift.uncertainty_k,
        "corrected_melting_temperature_k": None if corrected is None else corrected.value_k,
        "corrected_uncertainty_k": None if corrected is None else corrected.total_k,
        "corrected_interval_low_k": None if corrected is None else corrected.interval_k[0],
        "corrected_interval_high_k": None if corrected is None else corrected.interval_k[1],
    }


def _teacher(budget: Budget, point: orm.Dict | None) -> dict[str, Any]:
    """Return the teacher's own T_m, and whether it agrees with that of its models."""
    keys = (
        "teacher_melting_temperature_k",
        "teacher_uncertainty_k",
        "teacher_verdict",
        "difference_k",
        "difference_uncertainty_k",
        "agrees",
        "corrected_difference_k",
        "corrected_difference_uncertainty_k",
        "corrected_agrees",
    )
    if point is None or point["melting_temperature_k"] is None:
        return dict.fromkeys(keys)
    own = measured(point.get_dict())
    raw = agreement(budget.total, own)
    corrected = None if budget.corrected is None else agreement(budget.corrected, own)
    values = (
        own.value_k,
        own.total_k,
        point["verdict"],
        raw.difference_k,
        raw.uncertainty_k,
        raw.agrees,
        None if corrected is None else corrected.difference_k,
        None if corrected is None else corrected.uncertainty_k,
        None if corrected is None else corrected.agrees,
    )
    return dict(zip(keys, values, strict=True))


def _reasons(
    models: Mapping[str, Mapping[str, Any]], learning: Mapping[str, Any], comparison: orm.Dict | None
) -> list[str]:
    """Return what the result lacks, nothing if it lacks nothing."""
    reasons = [
        f"{name}: {'; '.join(point['reasons'])}" for name, point in models.items() if point["verdict"] != "valid"
    ]
    if not learning["converged"]:
        reasons.append(f"the learning did not converge: {'; '.join(learning['reasons'])}")
    if comparison is None:
        reasons.append("no shift of T_m against the teacher: its frames could not be labelled or compared")
        return reasons
    reasons += [f"{name}: it has no T_m" for name in comparison["models"] if name not in models]
    if comparison["offset"] is None:
        reasons.append(f"no shift of T_m against the teacher: {comparison['offset_reason']}")
    return reasons
