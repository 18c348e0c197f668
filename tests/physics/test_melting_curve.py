from __future__ import annotations

import numpy as np
import pytest

from aiida_dnpmelt.physics.melting_curve import (
    LAWS,
    Quantity,
    clapeyron_slope_k_per_gpa,
    disagreement,
    fit_curves,
    kechin,
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
