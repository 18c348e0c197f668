"""Errors of melting temperatures against a reference, and their means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MeanErrors:
    """Means over some melting temperatures, calculated less reference.

    :param number: of temperatures.
    :param mean_k: signed, in K.
    :param mean_absolute_k: in K.
    :param mean_percent: signed, each in percent of its reference.
    :param mean_absolute_percent: in the same way.
    """

    number: int
    mean_k: float
    mean_absolute_k: float
    mean_percent: float
    mean_absolute_percent: float


def mean_errors(calculated_k: Sequence[float], reference_k: Sequence[float]) -> MeanErrors:
    """Return the mean errors of melting temperatures in K against reference values in K.

    :raises ValueError: if there are none, if the numbers of both differ, or a reference is not positive.
    """
    calculated, reference = np.asarray(calculated_k, dtype=float), np.asarray(reference_k, dtype=float)
    if not calculated.size or calculated.shape != reference.shape:
        counted = f"{calculated.size} calculated and {reference.size} reference temperatures"
        raise ValueError(f"{counted} given, as many of both are needed, one at least")
    if not (reference > 0).all():
        raise ValueError(f"a reference temperature is {reference.min():g} K, it must be positive")
    errors = calculated - reference
    percent = 100 * errors / reference
    return MeanErrors(
        number=int(calculated.size),
        mean_k=float(errors.mean()),
        mean_absolute_k=float(np.abs(errors).mean()),
        mean_percent=float(percent.mean()),
        mean_absolute_percent=float(np.abs(percent).mean()),
    )
