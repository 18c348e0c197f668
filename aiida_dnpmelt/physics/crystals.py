"""Crystals: conventional cells with orthogonal axes, their repetition, and their in-plane reflections."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from itertools import product

import ase
import numpy as np
import spglib
from ase.build import bulk, make_supercell

os.environ.setdefault("SPGLIB_WARNING", "OFF")  # else its library writes to the terminal about each try

SYMMETRY_TOLERANCE = 0.01
"""Angstrom; relaxed cells are symmetric to about 0.001, thermal displacements are above 0.1."""
ANGLE_TOLERANCE = 0.01
"""Degrees, of a standardized cell, whose right angles are exact."""
MAX_REFLECTION_INDEX = 6
LINDEMANN_RATIO = 0.12
"""Rms displacement of an atom near melting over the distance between atoms (Lindemann's criterion)."""
EQUIVALENT = 0.9
"""Reflections that are at least this fraction as strong as another belong to the same set."""
MOST_ATOMS = 100_000_000
"""Atoms of a cell that is run: LAMMPS takes some kilobytes for each, and its usual build counts to 2^31."""
SQUARENESS_WEIGHT, ASPECT_WEIGHT, EXCESS_WEIGHT = 2.0, 1.0, 0.7
"""What the logarithmic deviations from a square, the aspect and the number of atoms count in repetitions."""

# Space group and atoms in the primitive cell identify the four lattices of one element.
LATTICES = {(225, 1): "fcc", (229, 1): "bcc", (194, 2): "hcp", (227, 2): "diamond"}
_COUPLED = {"fcc": "xyz", "bcc": "xyz", "diamond": "xyz", "hcp": "xy"}


def crystal(symbol: str, lattice: str, a: float, c: float | None = None) -> ase.Atoms:
    """Return the conventional orthogonal cell of an element.

    ``a`` and ``c`` are in Angstrom; without ``c`` an hcp crystal has the ideal ratio. The cells have 4 (fcc),
    2 (bcc), 8 (diamond) or 4 (hcp, a x sqrt(3) a x c) atoms.

    :raises ValueError: for another lattice, lengths that are not positive, or ``c`` of a cubic lattice.
    """
    if lattice not in LATTICES.values():
        raise ValueError(f"lattice is '{lattice}', it can be one of: {', '.join(LATTICES.values())}")
    if a <= 0 or (c is not None and c <= 0):
        raise ValueError(f"a = {a}, c = {c} Angstrom: lattice parameters must be positive")
    if lattice == "hcp":
        return bulk(symbol, "hcp", a=a, c=c or a * math.sqrt(8 / 3), orthorhombic=True)
    if c is not None:
        raise ValueError(f"c = {c} Angstrom was given for {lattice}, which is cubic: leave it out")
    return bulk(symbol, lattice, a=a, cubic=True)


def lattice_name(atoms: ase.Atoms, tolerance: float = SYMMETRY_TOLERANCE) -> str:
    """Return 'fcc', 'bcc', 'hcp', 'diamond' or 'other'; it does not depend on the setting or supercell.

    :param tolerance: in Angstrom, within which positions may be off those of the lattice.
    """
    cell = spglib.find_primitive(_spglib_cell(atoms), symprec=tolerance)
    dataset = spglib.get_symmetry_dataset(_spglib_cell(atoms), symprec=tolerance)
    if cell is None or dataset is None or len(set(cell[2])) > 1:
        return "other"
    return LATTICES.get((int(dataset.number), len(cell[2])), "other")


def coupled_lengths(atoms: ase.Atoms) -> str:
    """Return which lengths of the cell of a crystal relax together by its symmetry: ``xyz``, ``xy`` or ``none``.

    Each by itself, they wander far apart in a small cell, and without bound in a liquid.
    """
    return _COUPLED.get(lattice_name(atoms), "none")


def orthogonal_cell(atoms: ase.Atoms) -> ase.Atoms:
    """Return the conventional cell with axes along x, y and z of a crystal given in any setting or supercell.

    For cubic, tetragonal and orthorhombic crystals it is the conventional cell itself, for hexagonal and
    rhombohedral ones the cell a x sqrt(3) a x c with the sixfold or threefold axis along z. The cell is
    idealized within `SYMMETRY_TOLERANCE`; magnetic moments and velocities are not kept.

    :raises ValueError: if the cell is not periodic, has no symmetry that can be found, or has oblique axes.
    """
    if not all(atoms.pbc):
        raise ValueError(f"the structure {atoms.get_chemical_formula()} is not periodic along x, y and z")
    standard = spglib.standardize_cell(_spglib_cell(atoms), symprec=SYMMETRY_TOLERANCE)
    if standard is None:
        raise ValueError(f"spglib finds no symmetry in {atoms.get_chemical_formula()}: are atoms on top of each other?")
    lattice, positions, numbers = standard
    cell = ase.Atoms(numbers=numbers, scaled_positions=positions, cell=lattice, pbc=True)
    angles = cell.cell.angles()
    if _close(angles, (90, 90, 120)):
        cell = make_supercell(cell, [[1, 0, 0], [1, 2, 0], [0, 0, 1]])
    elif not _close(angles, (90, 90, 90)):
        shown = ", ".join(f"{angle:.2f}" for angle in angles)
        raise ValueError(
            f"the conventional cell of {atoms.get_chemical_formula()} has the angles {shown}: "
            "only crystals with an orthogonal or hexagonal conventional cell can be used"
        )
    cell.set_cell(np.diag(cell.cell.lengths()))
    cell.wrap(eps=1e-6)
    return cell


def primitive_cell(atoms: ase.Atoms) -> ase.Atoms:
    """Return the primitive cell of a crystal in the standard orientation, a hexagonal axis along z.

    :raises ValueError: if spglib finds no symmetry.
    """
    standard = spglib.standardize_cell(_spglib_cell(atoms), to_primitive=True, symprec=SYMMETRY_TOLERANCE)
    if standard is None:
        raise ValueError(f"spglib finds no symmetry in {atoms.get_chemical_formula()}: are atoms on top of each other?")
    lattice, positions, numbers = standard
    return ase.Atoms(numbers=numbers, scaled_positions=positions, cell=lattice, pbc=True)


def repetitions(atoms: ase.Atoms, minimum_atoms: int, aspect: float = 2.0) -> tuple[int, int, int]:
    """Return how often to repeat an orthogonal cell along x, y and z.

    The repeated cell has at least ``minimum_atoms`` atoms, is as square as possible in x and y, and about
    ``aspect`` times as long in z; a surplus of atoms counts less than a bad shape.

    :raises ValueError: if the cell is not orthogonal, or a number is not positive.
    """
    if minimum_atoms < 1 or aspect <= 0:
        raise ValueError(f"minimum_atoms = {minimum_atoms}, aspect = {aspect}: both must be positive")
    lengths = _orthogonal_lengths(atoms)
    lateral = (minimum_atoms / len(atoms) * float(np.prod(lengths)) / aspect) ** (1 / 3)
    ideal = np.array([lateral, lateral, aspect * lateral]) / lengths
    lx, ly, lz = (float(length) for length in lengths)

    def badness(counts: tuple[int, int, int]) -> tuple[float, tuple[int, int, int]]:
        x, y, z = counts[0] * lx, counts[1] * ly, counts[2] * lz
        squareness = SQUARENESS_WEIGHT * abs(math.log(x / y))
        elongation = ASPECT_WEIGHT * abs(math.log(z / (aspect * math.sqrt(x * y))))
        excess = EXCESS_WEIGHT * math.log(math.prod(counts) * len(atoms) / minimum_atoms)
        return round(squareness + elongation + excess, 9), counts

    x, y, z = (range(max(1, int(0.7 * n)), math.ceil(1.4 * n) + 1) for n in ideal)
    best = (math.inf, (0, 0, 0))
    # As square as the best one so far at least: the most square cells come first.
    for nx, ny in sorted(product(x, y), key=lambda n: abs(math.log(n[0] * lx / (n[1] * ly)))):
        if SQUARENESS_WEIGHT * abs(math.log(nx * lx / (ny * ly))) > best[0] + 1e-8:
            break
        # Up to the aspect, a longer cell is better, beyond it, a shorter one: ASPECT_WEIGHT is above EXCESS_WEIGHT.
        least = max(z[0], math.ceil(minimum_atoms / (len(atoms) * nx * ny)))
        wanted = int(aspect * math.sqrt(nx * lx * ny * ly) / lz)
        for nz in sorted({min(max(each, least), z[-1]) for each in (wanted, wanted + 1)}):
            if nz >= least:
                best = min(best, badness((nx, ny, nz)))
    return best[1]


def in_plane_reflections(atoms: ase.Atoms) -> list[tuple[int, int]]:
    """Return the Miller indices (h, k) of the strongest reflections (hk0) of an orthogonal cell.

    Strength is the structure factor |F|^2/n^2 times a Debye-Waller factor for the vibrations near melting, so
    that of equal reflections the short ones win. The set spans the plane: order along x and along y is seen.
    In fcc, bcc, hcp and diamond crystals |F|^2/n^2 is 1 for all of the set. Of (h, k) and (-h, -k), which are
    one reflection, that with the positive first index is given.

    :raises ValueError: if the cell is not orthogonal.
    """
    lengths = _orthogonal_lengths(atoms)
    amplitude = LINDEMANN_RATIO * float(np.prod(lengths) / len(atoms)) ** (1 / 3) / math.sqrt(3)
    phases = atoms.get_scaled_positions()[:, :2]

    def strength(hk: tuple[int, int]) -> float:
        structure_factor = abs(np.exp(2j * np.pi * (phases @ hk)).mean()) ** 2
        wave_number = 2 * math.pi * math.hypot(*(hk / lengths[:2]))
        return float(structure_factor * math.exp(-((wave_number * amplitude) ** 2)))

    strengths = {hk: strength(hk) for hk in _half_plane()}
    h, k = max(strengths, key=strengths.__getitem__)
    second = max(value for hk, value in strengths.items() if h * hk[1] != k * hk[0])
    return [hk for hk, value in strengths.items() if value >= EQUIVALENT * second]


def _half_plane() -> Iterator[tuple[int, int]]:
    """Yield each in-plane reflection once: h > 0, or h = 0 and k > 0."""
    limit = MAX_REFLECTION_INDEX
    for h, k in product(range(limit + 1), range(-limit, limit + 1)):
        if h > 0 or k > 0:
            yield h, k


def _spglib_cell(atoms: ase.Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers


def _close(angles: np.ndarray, expected: tuple[float, float, float]) -> bool:
    return bool(np.allclose(angles, expected, rtol=0, atol=ANGLE_TOLERANCE))


def _orthogonal_lengths(atoms: ase.Atoms) -> np.ndarray:
    lengths: np.ndarray = atoms.cell.lengths()
    if not np.allclose(atoms.cell.array, np.diag(lengths), atol=1e-6):
        raise ValueError(f"the cell {atoms.cell.array.tolist()} is not along x, y, z: use orthogonal_cell first")
    return lengths
