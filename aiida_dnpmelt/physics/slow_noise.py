"""Likelihood of binned series that hold slow Ornstein-Uhlenbeck motion, white noise, a level and a decay.

A bin average of y(t) = level + A exp(-t/tau) + OU(sigma, tau) + white(r) is taken over a width w. With a = w/tau the
averages of the OU process have the covariance sigma^2 S exp(-k a) at lag k > 0, S = 2 (cosh a - 1)/a^2, and the
variance sigma^2 2 (a - 1 + exp(-a))/a^2. This is an ARMA(1,1) process, so that innovations give its exact likelihood
in O(n): Brockwell and Davis, Time Series: Theory and Methods (1991), sections 5.2 and 8.7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Levels:
    """What each series says of its level once its amplitude is integrated out.

    :param mean: level, shape (relaxation times x noise ratios, slow noises, series).
    :param variance: its variance, same shape.
    :param log_evidence: logarithm of the likelihood of the series, integrated over level and amplitude, same shape.
    :param amplitude: expected start of the slow motion, T(0) - T_m, same shape.
    """

    mean: Array
    variance: Array
    log_evidence: Array
    amplitude: Array


def bin_covariance(relaxation_time: Array, width: float) -> tuple[Array, Array]:
    """Return variance and lag-one covariance of bin averages of an OU process of unit variance.

    The covariance at lag k > 1 is the lag-one covariance times exp(-(k - 1) width/relaxation_time).
    """
    a = width / relaxation_time
    variance = 2 * (a + np.expm1(-a)) / a**2
    return variance, (np.expm1(-a) / a) ** 2


def bin_decay(relaxation_time: Array, width: float, bins: int) -> Array:
    """Return bin averages of exp(-t/tau) from t = 0 on, shape (bins, relaxation times)."""
    a = width / relaxation_time
    return -np.expm1(-a) / a * np.exp(-np.arange(bins)[:, None] * a)


def whiten(columns: Array, relaxation_time: Array, noise_ratio: Array, width: float) -> tuple[Array, Array]:
    """Return innovations of unit variance, and the logarithms of the variances they had for sigma = 1.

    :param columns: shape (bins, columns, nodes).
    :param relaxation_time: shape (nodes,).
    :param noise_ratio: standard deviation of the white noise over sigma, shape (nodes,).
    :param width: of a bin, in the unit of the relaxation time.
    :return: shapes (bins, columns, nodes) and (bins, nodes).
    """
    decay = np.exp(-width / relaxation_time)
    variance, covariance = bin_covariance(relaxation_time, width)
    # An AR(1) signal plus a nugget; bins of an OU process can make the nugget negative, which is sound: the
    # recursion is that of a positive definite covariance.
    signal = covariance / decay
    nugget = variance - signal + noise_ratio**2
    variances = np.empty((len(columns), len(relaxation_time)))
    predicted = signal
    for step in range(len(columns)):
        variances[step] = predicted + nugget
        predicted = decay**2 * predicted * nugget / variances[step] + signal * (1 - decay**2)
    keep = decay * nugget / variances
    gain = decay - keep
    expected = np.zeros_like(columns)
    for step in range(len(columns) - 1):
        expected[step + 1] = keep[step] * expected[step] + gain[step] * columns[step]
    return (columns - expected) / np.sqrt(variances)[:, None], np.log(variances)


def levels(
    series: Sequence[Array],
    relaxation_time: Array,
    noise_ratio: Array,
    slow_noise: Array,
    width: float,
    amplitude_sd: float,
) -> Levels:
    """Return level, variance and evidence of every series on a grid of noises.

    :param series: bin averages, each of its own length, best centred near zero.
    :param relaxation_time: nodes, shape (nodes,), in the unit of the width.
    :param noise_ratio: white noise over slow noise at the same nodes, shape (nodes,).
    :param slow_noise: sigma, shape (slow noises,).
    :param width: of a bin.
    :param amplitude_sd: standard deviation of the amplitudes before any data.
    """
    bins, nodes = max(len(values) for values in series), len(relaxation_time)
    columns = np.zeros((bins, 2 + len(series), nodes))
    columns[:, 0] = 1
    columns[:, 1] = bin_decay(relaxation_time, width, bins)
    for index, values in enumerate(series):
        columns[: len(values), 2 + index] = values[:, None]
    white, log_variance = whiten(columns, relaxation_time, noise_ratio, width)
    each = [
        _level(white[: len(values), [0, 1, 2 + index]], log_variance[: len(values)], slow_noise, amplitude_sd)
        for index, values in enumerate(series)
    ]
    return Levels(*(np.stack(parts, axis=-1) for parts in zip(*each, strict=True)))


def _level(white: Array, log_variance: Array, slow_noise: Array, amplitude_sd: float) -> tuple[Array, ...]:
    """Return mean, variance, log evidence and amplitude of one series, each of shape (nodes, slow noises)."""
    products = np.einsum("tig,tjg->ijg", white, white)[..., None] / slow_noise**2
    one_one, one_decay, one_y = products[0]
    _, decay_decay, decay_y = products[1]
    precision = decay_decay + amplitude_sd**-2
    information = one_one - one_decay**2 / precision
    mean = (one_y - one_decay * decay_y / precision) / information
    misfit = products[2, 2] - decay_y**2 / precision - information * mean**2
    normalisation = log_variance.sum(axis=0)[:, None] + 2 * len(white) * np.log(slow_noise)
    log_evidence = -0.5 * (normalisation + misfit + np.log(precision * amplitude_sd**2) + np.log(information))
    # The stationary start of the OU process belongs to the amplitude as well: same shape, variance sigma^2.
    share = 1 + (slow_noise / amplitude_sd) ** 2
    amplitude = share * (decay_y - one_decay * mean) / precision
    return mean, 1 / information, log_evidence, amplitude


def trends(
    series: Sequence[Array],
    relaxation_time: float,
    noise_ratio: float,
    slow_noise: float,
    width: float,
    amplitude_sd: float,
) -> tuple[Array, Array]:
    """Return, for each series, the rise per bin of a linear trend beside level and decay, and its standard deviation.

    For one noise; both of shape (series,).
    """
    bins, tau = max(len(values) for values in series), np.array([relaxation_time])
    columns = np.zeros((bins, 3 + len(series), 1))
    columns[:, 0] = 1
    columns[:, 1] = bin_decay(tau, width, bins)
    columns[:, 2, 0] = np.arange(bins)
    for index, values in enumerate(series):
        columns[: len(values), 3 + index, 0] = values
    white, _ = whiten(columns, tau, np.array([noise_ratio]), width)
    rises, deviations = [], []
    for index, values in enumerate(series):
        rows = white[: len(values), [0, 1, 2, 3 + index], 0] / slow_noise
        products = rows.T @ rows
        products[1, 1] += amplitude_sd**-2
        covariance = np.linalg.inv(products[:3, :3])
        rises.append((covariance @ products[:3, 3])[2])
        deviations.append(np.sqrt(covariance[2, 2]))
    return np.array(rises), np.array(deviations)
