"""Campaigns: melting temperatures of many elements, pressures and potentials from one file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_dnpmelt.cli.options import format_option, profile_option, storing_profile_option
from aiida_dnpmelt.cli.tables import FORMATS, READ, echo_note, echo_rows
from aiida_dnpmelt.interrupts import Interrupted, number_of

if TYPE_CHECKING:
    from rich.table import Table

    from aiida_dnpmelt.campaign.cells import Campaign
    from aiida_dnpmelt.campaign.states import CellState
    from aiida_dnpmelt.campaign.submission import Submitter

REFRESH_SECONDS = 5
GO_ON = "The work chains that run go on; submit the others by `aiida-dnpmelt campaign run {file}`."


@click.group()
def campaign() -> None:
    """Compute melting temperatures of elements x pressures x potentials from one file."""


@campaign.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be submitted and what it would take, and submit nothing.")
@click.option("--once", is_flag=True, help="Submit what may run now and end, instead of submitting until the end.")
@click.option("--retry-failed", is_flag=True, help="Submit the cells that have failed so far once more.")
@format_option(*FORMATS)
@storing_profile_option
def run(file: Path, dry_run: bool, once: bool, retry_failed: bool, output_format: str) -> None:
    """Submit the cells of the campaign FILE that are missing, a few at once, until all have ended.

    Ctrl-C leaves the work chains that run alone. The same command goes on where it was left: a cell is never submitted
    twice, and one that has failed only with --retry-failed.
    """
    from aiida_dnpmelt.campaign.settings import check_overrides, read_settings
    from aiida_dnpmelt.campaign.submission import Submitter, check, locked
    from aiida_dnpmelt.cli.campaign_inputs import load_campaign
    from aiida_dnpmelt.cli.launch_inputs import check_daemon
    from aiida_dnpmelt.cli.told import told

    try:
        settings = read_settings(file)
        check_overrides(file, settings)
        whole = load_campaign(settings, file.parent, dry_run)
        for line in check(whole, lambda cells: told(cells, "checking cells")):
            click.echo(f"[!] {line}", err=True)
        if dry_run:
            _print_forecast(whole, retry_failed, output_format)
            return
        check_daemon()
        with locked(whole.settings.name):
            check(whole, lambda cells: told(cells, "checking cells"))  # another process may have submitted cells since
            submitter = Submitter(whole, retry_failed)
            _run(submitter, once, tell=output_format == "table")
    except KeyboardInterrupt as ended:
        raise Interrupted(number_of(ended), GO_ON.format(file=file)) from ended
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception
    found = submitter.states()
    _print_states(found, output_format)
    if once and output_format == "table" and submitter.waiting(found):
        click.echo(GO_ON.format(file=file))
    if any(each.state == "failed" for each in found):
        sys.exit(1)


@campaign.command()
@click.argument("name_or_file")
@format_option(*FORMATS)
@profile_option
def status(name_or_file: str, output_format: str) -> None:
    """Show what has become of the cells of a campaign.

    With its file instead of its name, also the cells that are missing, in the order of the file.
    """
    from aiida_dnpmelt.campaign.settings import read_settings
    from aiida_dnpmelt.campaign.states import campaigns, states
    from aiida_dnpmelt.cli.campaign_inputs import cells_in

    path = Path(name_or_file)
    try:
        if path.is_file():
            settings = read_settings(path)
            found = states(settings.name, cells_in(settings, path.parent))
        else:
            found = states(name_or_file)
    except ValueError as exception:
        known = campaigns()
        hint = "" if path.is_file() or not known else f"; there are {', '.join(known)}"
        raise click.ClickException(f"{exception}{hint}") from exception
    _print_states(found, output_format)


def _run(submitter: Submitter, once: bool, tell: bool) -> None:
    """Submit cells until all have ended, or what may run now, and show how far they are."""
    from rich.console import Console
    from rich.live import Live

    from aiida_dnpmelt.campaign.tables import Records

    console = Console()
    if once or not tell or not console.is_terminal:
        _run_with_lines(submitter, once, tell)
        return
    records = Records()
    with Live(console=console, refresh_per_second=1, transient=True) as live:
        for submitted, found in _passes(submitter, once):
            for line in submitted:
                console.print(line, highlight=False, markup=False, soft_wrap=True)
            live.update(_table(submitter.campaign.settings.name, [records[each] for each in found]))


def _run_with_lines(submitter: Submitter, once: bool, tell: bool) -> None:
    """Print a line for each cell whenever its state or its estimate changes: for logs and pipes."""
    from aiida_dnpmelt.campaign.states import OVER
    from aiida_dnpmelt.campaign.tables import Records

    seen: set[str] = set()
    records = Records()
    for submitted, found in _passes(submitter, once):
        begun = [each for each in found if each.state in ("running", *OVER)]
        changed = [f"{each.cell}: {_words(records[each])}" for each in begun]
        for line in submitted if once else [*submitted, *changed]:
            if line not in seen:
                click.echo(line, err=not tell)
                seen.add(line)


def _passes(submitter: Submitter, once: bool) -> Iterator[tuple[list[str], list[CellState]]]:
    """Yield what was submitted, a line each, and the states, again and again until all cells have ended.

    Without a daemon nothing is submitted until it runs again.
    """
    from aiida_dnpmelt.campaign.states import OVER
    from aiida_dnpmelt.cli.watch import NO_DAEMON, daemon_runs

    told = False
    while True:
        lines = []
        if daemon_runs():
            lines = [f"{cell}: submitted as work chain {node.pk}" for cell, node in submitter.top_up()]
            told = False
        elif not told:
            lines, told = [NO_DAEMON], True
        found = submitter.states()
        yield lines, found
        if once or (not submitter.waiting(found) and all(each.state in OVER for each in found)):
            return
        time.sleep(REFRESH_SECONDS)


def _words(record: dict[str, Any]) -> str:
    from aiida_dnpmelt.physics.notation import notation

    if record["state"] == "done":
        number = notation(record["melting_temperature_k"], record["standard_uncertainty_k"])
        return f"T_m = {number} K ({record['verdict']})"
    return f"{record['state']}: {record['remark']}" if record["remark"] else str(record["state"])


def _table(name: str, records: Sequence[dict[str, Any]]) -> Table:
    from rich.table import Table

    from aiida_dnpmelt.campaign.tables import STATE_COLUMNS, state_row, summary

    table = Table(*STATE_COLUMNS, title=f"{name}, {summary(records)}")
    for record in records:
        table.add_row(*state_row(record).values())
    return table


def _print_states(found: Sequence[CellState], output_format: str) -> None:
    from aiida_dnpmelt.campaign.tables import STATE_COLUMNS, STATE_KEYS, state_record, state_row, summary

    records = [state_record(each) for each in found]
    if output_format not in READ:
        echo_rows(records, STATE_KEYS, output_format)
        return
    echo_rows([state_row(record) for record in records], STATE_COLUMNS, output_format)
    echo_note(summary(records), output_format)
    for each, record in zip(found, records, strict=True):
        if each.state == "failed":
            echo_note(f"{each.cell} failed: {record['remark']}", output_format)


def _print_forecast(whole: Campaign, retry_failed: bool, output_format: str) -> None:
    """Print what the cells that would be submitted would take, and all of them together."""
    from aiida_dnpmelt.campaign.modes import Load
    from aiida_dnpmelt.campaign.states import states
    from aiida_dnpmelt.campaign.submission import forecast
    from aiida_dnpmelt.campaign.tables import LOAD_COLUMNS, LOAD_KEYS, load_record, load_row, load_summary

    found = states(whole.settings.name, whole.cells)
    missing = [each.cell for each in found if each.state == "missing" or (retry_failed and each.state == "failed")]
    loads = dict(zip((cell.key for cell in missing), forecast(whole, missing), strict=True))
    records = [load_record(each.cell, each.state, loads.get(each.cell.key, Load())) for each in found]
    total, cells = sum(loads.values(), Load()), len(missing)
    if output_format not in READ:
        echo_rows(records, LOAD_KEYS, output_format)
        return
    echo_rows([load_row(record) for record in records], LOAD_COLUMNS, output_format)
    for words in load_summary(total, cells, whole.settings.maximum_running).splitlines():
        echo_note(words, output_format)
