"""Conversions between the units of the field: K, GPa, eV, Angstrom, ps and those of LAMMPS `metal`.

All come from CODATA 2018, the set that LAMMPS uses, through `ase.units`.
"""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
from ase.units import create_units
from numpy.typing import NDArray

Number = TypeVar("Number", float, NDArray[np.float64])

_CODATA = create_units("2018")

BOLTZMANN_EV_PER_K: Final[float] = _CODATA["kB"]
BAR_PER_GPA: Final[float] = _CODATA["GPa"] / _CODATA["bar"]
EV_PER_AMU_A2_PER_PS2: Final[float] = _CODATA["_amu"] * 1e4 / _CODATA["_e"]
"""1 amu (Angstrom/ps)^2 in eV: kinetic energies from the masses and velocities of LAMMPS `metal`."""


def gpa_to_bar(pressure: float) -> float:
    """Return in bar, the unit of LAMMPS `metal`, a pressure given in GPa."""
    return pressure * BAR_PER_GPA


def bar_to_gpa(pressure: float) -> float:
    """Return in GPa a pressure given in bar, the unit of LAMMPS `metal`."""
    return pressure / BAR_PER_GPA


def gpa_a3_to_ev(energy: Number) -> Number:
    """Return in eV an energy given as pressure times volume, in GPa Angstrom^3."""
    return energy * _CODATA["GPa"]
