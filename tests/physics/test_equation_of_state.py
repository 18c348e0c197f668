from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.units import GPa

from aiida_dnpmelt.physics.equation_of_state import (
    EquationOfState,
    MinimumOutsideError,
    fit_equation_of_state,
    valley,
)

COPPER = EquationOfState(-1000.0, 11.81, 140.0, 5.2, 0.0)
VOLUMES = 11.81 * np.linspace(0.94, 1.06, 9)


def test_equation_comes_back_from_its_energies():
    found = fit_equation_of_state(VOLUMES, COPPER.energy(VOLUMES))
    assert replace(found, residual_ev=0.0) == EquationOfState(
        *(pytest.approx(value, rel=1e-6) for value in (-1000.0, 11.81, 140.0, 5.2)), 0.0
    )
    assert found.residual_ev < 1e-8


def test_residual_is_that_of_the_noise():
    noise = 1e-4 * np.random.default_rng(1).normal(size=9)
    found = fit_equation_of_state(VOLUMES, COPPER.energy(VOLUMES) + noise)
    assert 0.2e-4 < found.residual_ev < 1.5e-4
    assert found.bulk_modulus_gpa == pytest.approx(140, rel=0.05)


def test_bulk_modulus_is_that_of_the_pressure():
    """The curvature of the energies of EMT agrees with the slope of its pressure."""

    def state(a: float) -> tuple[float, float, float]:
        atoms = bulk("Cu", a=a)
        atoms.calc = EMT()
        return atoms.get_volume(), atoms.get_potential_energy(), -np.trace(atoms.get_stress(voigt=False)) / 3

    volumes, energies, _ = (np.array(values) for values in zip(*map(state, np.linspace(3.54, 3.64, 9)), strict=True))
    found = fit_equation_of_state(volumes, energies)
    near = [state((4 * found.volume_angstrom3) ** (1 / 3) * (1 + by)) for by in (-1e-3, 1e-3)]
    slope = (near[1][2] - near[0][2]) / (near[1][0] - near[0][0])
    assert found.bulk_modulus_gpa == pytest.approx(-found.volume_angstrom3 * slope / GPa, rel=0.01)


def test_minimum_at_an_end_is_none():
    with pytest.raises(MinimumOutsideError, match=r"lowest at an end of the volumes, 13 to 15 Angstrom\^3"):
        volumes = np.linspace(13, 15, 9)
        fit_equation_of_state(volumes, COPPER.energy(volumes))


@pytest.mark.parametrize(
    ("energies", "message"),
    [
        (COPPER.energy(VOLUMES)[:4], "4 volumes are there, 5 are needed"),
        (np.array([1.0, 3.0, 0.5, 4.0, 1.2, 4.0, 0.7, 3.0, 1.0]), "equation of state"),
    ],
)
def test_what_is_no_equation_of_state_is_told(energies, message):
    with pytest.raises(ValueError, match=message):
        fit_equation_of_state(VOLUMES[: len(energies)], energies)


def test_valley_finds_the_ratio_between_those_that_were_looked_at():
    ratios = np.tile(1.62 * np.linspace(0.98, 1.02, 5), (3, 1))
    best = np.array([[1.615], [1.62], [1.629]])
    energies = -1.5 + 3.0 * (ratios - best) ** 2
    found = valley(ratios, energies)
    assert found.axial_ratios == pytest.approx(best[:, 0])
    assert found.energies_ev == pytest.approx([-1.5, -1.5, -1.5])
    assert found.inside
    assert not valley(ratios, -1.5 + 3.0 * (ratios - 1.7) ** 2).inside


def test_one_ratio_leaves_nothing_to_find():
    found = valley(np.ones((2, 1)), np.array([[-1.0], [-2.0]]))
    assert (found.energies_ev.tolist(), found.axial_ratios.tolist(), found.inside) == ([-1.0, -2.0], [1.0, 1.0], True)
