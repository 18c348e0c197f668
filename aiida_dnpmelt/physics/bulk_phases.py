"""Crystal and melt each by itself at the melting temperature: volume and enthalpy of melting, and the slope dT_m/dP.

Means over time have correlated samples, so their errors come from blocks (H. Flyvbjerg and H. G. Petersen, J. Chem.
Phys. 91, 461, 1989): a block of some picoseconds is much longer than what volume and enthalpy of a bulk phase remember.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from aiida_dnpmelt.physics.lattices import LATTICES, LEAST_LATTICE_SHARE, crystal_flaw
from aiida_dnpmelt.physics.melting_curve import Quantity, clapeyron_slope_k_per_gpa
from aiida_dnpmelt.physics.order import ALIVE
from aiida_dnpmelt.physics.run import CoexistenceRun
from aiida_dnpmelt.physics.units import BOLTZMANN_EV_PER_K

BLOCKS = 10
"""Blocks of a run whose scatter gives the error of its mean."""
FEWEST_SAMPLES = 10 * BLOCKS


@dataclass(frozen=True)
class Melting:
    """What melting changes at a temperature and a pressure; volumes and enthalpies are those of an atom.

    :param reasons: why these are no numbers of melting, empty if they are.
    :param found_lattice: lattice of most atoms of the crystal at its end, and their share; None if it is no crystal.
    """

    solid_volume_angstrom3: Quantity
    liquid_volume_angstrom3: Quantity
    solid_enthalpy_ev: Quantity
    liquid_enthalpy_ev: Quantity
    volume_of_melting_angstrom3: Quantity
    enthalpy_of_melting_ev: Quantity
    entropy_of_melting_kb: Quantity
    slope_k_per_gpa: Quantity | None
    found_lattice: str | None
    found_lattice_share: float | None
    reasons: tuple[str, ...]


def mean_of(values: NDArray[np.float64]) -> Quantity:
    """Return the mean of correlated samples with its standard uncertainty, from `BLOCKS` blocks.

    The scatter of ten blocks is itself uncertain: the factor by which the t distribution is wider is applied.

    :raises ValueError: if there are fewer than `FEWEST_SAMPLES`.
    """
    if len(values) < FEWEST_SAMPLES:
        raise ValueError(f"{len(values)} samples given, a mean needs {FEWEST_SAMPLES}")
    means = np.array([block.mean() for block in np.array_split(values, BLOCKS)])
    wider = student.ppf(0.975, BLOCKS - 1) / 1.96
    return Quantity(float(values.mean()), float(wider * means.std(ddof=1) / BLOCKS**0.5))


def melting(
    crystal: CoexistenceRun, melt: CoexistenceRun, temperature_k: Quantity, lattice: str | None = None
) -> Melting:
    """Return what melting changes, from runs of both phases at constant temperature and pressure.

    :param crystal: run of the solid by itself; ``melt`` is that of the liquid.
    :param temperature_k: T_m at this pressure, at which both were run, in K.
    :param lattice: of the crystal, which its run is judged by; None if nothing is claimed of it.
    :raises ValueError: if a run is too short for a mean.
    """
    volumes = [mean_of(run.box_angstrom.prod(axis=1) / run.n_atoms) for run in (crystal, melt)]
    enthalpies = [mean_of(run.enthalpy_ev) for run in (crystal, melt)]
    volume, enthalpy = (_difference(pair[1], pair[0]) for pair in (volumes, enthalpies))
    reasons = _reasons(crystal, melt, lattice)
    if enthalpy.value <= 0:
        reasons.append(f"the enthalpy of melting is {enthalpy.value:.4f} eV/atom, it must be positive")
    slope = None if reasons else clapeyron_slope_k_per_gpa(temperature_k, volume, enthalpy)
    lattice, share = _lattice(crystal)
    per_kb = 1 / (BOLTZMANN_EV_PER_K * temperature_k.value)
    return Melting(
        solid_volume_angstrom3=volumes[0],
        liquid_volume_angstrom3=volumes[1],
        solid_enthalpy_ev=enthalpies[0],
        liquid_enthalpy_ev=enthalpies[1],
        volume_of_melting_angstrom3=volume,
        enthalpy_of_melting_ev=enthalpy,
        entropy_of_melting_kb=Quantity(enthalpy.value * per_kb, enthalpy.uncertainty * per_kb),
        slope_k_per_gpa=slope,
        found_lattice=lattice,
        found_lattice_share=share,
        reasons=tuple(reasons),
    )


def _difference(first: Quantity, second: Quantity) -> Quantity:
    return Quantity(first.value - second.value, float(np.hypot(first.uncertainty, second.uncertainty)))


def _reasons(crystal: CoexistenceRun, melt: CoexistenceRun, lattice: str | None) -> list[str]:
    """Return what says that a phase did not stay what it was."""
    reasons = []
    for name, run in (("crystal", crystal), ("melt", melt)):
        if not len(run.solid_fraction):
            reasons.append(f"the run of the {name} left no frame to analyse")
    if reasons:
        return reasons
    if crystal.solid_fraction.min() < 1 - ALIVE:
        reasons.append(f"the crystal melted: a frame has a solid fraction of {crystal.solid_fraction.min():.2f}")
    if melt.solid_fraction.max() > ALIVE:
        reasons.append(f"the melt is none: a frame has a solid fraction of {melt.solid_fraction.max():.2f}")
    turned = crystal_flaw(lattice, crystal.found_lattices, LEAST_LATTICE_SHARE)
    return reasons if turned is None else [*reasons, f"the crystal became another one: {turned}"]


def _lattice(crystal: CoexistenceRun) -> tuple[str | None, float | None]:
    shares = crystal.found_lattices
    if not np.isfinite(shares).all():
        return None, None
    return LATTICES[int(shares.argmax())], float(shares.max())
