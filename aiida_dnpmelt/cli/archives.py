"""Commands on archives of others: `open`, `import archive`, `trust`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_dnpmelt.cli.options import storing_profile_option
from aiida_dnpmelt.cli.setup import clear_errors
from aiida_dnpmelt.cli.tables import echo

if TYPE_CHECKING:
    from aiida.orm import Node

    from aiida_dnpmelt.provenance.archive_check import Archive

SHOWN = 10
"""Names that are printed of a list."""


@click.command("open")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--name", help="Name of the profile. Default: that of the file.")
@click.option("--close", metavar="NAME", help="Forget the profile of an archive instead; the file stays.")
def open_command(file: Path | None, name: str | None, close: str | None) -> None:
    """Look into an archive, FILE.aiida, without taking it in: all that shows results then takes `-p NAME`.

    The archive is checked first. It stays where it is, nothing in it is changed, and nothing of it runs.
    """
    from aiida_dnpmelt.setup.opened import close_archive, open_archive

    if (file is None) == (close is None) or (close and name):
        raise click.UsageError("give either FILE, with --name if you like, or --close NAME")
    with clear_errors():
        if close is not None:
            echo(f"[OK] {close_archive(close).message}")
            return
        assert file is not None
        archive = checked(file)
        profile, step = open_archive(file, name)
    echo(f"[OK] {step.message}")
    _print_contents(archive)
    _print_points(profile.name)


@click.command("archive")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--trust", "trusted", is_flag=True, help="Let its potentials run: only if you know where it comes from.")
@storing_profile_option
def import_archive_command(file: Path, trusted: bool) -> None:
    """Take an archive, FILE.aiida, into the profile, after a check. What is in it is data: none of it runs.

    With --trust, or later by `aiida-dnpmelt trust GROUP`, its potentials may run here. Its codes never do. What was in
    the profile before stays as it is.
    """
    from aiida.common.exceptions import AiidaException
    from aiida.tools.archive import ExportImportException

    from aiida_dnpmelt.provenance.archive_import import take_in

    with clear_errors():
        archive = checked(file)
        _print_contents(archive)
        try:
            taken = take_in(archive)
        except (AiidaException, ExportImportException) as exception:
            message = f"'{file}' was not taken in: {exception}; the profile is as before"
            raise click.ClickException(message) from exception
    echo(f"[OK] {taken.new} new nodes, {taken.known} were here before: group '{taken.group.label}' holds all of them")
    if trusted:
        _trust(list(taken.group.nodes))
    elif taken.new:
        echo(f"Nothing of it runs until you trust it: aiida-dnpmelt trust '{taken.group.label}'")


@click.command("trust")
@click.argument("identifiers", metavar="GROUP_OR_NODE...", nargs=-1, required=True)
@storing_profile_option
def trust_command(identifiers: tuple[str, ...]) -> None:
    """Let what came by an archive run: all of a GROUP by its label, or a NODE by its PK or UUID.

    A potential is a program: a DeePMD model is run by LAMMPS with the rights that you have. Codes of archives are left
    out, they never run.
    """
    nodes = [node for identifier in identifiers for node in _named(identifier)]
    _trust(nodes)


def checked(file: Path) -> Archive:
    """Return what is known of an archive after the check.

    :raises ClickException: if it is refused.
    """
    from aiida_dnpmelt.provenance.archive_check import check_archive
    from aiida_dnpmelt.provenance.archive_database import ArchiveError

    try:
        return check_archive(file)
    except ArchiveError as error:
        raise click.ClickException(f"'{file}' is refused: {error}") from error


def _print_contents(archive: Archive) -> None:
    contents = archive.contents
    echo(f"made {archive.created[:16].replace('T', ' ')} by AiiDA {archive.aiida_version}, as it says itself")
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(contents.kinds.items(), key=lambda each: -each[1]))
    echo(f"{contents.nodes} nodes: {kinds}")
    for what, names in (("codes, none of which runs here", contents.codes), ("computers", contents.computers)):
        if names:
            echo(f"{what}: {_few(names)}")
    if contents.foreign:
        echo(f"of types that are not installed here, so that they are shown as plain nodes: {_few(contents.foreign)}")


def _print_points(name: str) -> None:
    """Print how many melting temperatures a profile holds, and how to go on."""
    from aiida import load_profile

    from aiida_dnpmelt.provenance.query import melting_points

    load_profile(name, allow_switch=True)
    points = melting_points(everything=True)
    if points:
        elements = sorted({point.element for point in points})
        valid = sum(point.verdict == "valid" for point in points)
        echo(f"{len(points)} melting temperatures, {valid} of them valid: {', '.join(elements)}")
    else:
        echo("no melting temperatures")
    first = points[0].pk if points else "PK"
    echo(f"Next: aiida-dnpmelt tm list --all -p {name}")
    echo(f"      aiida-dnpmelt tm show {first} -p {name}")
    echo(f"      aiida-dnpmelt report {first} -p {name}")
    echo(f"      aiida-dnpmelt open --close {name}")


def _trust(nodes: Sequence[Node]) -> None:
    """Trust nodes, and say which of them are programs."""
    from aiida_dnpmelt.data.potential import PotentialData
    from aiida_dnpmelt.data.trust import trust

    new = trust(nodes)
    for node in new:
        if isinstance(node, PotentialData):
            origin = f", from {node.origin}" if node.origin else ""
            checksum = f"SHA-256 {node.sha256[:12]}"
            echo(f"[OK] potential {node.pk} may run: {node.label}, {node.pair_style}, {checksum}{origin}")
    echo(f"[OK] {len(new)} nodes are trusted now; those that were trusted before, and codes, are not among these")


def _named(identifier: str) -> list[Node]:
    """Return the nodes of a group, or one node.

    :raises ClickException: if there is no such group or node.
    """
    from aiida.common.exceptions import MultipleObjectsError, NotExistent
    from aiida.orm import Group, load_node

    groups = Group.collection.find({"label": identifier})
    try:
        return list(groups[0].nodes) if groups else [load_node(identifier)]
    except (NotExistent, MultipleObjectsError, ValueError) as exception:
        message = f"there is no group and no node {identifier!r}: see `verdi group list -a`"
        raise click.ClickException(message) from exception


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
