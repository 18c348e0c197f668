from __future__ import annotations

import math

import numpy as np
import pytest

from aiida_dnpmelt.physics.finite_size import fit_error_law, fit_sizes

N = np.array([500.0, 1000.0, 2000.0, 4000.0, 8000.0])
T_INF = 1320.0


def temperatures(slope: float, u: float, seed: int, n: np.ndarray = N) -> np.ndarray:
    return T_INF + slope / n + u * np.random.default_rng(seed).normal(size=len(n))


def test_exact_line_gives_its_coefficients():
    effect = fit_sizes(N, T_INF + 8000.0 / N, np.full(5, 2.0))
    assert effect.line.coefficients == pytest.approx([T_INF, 8000.0])
    assert effect.line.chi2 == pytest.approx(0, abs=1e-9)
    assert effect.line.temperature_k(1000).value == pytest.approx(T_INF + 8)
    assert effect.line.temperature_k(math.inf).value == pytest.approx(T_INF)
    assert effect.line.shift_k(2000).value == pytest.approx(4.0)
    assert effect.constant.shift_k(500).value == effect.constant.size_uncertainty_k(500) == 0.0
    assert effect.constant.coefficients == pytest.approx([np.mean(T_INF + 8000.0 / N)])


def test_uncertainties_by_hand():
    """Two cells of 1000 and 2000 atoms and an infinite one, nearly: x = 1/N weighs all equally."""
    effect = fit_sizes([1000, 2000, 1e12], [1300.0, 1300.0, 1300.0], [3.0, 3.0, 3.0])
    assert effect.constant.temperature_k(10).uncertainty == pytest.approx(3 / math.sqrt(3))
    slope = effect.line.shift_k(1.0)
    assert slope.uncertainty == pytest.approx(3.0 / math.sqrt(0.5) * 1000, rel=1e-6)
    assert effect.line.shift_k(1000).uncertainty == pytest.approx(slope.uncertainty / 1000)
    assert effect.line.size_uncertainty_k(1000) == pytest.approx(slope.uncertainty / 1000)
    assert effect.line.temperature_k(math.inf).uncertainty == pytest.approx(3 * math.sqrt(1.25 / 1.5), rel=1e-6)


def test_criteria_count_parameters():
    constant, line = vars(fit_sizes(N, temperatures(0.0, 3.0, 1), np.full(5, 3.0))).values()
    assert (constant.degrees_of_freedom, line.degrees_of_freedom) == (4, 3)
    assert constant.aicc == pytest.approx(constant.chi2 + 2 + 4 / 3)
    assert line.aicc == pytest.approx(line.chi2 + 4 + 12 / 2)
    assert fit_sizes(N[:3], [1.0, 2.0, 3.0], [1.0] * 3).line.aicc == math.inf


def test_scatter_beyond_the_uncertainties_widens_them():
    y = T_INF + np.array([20.0, -20.0, 20.0, -20.0, 20.0])
    narrow, honest = (fit_sizes(N, y, np.full(5, u)).line for u in (2.0, 20.0))
    assert narrow.probability < 1e-6
    assert narrow.temperature_k(math.inf).uncertainty == pytest.approx(
        narrow.widening * 0.1 * honest.temperature_k(math.inf).uncertainty / honest.widening
    )
    assert fit_sizes(N, T_INF + 5.0 / N, np.full(5, 2.0)).line.widening == 1.0


@pytest.mark.parametrize("in_slope_uncertainties", [0.0, 1.0, 2.0, 5.0])
def test_infinite_size_is_covered_whatever_the_effect(in_slope_uncertainties):
    """3.3 K at 500 atoms is one standard uncertainty of b/N here."""
    u, trials = 5.0, 600
    slope_uncertainty = fit_sizes(N, np.full(5, T_INF), np.full(5, u)).line.shift_k(1.0).uncertainty
    inside = resolved = 0
    for seed in range(trials):
        effect = fit_sizes(N, temperatures(in_slope_uncertainties * slope_uncertainty, u, seed), np.full(5, u))
        found = effect.line.temperature_k(math.inf)
        inside += abs(found.value - T_INF) < 1.96 * found.uncertainty
        resolved += effect.resolved
    assert 0.935 < inside / trials < 0.985
    low, high = {0.0: (0.005, 0.06), 1.0: (0.05, 0.25), 2.0: (0.3, 0.65), 5.0: (0.95, 1.0)}[in_slope_uncertainties]
    assert low <= resolved / trials <= high


