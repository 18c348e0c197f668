"""Deviation of the forces within a committee of models against their true error, on frames that a teacher labelled.

Deviation of an atom: the standard deviation of its force over the K models, sqrt(<|F_k - <F>|^2>), as DeePMD-kit writes
it (its manual, "Model deviation"; Zhang et al., Phys. Rev. Materials 3, 023804 (2019)). Its error, likewise, is that of
a model, sqrt(<|F_k - F_teacher|^2>), or that of their mean, |<F> - F_teacher|; exactly

    error of a model^2 = error of the mean^2 + deviation^2.

If the errors of the models were independent, the error of a model would be sqrt(K/(K - 1)) times the deviation, and
that of the mean 1/sqrt(K - 1) times. What the error of the mean has beyond this is common to all models: no deviation
shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

Array = NDArray[np.float64]

LEAST_MODELS = 2
BINS = 10
"""Bins of equal numbers of atoms of the curve of errors over deviations."""
FACTORS = (1, 2, 3)
"""Factors of the deviation beyond which errors are counted."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Deviations and errors of forces in eV/Angstrom, of each atom of each frame, shape (f, n).

    :param models: number K of models.
    :param deviation: of the committee.
    :param model_error: root mean square over the models of their errors.
    :param mean_error: error of the mean of the models.
    """

    models: int
    deviation: Array
    model_error: Array
    mean_error: Array


@dataclass(frozen=True)
class CalibrationNumbers:
    """What the deviation is worth. Forces in eV/Angstrom; what cannot be told is None.

    :param models: number of models.
    :param frames: number of frames.
    :param atoms: number of atoms in all frames.
    :param rms_deviation_ev_per_angstrom: root mean square of the deviations of all atoms.
    :param rms_error_ev_per_angstrom: the same of the errors of a model.
    :param rms_error_of_mean_ev_per_angstrom: the same of the errors of the mean of the models.
    :param common_error_ev_per_angstrom: the same of the part of the error that all models share.
    :param ratio_error_to_deviation: rms error of a model over rms deviation.
    :param ratio_if_independent: what this ratio would be if the models had independent errors.
    :param spearman_by_atom: rank correlation of deviation and error of a model, over atoms.
    :param spearman_by_frame: rank correlation of the largest deviation and the largest error in a frame.
    :param largest_error_ev_per_angstrom: largest error of a model on an atom.
    :param share_beyond: shares of atoms on which the error of the mean exceeds 1, 2 and 3 times the deviation.
    :param bin_deviation_ev_per_angstrom: rms deviation in bins of equally many atoms, rising.
    :param bin_error_ev_per_angstrom: rms error of a model in these bins.
    :param bin_counts: their atoms.
    """

    models: int
    frames: int
    atoms: int
    rms_deviation_ev_per_angstrom: float
    rms_error_ev_per_angstrom: float
    rms_error_of_mean_ev_per_angstrom: float
    common_error_ev_per_angstrom: float
    ratio_error_to_deviation: float | None
    ratio_if_independent: float
    spearman_by_atom: float | None
    spearman_by_frame: float | None
    largest_error_ev_per_angstrom: float
    share_beyond: tuple[float, ...]
    bin_deviation_ev_per_angstrom: tuple[float, ...]
    bin_error_ev_per_angstrom: tuple[float, ...]
    bin_counts: tuple[int, ...]


def calibrate(models_ev_per_angstrom: Array, teacher_ev_per_angstrom: Array) -> Calibration:
    """Return deviation and errors of each atom.

    :param models_ev_per_angstrom: forces by K models in eV/Angstrom, shape (K, f, n, 3).
    :param teacher_ev_per_angstrom: forces by the teacher, shape (f, n, 3).
    :raises ValueError: if there are fewer than two models, or shapes do not fit.
    """
    if models_ev_per_angstrom.ndim != 4 or models_ev_per_angstrom.shape[1:] != teacher_ev_per_angstrom.shape:
        raise ValueError(
            f"forces of the models and of the teacher: shapes {models_ev_per_angstrom.shape} and "
            f"{teacher_ev_per_angstrom.shape}, must be (K, f, n, 3) and (f, n, 3)"
        )
    if len(models_ev_per_angstrom) < LEAST_MODELS:
        raise ValueError(f"{len(models_ev_per_angstrom)} models given, a committee has at least {LEAST_MODELS}")
    mean = models_ev_per_angstrom.mean(axis=0)
    return Calibration(
        models=len(models_ev_per_angstrom),
        deviation=_rms(np.linalg.norm(models_ev_per_angstrom - mean, axis=-1), axis=0),
        model_error=_rms(np.linalg.norm(models_ev_per_angstrom - teacher_ev_per_angstrom, axis=-1), axis=0),
        mean_error=np.linalg.norm(mean - teacher_ev_per_angstrom, axis=-1),
    )


def summarise(parts: Sequence[Calibration]) -> CalibrationNumbers:
    """Return the numbers over all atoms and frames of some sets.

    :raises ValueError: if there is none, or the numbers of models differ.
    """
    if len({part.models for part in parts}) != 1:
        raise ValueError(f"calibrations of {len({part.models for part in parts})} committees given, one is needed")
    models = parts[0].models
    deviation, model_error, mean_error = (
        np.concatenate([getattr(part, name).ravel() for part in parts])
        for name in ("deviation", "model_error", "mean_error")
    )
    in_frames = [
        np.concatenate([getattr(part, name).max(axis=1) for part in parts]) for name in ("deviation", "model_error")
    ]
    rms = {"deviation": _rms(deviation), "model": _rms(model_error), "mean": _rms(mean_error)}
    common = float(rms["mean"] ** 2 - rms["deviation"] ** 2 / (models - 1))
    bins = [part for part in np.array_split(np.argsort(deviation, kind="stable"), BINS) if len(part)]
    return CalibrationNumbers(
        models=models,
        frames=len(in_frames[0]),
        atoms=len(deviation),
        rms_deviation_ev_per_angstrom=float(rms["deviation"]),
        rms_error_ev_per_angstrom=float(rms["model"]),
        rms_error_of_mean_ev_per_angstrom=float(rms["mean"]),
        common_error_ev_per_angstrom=max(0.0, common) ** 0.5,
        ratio_error_to_deviation=float(rms["model"] / rms["deviation"]) if rms["deviation"] > 0 else None,
        ratio_if_independent=float((models / (models - 1)) ** 0.5),
        spearman_by_atom=_spearman(deviation, model_error),
        spearman_by_frame=_spearman(*in_frames),
        largest_error_ev_per_angstrom=float(model_error.max()),
        share_beyond=tuple(float((mean_error > factor * deviation).mean()) for factor in FACTORS),
        bin_deviation_ev_per_angstrom=tuple(float(_rms(deviation[part])) for part in bins),
        bin_error_ev_per_angstrom=tuple(float(_rms(model_error[part])) for part in bins),
        bin_counts=tuple(len(part) for part in bins),
    )


def _rms(values: Array, axis: int | None = None) -> Array:
    root: Array = np.sqrt(np.mean(values**2, axis=axis))
    return root


def _spearman(first: Array, second: Array) -> float | None:
    """Return the rank correlation, None if there is none to speak of."""
    if len(first) < 3 or not (np.ptp(first) > 0 and np.ptp(second) > 0):
        return None
    return float(spearmanr(first, second).statistic)
