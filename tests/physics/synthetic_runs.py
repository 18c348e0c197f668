"""Coexistence runs that nobody ran: copper of 1,728 atoms as the verdict sees it, in a state of choice."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.signal import lfilter

from aiida_dnpmelt.physics.run import CoexistenceRun

N_ATOMS = 1728
MELTING_TEMPERATURE_K = 1300.0
SPACING_PS = 0.1
FRAME_SPACING_PS = 1.0
PREPARATION_PS = 12.0
TAU_PS, SLOW_K, FAST_K = 7.0, 16.0, 20.0
MEAN_SQUARE_FORCE = 3.0  # eV^2/Angstrom^2, an Einstein frequency of 37 rad/ps

_END = {"coexistence": 0.5, "froze": 1.0, "melted": 0.0}


def synthetic_run(
    seed: int = 1,
    state: str = "coexistence",
    length_ps: float = 20.0,
    melting_temperature_k: float = MELTING_TEMPERATURE_K,
    n_atoms: int = N_ATOMS,
    tau_ps: float = TAU_PS,
    **changes: Any,
) -> CoexistenceRun:
    """Return a run: T(t) is slow motion about T_m and fast noise, the solid fraction goes from 0.5 to its end.

    A longer run of the same seed begins as the shorter one. ``changes`` replace what was made.
    """
    time = SPACING_PS * np.arange(round(length_ps / SPACING_PS) + 1)
    frames = FRAME_SPACING_PS * np.arange(int(length_ps / FRAME_SPACING_PS) + 1)
    slow, fast = (np.random.default_rng([seed, stream]) for stream in range(2))
    decay = np.exp(-SPACING_PS / tau_ps)
    motion = lfilter([1.0], [1.0, -decay], np.sqrt(1 - decay**2) * slow.normal(size=len(time)))
    noise = np.sqrt(N_ATOMS / n_atoms) * (SLOW_K * motion + FAST_K * fast.normal(size=len(time)))
    fraction = np.linspace(0.5, _END[state], len(frames))
    alive = (fraction > 0.05) & (fraction < 0.95)
    values = {
        "seed": seed,
        "n_atoms": n_atoms,
        "mass_amu": 63.546,
        "timestep_fs": 3.0,
        "guess_k": melting_temperature_k,
        "target_pressure_gpa": 0.0,
        "bulk_melted": False,
        "halted": False,
        "time_ps": time,
        "temperature_k": melting_temperature_k + noise,
        "pressure_gpa": np.tile([0.1, -0.1, 0.001], (len(time), 1)),
        "enthalpy_ev": np.full(len(time), -3.2),
        "conserved_ev": np.full(len(time), -3.2),
        "box_angstrom": np.tile([22.0, 22.0, 45.0], (len(time), 1)),
        "probe_time_ps": frames[1:],
        "mean_square_force": np.full(len(frames) - 1, MEAN_SQUARE_FORCE),
        "bragg_solid_fraction": fraction[1:],
        "frame_time_ps": frames,
        "solid_fraction": fraction,
        "interfaces": np.where(alive, 2.0, 0.0),
        "order_profile": np.where(np.arange(22) < 22 * fraction[:, None], 0.27, 0.08),
        "preparation_time_ps": np.linspace(0, PREPARATION_PS, 13),
        "preparation_temperature_k": np.full(13, melting_temperature_k),
        "preparation_pressure_gpa": np.zeros((13, 3)),
    }
    return CoexistenceRun(**{**values, **changes})
