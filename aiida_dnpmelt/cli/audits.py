"""Ask of a melting temperature what a referee would ask first, and what it all has cost."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from aiida_dnpmelt.cli.options import format_option, profile_option
from aiida_dnpmelt.cli.tables import FORMATS, READ, echo_note, echo_rows

if TYPE_CHECKING:
    from aiida_dnpmelt.report.costs import Cost

_COSTS = ("jobs", "told nothing", "cached", "labels", "M atom-steps", "core-hours")
_BOUND = "unknown at most"
_COLUMNS = ("state", "check", "reason")


@click.command("audit")
@click.argument("pk", type=int)
@format_option(*FORMATS)
@profile_option
def audit_(pk: int, output_format: str) -> None:
    """Check a melting temperature and all that it stands on; the exit status is 1 if a check fails.

    A check passed, failed, is doubted, unknown where the graph does not tell, or not applicable.

    PK is that of a work chain, or of its output `melting_point` or `melting`.
    """
    from aiida_dnpmelt.provenance.audit import FAILED, audit, count

    try:
        found = audit(pk)
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception
    echo_rows([asdict(finding) for finding in found], _COLUMNS, output_format)
    if output_format in READ:
        echo_note(count(found), output_format)
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

    Jobs that were taken from the cache count as if they had been run. Jobs whose core-hours are not known, since they
    run, were killed or left nothing, are counted apart (`told nothing`): a sum with such jobs is at least what it says.
    They cannot have cost more than `unknown at most`, by the time between their submission and their end.
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
    bounds = output_format not in READ or any(cost.bounded for _, cost, _ in rows)
    names = [*keys, *_COSTS, *((_BOUND,) if bounds else ()), *(("MB",) if disk else ())]
    echo_rows(table, names, output_format)


def _cost_row(values: dict[str, Any], cost: Cost, size: int | None, keys: list[str], form: str) -> dict[str, Any]:
    from aiida_dnpmelt.report.words import core_hours

    known: float | None = None if cost.jobs and cost.unknown == cost.jobs else cost.core_hours
    numbers = (cost.jobs, cost.unknown, cost.cached, cost.labels, cost.atom_steps / 1e6, known)
    row: dict[str, Any] = dict(zip(_COSTS, numbers, strict=True))
    row[_BOUND] = cost.at_most if cost.bounded == cost.unknown else None
    row["MB"] = None if size is None else size / 1e6
    if form in READ:
        row |= {name: f"{value:.3f}" for name, value in row.items() if isinstance(value, float)}
        row["core-hours"] = core_hours(cost.jobs, cost.unknown, cost.core_hours)
    total = {key: ("total" if index == 0 else "") for index, key in enumerate(keys)}
    return {**row, **(values or total)}
