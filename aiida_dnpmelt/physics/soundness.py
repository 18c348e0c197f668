"""What is wrong with a structure that is to melt: it is no crystal, or none of the lattices that were tested."""

from __future__ import annotations

import ase
import numpy as np
import spglib
from ase.neighborlist import neighbor_list

from aiida_dnpmelt.physics.crystals import LATTICES, SYMMETRY_TOLERANCE, lattice_name

TOLERANCES = (SYMMETRY_TOLERANCE, 0.03, 0.1, 0.2)
"""Angstrom, within which a lattice is looked for: of relaxed cells, then of ones that are less and less symmetric."""
CLOSEST = 1.0
"""Angstrom; atoms of metals at the pressure in the middle of the Earth are 2 Angstrom apart."""
EMPTY_GAP, EMPTY_RATIO = 4.0, 1.5
"""A layer without atoms that is thicker than this, in Angstrom and in units of the nearest distance, is vacuum: layers
of graphite are 3.4 Angstrom apart, those of caesium 4.3 at a nearest distance of 5.2."""
FULL = 1e-3
"""What the occupancies of a site may be off from one, by their rounding."""


def no_crystal(atoms: ase.Atoms) -> str | None:
    """Return why atoms are no crystal of which LAMMPS could run a cell, None if they are one."""
    formula = atoms.get_chemical_formula()
    if not len(atoms):
        return "it holds no atoms"
    if not all(atoms.pbc) or atoms.cell.rank != 3:
        return f"the structure {formula} is not periodic along x, y and z"
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        return f"a position or a length of {formula} is not finite"
    if not atoms.numbers.all():
        return f"{formula} has atoms of no element (X)"
    return _partly_occupied(atoms) or _too_close(atoms) or _vacuum(atoms)


def found_lattice(atoms: ase.Atoms) -> tuple[str, float] | None:
    """Return the lattice of a crystal and the least tolerance in Angstrom within which it is found, None if it is none.

    Of the lattices 'fcc', 'bcc', 'hcp' and 'diamond', within `TOLERANCES`.
    """
    for tolerance in TOLERANCES:
        name = lattice_name(atoms, tolerance)
        if name != "other":
            return name, tolerance
    return None


def unlike_tested(atoms: ase.Atoms) -> str | None:
    """Return in words that a crystal is none of the lattices which the analysis was tested for, None if it is one."""
    names = ", ".join(LATTICES.values())
    found = found_lattice(atoms)
    if found is not None and found[1] == SYMMETRY_TOLERANCE:
        return None
    formula = atoms.get_chemical_formula()
    if found is not None:
        name, tolerance = found
        return (
            f"{formula} is no crystal within {SYMMETRY_TOLERANCE:g} Angstrom, but {name} within {tolerance:g}: it is "
            "strained or displaced"
        )
    if len(set(atoms.numbers)) > 1:
        return f"{formula} is a compound, or has foreign atoms; what was tested is one element as {names}"
    dataset = spglib.get_symmetry_dataset(
        (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers), SYMMETRY_TOLERANCE
    )
    group = "" if dataset is None else f" (space group {dataset.international} within {SYMMETRY_TOLERANCE:g} Angstrom)"
    return (
        f"{formula} is none of {names} within {TOLERANCES[-1]:g} Angstrom{group}: it has defects such as a vacancy, "
        "displaced atoms, or another lattice"
    )


def _partly_occupied(atoms: ase.Atoms) -> str | None:
    """Return which site is occupied in part, by one element or by several; ASE takes the first of them for the site.

    Readers of ASE give the occupancies of CIF files by site, as text where they are no numbers, those of PDB files by
    atom.
    """
    sites = [dict(site) for site in atoms.info.get("occupancy", {}).values()]
    if "occupancy" in atoms.arrays:
        pairs = zip(atoms.get_chemical_symbols(), atoms.arrays["occupancy"], strict=True)
        sites += [{symbol: float(share)} for symbol, share in pairs]
    for site in sites:
        if unknown := [f"{symbol} {share}" for symbol, share in sorted(site.items()) if isinstance(share, str)]:
            return f"the occupancy of a site is not known ({', '.join(unknown)}): write a number, 1 if it is full"
        if len(site) > 1 or abs(sum(site.values()) - 1) > FULL:
            shares = ", ".join(f"{symbol} {share:g}" for symbol, share in sorted(site.items()))
            return f"a site is occupied in part ({shares}): make an ordered cell of it"
    return None


def _too_close(atoms: ase.Atoms) -> str | None:
    """Return which atoms are on top of each other."""
    first, second, distances = neighbor_list("ijd", atoms, CLOSEST)
    if not len(distances):
        return None
    at = int(distances.argmin())
    return (
        f"atoms {first[at] + 1} and {second[at] + 1} of {atoms.get_chemical_formula()} are {distances[at]:.2f} "
        f"Angstrom apart, less than {CLOSEST:g}: are they on top of each other?"
    )


def _vacuum(atoms: ase.Atoms) -> str | None:
    """Return along which axis a layer is empty."""
    nearest = _nearest_distance(atoms)
    for axis, name in enumerate("abc"):
        height = 1 / float(np.linalg.norm(atoms.cell.reciprocal().array[axis]))
        places = np.sort(atoms.get_scaled_positions()[:, axis])
        gap = height * float(np.diff(places, append=places[0] + 1).max())
        if gap > max(EMPTY_GAP, EMPTY_RATIO * nearest):
            return (
                f"{atoms.get_chemical_formula()} has a layer of {gap:.1f} Angstrom without atoms along {name}: it is a "
                "slab or a molecule, not a crystal"
            )
    return None


def _nearest_distance(atoms: ase.Atoms) -> float:
    """Return the nearest distance of two atoms or their images in Angstrom."""
    reach = (atoms.get_volume() / len(atoms)) ** (1 / 3)
    while True:
        distances = neighbor_list("d", atoms, reach)
        if len(distances):
            return float(distances.min())
        reach *= 1.5
