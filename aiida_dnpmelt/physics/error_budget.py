"""What is known of a teacher's melting temperature from those of its models, part by part.

An uncertainty has a part of its own, which is independent from one temperature to the next and is averaged out, and a
part that is common to all: the correction for the time step is known to a share, too large or too small for all of them
alike. No number of models or points makes it smaller, and of a difference of two temperatures it drops out as far as
both have it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

COVERAGE_FACTOR = 1.96
"""Half-width of the 95 % interval in standard uncertainties, for a normal distribution."""


@dataclass(frozen=True)
class Measured:
    """A temperature in K.

    :param uncertainty_k: its own standard uncertainty, independent of those of others.
    :param common_k: standard uncertainty that it shares with others that were measured alike.
    """

    value_k: float
    uncertainty_k: float
    common_k: float = 0.0

    @property
    def total_k(self) -> float:
        """Return the standard uncertainty in K, with both parts."""
        return math.hypot(self.uncertainty_k, self.common_k)

    @property
    def interval_k(self) -> tuple[float, float]:
        """Return the 95 % interval in K."""
        half = COVERAGE_FACTOR * self.total_k
        return self.value_k - half, self.value_k + half


def mean_of(points: Sequence[Measured], weights: Sequence[float] | None = None) -> Measured:
    """Return the mean of temperatures: their own uncertainties are averaged out, what they share is not.

    :param weights: without any, all count alike.
    :raises ValueError: without a point.
    """
    if not points:
        raise ValueError("points: none given, at least one is needed")
    shares = np.ones(len(points)) if weights is None else np.asarray(weights, dtype=float)
    shares = shares / shares.sum()
    values, own, common = np.array([(each.value_k, each.uncertainty_k, each.common_k) for each in points]).T
    return Measured(float(shares @ values), float(np.linalg.norm(shares * own)), float(shares @ common))


def widened(interval_k: tuple[float, float], value_k: float, common_k: float) -> tuple[float, float]:
    """Return a 95 % interval about a value, both in K, with a common standard uncertainty added in squares."""
    common = COVERAGE_FACTOR * common_k
    low, high = interval_k
    return value_k - math.hypot(value_k - low, common), value_k + math.hypot(high - value_k, common)


def common_shift(covariance: Array, design: Array, u: Array, common: Array) -> Array:
    """Return by how much parameters are off if all points of a fit are off by their common uncertainty.

    :param covariance: of the parameters, from weights ``1/u**2``; shape (k, k).
    :param design: derivatives of the fitted values by the parameters, shape (n, k).
    :param u: uncertainties of the points of their own, shape (n,); ``common`` are those that they share.
    """
    return np.asarray(covariance @ design.T @ (common / u**2))


@dataclass(frozen=True)
class Budget:
    """The melting temperature of models, and of their teacher as far as they tell it.

    :param raw: mean over the models; its own uncertainty is the statistical part alone.
    :param spread_k: standard deviation between the models, None for a single one.
    :param total: `raw` taken for the teacher's: statistical part and predicted shift, or the models' spread over the
        root of their number where no shift is known.
    :param shift: predicted shift of the mean against the teacher; None if not known.
    :param corrected: `raw` less the shift, the first-order estimate of the teacher's; None if not known.
    """

    raw: Measured
    spread_k: float | None
    total: Measured
    shift: Measured | None
    corrected: Measured | None

    @property
    def total_uncertainty_k(self) -> float:
        """Return the standard uncertainty of `total` in K, with all parts."""
        return self.total.total_k


def error_budget(points: Sequence[Measured], shift: Measured | None, second_order_k: float = 0.0) -> Budget:
    """Return the parts of the uncertainty of a mean over models.

    :param points: T_m of each model, its statistical uncertainty apart from the one that all models share.
    :param shift: predicted shift of their mean against the teacher to first order, see
        `aiida_dnpmelt.physics.energy_offset`.
    :param second_order_k: the next term of that shift, in K: what the first order may be wrong by, and counts so.
    :raises ValueError: without a point.
    """
    raw = mean_of(points)
    spread = float(np.std([point.value_k for point in points], ddof=1)) if len(points) > 1 else None
    if shift is None:
        return Budget(raw, spread, _with(raw, (spread or 0.0) / math.sqrt(len(points))), None, None)
    unknown = math.hypot(shift.total_k, second_order_k)
    corrected = replace(_with(raw, unknown), value_k=raw.value_k - shift.value_k)
    return Budget(raw, spread, _with(raw, math.hypot(shift.value_k, unknown)), shift, corrected)


def _with(point: Measured, more_k: float) -> Measured:
    """Return a temperature with one more uncertainty of its own."""
    return replace(point, uncertainty_k=math.hypot(point.uncertainty_k, more_k))


@dataclass(frozen=True)
class Agreement:
    """Difference of two temperatures, and whether it is within its 95 % interval around zero."""

    difference_k: float
    uncertainty_k: float

    @property
    def agrees(self) -> bool:
        """Tell whether the difference is what the uncertainty lets one expect."""
        return abs(self.difference_k) <= COVERAGE_FACTOR * self.uncertainty_k


def agreement(one: Measured, other: Measured) -> Agreement:
    """Return how two temperatures agree; what both share drops out of their difference as far as both have it."""
    common = one.common_k - other.common_k
    return Agreement(one.value_k - other.value_k, math.hypot(one.uncertainty_k, other.uncertainty_k, common))


def mean_shift(shifts: Mapping[str, Measured], used: Sequence[str]) -> Measured | None:
    """Return the mean of the predicted shifts of some models; None if one of them has none.

    The shifts come from the same frames: their uncertainties are added, not their squares.
    """
    if not used or not set(used) <= set(shifts):
        return None
    values = [shifts[name] for name in used]
    return Measured(
        sum(each.value_k for each in values) / len(values), sum(each.uncertainty_k for each in values) / len(values)
    )
