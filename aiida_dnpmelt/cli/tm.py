"""Melting temperatures of the profile: list and show them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from aiida_dnpmelt.cli.comparisons import cohesive, experiment
from aiida_dnpmelt.cli.curves import curve, estimate
from aiida_dnpmelt.cli.options import format_option, profile_option
from aiida_dnpmelt.cli.sizes import size
from aiida_dnpmelt.cli.sweeps import sweep
from aiida_dnpmelt.cli.tables import FORMATS, echo, echo_rows

if TYPE_CHECKING:
    from aiida_dnpmelt.data.frames import FramesData
    from aiida_dnpmelt.provenance.query import MeltingPoint

FRAME_COLUMNS = ("pk", "frames", "atoms", "phase", "labeller", "temperatures/K", "created")
COLUMNS = ("pk", "element", "lattice", "P/GPa", "T_m/K", "95 %/K", "verdict", "potential", "protocol", "created")


@click.group()
def tm() -> None:
    """Query melting temperatures."""


@tm.command("list")
@click.option("--element", help="Chemical symbol.")
@click.option("--pressure", type=float, nargs=1, help="Pressure in GPa.")
@click.option("--potential", help="Part of the label of the potential, or of its SHA-256.")
@click.option("--protocol", help="Name of the protocol.")
@click.option("--verdict", type=click.Choice(["valid", "unfinished", "invalid"]), help="Verdict.")
@click.option("--frames", type=int, help="PK of labelled frames: those whose models were trained on them.")
@click.option("--all", "everything", is_flag=True, help="Also invalid and superseded ones.")
@format_option(*FORMATS)
@profile_option
def list_(
    element: str | None,
    pressure: float | None,
    potential: str | None,
    protocol: str | None,
    verdict: str | None,
    frames: int | None,
    everything: bool,
    output_format: str,
) -> None:
    """List melting temperatures, the latest first."""
    from aiida_dnpmelt.provenance.lineage import points_from
    from aiida_dnpmelt.provenance.query import melting_points

    points = melting_points(element, pressure, potential, protocol, verdict, everything)
    if frames is not None:
        try:
            descended = set(points_from(frames))
        except ValueError as exception:
            raise click.ClickException(f"--frames: {exception}") from exception
        points = [point for point in points if point.pk in descended]
    if output_format == "table":
        if not points:
            click.echo("No melting temperature found. Compute one: aiida-dnpmelt launch tpc --help")
            return
        echo_rows([_row(point) for point in points], COLUMNS, output_format)
        return
    records = [_record(point) for point in points]
    keys = list(dict.fromkeys(key for record in records for key in record))
    echo_rows([{**dict.fromkeys(keys), **record} for record in records], keys, output_format)


@tm.command()
@click.argument("pk", type=int)
@format_option("table", "json")
@profile_option
def show(pk: int, output_format: str) -> None:
    """Show one melting temperature with all that belongs to it.

    PK is that of the work chain, or of its output `melting_point` or `melting`.
    """
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
        click.echo(json.dumps(_record(point), indent=2))
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


def _record(point: MeltingPoint) -> dict[str, object]:
    own = {"pk": point.pk, "created": point.created.isoformat(), "superseded": point.superseded}
    own["potential_unfinished"] = point.unfinished
    return {**own, **point.details}


def _row(point: MeltingPoint) -> dict[str, object]:
    low, high = point.details["interval_low_k"], point.details["interval_high_k"]
    values = (
        point.pk,
        point.element,
        point.lattice,
        f"{point.pressure_gpa:g}",
        point.notation,
        "-" if low is None else f"{low:.0f} to {high:.0f}",
        f"{point.verdict}, superseded" if point.superseded else point.verdict,
        f"{point.potential} (training unfinished)" if point.unfinished else point.potential,
        point.protocol,
        f"{point.created:%Y-%m-%d %H:%M}",
    )
    return dict(zip(COLUMNS, values, strict=True))


for _command in (experiment, curve, sweep, size, cohesive, estimate):
    tm.add_command(_command)
