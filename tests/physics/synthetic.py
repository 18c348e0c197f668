"""Temperatures of coexistence runs that nobody ran, with the slow and the fast noise of real ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from aiida_dnpmelt.physics.estimate import Series

N_ATOMS = 1728
STEP_PS = 0.1
STEPS_PER_BIN = 10


@dataclass(frozen=True)
class Truth:
    """What the series are drawn from, in K and ps; the default is copper (Cu_u3.eam) of 1,728 atoms.

    :param melting_k: T_m.
    :param slow_k: standard deviation of the Ornstein-Uhlenbeck process.
    :param relaxation_ps: its relaxation time.
    :param fast_k: standard deviation of the white noise of a bin of 1 ps.
    :param amplitude_k: standard deviation between runs of the start of the process.
    :param between_k: standard deviation between runs of their levels.
    """

    melting_k: float = 1283.0
    slow_k: float = 15.9
    relaxation_ps: float = 7.5
    fast_k: float = 2.7
    amplitude_k: float = 40.0
    between_k: float = 0.0


def draw(rng: np.random.Generator, truth: Truth, runs: int, length_ps: float) -> list[Series]:
    """Return series of 1 ps bins: the process in steps of 0.1 ps from its start on, averaged over bins, and noise."""
    bins = round(length_ps / (STEP_PS * STEPS_PER_BIN))
    decay = np.exp(-STEP_PS / truth.relaxation_ps)
    kick = truth.slow_k * np.sqrt(1 - decay**2)
    times = STEP_PS * STEPS_PER_BIN * (np.arange(bins) + 0.5)
    series = []
    for _ in range(runs):
        start = truth.amplitude_k * rng.normal()
        level = truth.melting_k + truth.between_k * rng.normal()
        kicks = kick * rng.normal(size=bins * STEPS_PER_BIN)
        slow, _ = lfilter([1.0], [1.0, -decay], kicks, zi=[decay * start])
        noise = truth.fast_k * rng.normal(size=bins)
        series.append(Series(times, level + slow.reshape(bins, STEPS_PER_BIN).mean(axis=1) + noise))
    return series
