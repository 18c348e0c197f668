from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from aiida_dnpmelt.physics.initial_frames import Crystals, InitialFramesSettings, strained_and_rattled

ATOMS = bulk("Cu", cubic=True).repeat(2)


def crystals(seed: int = 1, **settings) -> Crystals:
    settings = {"number": 12, **settings}
    return strained_and_rattled(ATOMS.cell.array, ATOMS.positions, InitialFramesSettings(**settings), seed)


def test_atoms_move_no_further_than_they_may_and_everywhere():
    found = crystals(displacement_angstrom=0.2, number=50)
    deformations = np.linalg.inv(ATOMS.cell.array) @ found.cells
    moves = found.positions - ATOMS.positions @ deformations
    lengths = np.linalg.norm(moves, axis=2)
    assert lengths.max() == pytest.approx(0.2, abs=0.002)
    assert lengths.max() <= 0.2
    assert lengths.mean() == pytest.approx(0.1, rel=0.05)
    assert np.abs(moves.mean(axis=(0, 1))).max() < 0.01


def test_strain_is_symmetric_and_within_its_range():
    found = crystals(smallest_scale=1.0, largest_scale=1.0, strain=0.04, number=200)
    strains = np.linalg.inv(ATOMS.cell.array) @ found.cells - np.eye(3)
    np.testing.assert_allclose(strains, strains.transpose(0, 2, 1), atol=1e-12)
    assert np.abs(strains).max() <= 0.04
    assert np.abs(strains).max() > 0.039
    assert np.abs(strains.mean(axis=0)).max() < 0.006


def test_scales_cover_their_range_in_equal_steps():
    found = crystals(strain=0.0, smallest_scale=0.9, largest_scale=1.1, number=5)
    scales = np.linalg.det(found.cells) ** (1 / 3) / ATOMS.cell.lengths()[0]
    np.testing.assert_allclose(np.sort(scales), [0.9, 0.95, 1.0, 1.05, 1.1])
    assert not np.array_equal(scales, np.sort(scales))


def test_without_strain_and_displacement_the_crystal_stays():
    found = crystals(strain=0.0, displacement_angstrom=0.0, smallest_scale=1.0, largest_scale=1.0, number=1)
    np.testing.assert_allclose(found.cells[0], ATOMS.cell.array)
    np.testing.assert_allclose(found.positions[0], ATOMS.positions)


def test_temperatures_come_in_turn():
    assert crystals(number=5, temperatures_k=(300.0, 900.0)).temperatures_k.tolist() == [300, 900, 300, 900, 300]


def test_same_seed_gives_the_same_frames_and_another_one_does_not():
    np.testing.assert_array_equal(crystals(3).positions, crystals(3).positions)
    assert np.abs(crystals(3).positions - crystals(4).positions).max() > 0.01


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"smallest_scale": 1.1}, r"smallest_scale = 1\.1 must not exceed largest_scale = 1\.03"),
        ({"temperatures_k": (0.0,)}, r"temperatures_k = \[0\.0\] must lie in 0 < T <= 20000 K"),
        ({"temperatures_k": ()}, "temperatures_k"),
        ({"number": 0}, "number"),
        ({"pert_box": 0.1}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        InitialFramesSettings(**{"number": 1, **settings})
