from __future__ import annotations

import math
import random
from itertools import product

import ase
import numpy as np
import pytest
from ase.build import bulk, make_supercell

from aiida_dnpmelt.physics.crystals import (
    crystal,
    in_plane_reflections,
    lattice_name,
    orthogonal_cell,
    primitive_cell,
    repetitions,
)

CRYSTALS = {
    "fcc": ("Cu", 3.61, None, 4),
    "bcc": ("Li", 3.49, None, 2),
    "hcp": ("Zn", 2.66, 4.937, 4),
    "diamond": ("Si", 5.43, None, 8),
}


def primitive(lattice: str) -> ase.Atoms:
    symbol, a, c, _ = CRYSTALS[lattice]
    return bulk(symbol, lattice, a=a, c=c)


def neighbour_distances(atoms: ase.Atoms) -> np.ndarray:
    cluster = atoms.repeat(5)
    middle = cluster.positions - cluster.cell.sum(axis=0) / 2
    centre = int(np.argmin(np.linalg.norm(middle, axis=1)))
    return np.sort(cluster.get_distances(centre, range(len(cluster))))[1:19]


def rotated(atoms: ase.Atoms) -> ase.Atoms:
    atoms = atoms.copy()
    atoms.rotate(37, (1, 2, 3), rotate_cell=True)
    return atoms


