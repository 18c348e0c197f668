from __future__ import annotations

import numpy as np
import pytest

from aiida_dnpmelt.physics.melting_curve import (
    LAWS,
    Known,
    Quantity,
    clapeyron_slope_k_per_gpa,
    consistency,
    disagreement,
    fit_curves,
    guess_k,
    kechin,
    ready_pressures,
    simon_glatzel,
)

PRESSURES = np.arange(0.0, 31.0, 5.0)
NICKEL = (1728.0, 17.0, 2.1)
LITHIUM = (454.0, 1.4, 0.23, 45.0)
"""Of the order of the measured curves: one rises, one has its maximum near 9 GPa."""


def noisy(law, parameters, u: float, seed: int = 0) -> np.ndarray:
    return law(PRESSURES, *parameters) + u * np.random.default_rng(seed).normal(size=len(PRESSURES))


def test_exact_points_give_their_parameters():
    best, *_ = fit_curves(PRESSURES, simon_glatzel(PRESSURES, *NICKEL), np.full(7, 3.0))
    assert best.law.name == "simon_glatzel"
    assert best.parameters == pytest.approx(NICKEL, rel=1e-4)
    assert best.chi2 == pytest.approx(0, abs=1e-6)
    found = {each.law.name: each for each in fit_curves(PRESSURES, kechin(PRESSURES, *LITHIUM), np.full(7, 1.0))}
    assert found["kechin"].parameters == pytest.approx(LITHIUM, rel=1e-2)


def test_curve_with_a_maximum_is_seen_by_its_numbers():
    best, other = fit_curves(PRESSURES, noisy(kechin, LITHIUM, 3.0), np.full(7, 3.0))
    assert (best.law.name, other.law.name) == ("kechin", "simon_glatzel")
    assert other.probability < 1e-3 < best.probability
    expected = LITHIUM[2] * LITHIUM[3] - LITHIUM[1]
    assert best.maximum_gpa(30.0) == pytest.approx(expected, abs=2.0)
    assert best.slope_k_per_gpa(0.0).value > 0 > best.slope_k_per_gpa(25.0).value


def test_simple_law_is_taken_where_it_does():
    chosen = [fit_curves(PRESSURES, noisy(simon_glatzel, NICKEL, 8.0, seed), np.full(7, 8.0))[0] for seed in range(10)]
    assert sum(each.law.name == "simon_glatzel" for each in chosen) >= 9
    assert all(each.maximum_gpa(30.0) is None for each in chosen if each.law.name == "simon_glatzel")


def test_three_points_are_fitted_by_the_law_of_three_parameters():
    (only,) = fit_curves([0.0, 5.0, 10.0], [933.0, 1210.0, 1420.0], [5.0, 5.0, 5.0])
    assert (only.law.name, only.degrees_of_freedom, only.probability) == ("simon_glatzel", 0, 1.0)
    assert only.aicc == float("inf")
    assert only.temperature_k(5.0).value == pytest.approx(1210.0, abs=0.1)
    assert only.temperature_k(5.0).uncertainty == pytest.approx(5.0, rel=0.01)


@pytest.mark.parametrize(("law", "parameters"), [(LAWS[0], NICKEL), (LAWS[1], LITHIUM)])
def test_uncertainties_cover_as_often_as_they_claim(law, parameters):
    """T_m between the points and slopes at them: 95 % intervals hold the truth in 95 % of cases."""
    u, trials, hits = 3.0, 200, {"temperature": 0, "slope": 0}
    at = 12.5
    low, high = law.function(np.array([at - 1e-3, at + 1e-3]), *parameters)
    truth = {"temperature": float(law.function(np.array(at), *parameters)), "slope": float(high - low) / 2e-3}
    for seed in range(trials):
        (found,) = fit_curves(PRESSURES, noisy(law.function, parameters, u, seed), np.full(7, u), [law])
        for what, value in (("temperature", found.temperature_k(at)), ("slope", found.slope_k_per_gpa(at))):
            hits[what] += abs(value.value - truth[what]) < 1.96 * value.uncertainty
    for number in hits.values():
        assert 0.90 < number / trials < 0.985


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.0, 5.0], [900.0, 1000.0], [1.0, 1.0]), "2 different pressures given, a curve needs 3"),
        (([0.0, 5.0, 5.0], [900.0, 1000.0, 1001.0], [1.0] * 3), "2 different pressures"),
        (([0.0, 5.0, 9.0], [900.0, 1000.0], [1.0] * 3), "3 pressures, 2 temperatures and 3 uncertainties"),
        (([0.0, 5.0, 9.0], [900.0, 1000.0, 1100.0], [1.0, 0.0, 1.0]), "the uncertainties positive"),
        (([0.0, 5.0, 9.0], [900.0, np.nan, 1100.0], [1.0] * 3), "all numbers must be finite"),
    ],
)
def test_points_that_make_no_curve_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_curves(*arguments)


