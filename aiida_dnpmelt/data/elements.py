"""The table of the elements: melting temperatures, cohesive energies and lattices, with their sources.

The keys of the column `sources` are those of `SOURCES`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal, cast

from ase.data import atomic_names, chemical_symbols
from ase.units import kB, kJ, mol

Lattice = Literal["fcc", "bcc", "hcp", "diamond", "other"]
SOURCES: Mapping[str, str] = {
    "CRC97": "melting point at 101.325 kPa, CRC Handbook of Chemistry and Physics, 97th edition (2016)",
    "CRC95f": "enthalpy of fusion at the melting point, CRC Handbook, 95th edition (2014), section 6; those of metals "
    "agree within 6 % with A. T. Dinsdale, Calphad 15, 317 (1991); the estimates of Tc and Os are left out",
    "Kittel8": "cohesive energy at 0 K against free atoms, C. Kittel, Introduction to Solid State Physics, 8th edition "
    "(2005), chapter 3, table 1",
    "AM76": "lattice, N. W. Ashcroft and N. D. Mermin, Solid State Physics (1976), as ase.data.reference_states has it",
    "King": "lattice below the melting point and its length, near the transition to it (of Co at room temperature), "
    "H. W. King, Crystal structures and lattice parameters of allotropes of the elements, CRC Handbook, section 12; "
    "Dinsdale's assessment has the same lattices",
    "Kittel8m": "saturation magnetisation at 0 K, Kittel, chapter 12, table 2",
}
"""What stands behind the keys of the column ``sources``."""


@dataclass(frozen=True)
class Element:
    """Experimental data of one element.

    :param symbol: chemical symbol.
    :param group: of the relations between T_m and cohesive energy, see `aiida_dnpmelt.physics.cohesion`.
    :param melting_temperature: in K, at ambient pressure.
    :param fusion_enthalpy: latent heat of melting in eV/atom; None where no measurement is known.
    :param cohesive_energy: at 0 K against free atoms, in eV/atom.
    :param lattice: that is stable at room temperature, else below melting.
    :param a: its length in Angstrom; None for ``other``.
    :param c: its other length in Angstrom; None but for hcp.
    :param melting_lattice: from which the element melts, the same as `lattice` for most: Ti and Zr melt from bcc.
    :param melting_a: its length in Angstrom; None for ``other``.
    :param melting_c: its other length in Angstrom; None but for hcp.
    :param magnetic_moment: of ferromagnets, in Bohr magnetons an atom; None for others.
    :param sources: where the numbers are from, keys of `SOURCES`.
    """

    symbol: str
    group: str
    melting_temperature: float
    fusion_enthalpy: float | None
    cohesive_energy: float
    lattice: Lattice
    a: float | None
    c: float | None
    melting_lattice: Lattice
    melting_a: float | None
    melting_c: float | None
    magnetic_moment: float | None
    sources: str

    @property
    def fusion_entropy_k(self) -> float | None:
        """Return the entropy of melting in k_B an atom, None if the latent heat is not known.

        It is some 0.8 to 1.4 for most metals (Richard's rule), and 2.4 to 3.7 where melting changes the bonds: Si, Bi.
        """
        return None if self.fusion_enthalpy is None else self.fusion_enthalpy / (kB * self.melting_temperature)

    def atomic_volume(self, lattice: str) -> float | None:
        """Return the volume of an atom in a lattice of the element in cubic Angstrom, None if the table lacks it."""
        try:
            a, c = self.lengths(lattice)
        except ValueError:
            return None
        if lattice == "hcp":
            return None if c is None else math.sqrt(3) / 4 * a**2 * c
        return a**3 / {"bcc": 2, "fcc": 4, "diamond": 8}[lattice]

    def lengths(self, lattice: str) -> tuple[float, float | None]:
        """Return a and c in Angstrom of a lattice of the element; c is None but for hcp.

        :raises ValueError: if the table has no such lattice of the element.
        """
        known = {self.melting_lattice: (self.melting_a, self.melting_c), self.lattice: (self.a, self.c)}
        a, c = known.get(cast(Lattice, lattice), (None, None))
        if a is None:
            names = " and ".join(name for name, (length, _) in known.items() if length is not None)
            raise ValueError(
                f"the table has {f'{self.symbol} as {names}' if names else f'no lattice of {self.symbol}'}"
            )
        return a, c


def element(symbol: str) -> Element:
    """Return the data of one element.

    :raises ValueError: if the table has no such element.
    """
    try:
        return elements()[symbol]
    except KeyError:
        known = " ".join(elements())
        raise ValueError(f"element '{symbol}' is not in the table{meant(symbol)}, which has: {known}") from None


def check_symbol(text: str) -> None:
    """Check that a text is a chemical symbol.

    :raises ValueError: if it is none; it names the one that may be meant.
    """
    if text not in chemical_symbols[1:]:
        raise ValueError(f"'{text}' is no chemical symbol{meant(text)}")


def meant(text: str) -> str:
    """Return which chemical symbol may be meant by a text that is none, as the end of a sentence; empty if none may."""
    if text in chemical_symbols[1:]:
        return ""
    names = {name.lower(): symbol for name, symbol in zip(atomic_names, chemical_symbols, strict=False) if name}
    names |= {"aluminum": "Al", "cesium": "Cs", "sulfur": "S", "wolfram": "W"}
    names |= {symbol.lower(): symbol for symbol in chemical_symbols[1:]}
    found = get_close_matches(text.strip().lower(), names, n=1, cutoff=0.8)
    return f", {names[found[0]]} may be meant" if found else ""


@cache
def elements() -> Mapping[str, Element]:
    """Return the data of all elements of the table by symbol, in the order of the table."""
    with files(__package__).joinpath("elements.csv").open(encoding="utf-8") as handle:
        return MappingProxyType({row["symbol"]: _element(row) for row in csv.DictReader(handle)})


def _element(row: dict[str, str]) -> Element:
    def number(column: str) -> float | None:
        return float(row[column]) if row[column] else None

    fusion_enthalpy, other = number("fusion_enthalpy_kJ_per_mol"), row["melting_lattice"]
    return Element(
        symbol=row["symbol"],
        group=row["group"],
        melting_temperature=float(row["melting_temperature_K"]),
        fusion_enthalpy=None if fusion_enthalpy is None else fusion_enthalpy * kJ / mol,
        cohesive_energy=float(row["cohesive_energy_eV_per_atom"]),
        lattice=cast(Lattice, row["lattice"]),
        a=number("a_A"),
        c=number("c_A"),
        melting_lattice=cast(Lattice, other or row["lattice"]),
        melting_a=number("melting_a_A" if other else "a_A"),
        melting_c=None if other else number("c_A"),
        magnetic_moment=number("magnetic_moment_muB"),
        sources=row["sources"],
    )
