"""Make a folder for a public repository."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_dnpmelt.cli.options import format_option, profile_option
from aiida_dnpmelt.cli.tables import aligned

if TYPE_CHECKING:
    from aiida_dnpmelt.publication.citation import Description
    from aiida_dnpmelt.publication.folder import Written
    from aiida_dnpmelt.publication.plan import Plan

_MOST_KB = 1e9
_SHOWN = 40
"""Rows of names that are shown; JSON has all of them."""


@click.command()
@click.argument("identifiers", metavar="GROUP|PK...", nargs=-1, required=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder to make; its name is that of the archive, too."
)
@click.option("--licence", help="Licence of the data, by its name in SPDX: CC-BY-4.0, CC0-1.0, ODbL-1.0.")
@click.option("--title", help="Title. Default: 'Melting temperatures of' and the elements.")
@click.option("--author", "authors", multiple=True, help="Author as 'Given Family <ORCID>' or a name; repeatable.")
@click.option("--slim", is_flag=True, help="Leave out nodes with bulky files: frames, files, folders of jobs, models.")
@click.option(
    "--slim-above",
    type=click.FloatRange(0, _MOST_KB),
    default=100.0,
    show_default=True,
    help="With --slim: size in kB above which a node is bulky.",
)
@click.option("--anonymise", is_flag=True, help="Leave out what names people, machines and folders, where possible.")
@click.option("--dry-run", is_flag=True, help="List what would be in it and what names somebody, and write nothing.")
@click.option("--force", is_flag=True, help="Replace a publication that is in the folder.")
@format_option("table", "json")
@profile_option
def publish(
    identifiers: tuple[str, ...],
    output: Path | None,
    licence: str | None,
    title: str | None,
    authors: tuple[str, ...],
    slim: bool,
    slim_above: float,
    anonymise: bool,
    dry_run: bool,
    force: bool,
    output_format: str,
) -> None:
    """Make a folder that can be uploaded to a public repository: archive, pages, tables, citations, checksums.

    GROUP is the label of a group that holds melting temperatures, PK that of a TPCWorkChain, MeltingWorkChain,
    PressureSweepWorkChain, FiniteSizeWorkChain or AdaptiveLearningWorkChain, or of the result that it returned. All
    that they came from goes with them. POTCAR files of VASP are refused, wherever they are.
    """
    from aiida_dnpmelt.publication.plan import check_size, make_plan

    limit = slim_above if slim else None
    if dry_run:
        try:
            plan = make_plan(identifiers, limit)
            _print_plan(plan, check_size(plan.size), output_format)
        except ValueError as exception:
            raise click.ClickException(str(exception)) from exception
        return
    try:
        path = _folder(output, force)
        described = _description(licence, authors, anonymise)
        _check_extras()
        plan = make_plan(identifiers, limit)
        advice = check_size(plan.size)
        _print_ignored(plan)
        if advice:
            click.echo(f"before it is compressed {advice}", err=True)
        done = _write(plan, _titled(described, title, plan), path, anonymise)
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception
    _print_done(done, path, output_format)


def _folder(output: Path | None, force: bool) -> Path:
    """Return the folder to make."""
    from aiida_dnpmelt.publication.folder import check_folder

    if output is None:
        raise ValueError("-o: name the folder to make, or look at what would be in it by --dry-run")
    path = output.resolve()
    check_folder(path, force)
    return path


def _description(licence: str | None, authors: tuple[str, ...], anonymise: bool) -> Description:
    """Return what is said of the whole, without a title."""
    from aiida_dnpmelt.publication.citation import Description, read_author
    from aiida_dnpmelt.publication.licences import spdx_name

    if licence is None:
        raise ValueError("--licence: say how others may use the data: CC-BY-4.0 is usual, CC0-1.0 keeps no rights")
    if not authors and not anonymise:
        raise ValueError("--author: name at least one, 'Given Family <ORCID>'; only with --anonymise can there be none")
    try:
        people = tuple(read_author(author) for author in authors)
    except ValueError as exception:
        raise ValueError(f"--author: {exception}") from exception
    try:
        return Description("", people, spdx_name(licence), datetime.now(timezone.utc).date())
    except ValueError as exception:
        raise ValueError(f"--licence: {exception}") from exception


def _check_extras() -> None:
    """Look whether the packages are there that the files are made with."""
    import importlib

    for module in ("jinja2", "matplotlib", "rocrate"):
        try:
            importlib.import_module(module)
        except ImportError as exception:
            raise click.ClickException(
                f"{exception}: a publication needs the extra [publish], pip install 'aiida-dnpmelt[publish]'"
            ) from exception


def _titled(described: Description, title: str | None, plan: Plan) -> Description:
    from dataclasses import replace

    from aiida_dnpmelt.publication.tables import points_in

    elements = sorted({point.element for point in points_in(plan.selection.pks)})
    named = f"Melting temperatures of {', '.join(elements)}" if elements else "Melting temperatures"
    keywords = ("melting temperature", "two-phase coexistence", "molecular dynamics", "AiiDA", *elements)
    return replace(described, title=" ".join((title or "").split()) or named, keywords=keywords)


def _write(plan: Plan, described: Description, path: Path, anonymise: bool) -> Written:
    from aiida_dnpmelt.publication.folder import write_publication

    try:
        return write_publication(plan, described, path, anonymise)
    except OSError as exception:
        raise ValueError(f"{path} cannot be written: {exception.strerror or exception}") from exception


def _print_ignored(plan: Plan) -> None:
    for pk, kind in plan.selection.ignored:
        click.echo(f"node {pk} of the group is a {kind}, no melting temperature: it is not named in it", err=True)
    if plan.selection.running:
        pks = ", ".join(map(str, plan.selection.running))
        click.echo(
            f"left out, because they have not ended: {pks}, and all other callers of what is published", err=True
        )


def _print_plan(plan: Plan, advice: str, output_format: str) -> None:
    """Print what would be in a publication."""
    from aiida_dnpmelt.publication.slim import by_kind

    kept, gone = plan.kinds(), by_kind(plan.gone)
    if output_format == "json":
        click.echo(json.dumps(_plan_record(plan, advice), indent=2))
        return
    _print_ignored(plan)
    roots = ", ".join(f"{node.pk} ({node.process_label or 'work chain'})" for node in plan.selection.roots)
    click.echo(f"work chains: {roots}")
    rows = [(kind, str(number), _megabytes(size)) for kind, number, size in kept]
    total = ("in all", str(sum(number for _, number, _ in kept)), _megabytes(plan.size))
    click.echo(aligned([("would be in it", "nodes", "MB"), *rows, total]))
    click.echo("(in all counts files that several nodes have once; the archive is compressed)")
    if plan.gone:
        rows = [(kind, str(number), _megabytes(size)) for kind, number, size in gone]
        click.echo("\n" + aligned([("would be left out", "nodes", "MB"), *rows]))
    if plan.traces:
        named = [(each.kind, each.value, each.place, str(each.number)) for each in plan.traces[:_SHOWN]]
        click.echo("\n" + aligned([("names", "value", "where", "nodes"), *named]))
        if len(plan.traces) > _SHOWN:
            click.echo(f"and {len(plan.traces) - _SHOWN} more: --format json lists all of them")
    else:
        click.echo("\nnothing names a person, a machine or a folder")
    if advice:
        click.echo(f"\nbefore it is compressed {advice}")
    click.echo("nothing was written")


def _plan_record(plan: Plan, advice: str) -> dict[str, Any]:
    keys = ("kind", "nodes", "bytes")
    from aiida_dnpmelt.publication.slim import by_kind

    return {
        "work_chains": [node.pk for node in plan.selection.roots],
        "ignored": [pk for pk, _ in plan.selection.ignored],
        "running": plan.selection.running,
        "bytes": plan.size,
        "content": [dict(zip(keys, row, strict=True)) for row in plan.kinds()],
        "left_out": [dict(zip(keys, row, strict=True)) for row in by_kind(plan.gone)],
        "names": [
            {"kind": each.kind, "value": each.value, "place": each.place, "nodes": each.number} for each in plan.traces
        ],
        "advice": advice,
    }


def _print_done(done: Written, path: Path, output_format: str) -> None:
    """Print what was written."""
    if output_format == "json":
        named = [{"place": place, "words": words} for place, words in done.named]
        record = {"folder": str(path), "bytes": done.size, "files": done.files}
        click.echo(json.dumps({**record, "remarks": done.remarks, "named": named}, indent=2))
        return
    for remark in done.remarks:
        click.echo(remark)
    if done.named:
        click.echo("names that are left:")
        for place, words in done.named[:_SHOWN]:
            click.echo(f"  {place}: {', '.join(words)}")
        if len(done.named) > _SHOWN:
            click.echo(f"  and {len(done.named) - _SHOWN} more places")
    click.echo(f"{path} written: {len(done.files)} files, {_megabytes(done.size)} MB; begin with its README.md")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f}"
