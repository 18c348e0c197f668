"""Commands on potentials: `potential import`, `potential list`, `potential show`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import format_option, profile_option
from .tables import FORMATS, echo_rows

if TYPE_CHECKING:
    from aiida_dnpmelt.data.potential import PotentialData

COLUMNS = ("pk", "label", "pair_style", "elements", "cutoff_angstrom", "origin", "licence")


@click.group()
def potential() -> None:
    """Store and show potentials: DeePMD models and EAM files."""


@potential.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--origin", default="", help="Where it comes from: text, DOI or URL.")
@click.option("--licence", default="", help="Licence of the file.")
@click.option("--label", default="", help="Label of the node. Default: the name of the file.")
@click.option("--pair-style", help="Pair style of LAMMPS. Default: what the suffix stands for.")
@click.option("--code", default="dp@localhost", show_default=True, help="Code that opens a DeePMD model.")
@profile_option
def potential_import(file: Path, origin: str, licence: str, label: str, pair_style: str | None, code: str) -> None:
    """Store a potential, after a check that it is one. The same file is never stored twice."""
    from aiida.common.exceptions import NotExistent

    from aiida_dnpmelt.data.potential import PotentialData
    from aiida_dnpmelt.provenance.importers import import_potential

    try:
        known = PotentialData.find(file, pair_style)
        node = known or import_potential(file, pair_style, origin, licence, label, code)
    except NotExistent as error:
        raise click.ClickException(
            f"{error}: run `aiida-dnpmelt setup`, or name a code of DeePMD-kit with --code"
        ) from error
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    row = _row(node)
    what = f"potential {row['pk']}: {row['label']}, {row['pair_style']}, {' '.join(row['elements'])}"
    click.echo(f"[OK] {what}, cutoff {row['cutoff_angstrom']:g} Angstrom")
    if known is not None:
        click.echo(f"It was stored before and stays as it is, see `aiida-dnpmelt potential show {node.pk}`.")


@potential.command("list")
@click.option("--element", help="Only potentials that know this element.")
@format_option(*FORMATS)
@profile_option
def potential_list(element: str | None, output_format: str) -> None:
    """List the potentials, the oldest first."""
    from aiida.orm import QueryBuilder

    from aiida_dnpmelt.data.potential import PotentialData

    query = QueryBuilder().append(PotentialData, tag="potential").order_by({"potential": {"id": "asc"}})
    rows = [_row(node) for node in query.all(flat=True) if element is None or node.supports([element])]
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
        **_row(node),
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


def _row(node: PotentialData) -> dict[str, Any]:
    return {
        "pk": node.pk,
        "label": node.label,
        "pair_style": node.pair_style,
        "elements": node.type_map,
        "cutoff_angstrom": node.cutoff,
        "origin": node.origin,
        "licence": node.licence,
    }
