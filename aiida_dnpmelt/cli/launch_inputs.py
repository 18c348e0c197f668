"""What the commands that launch work chains have in common: their inputs by name, the check, the submission."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_dnpmelt.cli.nodes import stored_potential

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import InstalledCode, StructureData, WorkChainNode
    from ase import Atoms

    from aiida_dnpmelt.data.potential import PotentialData


def usual_code(potential: PotentialData) -> str:
    """Return the label of the code of this machine that runs a potential."""
    return "lmp-deepmd@localhost" if potential.pair_style == "deepmd" else "lmp@localhost"


def potential_of(identifier: str | None, file: Path | None, option: str = "--potential") -> PotentialData:
    """Return a stored potential, or store the one of a file.

    :raises ValueError: if neither or both are given, or there is no such potential; it names the option.
    """
    from aiida_dnpmelt.provenance.importers import import_potential

    if (identifier is None) == (file is None):
        raise ValueError(f"give either {option} or {option}-file")
    if file is not None:
        return import_potential(file)
    return stored_potential(str(identifier), option)


def load_structure(symbol: str | None, lattice: str | None, file: str | None) -> StructureData:
    """Return the crystal of an element, or of a file.

    :raises ValueError: if neither or both are given, or there is no such crystal; it names the option.
    """
    from aiida.orm import StructureData

    from aiida_dnpmelt.data.elements import element
    from aiida_dnpmelt.physics.crystals import crystal

    if (symbol is None) == (file is None):
        raise ValueError("give either --element or --structure")
    if file is not None:
        return StructureData(ase=read_atoms(file))
    entry = element(str(symbol))
    if entry.a is None:
        raise ValueError(f"--element: the table has no lattice of {symbol}: give --structure")
    if lattice is None or lattice == entry.lattice:
        return StructureData(ase=crystal(entry.symbol, entry.lattice, entry.a, entry.c))
    raise ValueError(f"--lattice: the table has {symbol} as {entry.lattice}: give --structure for {lattice}")


def read_atoms(file: str | Path, option: str = "--structure") -> Atoms:
    """Return the structure of a file.

    :raises ValueError: if it holds none; it names the option.
    """
    from ase.io import read

    try:
        return read(file)
    except Exception as exception:  # the readers of ASE raise whatever happens to them
        raise ValueError(f"{option}: '{file}' holds no structure that ASE can read: {exception}") from exception


def load_code(label: str, option: str = "--code") -> InstalledCode:
    """Return a code.

    :raises ValueError: if there is none of this label; it names the option.
    """
    from aiida.common.exceptions import NotExistent
    from aiida.orm import load_code as load

    try:
        return load(label)
    except NotExistent as exception:
        raise ValueError(
            f"{option}: there is no code {label!r}: run `aiida-dnpmelt setup`, or give another"
        ) from exception


def check(builder: ProcessBuilder) -> None:
    """Refuse bad input before anything is stored or submitted."""
    problem = builder.process_class.spec().inputs.validate(builder._inputs(prune=True))
    if problem is not None:
        raise click.ClickException(f"{problem.message}")


def submit_and_tell(builder: ProcessBuilder, watch: bool) -> WorkChainNode:
    """Submit a work chain, say where to look, watch it if that is wanted, and return it."""
    from aiida.engine import submit

    from aiida_dnpmelt.cli.watch import watch_to_end

    check_daemon()
    node = submit(builder)
    click.echo(f"work chain {node.pk} is submitted: aiida-dnpmelt status {node.pk}")
    if watch:
        watch_to_end(node)
    return node


def check_daemon() -> None:
    """Refuse to submit what nobody would run."""
    from aiida.engine.daemon.client import get_daemon_client

    if not get_daemon_client().is_daemon_running:
        raise click.ClickException("the daemon does not run: start it by `aiida-dnpmelt services up`")