def test_clapeyron_slope_by_hand():
    """933 K x 1 cubic Angstrom / 0.11 eV = 8482 K cubic Angstrom/eV, and 1 GPa = 0.0062415 eV/cubic Angstrom."""
    slope = clapeyron_slope_k_per_gpa(Quantity(933.0, 5.0), Quantity(1.0, 0.05), Quantity(0.11, 0.002))
    assert slope.value == pytest.approx(52.94, abs=0.01)
    assert slope.uncertainty == pytest.approx(52.94 * np.hypot(np.hypot(5 / 933, 0.05), 0.002 / 0.11), abs=0.01)
    contracts = clapeyron_slope_k_per_gpa(Quantity(1687.0, 5.0), Quantity(-1.0, 0.1), Quantity(0.5, 0.01))
    assert contracts.value < 0 < contracts.uncertainty
    with pytest.raises(ValueError, match=r"enthalpy of melting is -0\.1 eV/atom"):
        clapeyron_slope_k_per_gpa(Quantity(933.0, 5.0), Quantity(1.0, 0.05), Quantity(-0.1, 0.002))


@pytest.mark.parametrize(("law", "parameters"), [(LAWS[0], NICKEL), (LAWS[1], LITHIUM)])
def test_slopes_are_derivatives(law, parameters):
    numbers = (law.function(PRESSURES + 1e-4, *parameters) - law.function(PRESSURES - 1e-4, *parameters)) / 2e-4
    assert law.slope(PRESSURES, *parameters) == pytest.approx(numbers, rel=1e-5)


def test_disagreement_is_in_units_of_the_joint_uncertainty():
    assert disagreement(Quantity(60.0, 3.0), Quantity(50.0, 4.0)) == pytest.approx(2.0)


@pytest.mark.parametrize("pressures", [PRESSURES, PRESSURES[:3]])
def test_slopes_that_are_right_are_consistent_as_often_as_they_claim(pressures):
    """Slopes and points with the scatter that they claim: the number is below 2 sigma in 95 % of cases."""
    law, trials, agree = LAWS[0], 300, 0
    for seed in range(trials):
        scatter = np.random.default_rng(seed).normal(size=(2, len(pressures)))
        temperatures = [Quantity(value, 5.0) for value in law.function(pressures, *NICKEL) + 5.0 * scatter[0]]
        slopes = [Quantity(value, 0.5) for value in law.slope(pressures, *NICKEL) + 0.5 * scatter[1]]
        found = consistency(list(pressures), temperatures, slopes)
        agree += found.sigma < 1.96
        assert found.degrees_of_freedom == len(pressures) - 1
    assert 0.915 < agree / trials < 0.985


def test_slopes_that_are_wrong_are_told():
    temperatures = [Quantity(value, 5.0) for value in noisy(simon_glatzel, NICKEL, 5.0)]
    wrong = [Quantity(1.1 * value, 0.5) for value in LAWS[0].slope(PRESSURES, *NICKEL)]
    found = consistency(list(PRESSURES), temperatures, wrong)
    assert found.sigma > 3
    assert found.probability < 0.003
    with pytest.raises(ValueError, match="2 points with a slope given, their integral needs 3"):
        consistency([0.0, 5.0], temperatures[:2], wrong[:2])


