"""Chemical symbols of atoms by what VASP writes of them: a column of names, and the titles of the POTCAR files."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ase.data import atomic_numbers

_ELEMENT = re.compile(r"([A-Z][a-z]?)(?![A-Za-z])")
_FORMULA = re.compile(r"([A-Z][a-z]?)(\d+)")
_WIDTH = 40
"""Characters of the first line of a POSCAR that VASP repeats: the last part of a longer one may be cut."""


def element_of_title(title: str) -> str | None:
    """Return the element of a POTCAR file, None if its title does not say one.

    :param title: such as ``PAW_PBE Zr_sv 04Jan2005`` or ``PAW_PBE H.5 07Sep2000``.
    """
    words = title.split()
    for word in (*words[1:2], *words[:1]):
        found = _ELEMENT.match(word)
        if found and atomic_numbers.get(found[1]):
            return found[1]
    return None


def symbols_of(
    names: Sequence[str], types: Sequence[int], titles: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the symbols of atoms, and remarks on names that were read from titles instead.

    Some POTCAR files call their element by half of its name, as ``r`` for Zr or ``X`` for Xe.

    :param names: what the output calls each atom.
    :param types: number of the POTCAR of each atom, from 1; 0 if it is not known.
    :param titles: of the POTCAR files, in their order.
    :raises ValueError: if a name is that of another element than the title.
    """
    found: dict[tuple[str, int], str] = {}
    remarks = []
    for name, kind in dict.fromkeys(zip(names, types, strict=True)):
        title = titles[kind - 1] if 0 < kind <= len(titles) else ""
        element = element_of_title(title) or name
        found[name, kind] = element
        if element == name:
            continue
        if atomic_numbers.get(name) and not _half_of(name, element):
            raise ValueError(f"atoms are called {name} and were computed with the POTCAR '{title}'")
        remarks.append(f"atoms called '{name}' are {element} by the title of the POTCAR, '{title}'")
    return tuple(found[each] for each in zip(names, types, strict=True)), tuple(remarks)


def other_composition(comment: str, symbols: Sequence[str]) -> str | None:
    """Return in words that the first line of a POSCAR tells another composition than the POTCAR files, else None.

    VASP counts atoms by the POSCAR and takes elements from the POTCAR: in another order they are mixed up, silently.
    The line is free text: it says something only if each of its words is an element with a number, as ``Al2 Cu2``.
    """
    words = comment.split()[: -1 if len(comment.rstrip()) >= _WIDTH else None]
    parts = [_FORMULA.fullmatch(word) for word in words]
    if len(parts) < 2 or not all(part and atomic_numbers.get(part[1]) for part in parts):
        return None
    told: dict[str, int] = {}
    for part in parts:
        assert part is not None
        told[part[1]] = told.get(part[1], 0) + int(part[2])
    if all(symbols.count(element) == number for element, number in told.items()):
        return None
    there = " ".join(f"{element}{symbols.count(element)}" for element in dict.fromkeys(symbols))
    return f"the POSCAR is called '{comment.strip()}', by the order of the POTCAR it was computed as {there}"


def _half_of(name: str, element: str) -> bool:
    return len(name) == 1 and len(element) == 2 and name.lower() in element.lower()
