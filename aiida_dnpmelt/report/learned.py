"""Adaptive learning as plain numbers: learning curves, deviations, shifts, and what the deviation is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_dnpmelt.physics.ordering import by_number, ordered
from aiida_dnpmelt.provenance.intervals import Interval, interval_in
from aiida_dnpmelt.report.chains import Chain, Iteration, called, namespace, output

Array = NDArray[np.float64]
CORRECTION = "at T_m"
"""Name of the exploration after the coexistence, at the T_m that was found."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Learning curve of one model in one iteration; rms errors of the forces in eV/Angstrom, none if not known."""

    iteration: int
    model: str
    step: Array
    training: Array | None
    validation: Array | None


@dataclass(frozen=True)
class Deviation:
    """Largest force deviations of the frames of a run at a temperature, in eV/Angstrom; None without a frame.

    :param ended: what ended the run, see `aiida_dnpmelt.physics.learning.ENDED`; None if it is not known.
    """

    iteration: int
    stage: str
    run: str
    temperature_k: float
    largest: float | None
    quantile_95: float | None
    accurate: int
    candidate: int
    failed: int
    taken: int
    ended: str | None = None


@dataclass(frozen=True)
class Window:
    """Thresholds of an iteration in eV/Angstrom."""

    iteration: int
    lower: float
    upper: float
    converged: float


@dataclass(frozen=True)
class Shift:
    """Predicted shift of T_m against the teacher in K, by model, with its standard uncertainty.

    :param name: number of the iteration, or `CORRECTION`.
    :param intervals_k: 95 % interval of each, None if it is not on record.
    """

    name: str
    by_model: dict[str, tuple[float, float]]
    intervals_k: dict[str, Interval | None] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Calibration:
    """Deviation against true error of the forces in eV/Angstrom, for the atoms of labelled frames.

    :param name: number of the iteration, or `CORRECTION`.
    :param numbers: see `aiida_dnpmelt.physics.calibration.CalibrationNumbers`.
    :param deviation: of each atom, shape (n,).
    :param error: rms error of a model on each atom, shape (n,).
    """

    name: str
    numbers: dict[str, Any]
    deviation: Array
    error: Array


def curves(iterations: Sequence[Iteration]) -> list[Curve]:
    """Return the learning curves of all models, by iteration."""
    found = []
    for each in iterations:
        for name, node in called(each.training).items() if each.training is not None else ():
            curve = output(node, "learning_curve")
            if curve is None:
                continue
            arrays = {key: curve.get_array(key) for key in curve.get_arraynames()}
            found.append(
                Curve(
                    each.number,
                    name,
                    arrays["step"],
                    arrays.get("rmse_force_training_ev_per_angstrom"),
                    arrays.get("rmse_force_validation_ev_per_angstrom"),
                )
            )
    return found


def deviations(iterations: Sequence[Iteration]) -> list[Deviation]:
    """Return the deviations of all explorations that a decision was made of."""
    return [
        Deviation(
            each.number,
            each.decision["stage"],
            run,
            part["temperature_k"],
            part["largest_deviation_ev_per_angstrom"],
            part["quantile_95_deviation_ev_per_angstrom"],
            part["accurate"],
            part["candidate"],
            part["failed"],
            part["taken"],
            part.get("ended"),
        )
        for each in iterations
        if each.decision is not None
        for run, parts in ordered(each.decision["deviations"]).items()
        for part in parts
    ]


def windows(iterations: Sequence[Iteration]) -> list[Window]:
    """Return the thresholds of all iterations that ended in a decision; units of the rms force change with it."""
    return [
        Window(each.number, **each.decision["thresholds_ev_per_angstrom"])
        for each in iterations
        if each.decision is not None
    ]


def shifts(chain: Chain) -> list[Shift]:
    """Return the predicted shifts of all comparisons that tell one, that at T_m last."""
    found = []
    for name, node in _explorations(chain):
        comparison = output(node, "comparison")
        if comparison is not None and comparison["offset"] is not None:
            models = comparison["offset"]["by_model"]
            by_model = {
                model: (values["predicted_shift_k"], values["predicted_shift_uncertainty_k"])
                for model, values in ordered(models).items()
            }
            intervals = {model: interval_in(values, "predicted_shift_95_k") for model, values in models.items()}
            found.append(Shift(name, by_model, intervals))
    return found


def calibrations(chain: Chain) -> list[Calibration]:
    """Return the calibrations of all comparisons, that at T_m last."""
    found = []
    for name, node in _explorations(chain):
        comparison, arrays = output(node, "comparison"), output(node, "arrays")
        if comparison is None or arrays is None or comparison["calibration"] is None:
            continue
        sets = sorted(comparison["by_set"], key=by_number)
        found.append(
            Calibration(
                name,
                comparison["calibration"],
                _joined(arrays, sets, "deviation_ev_per_angstrom"),
                _joined(arrays, sets, "model_error_ev_per_angstrom"),
            )
        )
    return found


def first_frames(chain: Chain) -> int:
    """Return the number of labels before the first exploration."""
    calls = called(chain.learning) if chain.learning is not None else {}
    return sum(labels(node) for label, node in calls.items() if label.startswith("label_first_"))


def labels(node: Any) -> int:
    """Return the number of labelled frames that a labelling gave."""
    return sum(frames.base.attributes.get("number_of_frames") for frames in namespace(node, "frames").values())


def _explorations(chain: Chain) -> list[tuple[str, Any]]:
    found = [(str(each.number), each.exploration) for each in chain.iterations]
    return [*found, (CORRECTION, chain.correction)]


def _joined(arrays: Any, sets: Sequence[str], quantity: str) -> Array:
    names = [f"{name}_{quantity}" for name in sets if f"{name}_{quantity}" in arrays.get_arraynames()]
    return np.concatenate([arrays.get_array(name).ravel() for name in names])
