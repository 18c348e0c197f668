"""The cells of a campaign: one melting temperature each, with a key that no other work chain has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiida import orm

from aiida_dnpmelt.campaign.settings import CampaignSettings, pressure_text
from aiida_dnpmelt.data.potential import PotentialData

GROUP = "dnpmelt/campaign"
_KEY = re.compile(
    r"(?P<campaign>[^/]+)/(?P<element>[A-Z][a-z]?)_(?P<pressure>[-+.e0-9]+)gpa_(?P<checksum>[0-9a-f]{12})"
)


@dataclass(frozen=True)
class Cell:
    """A cell of the table of a campaign.

    :param campaign: name of the campaign.
    :param element: chemical symbol.
    :param pressure_gpa: pressure in GPa.
    :param potential: name of the potential, for people.
    :param checksum: SHA-256 of its file, or its first 12 digits.
    """

    campaign: str
    element: str
    pressure_gpa: float
    potential: str
    checksum: str

    @property
    def key(self) -> str:
        """Return what the work chain of this cell is known by; labels of potentials may change, and are not in it."""
        return f"{self.campaign}/{self.element}_{pressure_text(self.pressure_gpa)}gpa_{self.checksum[:12]}"

    def __str__(self) -> str:
        """Return the cell in words."""
        return f"{self.element} {pressure_text(self.pressure_gpa)} GPa {self.potential}"


@dataclass(frozen=True)
class Campaign:
    """Everything that the work chains of a campaign are made from.

    :param settings: the file.
    :param structures: crystals by element.
    :param potentials: potentials, or references in mode ``melting``, by SHA-256.
    :param codes: by the keys of `CodeSettings`, those that are needed.
    :param cells: in the order in which they are submitted.
    """

    settings: CampaignSettings
    structures: Mapping[str, orm.StructureData]
    potentials: Mapping[str, PotentialData]
    codes: Mapping[str, orm.InstalledCode]
    cells: Sequence[Cell]


def cells_of(settings: CampaignSettings, checksums: Mapping[tuple[str, str], str]) -> list[Cell]:
    """Return the cells of a campaign in the order in which they are submitted: by pressure, then as the file has them.

    So an element has results at low pressures when the first guess at a higher one is made.

    :param checksums: SHA-256 of the potentials by element and by their name in the file.
    :raises ValueError: if two names of an element are the same potential.
    """
    cells = [
        Cell(settings.name, symbol, pressure, name, checksums[symbol, name])
        for pressure in sorted(settings.pressures_gpa, key=abs)
        for symbol in settings.elements
        for name in settings.sources[symbol]
    ]
    seen: dict[str, Cell] = {}
    for cell in cells:
        other = seen.setdefault(cell.key, cell)
        if other is not cell:
            raise ValueError(
                f"{settings.sources_key}.{cell.element}: {other.potential} and {cell.potential} are one file"
            )
    return cells


def cell_of(key: str, potential: str = "") -> Cell | None:
    """Return the cell of a key, None if it is no key of a campaign."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    return Cell(found["campaign"], found["element"], float(found["pressure"]), potential, found["checksum"])
