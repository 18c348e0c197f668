from __future__ import annotations

import re

import ase
import numpy as np
import pytest
from ase.build import add_vacuum, bulk, graphene, molecule
from ase.data import chemical_symbols, reference_states

from aiida_dnpmelt.physics.crystals import crystal, orthogonal_cell
from aiida_dnpmelt.physics.soundness import found_lattice, no_crystal, unlike_tested


def rattled(stdev: float, seed: int = 3) -> ase.Atoms:
    atoms = crystal("Al", "fcc", 4.05).repeat(3)
    atoms.rattle(stdev, seed=seed)
    return atoms


def vacancy() -> ase.Atoms:
    atoms = crystal("Al", "fcc", 4.05).repeat(3)
    del atoms[17]
    return atoms


def with_occupancies(*sites: dict[str, float]) -> ase.Atoms:
    atoms = crystal("Cu", "fcc", 3.6)
    atoms.info["occupancy"] = {str(index): site for index, site in enumerate(sites)}
    return atoms


def left_handed() -> ase.Atoms:
    atoms = bulk("Al", a=4.05)
    return ase.Atoms("Al", cell=atoms.cell.array[[1, 0, 2]], pbc=True)


def slab() -> ase.Atoms:
    atoms = crystal("Al", "fcc", 4.05).repeat((2, 2, 3))
    add_vacuum(atoms, 13.0)
    return atoms


def in_a_box() -> ase.Atoms:
    atoms = molecule("N2", vacuum=5.0)
    atoms.pbc = True
    return atoms


def turned_slab() -> ase.Atoms:
    """Give a slab whose long vector is not along a normal of the others."""
    atoms = slab()
    cell = atoms.cell.array
    cell[2] += cell[0]
    atoms.set_cell(cell)
    return atoms


def layered() -> ase.Atoms:
    atoms = graphene()
    atoms.center(vacuum=3.35 / 2, axis=2)
    atoms.pbc = True
    return atoms


NO_CRYSTALS = {
    "two on a site": (with_occupancies({"Cu": 0.6, "Ni": 0.4}), r"occupied in part \(Cu 0.6, Ni 0.4\)"),
    "two on a site that are full together twice": (with_occupancies({"Cu": 1.0}, {"Cu": 0.5, "Ni": 0.5}), "Ni 0.5"),
    "vacancies": (with_occupancies({"Cu": 0.9}), r"occupied in part \(Cu 0.9\)"),
    "no number": (with_occupancies({"Cu": "?"}), r"occupancy of a site is not known \(Cu \?\)"),
    "slab": (slab(), r"a layer of 15\.\d Angstrom without atoms along c"),
    "turned slab": (turned_slab(), r"a layer of 15\.\d Angstrom without atoms along c"),
    "molecule": (in_a_box(), "it is a slab or a molecule"),
    "open": (ase.Atoms("Al", cell=[4, 4, 4], pbc=(True, True, False)), "Al is not periodic along x, y and z"),
    "no cell": (ase.Atoms("Al", pbc=True), "not periodic"),
    "twice": (ase.Atoms("Al2", cell=[4, 4, 4], positions=[[0, 0, 0], [0, 0, 3.9]], pbc=True), "0.10 Angstrom apart"),
    "no element": (ase.Atoms("X", cell=[3, 3, 3], pbc=True), r"atoms of no element \(X\)"),
    "nothing": (ase.Atoms(cell=[3, 3, 3], pbc=True), "no atoms"),
    "not finite": (ase.Atoms("Al", cell=[3, 3, 3], positions=[[0, 0, np.nan]], pbc=True), "not finite"),
}


@pytest.mark.parametrize("case", NO_CRYSTALS)
def test_what_is_no_crystal_is_told_why(case):
    atoms, message = NO_CRYSTALS[case]
    assert re.search(message, no_crystal(atoms)), no_crystal(atoms)


def test_occupancies_by_atom_as_pdb_files_have_them():
    atoms = crystal("Cu", "fcc", 3.6)
    atoms.set_array("occupancy", np.array([1.0, 1.0, 0.5, 1.0]))
    assert "occupied in part (Cu 0.5)" in no_crystal(atoms)


@pytest.mark.parametrize(
    "atoms",
    [
        *(bulk(symbol) for symbol in ("Cs", "Cu", "Si", "Be", "Zn", "W")),
        left_handed(),
        vacancy(),
        layered(),
        with_occupancies({"Cu": 1.0}, {"Cu": 0.99999}),
        bulk("NaCl", "rocksalt", a=5.64),
        crystal("Fe", "bcc", 2.0),
    ],
    ids=str,
)
def test_crystals_pass(atoms):
    assert no_crystal(atoms) is None


def test_crystals_of_the_reference_states_pass():
    for symbol, state in zip(chemical_symbols, reference_states, strict=False):
        if state is not None and state["symmetry"] in ("fcc", "bcc", "hcp", "diamond") and "basis" not in state:
            assert no_crystal(bulk(symbol)) is None
            assert unlike_tested(bulk(symbol)) is None


@pytest.mark.parametrize(
    ("atoms", "found"),
    [
        (rattled(0.001), ("fcc", 0.01)),
        (rattled(0.004), ("fcc", 0.03)),
        (rattled(0.012, seed=1), ("fcc", 0.1)),
        (rattled(0.02, seed=5), ("fcc", 0.2)),
        (rattled(0.4), None),
        (left_handed(), ("fcc", 0.01)),
        (vacancy(), None),
        (bulk("Bi", "rhombohedral", a=4.75, alpha=57.14, basis=[[-0.237] * 3, [0.237] * 3]), None),
    ],
    ids=str,
)
def test_lattice_and_the_tolerance_within_which_it_is_found(atoms, found):
    assert found_lattice(atoms) == found


def test_what_was_not_tested_is_told():
    assert unlike_tested(left_handed()) is None
    assert "no crystal within 0.01 Angstrom, but fcc within 0.1: it is strained or displaced" in unlike_tested(
        rattled(0.012, seed=1)
    )
    strained = bulk("Al", a=4.05)
    strained.set_cell(strained.cell.array @ np.diag([1.002, 1.0, 0.998]), scale_atoms=True)
    assert "Al is no crystal within 0.01 Angstrom, but fcc within 0.03" in unlike_tested(strained)
    assert "Al107 is none of fcc, bcc, hcp, diamond within 0.2 Angstrom (space group Pm-3m" in unlike_tested(vacancy())
    assert "ClNa is a compound" in unlike_tested(bulk("NaCl", "rocksalt", a=5.64))


def test_left_handed_cell_becomes_right_handed():
    cell = orthogonal_cell(left_handed())
    assert cell.cell.handedness == 1
    assert cell.cell.lengths() == pytest.approx([4.05, 4.05, 4.05])
