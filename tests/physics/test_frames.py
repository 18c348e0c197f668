from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from physics.synthetic_frames import copper_frames, pressure_of

from aiida_dnpmelt.physics.frames import join_frames, right_handed


@pytest.fixture(scope="module")
def frames():
    return copper_frames(3)


def test_pressure_is_the_derivative_of_the_energy(frames):
    atoms = bulk("Cu", cubic=True).repeat(2)
    atoms.set_cell(frames.cells[0])
    atoms.positions = frames.positions[0]
    energies = []
    for strain in (-1e-4, 1e-4):
        moved = atoms.copy()
        moved.set_cell(atoms.cell * (1 + strain), scale_atoms=True)
        moved.calc = EMT()
        energies.append(moved.get_potential_energy())
    derivative = -(energies[1] - energies[0]) / 2e-4 / 3  # -dE/d(ln V) in eV
    assert np.trace(frames.virials_ev[0]) / 3 == pytest.approx(derivative, rel=1e-4)
    assert np.trace(frames.pressures_gpa[0]) / 3 == pytest.approx(pressure_of(frames, 0))


def test_energies_per_atom(frames):
    np.testing.assert_allclose(frames.energies_per_atom_ev * 32, frames.energies_ev)


def test_some_of_the_frames_and_their_join(frames):
    taken = frames.take([2, 0])
    np.testing.assert_array_equal(taken.energies_ev, frames.energies_ev[[2, 0]])
    joined = join_frames([taken, frames.take([1])])
    assert len(joined) == 3
    np.testing.assert_array_equal(joined.positions[2], frames.positions[1])


def test_frames_of_different_atoms_do_not_join(frames):
    with pytest.raises(ValueError, match="2 lists of atoms given, one is needed"):
        join_frames([frames, replace(frames, symbols=("Ni",) * 32)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cells": np.zeros((3, 3))}, r"cells: shape is \(3, 3\), \(3, 3, 3\) is needed"),
        ({"forces_ev_per_angstrom": np.full((3, 32, 3), np.nan)}, "forces_ev_per_angstrom: not all values are finite"),
        ({"cells": -np.ones((3, 1, 1)) * np.eye(3)}, "a volume is not positive"),
        ({"energies_ev": np.empty(0)}, "0 frames of 32 atoms"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        copper_frames(3, **changes)


def test_left_handed_cells_are_turned_and_nothing_else_changes(frames):
    """Swapped vectors make a left-handed cell of the same lattice."""
    left = frames.cells.copy()
    left[1] = left[1][[1, 0, 2]]
    turned, number = right_handed(left)
    assert number == 1
    np.testing.assert_array_equal(turned[[0, 2]], frames.cells[[0, 2]])
    np.testing.assert_allclose(np.linalg.det(turned), np.linalg.det(frames.cells))
    steps = turned[1] @ np.linalg.inv(frames.cells[1])
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-12)
    atoms = bulk("Cu", cubic=True).repeat(2)
    atoms.set_cell(turned[1])
    atoms.positions = frames.positions[1]
    atoms.calc = EMT()
    assert atoms.get_potential_energy() == pytest.approx(frames.energies_ev[1])
    np.testing.assert_allclose(atoms.get_forces(), frames.forces_ev_per_angstrom[1], atol=1e-9)


def test_flat_cell_is_refused(frames):
    flat = frames.cells.copy()
    flat[0, 2] = flat[0, 1]
    with pytest.raises(ValueError, match="a volume is zero"):
        right_handed(flat)
