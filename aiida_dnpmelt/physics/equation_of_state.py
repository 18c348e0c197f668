"""Energy over volume: the equation of Birch and Murnaghan, and the ratio c/a with the lowest energy at each volume.

F. Birch, Phys. Rev. 71, 809 (1947), fitted by `ase.eos`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from ase.eos import EquationOfState as AseEquation
from ase.eos import birchmurnaghan
from numpy.typing import NDArray

from aiida_dnpmelt.physics.units import gpa_a3_to_ev

Array = NDArray[np.float64]

FEWEST_VOLUMES = 5


class MinimumOutsideError(ValueError):
    """The lowest energy is at an end of the volumes: where its minimum is, is not known."""


@dataclass(frozen=True)
class EquationOfState:
    """The equation of Birch and Murnaghan.

    :param energy_ev: at its minimum, in eV.
    :param volume_angstrom3: at its minimum, in cubic Angstrom.
    :param bulk_modulus_gpa: at its minimum, in GPa.
    :param derivative: of the bulk modulus with pressure.
    :param residual_ev: root mean square deviation of the energies from it, in eV.
    """

    energy_ev: float
    volume_angstrom3: float
    bulk_modulus_gpa: float
    derivative: float
    residual_ev: float

    def energy(self, volumes_angstrom3: Array) -> Array:
        """Return the energy in eV at volumes."""
        modulus = gpa_a3_to_ev(self.bulk_modulus_gpa)
        values = birchmurnaghan(volumes_angstrom3, self.energy_ev, modulus, self.derivative, self.volume_angstrom3)
        return np.asarray(values, dtype=float)


@dataclass(frozen=True, eq=False)
class Valley:
    """The lowest energy at each volume.

    :param energies_ev: in eV, shape (volumes,).
    :param axial_ratios: c/a at which it is, shape (volumes,).
    :param inside: whether all of them lie between the ratios that were looked at.
    """

    energies_ev: Array
    axial_ratios: Array
    inside: bool


def valley(axial_ratios: Array, energies_ev: Array) -> Valley:
    """Return the lowest energies over c/a, from a parabola through the lowest ratio and its neighbours.

    :param axial_ratios: shape (volumes, ratios); with one ratio there is nothing to look for.
    :param energies_ev: of the same shape, in eV.
    """
    if energies_ev.shape[1] == 1:
        return Valley(energies_ev[:, 0], axial_ratios[:, 0], True)
    found = [_lowest(x, y) for x, y in zip(axial_ratios, energies_ev, strict=True)]
    ratios, energies, inside = zip(*found, strict=True)
    return Valley(np.array(energies), np.array(ratios), all(inside))


def _lowest(ratios: Array, energies: Array) -> tuple[float, float, bool]:
    place = int(np.argmin(energies))
    if place in (0, len(energies) - 1):
        return float(ratios[place]), float(energies[place]), False
    near = slice(place - 1, place + 2)
    middle = ratios[place]
    c, b, a = np.polyfit(ratios[near] - middle, energies[near], 2)
    return float(middle - b / (2 * c)), float(a - b**2 / (4 * c)), True


def fit_equation_of_state(volumes_angstrom3: Array, energies_ev: Array) -> EquationOfState:
    """Return the equation of Birch and Murnaghan through energies at volumes.

    :raises MinimumOutsideError: if the lowest energy is that of the smallest or largest volume.
    :raises ValueError: if there are fewer than five, or no equation with a minimum can be fitted.
    """
    if len(volumes_angstrom3) < FEWEST_VOLUMES:
        raise ValueError(f"{len(volumes_angstrom3)} volumes are there, {FEWEST_VOLUMES} are needed")
    order = np.argsort(volumes_angstrom3)
    first, last = (float(volumes_angstrom3[order[place]]) for place in (0, -1))
    if int(np.argmin(energies_ev[order])) in (0, len(order) - 1):
        raise MinimumOutsideError(
            f"the energy is lowest at an end of the volumes, {first:.4g} to {last:.4g} Angstrom^3: no minimum is there"
        )
    shift = float(energies_ev.min())
    equation = AseEquation(volumes_angstrom3, energies_ev - shift, eos="birchmurnaghan")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what cannot be fitted is told below
            volume, energy, modulus = equation.fit(warn=False)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"no equation of state fits the energies: {error}") from error
    values = np.array([volume, energy, modulus, equation.eos_parameters[2]], dtype=float)
    if not np.isfinite(values).all() or not first < volume < last or modulus <= 0:
        raise ValueError(f"the energies are no equation of state: its minimum is at {volume:.4g} Angstrom^3")
    fitted = EquationOfState(
        energy_ev=float(energy) + shift,
        volume_angstrom3=float(volume),
        bulk_modulus_gpa=float(modulus) / gpa_a3_to_ev(1.0),
        derivative=float(values[3]),
        residual_ev=0.0,
    )
    residuals = energies_ev - fitted.energy(volumes_angstrom3)
    return replace(fitted, residual_ev=float(np.sqrt(np.mean(residuals**2))))
