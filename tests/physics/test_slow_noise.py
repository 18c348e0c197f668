from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.stats import multivariate_normal

from aiida_dnpmelt.physics.slow_noise import bin_covariance, bin_decay, levels, trends, whiten

TAU, RATIO, SIGMA, WIDTH, AMPLITUDE = 7.5, 0.17, 16.0, 1.0, 64.0


def dense_covariance(bins, tau=TAU, ratio=RATIO, width=WIDTH):
    """Covariance of unit sigma, element by element."""
    variance, neighbour = bin_covariance(np.array([tau]), width)
    lag = np.abs(np.subtract.outer(np.arange(bins), np.arange(bins)))
    off = neighbour * np.exp(-(lag - 1) * width / tau)
    return np.where(lag == 0, variance + ratio**2, off)


def dense_fit(values, columns):
    """Generalised least squares with a prior for the amplitude, column 1; coefficients and covariance."""
    inverse = np.linalg.inv(SIGMA**2 * dense_covariance(len(values)))
    precision = columns.T @ inverse @ columns
    precision[1, 1] += AMPLITUDE**-2
    covariance = np.linalg.inv(precision)
    return covariance @ columns.T @ inverse @ values, covariance


@pytest.fixture
def series():
    rng = np.random.default_rng(4)
    return [20 * rng.normal() + 15 * rng.normal(size=bins).cumsum() / 5 for bins in (40, 25)]


def node():
    return np.array([TAU]), np.array([RATIO])


@pytest.mark.parametrize("tau", [0.5, 7.5, 60.0])
def test_covariance_of_bins_is_the_integral_over_the_bins(tau):
    variance, neighbour = bin_covariance(np.array([tau]), WIDTH)
    # The integrand has a kink at equal times: twice the triangle below.
    below, _ = dblquad(lambda s, t: np.exp(-(t - s) / tau), 0, WIDTH, 0, lambda t: t)
    next_bin, _ = dblquad(lambda s, t: np.exp(-(t - s) / tau), WIDTH, 2 * WIDTH, 0, WIDTH)
    assert variance[0] == pytest.approx(2 * below / WIDTH**2, rel=1e-9)
    assert neighbour[0] == pytest.approx(next_bin / WIDTH**2, rel=1e-9)


def test_decay_of_bins_is_the_mean_over_the_bins():
    times = np.linspace(0, 3, 30001)
    exact = np.exp(-times / TAU)
    bins = [exact[10000 * k : 10000 * (k + 1) + 1] for k in range(3)]
    means = [float((part[1:] + part[:-1]).mean() / 2) for part in bins]
    assert bin_decay(np.array([TAU]), WIDTH, 3)[:, 0] == pytest.approx(means, rel=1e-8)


@pytest.mark.parametrize("ratio", [0.01, 0.17, 1.5])
def test_innovations_give_the_likelihood_of_the_dense_covariance(series, ratio):
    # At 0.01 the nugget of the recursion is negative.
    values = series[0]
    white, log_variance = whiten(values[:, None, None], np.array([TAU]), np.array([ratio]), WIDTH)
    found = -0.5 * ((white**2).sum() + log_variance.sum() + len(values) * np.log(2 * np.pi))
    exact = multivariate_normal(np.zeros(len(values)), dense_covariance(len(values), ratio=ratio)).logpdf(values)
    assert found == pytest.approx(exact, rel=1e-10)


def test_each_series_has_the_level_of_generalised_least_squares(series):
    found = levels(series, *node(), np.array([SIGMA]), WIDTH, AMPLITUDE)
    for index, values in enumerate(series):
        columns = np.stack([np.ones(len(values)), bin_decay(np.array([TAU]), WIDTH, len(values))[:, 0]], axis=1)
        coefficients, covariance = dense_fit(values, columns)
        assert found.mean[0, 0, index] == pytest.approx(coefficients[0])
        assert found.variance[0, 0, index] == pytest.approx(covariance[0, 0])


def test_evidence_is_the_likelihood_integrated_over_level_and_amplitude(series):
    sigmas = np.array([12.0, 20.0])
    found = levels(series, *node(), sigmas, WIDTH, AMPLITUDE)
    values, flat = series[1], 1e4
    decay = bin_decay(np.array([TAU]), WIDTH, len(values))[:, 0]
    exact = []
    for sigma in sigmas:
        total = sigma**2 * dense_covariance(len(values)) + AMPLITUDE**2 * np.outer(decay, decay) + flat**2
        exact.append(multivariate_normal(np.zeros(len(values)), total).logpdf(values))
    difference = found.log_evidence[0, 1, 1] - found.log_evidence[0, 0, 1]
    assert difference == pytest.approx(exact[1] - exact[0], abs=1e-3)


def test_amplitude_is_the_start_of_the_slow_motion():
    tau, small = np.array([TAU]), 0.01
    values = 30 * bin_decay(tau, WIDTH, 60)[:, 0] - 5
    found = levels([values], tau, np.array([RATIO]), np.array([small]), WIDTH, AMPLITUDE)
    assert found.amplitude[0, 0, 0] == pytest.approx(30, abs=0.1)
    assert found.mean[0, 0, 0] == pytest.approx(-5, abs=0.1)


def test_trend_is_that_of_generalised_least_squares(series):
    rises, deviations = trends(series, TAU, RATIO, SIGMA, WIDTH, AMPLITUDE)
    for values, rise, deviation in zip(series, rises, deviations, strict=True):
        decay = bin_decay(np.array([TAU]), WIDTH, len(values))[:, 0]
        columns = np.stack([np.ones(len(values)), decay, np.arange(len(values))], axis=1)
        coefficients, covariance = dense_fit(values, columns)
        assert rise == pytest.approx(coefficients[2])
        assert deviation == pytest.approx(np.sqrt(covariance[2, 2]))
