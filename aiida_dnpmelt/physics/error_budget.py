"""What is known of a teacher's melting temperature from those of its models, part by part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

COVERAGE_FACTOR = 1.96
"""Half-width of the 95 % interval in standard uncertainties, for a normal distribution."""


@dataclass(frozen=True)
class Measured:
    """A temperature with its standard uncertainty, both in K."""

    value_k: float
    uncertainty_k: float

    @property
    def interval_k(self) -> tuple[float, float]:
        """Return the 95 % interval in K."""
        half = COVERAGE_FACTOR * self.uncertainty_k
        return self.value_k - half, self.value_k + half


@dataclass(frozen=True)
class Budget:
    """The melting temperature of models, and of their teacher as far as they tell it.

    :param raw: mean over the models; its uncertainty is the statistical part alone.
    :param spread_k: standard deviation between the models, None for a single one.
    :param total_uncertainty_k: of `raw` taken for the teacher's: statistical part and predicted shift, or the
        models' spread over the root of their number where no shift is known.
    :param shift: predicted shift of the mean against the teacher; None if not known.
    :param corrected: `raw` less the shift, the first-order estimate of the teacher's; None if not known.
    """

    raw: Measured
    spread_k: float | None
    total_uncertainty_k: float
    shift: Measured | None
    corrected: Measured | None


def error_budget(points: Sequence[Measured], shift: Measured | None, second_order_k: float = 0.0) -> Budget:
    """Return the parts of the uncertainty of a mean over models.

    :param points: T_m of each model with its statistical uncertainty.
    :param shift: predicted shift of their mean against the teacher to first order, see
        `aiida_dnpmelt.physics.energy_offset`.
    :param second_order_k: the next term of that shift, in K: what the first order may be wrong by, and counts so.
    :raises ValueError: without a point.
    """
    if not points:
        raise ValueError("points: none given, at least one is needed")
    values = np.array([point.value_k for point in points])
    statistical = math.sqrt(sum(point.uncertainty_k**2 for point in points)) / len(points)
    raw = Measured(float(values.mean()), statistical)
    spread = float(values.std(ddof=1)) if len(points) > 1 else None
    if shift is None:
        total = math.hypot(statistical, (spread or 0.0) / math.sqrt(len(points)))
        return Budget(raw, spread, total, None, None)
    unknown = math.hypot(shift.uncertainty_k, second_order_k)
    potential = math.hypot(shift.value_k, unknown)
    corrected = Measured(raw.value_k - shift.value_k, math.hypot(statistical, unknown))
    return Budget(raw, spread, math.hypot(statistical, potential), shift, corrected)


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
    """Return how two independent temperatures agree."""
    return Agreement(one.value_k - other.value_k, math.hypot(one.uncertainty_k, other.uncertainty_k))


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