def test_rises_by_hand():
    """A slope of 40 K/GPa over twice 5 GPa; T_m is 10 K too high in the middle, its error 3 K, the others' 0."""
    temperatures = [Quantity(1300.0, 1e-9), Quantity(1510.0, 3.0), Quantity(1700.0, 1e-9)]
    slopes = [Quantity(40.0, 0.4)] * 3
    found = consistency([0.0, 5.0, 10.0], temperatures, slopes)
    weights = np.array([[25 / 12, 40 / 12, -5 / 12], [-5 / 12, 40 / 12, 25 / 12]])  # of a parabola
    covariance = 9.0 * np.array([[1, -1], [-1, 1]]) + 0.16 * weights @ weights.T
    assert found.chi2 == pytest.approx(np.array([10, -10]) @ np.linalg.solve(covariance, [10, -10]))
    assert found.probability == pytest.approx(np.exp(-found.chi2 / 2))


def test_what_all_points_share_drops_out_of_the_rises():
    temperatures = [Quantity(1300.0, 1.0), Quantity(1510.0, 3.0), Quantity(1700.0, 1.0)]
    slopes = [Quantity(40.0, 0.4)] * 3
    alone = consistency([0.0, 5.0, 10.0], temperatures, slopes)
    assert consistency([0.0, 5.0, 10.0], temperatures, slopes, [3.0] * 3).chi2 == pytest.approx(alone.chi2)
    assert consistency([0.0, 5.0, 10.0], temperatures, slopes, [3.0, 30.0, 3.0]).chi2 < 0.5 * alone.chi2


def test_guess_follows_the_slope_and_its_change():
    """By facts of copper: 1283 K and 40.5 K/GPa at 0, 1461 K at 5, 1610 K at 10 GPa."""
    first = Known(0.0, 1283.0, 40.5)
    assert guess_k([first], 5.0) == pytest.approx(1485.5)
    assert guess_k([first, Known(5.0, 1461.0, 35.5)], 10.0) == pytest.approx(1461 + 5 * (35.5 - 2.5))
    assert guess_k([first, Known(5.0, 1461.0, 35.5)], 10.0) == pytest.approx(1610, rel=0.02)
    assert guess_k([Known(5.0, 1461.0, 35.5), first], -2.0) == pytest.approx(1283 - 2 * (40.5 + 1.0))


def test_guess_without_slopes():
    assert guess_k([Known(0.0, 1283.0, None)], 5.0) == 1283.0
    assert guess_k([Known(0.0, 1283.0, None), Known(5.0, 1461.0, None)], 10.0) == pytest.approx(1639.0)
    assert guess_k([Known(0.0, 1283.0, 40.5), Known(5.0, 1461.0, None)], 8.0) == pytest.approx(1607.0)
    assert guess_k([Known(5.0, 1500.0, None), Known(0.0, 1300.0, None)], 2.5) == pytest.approx(1400.0)
    assert guess_k([Known(0.0, 454.0, None), Known(10.0, 400.0, None)], 20.0) == pytest.approx(346.0)
    with pytest.raises(ValueError, match="no point of the curve is known"):
        guess_k([], 5.0)


def test_guess_is_bounded():
    """Two points near each other tell no slope."""
    near = [Known(0.0, 1300.0, None), Known(5.0, 1500.0, None)]
    assert guess_k(near, 1000.0) == pytest.approx(1.3 * 1500.0)
    assert guess_k([Known(0.0, 1500.0, None), Known(5.0, 1300.0, None)], 1000.0) == pytest.approx(0.7 * 1300.0)
    assert guess_k([Known(0.0, 1283.0, 40.5)], 100.0) == pytest.approx(1.3 * 1283.0)


@pytest.mark.parametrize(
    ("pending", "known", "ready"),
    [
        ([0.0, 5.0, 10.0], [], [0.0]),
        ([5.0, 10.0, 15.0], [0.0], [5.0]),
        ([2.0, 5.0, 10.0], [0.0], [2.0, 5.0]),
        ([0.0, 5.0, 15.0, 20.0], [10.0], [5.0, 15.0]),
        ([15.0, 20.0], [0.0], [15.0]),
        ([10.0, 30.0], [0.0, 20.0], [10.0, 30.0]),
    ],
    ids=[
        "first one",
        "one after the other",
        "within reach",
        "both ways",
        "over a gap",
        "beyond reach, nothing between",
    ],
)
def test_pressures_start_when_their_guess_waits_for_none(pending, known, ready):
    assert ready_pressures(pending, known, 5.0) == ready
