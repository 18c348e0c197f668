"""What the file of a campaign names: crystals, potentials and codes as nodes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aiida_dnpmelt.cli.launch_inputs import load_code, potential_of_file
from aiida_dnpmelt.cli.nodes import stored_potential
from aiida_dnpmelt.cli.structures import read_atoms

if TYPE_CHECKING:
    from aiida.orm import StructureData

    from aiida_dnpmelt.campaign.cells import Campaign, Cell
    from aiida_dnpmelt.campaign.settings import CampaignSettings, ElementSettings
    from aiida_dnpmelt.data.code_kinds import Program
    from aiida_dnpmelt.data.potential import PotentialData

PROGRAMS: dict[str, Program] = {"lammps": "LAMMPS", "lammps_deepmd": "LAMMPS", "deepmd": "DeePMD-kit"}
"""What the codes of a campaign run."""


def load_campaign(settings: CampaignSettings, folder: Path, dry_run: bool = False) -> Campaign:
    """Return a campaign with its nodes; DeePMD models of files are opened by a job and stored, unless it is a dry run.

    :param folder: of the file, in which the files that it names lie.
    :raises ValueError: if something that the file names is not there, or not what it should be; it names the key.
    :raises OSError: if a file cannot be read.
    """
    from aiida_dnpmelt.campaign.cells import Campaign, cells_of
    from aiida_dnpmelt.campaign.modes import MODES

    structures = {symbol: _structure(symbol, given, folder) for symbol, given in settings.elements.items()}
    sources = _sources(settings, folder)
    checksums = {place: _checksum(source) for place, source in sources.items()}
    cells = cells_of(settings, checksums)
    potentials = {
        checksums[place]: _potential(source, place[0], settings, dry_run) for place, source in sources.items()
    }
    codes = settings.codes.model_dump()
    needed = MODES[settings.mode].needed_codes(list(potentials.values()))
    return Campaign(
        settings,
        structures,
        potentials,
        {name: load_code(codes[name], f"codes.{name}", PROGRAMS[name]) for name in needed},
        cells,
    )


def cells_in(settings: CampaignSettings, folder: Path) -> list[Cell]:
    """Return the cells of a campaign without storing anything.

    :raises ValueError: if a potential is not there.
    """
    from aiida_dnpmelt.campaign.cells import cells_of

    return cells_of(settings, {place: _checksum(source) for place, source in _sources(settings, folder).items()})


def _structure(symbol: str, given: ElementSettings, folder: Path) -> StructureData:
    from aiida.orm import StructureData

    from aiida_dnpmelt.data.elements import element
    from aiida_dnpmelt.physics.crystals import crystal

    key = f"elements.{symbol}"
    if given.structure is not None:
        return StructureData(ase=read_atoms(folder / given.structure, f"{key}.structure", symbol))
    if given.lattice is not None and given.a_angstrom is not None:
        return StructureData(ase=crystal(symbol, given.lattice, given.a_angstrom, given.c_angstrom))
    try:
        entry = element(symbol)
    except ValueError as exception:
        raise ValueError(f"{key}: {exception}: give structure and temperature_k") from exception
    lattice = given.lattice or entry.melting_lattice
    try:
        return StructureData(ase=crystal(symbol, lattice, *entry.lengths(lattice)))
    except ValueError as exception:
        raise ValueError(f"{key}: {exception}: give structure, or lattice and a_angstrom") from exception


def _sources(settings: CampaignSettings, folder: Path) -> dict[tuple[str, str], Path | PotentialData]:
    """Return the file or the stored node of each potential by element and name."""
    return {
        (symbol, name): _source(name, folder, f"{settings.sources_key}.{symbol}")
        for symbol in settings.elements
        for name in settings.sources[symbol]
    }


def _source(name: str, folder: Path, key: str) -> Path | PotentialData:
    """Return a file beside that of the campaign, else a stored potential, else a file of the LAMMPS distribution."""
    from aiida.orm import QueryBuilder

    from aiida_dnpmelt.data.potential import PotentialData
    from aiida_dnpmelt.setup.engines import shipped_potential

    if (folder / name).is_file():
        return folder / name
    try:
        return stored_potential(name, key)
    except ValueError as exception:
        if QueryBuilder().append(PotentialData, filters={"label": name}).count():
            raise
        shipped = shipped_potential(name)
        if shipped is not None:
            return shipped
        raise ValueError(
            f"{key}: '{name}' is no file beside the campaign's, no stored potential, and no file of LAMMPS: "
            "see `aiida-dnpmelt potential list`"
        ) from exception


def _checksum(source: Path | PotentialData) -> str:
    from aiida_dnpmelt.data.potential import checksum

    if not isinstance(source, Path):
        return source.sha256
    return checksum(source)


def _potential(source: Path | PotentialData, symbol: str, settings: CampaignSettings, dry_run: bool) -> PotentialData:
    if not isinstance(source, Path):
        return source
    try:
        return potential_of_file(source, dry_run, settings.codes.deepmd)
    except ValueError as exception:
        raise ValueError(f"{settings.sources_key}.{symbol}: {exception}") from exception
