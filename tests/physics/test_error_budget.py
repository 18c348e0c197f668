from __future__ import annotations

import math

import numpy as np
import pytest

from aiida_dnpmelt.physics.error_budget import (
    COVERAGE_FACTOR,
    Measured,
    agreement,
    common_shift,
    error_budget,
    mean_of,
    mean_shift,
    widened,
)

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


def test_what_all_models_share_is_not_averaged_out():
    """Three models with 2 K of their own and 3 K in common: sqrt(4/3 + 9) = 3.21 K."""
    budget = error_budget([Measured(value, 2.0, 3.0) for value in (1300.0, 1300.0, 1300.0)], None)
    assert (budget.raw.uncertainty_k, budget.raw.common_k) == (pytest.approx(2 / math.sqrt(3)), pytest.approx(3.0))
    assert budget.raw.total_k == budget.total_uncertainty_k == pytest.approx(3.2146, abs=1e-4)
    assert budget.total.interval_k[1] - 1300 == pytest.approx(COVERAGE_FACTOR * budget.total_uncertainty_k)
    corrected = error_budget([Measured(1300.0, 2.0, 3.0)] * 3, Measured(-10.0, 4.0)).corrected
    assert corrected.total_k == pytest.approx(math.sqrt(4 / 3 + 9 + 16))


def test_means_have_weights_and_common_parts_their_mean():
    points = [Measured(10.0, 1.0, 3.0), Measured(20.0, 2.0, 1.0)]
    assert mean_of(points) == Measured(15.0, pytest.approx(math.hypot(1, 2) / 2), pytest.approx(2.0))
    weighted = mean_of(points, [1.0, 0.25])
    assert weighted.value_k == pytest.approx(12.0)
    assert weighted.uncertainty_k == pytest.approx(1.25**-0.5)
    assert weighted.common_k == pytest.approx(2.6)
    with pytest.raises(ValueError, match="points: none given"):
        mean_of([])


def test_what_both_share_drops_out_of_a_difference_as_far_as_both_have_it():
    assert agreement(Measured(1300.0, 3.0, 5.0), Measured(1310.0, 4.0, 5.0)).uncertainty_k == pytest.approx(5.0)
    assert agreement(Measured(1300.0, 3.0, 5.0), Measured(1310.0, 0.0, 1.0)).uncertainty_k == pytest.approx(5.0)
    assert agreement(Measured(1300.0, 0.0, 12.0), Measured(1310.0, 5.0, 0.0)).uncertainty_k == pytest.approx(13.0)


def test_intervals_are_widened_as_the_standard_uncertainty_is():
    half = COVERAGE_FACTOR * 4.0
    low, high = widened((1300.0 - half, 1300.0 + half), 1300.0, 3.0)
    assert (high - 1300.0, 1300.0 - low) == (pytest.approx(COVERAGE_FACTOR * 5.0), pytest.approx(COVERAGE_FACTOR * 5.0))


def test_a_common_error_moves_a_line_as_a_whole():
    x, u = np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 1.0])
    design = np.vander(x, 2, increasing=True)
    covariance = np.linalg.inv(design.T @ (design / u[:, None] ** 2))
    assert common_shift(covariance, design, u, np.full(3, 3.0)) == pytest.approx([3.0, 0.0])
    assert common_shift(covariance, design, u, 3.0 + 0.5 * x) == pytest.approx([3.0, 0.5])


def test_interval_covers_as_often_as_it_says_where_most_of_the_error_is_common():
    random = np.random.default_rng(7)
    inside, number = 0, 2000
    for _ in range(number):
        common = random.normal(0, 3.0)
        points = [Measured(1300.0 + common + random.normal(0, 2.0), 2.0, 3.0) for _ in range(3)]
        low, high = mean_of(points).interval_k
        inside += low <= 1300.0 <= high
    assert 0.93 <= inside / number <= 0.97
