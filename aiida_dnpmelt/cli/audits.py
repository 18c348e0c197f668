"""Ask of a melting temperature what a referee would ask first, and what it all has cost."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from aiida_dnpmelt.cli.options import format_option, profile_option
from aiida_dnpmelt.cli.tables import FORMATS, echo_rows

if TYPE_CHECKING:
    from aiida_dnpmelt.report.costs import Cost

_COSTS = ("jobs", "told nothing", "cached", "labels", "M atom-steps", "core-hours")
_COLUMNS = ("state", "check", "reason")


@click.command("audit")
@click.argument("pk", type=int)
@format_option(*FORMATS)
@profile_option
def audit_(pk: int, output_format: str) -> None:
    """Check a melting temperature and all that it stands on; the exit status is 1 if a check fails.

    PK is that of a work chain, or of its output `melting_point` or `melting`.
    """
    from aiida_dnpmelt.provenance.audit import FAILED, audit

    try:
        found = audit(pk)
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception
    echo_rows([asdict(finding) for finding in found], _COLUMNS, output_format)
    if any(finding.state == FAILED for finding in found):
        raise click.exceptions.Exit(1)


@click.command("cost")
@click.argument("pks", type=int, nargs=-1)
@click.option("--by", default="stage", show_default=True, help="Keys to sum by, with commas: stage, element, result.")
@click.option("--disk", is_flag=True, help="Also measure the files that the jobs left in the repository.")
@format_option(*FORMATS)
@profile_option
def cost_(pks: tuple[int, ...], by: str, disk: bool, output_format: str) -> None:
    """Sum up core-hours, atom-steps, labels and disk of all work, or of the work chains PKS.

    Jobs that were taken from the cache count as if they had been run; jobs that told no core-hours are counted apart.
    """
    from aiida_dnpmelt.report.ledger import ledger, summed

    keys = [key.strip() for key in by.split(",") if key.strip()]
    try:
        entries = ledger(set(pks) or None, disk)
        rows = [*summed(entries, keys), *((summed(entries, [])) if output_format == "table" and keys else [])]
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception
    if not rows and output_format == "table":
        click.echo("No work yet.")
        return
    table = [_cost_row(values, cost, size, keys, output_format) for values, cost, size in rows]
    names = [*keys, *_COSTS, *(("MB",) if disk else ())]
    echo_rows(table, names, output_format)


def _cost_row(values: dict[str, Any], cost: Cost, size: int | None, keys: list[str], form: str) -> dict[str, Any]:
    numbers = (cost.jobs, cost.unknown, cost.cached, cost.labels, cost.atom_steps / 1e6, cost.core_hours)
    row: dict[str, Any] = dict(zip(_COSTS, numbers, strict=True))
    row["MB"] = (size or 0) / 1e6
    if form in ("table", "latex"):
        row |= {name: f"{value:.3f}" for name, value in row.items() if isinstance(value, float)}
    total = {key: ("total" if index == 0 else "") for index, key in enumerate(keys)}
    return {**row, **(values or total)}
