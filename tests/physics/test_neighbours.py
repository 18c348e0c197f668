from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

from aiida_dnpmelt.physics.neighbours import TOTAL, most_neighbours, neighbour_counts

from .synthetic_frames import copper_frames


def by_ase(atoms: Atoms, cutoff: float) -> dict[str, np.ndarray]:
    first, second = neighbor_list("ij", atoms, cutoff)
    symbols = np.array(atoms.get_chemical_symbols())
    return {
        symbol: np.bincount(first[symbols[second] == symbol], minlength=len(atoms)) for symbol in sorted(set(symbols))
    }


@pytest.mark.parametrize("cutoff", [2.6, 5.0, 9.0])
@pytest.mark.parametrize("cubic", [False, True])
def test_counts_agree_with_ase_also_in_cells_smaller_than_the_cutoff(cutoff, cubic):
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=cubic)
    atoms.rattle(0.1, seed=1)
    strain = np.array([[1, 0.1, 0.05], [0.02, 1, 0], [0.3, 0, 1.1]])
    atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
    atoms.positions += 7.0  # outside of the cell
    found = neighbour_counts(tuple(atoms.get_chemical_symbols()), atoms.cell.array, atoms.positions, cutoff)
    for symbol, expected in by_ase(atoms, cutoff).items():
        np.testing.assert_array_equal(found[symbol], expected)


def test_first_shells_of_fcc():
    atoms = bulk("Cu", "fcc", a=3.6)
    assert neighbour_counts(("Cu",), atoms.cell.array, atoms.positions, 2.6)["Cu"] == [12]
    assert neighbour_counts(("Cu",), atoms.cell.array, atoms.positions, 3.7)["Cu"] == [18]


def test_the_densest_frame_decides():
    frames = copper_frames(3)
    cells, positions = frames.cells.copy(), frames.positions.copy()
    cells[1] *= 0.8
    positions[1] *= 0.8
    dense = copper_frames(3, cells=cells, positions=positions)
    most = most_neighbours([frames, dense], 4.5)
    alone = neighbour_counts(dense.symbols, cells[1], positions[1], 4.5)["Cu"].max()
    assert most == {"Cu": alone, TOTAL: alone}
    assert alone > most_neighbours([frames], 4.5)["Cu"]