SETTINGS = {
    "primitive": lambda atoms: atoms,
    "rotated": rotated,
    "shifted": lambda atoms: ase.Atoms(atoms, positions=atoms.positions + np.array([0.4, 0.1, -0.3])),
    "supercell": lambda atoms: atoms.repeat((2, 1, 3)),
    "skewed": lambda atoms: make_supercell(atoms, [[1, 0, 0], [1, 1, 0], [0, -1, 1]]),
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("lattice", CRYSTALS)
def test_orthogonal_cell_is_the_conventional_one_from_any_setting(lattice, setting):
    symbol, a, c, atoms_per_cell = CRYSTALS[lattice]
    given = SETTINGS[setting](primitive(lattice))
    cell = orthogonal_cell(given)
    assert len(cell) == atoms_per_cell
    assert set(cell.get_chemical_symbols()) == {symbol}
    expected = (a, math.sqrt(3) * a, c) if lattice == "hcp" else (a, a, a)
    np.testing.assert_allclose(cell.cell.array, np.diag(expected), atol=1e-6)
    np.testing.assert_allclose(neighbour_distances(cell), neighbour_distances(primitive(lattice)), atol=1e-6)
    assert lattice_name(given) == lattice_name(cell) == lattice


def test_orthogonal_cell_is_idealized_within_the_tolerance():
    atoms = crystal("Cu", "fcc", 3.61)
    atoms.rattle(0.001, seed=1)
    np.testing.assert_allclose(orthogonal_cell(atoms).positions % 1.805, 0, atol=1e-3)


def test_orthogonal_cell_of_a_rhombohedral_crystal_is_made_from_its_hexagonal_cell():
    atoms = bulk("Bi", "rhombohedral", a=4.75, alpha=57.14, basis=[[-0.237] * 3, [0.237] * 3])
    cell = orthogonal_cell(atoms)
    assert len(cell) == 12
    assert lattice_name(atoms) == "other"
    np.testing.assert_allclose(cell.cell.angles(), 90)
    np.testing.assert_allclose(neighbour_distances(cell), neighbour_distances(atoms), atol=1e-6)


def test_orthogonal_cell_keeps_the_species_of_a_compound():
    atoms = bulk("NaCl", "rocksalt", a=5.64)
    assert orthogonal_cell(atoms).get_chemical_formula() == "Cl4Na4"
    assert lattice_name(atoms) == "other"


def test_orthogonal_cell_refuses_oblique_axes_and_names_the_angles():
    atoms = bulk("Cu", "fcc", a=3.61)
    atoms.set_cell([3.0, 4.0, 5.0, 90, 110, 90], scale_atoms=True)
    with pytest.raises(ValueError, match=r"angles 90\.00, 10\d\.\d\d, 90\.00.*orthogonal or hexagonal"):
        orthogonal_cell(atoms)


def test_orthogonal_cell_refuses_a_slab():
    atoms = crystal("Cu", "fcc", 3.61)
    atoms.pbc = (True, True, False)
    with pytest.raises(ValueError, match="not periodic"):
        orthogonal_cell(atoms)


def test_atoms_on_top_of_each_other_are_no_crystal():
    atoms = crystal("Cu", "fcc", 3.61)
    atoms.positions[1] = atoms.positions[0]
    with pytest.raises(ValueError, match="on top of each other"):
        orthogonal_cell(atoms)
    assert lattice_name(atoms) == "other"


@pytest.mark.parametrize("lattice", CRYSTALS)
def test_crystal_is_its_own_orthogonal_cell(lattice):
    symbol, a, c, atoms_per_cell = CRYSTALS[lattice]
    cell = crystal(symbol, lattice, a, c)
    assert len(cell) == atoms_per_cell
    np.testing.assert_allclose(cell.cell.array, orthogonal_cell(cell).cell.array, atol=1e-6)


def test_crystal_takes_the_ideal_ratio_for_hcp():
    assert crystal("Mg", "hcp", 3.0).cell.lengths()[2] == pytest.approx(3.0 * math.sqrt(8 / 3))


@pytest.mark.parametrize(
    ("lattice", "a", "c", "message"),
    [
        ("sc", 3.0, None, "lattice is 'sc'.*fcc, bcc, hcp, diamond"),
        ("fcc", -3.0, None, "a = -3.0.*positive"),
        ("hcp", 3.0, 0.0, "c = 0.0.*positive"),
        ("bcc", 3.0, 5.0, "c = 5.0.*leave it out"),
    ],
)
def test_crystal_refuses(lattice, a, c, message):
    with pytest.raises(ValueError, match=message):
        crystal("Cu", lattice, a, c)


@pytest.mark.parametrize(
    ("lattice", "minimum", "expected"),
    [
        ("fcc", 1700, (6, 6, 12)),
        ("fcc", 21952, (14, 14, 28)),
        ("bcc", 2000, (8, 8, 16)),
        ("diamond", 2000, (5, 5, 10)),
    ],
)
def test_repetitions_of_cubic_cells(lattice, minimum, expected):
    assert repetitions(orthogonal_cell(primitive(lattice)), minimum) == expected


@pytest.mark.parametrize("aspect", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("minimum", [1000, 1700, 22000])
@pytest.mark.parametrize("lattice", CRYSTALS)
def test_repeated_cell_has_the_atoms_and_the_shape(lattice, minimum, aspect):
    cell = orthogonal_cell(primitive(lattice))
    counts = repetitions(cell, minimum, aspect)
    x, y, z = counts * cell.cell.lengths()
    assert minimum <= math.prod(counts) * len(cell) <= 1.55 * minimum
    assert x / y == pytest.approx(1, abs=0.16)
    assert z / math.sqrt(x * y) == pytest.approx(aspect, rel=0.2)


def tried_one_by_one(atoms: ase.Atoms, minimum: int, aspect: float) -> tuple[int, int, int]:
    """Return the best repetitions among all that are near the ideal shape."""
    lengths = atoms.cell.lengths()
    lateral = (minimum / len(atoms) * np.prod(lengths) / aspect) ** (1 / 3)
    ranges = (range(max(1, int(0.7 * n)), math.ceil(1.4 * n) + 1) for n in lateral * np.array([1, 1, aspect]) / lengths)

    def badness(counts):
        x, y, z = counts * lengths
        shape = 2.0 * abs(math.log(x / y)) + abs(math.log(z / (aspect * math.sqrt(x * y))))
        return round(shape + 0.7 * math.log(math.prod(counts) * len(atoms) / minimum), 9), counts

    return min((n for n in product(*ranges) if math.prod(n) * len(atoms) >= minimum), key=badness)


@pytest.mark.parametrize("number", range(200))
def test_repetitions_are_those_of_a_search_through_all(number):
    chance = random.Random(number)
    if number % 2:
        atoms = orthogonal_cell(primitive(chance.choice(list(CRYSTALS))))
    else:
        edges = [chance.uniform(2, 12) for _ in range(3)]
        atoms = ase.Atoms(["Cu"] * chance.randint(1, 12), cell=edges, pbc=True)
    minimum, aspect = int(10 ** chance.uniform(0, 3.7)), chance.choice([1.0, 2.0, 2.5, 10 ** chance.uniform(-1, 1)])
    assert repetitions(atoms, minimum, aspect) == tried_one_by_one(atoms, minimum, aspect)


@pytest.mark.parametrize(("minimum", "side"), [(10**7, 108), (10**8, 232)])
def test_repetitions_of_the_largest_cells_are_found_by_looking_at_few(minimum, side, monkeypatch):
    looked: list[float] = []
    logarithm = math.log
    monkeypatch.setattr(
        "aiida_dnpmelt.physics.crystals.math.log", lambda value: looked.append(value) or logarithm(value)
    )
    counts = repetitions(crystal("Cu", "fcc", 3.61), minimum)
    assert counts[:2] == (side, side)
    assert 4 * math.prod(counts) >= minimum
    assert len(looked) < 1000 * side, "not the square of all"


def test_repetitions_of_one_cell_that_is_large_enough():
    assert repetitions(crystal("Cu", "fcc", 3.61).repeat((6, 6, 12)), 100) == (1, 1, 1)


@pytest.mark.parametrize(("minimum", "aspect"), [(0, 2.0), (1000, 0.0)])
def test_repetitions_refuses_what_is_not_positive(minimum, aspect):
    with pytest.raises(ValueError, match=f"minimum_atoms = {minimum}, aspect = {aspect}"):
        repetitions(crystal("Cu", "fcc", 3.61), minimum, aspect)


@pytest.mark.parametrize("function", [lambda atoms: repetitions(atoms, 1000), in_plane_reflections])
def test_oblique_cell_is_refused_with_the_remedy(function):
    with pytest.raises(ValueError, match="orthogonal_cell"):
        function(primitive("fcc"))


@pytest.mark.parametrize(
    ("lattice", "expected"),
    [
        ("fcc", {(2, 0), (0, 2)}),
        ("bcc", {(1, 1), (1, -1)}),
        ("hcp", {(2, 0), (1, 3), (1, -3)}),
        ("diamond", {(2, 2), (2, -2)}),
    ],
)
def test_in_plane_reflections_have_full_structure_factor(lattice, expected):
    cell = orthogonal_cell(SETTINGS["shifted"](primitive(lattice)))
    assert set(in_plane_reflections(cell)) == expected
    for hk in expected:
        phases = 2j * np.pi * cell.get_scaled_positions()[:, :2] @ hk
        assert abs(np.exp(phases).mean()) ** 2 == pytest.approx(1)


def test_in_plane_reflections_see_both_directions_of_an_elongated_cell():
    cell = ase.Atoms("Cu", cell=[2.0, 4.0, 3.0], pbc=True)
    reflections = in_plane_reflections(cell)
    assert np.linalg.matrix_rank(np.array(reflections)) == 2
    assert {(0, 1), (1, 0)} <= set(reflections)


@pytest.mark.parametrize(("lattice", "atoms"), [("fcc", 1), ("bcc", 1), ("hcp", 2), ("diamond", 2)])
def test_primitive_cell_of_a_supercell_has_the_same_crystal(lattice, atoms):
    symbol, a, c, number = CRYSTALS[lattice]
    given = crystal(symbol, lattice, a, c).repeat((2, 1, 1))
    found = primitive_cell(given)
    assert len(found) == atoms
    assert lattice_name(found) == lattice
    assert found.get_volume() / atoms == pytest.approx(given.get_volume() / (2 * number))
    if lattice == "hcp":
        assert found.cell.array[2] == pytest.approx([0, 0, c], abs=1e-6), "the axis is along z"


def test_primitive_cell_of_atoms_on_one_another_is_refused():
    atoms = ase.Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 0]], cell=[4, 4, 4], pbc=True)
    with pytest.raises(ValueError, match="spglib finds no symmetry in Cu2: are atoms on top of each other"):
        primitive_cell(atoms)
