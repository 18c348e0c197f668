from __future__ import annotations

import numpy as np
import pytest
from ase.calculators.lammps import Prism

from aiida_dnpmelt.physics.lammps_cell import lammps_cell, rotation_from_lammps

CELL = np.array([[3.0, 0.4, -0.2], [0.5, 2.8, 0.9], [-0.7, 0.3, 4.0]])


def test_cell_is_the_one_that_ase_writes():
    xx, yy, zz, xy, xz, yz = Prism(CELL).get_lammps_prism()
    np.testing.assert_allclose(lammps_cell(CELL), [[xx, 0, 0], [xy, yy, 0], [xz, yz, zz]], atol=1e-12)


def test_rotation_turns_the_cell_of_lammps_back():
    rotation = rotation_from_lammps(CELL)
    np.testing.assert_allclose(lammps_cell(CELL) @ rotation, CELL, atol=1e-12)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_left_handed_cell_is_refused():
    with pytest.raises(ValueError, match="has no positive volume: its vectors must be right-handed"):
        rotation_from_lammps(CELL[[1, 0, 2]])
