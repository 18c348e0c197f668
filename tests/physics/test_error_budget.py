from __future__ import annotations

import math

import numpy as np
import pytest

from aiida_dnpmelt.physics.error_budget import Measured, agreement, error_budget, mean_shift

POINTS = [Measured(1300.0, 8.0), Measured(1330.0, 6.0), Measured(1315.0, 0.0)]


def test_parts_of_the_uncertainty_stand_apart():
    budget = error_budget(POINTS, Measured(-12.0, 5.0))
    assert budget.raw.value_k == pytest.approx(1315.0)
    assert budget.raw.uncertainty_k == pytest.approx(10.0 / 3)
    assert budget.spread_k == pytest.approx(15.0)
    assert budget.total_uncertainty_k == pytest.approx(math.sqrt((10 / 3) ** 2 + 12.0**2 + 5.0**2))
    assert budget.corrected.value_k == pytest.approx(1327.0)
    assert budget.corrected.uncertainty_k == pytest.approx(math.hypot(10 / 3, 5.0))


def test_second_order_of_the_shift_widens_and_does_not_shift():
    plain, wide = (error_budget(POINTS, Measured(-12.0, 5.0), second) for second in (0.0, -12.0))
    assert wide.corrected.value_k == plain.corrected.value_k
    assert wide.corrected.uncertainty_k == pytest.approx(math.hypot(plain.corrected.uncertainty_k, 12.0))
    assert wide.total_uncertainty_k == pytest.approx(math.hypot(plain.total_uncertainty_k, 12.0))


def test_without_a_shift_the_spread_of_the_models_stands_for_the_potential():
    budget = error_budget(POINTS, None)
    assert (budget.shift, budget.corrected) == (None, None)
    assert budget.total_uncertainty_k == pytest.approx(math.hypot(10 / 3, 15.0 / math.sqrt(3)))
    alone = error_budget(POINTS[:1], None)
    assert (alone.spread_k, alone.total_uncertainty_k) == (None, 8.0)


def test_no_point_is_refused():
    with pytest.raises(ValueError, match="points: none given"):
        error_budget([], None)


def test_shifts_of_the_used_models_are_averaged_and_their_common_uncertainty_is_not_made_smaller():
    shifts = {"a": Measured(-20.0, 4.0), "b": Measured(10.0, 4.0), "c": Measured(0.0, 4.0)}
    found = mean_shift(shifts, ["a", "b"])
    assert (found.value_k, found.uncertainty_k) == (-5.0, 4.0)
    assert mean_shift(shifts, ["a", "d"]) is None
    assert mean_shift(shifts, []) is None


def test_agreement_counts_both_uncertainties():
    near = agreement(Measured(1320.0, 5.0), Measured(1330.0, 2.0))
    assert (near.difference_k, near.uncertainty_k, near.agrees) == (-10.0, pytest.approx(math.sqrt(29)), True)
    assert not agreement(Measured(1300.0, 5.0), Measured(1330.0, 2.0)).agrees


def test_interval_of_the_corrected_value_covers_the_teacher_as_often_as_it_says():
    """Models whose T_m is that of the teacher and their shift, known with noise: as adaptive learning gives them."""
    random = np.random.default_rng(5)
    truth, inside, number = 1327.0, 0, 2000
    for _ in range(number):
        shifts = random.normal(-20.0, 15.0, 3)
        points = [Measured(truth + shift + random.normal(0, 8.0), 8.0) for shift in shifts]
        known = Measured(shifts.mean() + random.normal(0, 4.0), 4.0)
        low, high = error_budget(points, known).corrected.interval_k
        inside += low <= truth <= high
    assert 0.92 <= inside / number <= 0.98
