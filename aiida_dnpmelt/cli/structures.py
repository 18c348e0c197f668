"""Crystals that a user names on the command line or in the file of a campaign: an element, or a file of one."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from aiida.orm import StructureData
    from ase import Atoms

    from aiida_dnpmelt.data.elements import Element

MASS_TOLERANCE = 0.01
"""Share that the mass of a type in a LAMMPS file may be off that of its element."""
_HEAD_LINES = 60
"""Lines of a file that tell whether it is one of LAMMPS."""


def load_structure(symbol: str | None, lattice: str | None, file: str | None) -> StructureData:
    """Return the crystal of an element, or of a file; where an element has two lattices, say which one it is.

    :param symbol: with a file, its species: a LAMMPS file may not name them.
    :param lattice: that of the element, by default the one from which it melts.
    :raises ValueError: if none is given, or there is no such crystal; it names the option.
    """
    from aiida.orm import StructureData

    from aiida_dnpmelt.data.elements import element
    from aiida_dnpmelt.physics.crystals import crystal

    if file is not None:
        if lattice is not None:
            raise ValueError("--lattice: it goes with --element alone, a file has its own")
        return StructureData(ase=read_atoms(file, symbol=symbol))
    if symbol is None:
        raise ValueError("give either --element or --structure")
    entry = element(symbol)
    chosen = lattice or entry.melting_lattice
    try:
        crystal_of_table = crystal(entry.symbol, chosen, *entry.lengths(chosen))
    except ValueError as exception:
        option, remedy = ("--lattice", f"--structure for {lattice}") if lattice else ("--element", "--structure")
        raise ValueError(f"{option}: {exception}: give {remedy}") from exception
    if entry.lattice != entry.melting_lattice:
        click.echo(_which_lattice(entry, chosen), err=True)
    return StructureData(ase=crystal_of_table)


def _which_lattice(entry: Element, chosen: str) -> str:
    """Return what is to be known of an element that melts from another lattice than it has at room temperature."""
    if chosen == entry.melting_lattice:
        text = f"{entry.symbol} is taken as {chosen}, from which it melts"
        return (
            text if entry.a is None else f"{text}; at room temperature it is {entry.lattice}: --lattice {entry.lattice}"
        )
    return (
        f"{entry.symbol} is taken as {chosen}, but it melts from {entry.melting_lattice}: the T_m of {chosen} is that "
        "of a crystal which is not the stable one there"
    )


def read_atoms(file: str | Path, option: str = "--structure", symbol: str | None = None) -> Atoms:
    """Return the crystal of a file that ASE reads, LAMMPS data files among them.

    :param symbol: element that it must be; needed where a LAMMPS file has neither masses nor labels of its types.
    :raises ValueError: if it holds no crystal, or more than one structure; it names the option.
    """
    from aiida_dnpmelt.physics.soundness import no_crystal

    images = _read(file, option, symbol)
    if not images:
        raise ValueError(f"{option}: '{file}' holds no structure that ASE can read: there is none in it")
    if len(images) > 1:
        raise ValueError(
            f"{option}: '{file}' holds {len(images)} structures, and does not tell which of them melts: write that one "
            "into a file of its own"
        )
    (atoms,) = images
    problem = no_crystal(atoms)
    if problem is not None:
        raise ValueError(f"{option}: '{file}': {problem}")
    if symbol is not None and set(atoms.get_chemical_symbols()) != {symbol}:
        raise ValueError(f"{option}: '{file}' is {atoms.get_chemical_formula()}, not {symbol}")
    return atoms


def _read(file: str | Path, option: str, symbol: str | None) -> list[Atoms]:
    """Return all structures of a file."""
    from ase.io import read

    kind = _lammps_kind(Path(file))
    try:
        if kind == "data":
            return [_read_lammps_data(Path(file), symbol)]
        images: list[Atoms] = read(file, index=":", do_not_split_by_at_sign=True)
    except Exception as exception:  # the readers of ASE raise whatever happens to them
        reason = _reason(exception)
        raise ValueError(f"{option}: '{file}' holds no structure that ASE can read: {reason.strip()}") from exception
    if kind == "dump" and symbol is not None:
        for image in images:
            image.symbols[:] = symbol
    elif kind == "dump":
        raise ValueError(f"{option}: '{file}' is a dump of LAMMPS that names no elements: give --element as well")
    return images


def _reason(exception: Exception) -> str:
    """Return in words why ASE could not read a file; it looks for names of elements by the key."""
    if isinstance(exception, KeyError):
        return f"{exception} is no chemical symbol"
    return str(exception) if isinstance(exception, ValueError) else f"{type(exception).__name__} {exception}"


def _lammps_kind(file: Path) -> str | None:
    """Return whether a file is one of LAMMPS that may name its types by numbers alone: ``data``, ``dump``, or None."""
    try:
        with file.open(encoding="utf-8", errors="replace") as handle:
            head = [line.partition("#")[0].strip() for line in islice(handle, _HEAD_LINES)]
    except OSError:
        return None
    if any(re.fullmatch(r"\d+\s+atoms", line) for line in head) and any(line.endswith("atom types") for line in head):
        return "data"
    columns = next((line for line in head if line.startswith("ITEM: ATOMS")), None)
    return "dump" if columns is not None and "element" not in columns.split() else None


def _read_lammps_data(file: Path, symbol: str | None) -> Atoms:
    """Return the structure of a LAMMPS data file, whose types masses, labels or ``symbol`` name.

    :raises ValueError: if nothing names them.
    """
    from ase.data import atomic_masses, atomic_numbers
    from ase.io import read

    text = file.read_text(encoding="utf-8", errors="replace")
    sections = {line.partition("#")[0].strip() for line in text.splitlines()}
    if "Masses" not in sections and "Atom Type Labels" not in sections:
        types = re.search(r"^\s*(\d+)\s+atom\s+types", text, re.MULTILINE)
        if symbol is None or types is None or int(types[1]) != 1:
            raise ValueError("its types have neither masses nor labels: give some, or --element if there is one type")
        given: Atoms = read(file, format="lammps-data", Z_of_type={1: atomic_numbers[symbol]})
        return given
    atoms: Atoms = read(file, format="lammps-data")
    if "Masses" in sections:
        for number, mass in zip(atoms.numbers, atoms.get_masses(), strict=True):
            if abs(mass / atomic_masses[number] - 1) > MASS_TOLERANCE:
                raise ValueError(f"the mass {mass:g} of a type is that of no element")
    return atoms