def test_what_a_size_adds_is_covered_by_its_uncertainty():
    """Few and large cells do not resolve an effect of 6 K at 500 atoms; its uncertainty has room for it."""
    n, u, trials = np.array([2000.0, 3000.0, 4000.0, 6000.0]), 4.0, 400
    inside = 0
    for seed in range(trials):
        line = fit_sizes(n, temperatures(3000.0, u, seed, n), np.full(4, u)).line
        shift = line.shift_k(2000)
        inside += abs(shift.value - 1.5) < 1.96 * shift.uncertainty
        assert line.size_uncertainty_k(2000) >= shift.uncertainty > 1.5
    assert 0.93 < inside / trials < 0.99


@pytest.mark.parametrize("exponent", [-0.5, -1 / 3])
@pytest.mark.parametrize("runs", [3, 5])
def test_exponent_of_the_scatter_of_runs_is_covered(exponent, runs):
    """The published study has three seeds a size."""
    trials, inside, estimates = 500, 0, []
    for seed in range(trials):
        means = np.random.default_rng(seed).normal(size=(len(N), runs)) * 90.0 * (N[:, None] / 500) ** exponent
        sems = means.std(axis=1, ddof=1) / math.sqrt(runs)
        law = fit_error_law(N, sems, [runs - 1] * len(N))
        inside += law.exponent_interval[0] < exponent < law.exponent_interval[1]
        estimates.append(law.exponent.value)
    assert 0.925 < inside / trials < 0.98
    assert np.mean(estimates) == pytest.approx(exponent, abs=0.03), "the logarithm of a scatter is not biased"


def test_exponent_of_errors_of_unknown_scatter_is_covered():
    trials, inside, paper = 500, 0, 0
    for seed in range(trials):
        noise = np.exp(0.15 * np.random.default_rng(seed).normal(size=len(N)))
        law = fit_error_law(N, 2600.0 * N**-0.5 * noise)
        inside += law.exponent_interval[0] < -0.5 < law.exponent_interval[1]
        paper += law.agrees_with_paper
    assert 0.925 < inside / trials < 0.98
    assert paper == inside


def test_exact_law_gives_its_numbers():
    law = fit_error_law(N, 2600.0 / np.sqrt(N))
    assert law.exponent.value == pytest.approx(-0.5)
    assert law.prefactor.value == pytest.approx(2600.0)
    assert law.reference_atoms == pytest.approx(2000.0)
    assert law.error(8000) == pytest.approx(2600 / math.sqrt(8000))
    assert law.exponent.uncertainty == pytest.approx(0, abs=1e-9)
    slower = fit_error_law(N, 2600.0 * N ** (-1 / 3) * np.array([1.0, 1.01, 0.99, 1.01, 1.0]))
    assert not slower.agrees_with_paper


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([500, 1000], [1.0, 1.0], [1.0, 1.0]), "2 sizes given, a law needs 3"),
        (([500, 500, 1000], [1.0] * 3, [1.0] * 3), "must all be different"),
        (([500, 1000, 2000], [1.0] * 2, [1.0] * 3), "3 sizes, 2 values and 3 uncertainties given"),
        (([500, 1000, 2000], [1.0] * 3, [1.0, 0.0, 1.0]), "all errors finite and positive"),
        (([0, 1000, 2000], [1.0] * 3, [1.0] * 3), "at least one atom"),
        (([500, 1000, 2000], [1.0, math.nan, 1.0], [1.0] * 3), "all temperatures must be finite"),
    ],
)
def test_sizes_that_make_no_law_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_sizes(*arguments)


def test_errors_that_make_no_law_are_refused():
    with pytest.raises(ValueError, match="all errors finite and positive"):
        fit_error_law([500, 1000, 2000], [1.0, -1.0, 1.0])
    with pytest.raises(ValueError, match="must be 3 positive numbers"):
        fit_error_law([500, 1000, 2000], [1.0, 2.0, 3.0], [2, 0, 2])
