"""Commands on potentials: `potential list`, `potential show`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from .options import format_option, profile_option
from .tables import FORMATS, echo_rows

if TYPE_CHECKING:
    from aiida_dnpmelt.data.potential import PotentialData

COLUMNS = ("pk", "label", "pair_style", "elements", "cutoff_angstrom", "origin", "licence", "training")


@click.group()
def potential() -> None:
    """Show potentials: DeePMD models and EAM files."""


@potential.command("list")
@click.option("--element", help="Only potentials that know this element.")
@format_option(*FORMATS)
@profile_option
def potential_list(element: str | None, output_format: str) -> None:
    """List the potentials, the oldest first."""
    from aiida.orm import QueryBuilder

    from aiida_dnpmelt.data.potential import PotentialData

    query = QueryBuilder().append(PotentialData, tag="potential").order_by({"potential": {"id": "asc"}})
    rows = [row_of(node) for node in query.all(flat=True) if element is None or node.supports([element])]
    echo_rows(rows, COLUMNS, output_format)


@potential.command("show")
@click.argument("identifier", metavar="PK")
@format_option("table", "json")
@profile_option
def potential_show(identifier: str, output_format: str) -> None:
    """Show all about a potential, by its PK, UUID or label, with its commands for LAMMPS."""
    from aiida.common.exceptions import MultipleObjectsError, NotExistent
    from aiida.orm import load_node

    from aiida_dnpmelt.data.potential import PotentialData

    try:
        node = load_node(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if not isinstance(node, PotentialData):
        raise click.ClickException(f"node {node.pk} is no potential but a {type(node).__name__}")
    details = {
        **row_of(node),
        "uuid": node.uuid,
        "file": node.filename,
        "format": node.format,
        "sha256": node.sha256,
        "lammps": node.lammps_commands(node.filename, node.type_map),
    }
    if output_format == "json":
        click.echo(json.dumps(details, indent=2))
        return
    for name, value in details.items():
        click.echo(f"{name:16s} {'; '.join(value) if isinstance(value, list) else value}")


def row_of(node: PotentialData) -> dict[str, Any]:
    """Return what is shown of a potential."""
    return {
        "pk": node.pk,
        "label": node.label,
        "pair_style": node.pair_style,
        "elements": node.type_map,
        "cutoff_angstrom": node.cutoff,
        "origin": node.origin,
        "licence": node.licence,
        "training": _training(node),
    }


def _training(node: PotentialData) -> str:
    """Return what is known of the training of a model, in words."""
    if node.training is None:
        return ""
    return node.unfinished or ("ended" if node.training["ended"] else "not known")
