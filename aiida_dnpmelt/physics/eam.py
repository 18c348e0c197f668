"""EAM potential files of LAMMPS: funcfl (`eam`) and setfl (`eam/alloy`, `eam/fs`).

The formats are those of https://docs.lammps.org/pair_eam.html. LAMMPS takes so many numbers for a table, leaves the
rest of the line, and goes on with the next line. A number too many at the end of a line, or after the last table, is
left out; after one on a line of its own, or one too few, all others are out of place. So all of them are counted here,
and the layout tells the one from the other: all lines of a table but its last have as many numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, TypeVar

from ase.data import atomic_numbers, chemical_symbols

STYLE_OF_SUFFIX = {".alloy": "eam/alloy", ".fs": "eam/fs", ".eam": "eam"}
EAM_STYLES = ("eam", "eam/alloy", "eam/fs")
COVERAGE_TOLERANCE = 1e-3
"""Tables may end this fraction short of the cutoff, by the rounding of dr."""

_UNITS = re.compile(r"\bUNITS:\s*(\w+)")
_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class EamHeader:
    """What an EAM file says of itself.

    :param elements: chemical symbols in the order of the file.
    :param cutoff: in Angstrom.
    :param remarks: in words, what of the file LAMMPS leaves out.
    """

    elements: tuple[str, ...]
    cutoff: float
    remarks: tuple[str, ...] = ()


def guess_pair_style(filename: str) -> str:
    """Return the pair style that the suffix of a file stands for.

    :raises ValueError: if the suffix is not one of LAMMPS' own for EAM files.
    """
    for suffix, style in STYLE_OF_SUFFIX.items():
        if filename.lower().endswith(suffix):
            return style
    raise ValueError(
        f"the suffix of '{filename}' does not tell the pair style: it can be .eam, .eam.alloy (.alloy) or "
        f".eam.fs (.fs); else give pair_style, one of {', '.join(EAM_STYLES)}"
    )


def read_eam(handle: BinaryIO, pair_style: str) -> EamHeader:
    """Read an EAM file whole, as a stream, and return its header.

    :raises ValueError: with the line and the reason, if the file is not what ``pair_style`` says.
    """
    if pair_style not in EAM_STYLES:
        raise ValueError(f"pair_style is '{pair_style}', it can be one of {', '.join(EAM_STYLES)}")
    try:
        return _read(handle, pair_style)
    except ValueError as error:
        fitting = [style for style in EAM_STYLES if style != pair_style and _fits(handle, style)]
        hint = f"; as pair_style '{fitting[0]}' it is valid" if fitting else ""
        raise ValueError(f"not a file for pair_style '{pair_style}': {error}{hint}") from error


def _fits(handle: BinaryIO, pair_style: str) -> bool:
    try:
        _read(handle, pair_style)
    except ValueError:
        return False
    return True


def _read(handle: BinaryIO, pair_style: str) -> EamHeader:
    handle.seek(0)
    lines = _Lines(handle)
    header = _read_funcfl(lines) if pair_style == "eam" else _read_setfl(lines, pair_style)
    lines.end()
    return replace(header, remarks=tuple(lines.remarks))


def _read_funcfl(lines: _Lines) -> EamHeader:
    lines.comment()
    number = lines.fields("atomic number and mass", 2)[0]
    atomic_number = lines.number(number, int, "the atomic number")
    if atomic_number >= len(chemical_symbols):
        raise lines.error(f"the atomic number is {atomic_number}, there are {len(chemical_symbols) - 1} elements")
    grid = _Grid.read(lines)
    lines.table(grid.densities, "the embedding function")
    lines.table(grid.distances, "the effective charge")
    lines.table(grid.distances, "the density")
    return EamHeader((chemical_symbols[atomic_number],), grid.cutoff)


def _read_setfl(lines: _Lines, pair_style: str) -> EamHeader:
    for _ in range(3):
        lines.comment()
    count, *elements = lines.fields("the number of elements and their symbols", 2)
    if lines.number(count, int, "the number of elements") != len(elements):
        raise lines.error(f"there are {len(elements)} symbols, but the number of elements is {count}")
    if len(set(elements)) != len(elements) or not all(atomic_numbers.get(name) for name in elements):
        raise lines.error(f"'{' '.join(elements)}' are not different chemical symbols")
    grid = _Grid.read(lines)
    for element in elements:
        mass = lines.fields(f"atomic number and mass of {element}", 2)[1]
        lines.number(mass, float, f"the mass of {element}")
        lines.table(grid.densities, f"the embedding function of {element}")
        for other in elements if pair_style == "eam/fs" else [element]:
            lines.table(grid.distances, f"the density of {element} for {other}")
    for index, element in enumerate(elements):
        for other in elements[: index + 1]:
            lines.table(grid.distances, f"the pair function of {element} and {other}")
    return EamHeader(tuple(elements), grid.cutoff)


@dataclass(frozen=True)
class _Grid:
    """How many densities and distances the tables have, and the cutoff in Angstrom."""

    densities: int
    distances: int
    cutoff: float

    @classmethod
    def read(cls, lines: _Lines) -> _Grid:
        nrho, drho, nr, dr, cut = lines.fields("Nrho, drho, Nr, dr, cutoff", 5)[:5]
        densities, distances = lines.number(nrho, int, "Nrho"), lines.number(nr, int, "Nr")
        lines.number(drho, float, "drho")
        step, cutoff = lines.number(dr, float, "dr"), lines.number(cut, float, "the cutoff")
        if distances * step < cutoff * (1 - COVERAGE_TOLERANCE):
            raise lines.error(f"the tables end at {distances * step:g} Angstrom, below the cutoff {cutoff:g}")
        return cls(densities, distances, cutoff)


class _Lines:
    """The lines of a file, counted, blank ones and comments left out.

    ``remarks`` tell what LAMMPS leaves out.
    """

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._number = 0
        self._columns: int | None = None
        self._regular = True
        self.remarks: list[str] = []

    def error(self, message: str) -> ValueError:
        return ValueError(f"line {self._number}: {message}")

    def comment(self) -> None:
        """Pass over one line of free text, which may name the units."""
        line = next(self._text(), None)
        if line is None:
            raise self.error("the file ends before its header")
        units = _UNITS.search(line)
        if units is not None and units[1] != "metal":
            raise self.error(f"the units are '{units[1]}', they must be 'metal'")

    def fields(self, what: str, minimum: int) -> list[str]:
        """Return the words of the next line, at least ``minimum`` of them."""
        words = next(self._words(), [])
        if len(words) < minimum:
            raise self.error(f"expected {what}, found '{' '.join(words)[:60]}'")
        return words

    def number(self, word: str, kind: type[_Number], what: str) -> _Number:
        """Return a positive number of the header."""
        try:
            value = kind(word)
        except ValueError:
            raise self.error(f"{what} is '{word[:60]}', it must be a positive {kind.__name__}") from None
        if not (math.isfinite(value) and value > 0):
            raise self.error(f"{what} is {word}, it must be positive")
        return value

    def table(self, count: int, what: str) -> None:
        """Pass over the ``count`` numbers of a table; what is appended to its last line is left out."""
        start, found = self._number + 1, 0
        while True:
            words = next(self._words(), None)
            if words is None:
                raise self.error(f"the file ends in {what} (from line {start}): {found} of {count} numbers")
            self._check_numbers(words, what)
            if found + len(words) >= count:
                break
            self._note_columns(len(words))
            found += len(words)
        if found + len(words) > count:
            if not self._is_appended(len(words), count - found):
                raise self.error(f"{what} (from line {start}) has {count} numbers, but its last line goes on")
            rest = " ".join(words[count - found :])[:60]
            self.remarks.append(f"line {self._number}: LAMMPS leaves out '{rest}' at the end of {what}")

    def end(self) -> None:
        """Check that nothing follows that could stand for a number which moves the others."""
        words = next(self._words(), None)
        if words is None:
            return
        shown = " ".join(words)[:60]
        if all(map(_is_number, words)) and not (self._regular and len(words) != self._columns):
            raise self.error(
                f"the tables are complete, but the file goes on with '{shown}': a table before has a number too many, "
                "or this line is one too many"
            )
        self.remarks.append(f"line {self._number}: LAMMPS leaves out '{shown}' and what follows after the last table")

    def _note_columns(self, columns: int) -> None:
        """Take down how many numbers a line has that does not end its table."""
        self._columns = self._columns or columns
        self._regular = self._regular and columns == self._columns

    def _is_appended(self, columns: int, needed: int) -> bool:
        """Return whether the last line of a table is its own, and not one of the next table, by its length."""
        if self._columns is None:
            return True
        return self._regular and columns != self._columns and needed <= self._columns

    def _check_numbers(self, words: list[str], what: str) -> None:
        try:
            finite = all(math.isfinite(float(word)) for word in words)
        except ValueError:
            raise self.error(f"{what} holds '{' '.join(words)[:60]}', which is not numbers") from None
        if not finite:
            raise self.error(f"{what} holds a number that is not finite")

    def _text(self) -> Iterator[str]:
        for line in self._handle:
            self._number += 1
            if b"\0" in line:
                raise self.error("the file is binary")
            yield line.decode("utf-8", "replace")

    def _words(self) -> Iterator[list[str]]:
        for line in self._text():
            words = line.partition("#")[0].split()
            if words:
                yield words


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
