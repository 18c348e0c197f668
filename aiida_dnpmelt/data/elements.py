"""The table of the elements: melting temperatures, cohesive energies and lattices, with their sources.

The keys of the column `sources` are:

* ``CRC97``: melting point at 101.325 kPa, CRC Handbook of Chemistry and Physics, 97th edition (2016).
* ``Kittel8``: cohesive energy at 0 K against free atoms, C. Kittel, Introduction to Solid State Physics, 8th
  edition (2005), chapter 3, table 1.
* ``AM76``: lattice, N. W. Ashcroft, N. D. Mermin, Solid State Physics (1976), through
  `ase.data.reference_states`.
* ``Kittel8m``: saturation magnetisation at 0 K in Bohr magnetons an atom, Kittel, chapter 12, table 2.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal, cast

Lattice = Literal["fcc", "bcc", "hcp", "diamond", "other"]


@dataclass(frozen=True)
class Element:
    """Experimental data of one element.

    ``melting_temperature`` is in K, ``cohesive_energy`` in eV/atom. ``lattice`` is stable at room temperature
    (else below melting), not always what melts: Ti and Zr melt from bcc. ``a`` and ``c`` are in
    Angstrom: ``c`` is None but for hcp, both are None for ``other``. ``magnetic_moment`` of ferromagnets is in Bohr
    magnetons an atom, None for others.
    """

    symbol: str
    group: str
    melting_temperature: float
    cohesive_energy: float
    lattice: Lattice
    a: float | None
    c: float | None
    magnetic_moment: float | None
    sources: str


def element(symbol: str) -> Element:
    """Return the data of one element.

    :raises ValueError: if the table has no such element.
    """
    try:
        return elements()[symbol]
    except KeyError:
        known = " ".join(elements())
        raise ValueError(f"element '{symbol}' is not in the table, which has: {known}") from None


@cache
def elements() -> Mapping[str, Element]:
    """Return the data of all elements of the table by symbol, in the order of the table."""
    with files(__package__).joinpath("elements.csv").open(encoding="utf-8") as handle:
        return MappingProxyType({row["symbol"]: _element(row) for row in csv.DictReader(handle)})


def _element(row: dict[str, str]) -> Element:
    return Element(
        symbol=row["symbol"],
        group=row["group"],
        melting_temperature=float(row["melting_temperature_K"]),
        cohesive_energy=float(row["cohesive_energy_eV_per_atom"]),
        lattice=cast(Lattice, row["lattice"]),
        a=float(row["a_A"]) if row["a_A"] else None,
        c=float(row["c_A"]) if row["c_A"] else None,
        magnetic_moment=float(row["magnetic_moment_muB"]) if row["magnetic_moment_muB"] else None,
        sources=row["sources"],
    )
