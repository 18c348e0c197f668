"""Melting temperatures of the profile: list and show them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from aiida_dnpmelt.cli.audits import audit_, cost_
from aiida_dnpmelt.cli.comparisons import cohesive, experiment
from aiida_dnpmelt.cli.curves import curve, estimate
from aiida_dnpmelt.cli.listing import list_
from aiida_dnpmelt.cli.options import format_option, profile_option
from aiida_dnpmelt.cli.sizes import size
from aiida_dnpmelt.cli.sweeps import sweep
from aiida_dnpmelt.cli.tables import FORMATS, echo, echo_rows
from aiida_dnpmelt.cli.tracing import compare_, trace_

if TYPE_CHECKING:
    from aiida_dnpmelt.data.frames import FramesData

FRAME_COLUMNS = ("pk", "frames", "atoms", "phase", "labeller", "temperatures/K", "created")


@click.group()
def tm() -> None:
    """Query melting temperatures."""


@tm.command()
@click.argument("pk", type=int)
@format_option("table", "json")
@profile_option
def show(pk: int, output_format: str) -> None:
    """Show one melting temperature with all that belongs to it.

    PK is that of the work chain, or of its output `melting_point` or `melting`.
    """
    from aiida_dnpmelt.provenance.point_tables import record
    from aiida_dnpmelt.provenance.query import melting_point, whole_result
    from aiida_dnpmelt.report.melting import melting_text
    from aiida_dnpmelt.report.tpc import print_point

    whole = whole_result(pk)
    if whole is not None:
        chain, details = whole
        if output_format == "json":
            click.echo(json.dumps({"pk": chain, **details}, indent=2))
            return
        echo(melting_text(details))
        click.echo(f"work chain {chain}; all of it on a page: aiida-dnpmelt report {chain} -o melt.html")
        return
    try:
        point = melting_point(pk)
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception
    if output_format == "json":
        click.echo(json.dumps(record(point), indent=2))
    else:
        print_point(point)


@tm.command("frames")
@click.argument("pk", type=int)
@format_option(*FORMATS)
@profile_option
def frames_(pk: int, output_format: str) -> None:
    """List the labelled frames that the models behind a melting temperature were trained on.

    PK is that of a work chain, or of its output `melting_point` or `melting`.
    """
    from aiida_dnpmelt.provenance.lineage import frames_behind

    try:
        found = frames_behind(pk)
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception
    if not found and output_format == "table":
        click.echo("No labelled frames: its potential was not trained in this profile.")
        return
    echo_rows([_frames_row(node) for node in found], FRAME_COLUMNS, output_format)
    if output_format == "table":
        click.echo(f"{sum(node.base.attributes.get('number_of_frames') for node in found)} frames in all")


def _frames_row(node: FramesData) -> dict[str, object]:
    attributes = node.base.attributes
    temperatures = sorted({round(float(value)) for value in node.get_array("temperatures")})
    values = (
        node.pk,
        attributes.get("number_of_frames"),
        len(attributes.get("symbols")),
        attributes.get("phase"),
        attributes.get("labeller"),
        temperatures,
        f"{node.ctime:%Y-%m-%d %H:%M}",
    )
    return dict(zip(FRAME_COLUMNS, values, strict=True))


for _command in (list_, trace_, compare_, audit_, cost_, experiment, curve, sweep, size, cohesive, estimate):
    tm.add_command(_command)
