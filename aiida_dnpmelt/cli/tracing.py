"""Where melting temperatures come from, and what stands on a node."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click

from aiida_dnpmelt.cli.listing import echo_points
from aiida_dnpmelt.cli.options import format_option, profile_option
from aiida_dnpmelt.cli.plots import check_plot, draw
from aiida_dnpmelt.cli.tables import FORMATS, echo
from aiida_dnpmelt.provenance.programs import VERSION_KEYS

_MOST = 50


@click.command("trace")
@click.argument("pk", type=int)
@format_option("table", "json")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Picture to write: .svg, .png or .pdf.")
@click.option("--force", is_flag=True, help="Overwrite the picture if it exists.")
@profile_option
def trace_(pk: int, output_format: str, plot: Path | None, force: bool) -> None:
    """Trace a melting temperature back: potentials, trainings, frames, labels, settings, seeds, versions, cost.

    PK is that of a work chain, or of its output `melting_point` or `melting`.
    """
    from rich.console import Console

    from aiida_dnpmelt.provenance.trace import trace
    from aiida_dnpmelt.report.trace_picture import write_trace
    from aiida_dnpmelt.report.trace_text import trace_tree

    check_plot(plot, force)
    try:
        found = trace(pk)
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception
    if output_format == "json":
        click.echo(json.dumps(found.as_dict(), indent=2))
    else:
        Console(highlight=False).print(trace_tree(found))
    if plot is not None:
        draw(write_trace, found, plot)
        click.echo(f"{plot} written", err=True)


@click.command()
@click.argument("node", required=False)
@click.option(
    "--program",
    help="Instead of a node: what a version of a program ran, such as 'LAMMPS=22Jul2025'. Programs: LAMMPS, "
    "DeePMD-kit, VASP.",
)
@format_option(*FORMATS)
@click.option("--all", "everything", is_flag=True, help=f"Print all in the table, not the latest {_MOST} alone.")
@profile_option
def impact(node: str | None, program: str | None, output_format: str, everything: bool) -> None:
    """List the melting temperatures that stand on NODE: what falls if it was wrong.

    NODE is the PK or the UUID of any node (labelled frames, a POTCAR, a potential, a code, a job, settings), or the
    label of a group, such as that of an imported data set.
    """
    from aiida_dnpmelt.provenance.impact import impact as stands_on
    from aiida_dnpmelt.provenance.impact import impact_of_version
    from aiida_dnpmelt.provenance.query import points_of

    if (node is None) == (program is None):
        raise click.UsageError("give either NODE or --program")
    try:
        found = stands_on(node) if node is not None else impact_of_version(*_program(str(program)))
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception
    shown = found.chains if everything or output_format != "table" else found.chains[-_MOST:]
    points = points_of(shown)
    if points or output_format != "table":
        echo_points(points, output_format)
    if output_format != "table":
        return
    if not found.chains:
        click.echo("No melting temperature stands on it.")
        return
    verdicts = Counter(point.verdict for point in points)
    told = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    hidden = len(found.chains) - len(points)
    more = f"; {hidden} earlier ones are not shown: --all" if hidden else ""
    click.echo(f"{len(found.chains)} melting temperatures stand on it ({told}{more})")
    if found.wholes:
        chains = " ".join(map(str, found.wholes))
        click.echo(f"and the results of these work chains of learning and melting: {chains}")


def _program(text: str) -> tuple[str, str]:
    """Return the name of a program and a version.

    :raises ValueError: if the text is not of this form.
    """
    name, equals, version = text.partition("=")
    known = {each.lower(): each for each in VERSION_KEYS.values()}
    if not equals or not version or name.lower() not in known:
        raise ValueError(
            f"--program: '{text}' is not NAME=VERSION with a name among {', '.join(VERSION_KEYS.values())}"
        )
    return known[name.lower()], version


@click.command("compare")
@click.argument("first", type=int)
@click.argument("second", type=int)
@format_option("table", "json")
@profile_option
def compare_(first: int, second: int, output_format: str) -> None:
    """Say why two melting temperatures differ: settings, frames, versions, and the first ancestors not the same.

    FIRST and SECOND are PKs of work chains, or of their outputs `melting_point` or `melting`.
    """
    from dataclasses import asdict

    from aiida_dnpmelt.provenance.compare import compare
    from aiida_dnpmelt.report.comparison_text import comparison_lines

    try:
        found = compare(first, second)
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception
    if output_format == "json":
        click.echo(json.dumps(asdict(found), indent=2))
        return
    for line in comparison_lines(found):
        echo(line)
