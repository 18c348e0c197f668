"""Show how work chains proceed."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from aiida_dnpmelt.cli.tables import echo
from aiida_dnpmelt.report.terminal import plain

if TYPE_CHECKING:
    from aiida.orm import WorkChainNode

    from aiida_dnpmelt.report.progress import RunProgress

REFRESH_SECONDS = 5
LAST_REPORTS = 10
NO_DAEMON = "the daemon does not run, nothing goes on: start it by `aiida-dnpmelt services up`"
COLUMNS = ("run", "guess/K", "stage", "done", "T/K", "solid", "to go")


def daemon_runs() -> bool:
    """Tell whether the daemon of the profile runs."""
    from aiida.engine.daemon.client import get_daemon_client

    return bool(get_daemon_client().is_daemon_running)


def progress_table(node: WorkChainNode, runs: Sequence[RunProgress], goes_on: bool = True) -> Table:
    """Return a table of the runs of the last round of a work chain.

    :param goes_on: whether the daemon runs; without it nothing says when a run will end.
    """
    title = f"{node.label or 'TPC'} <{node.pk}>: {node.description or 'no estimate yet'}"
    table = Table(*COLUMNS, title=Text(plain(title)))
    for run in runs:
        table.add_row(
            Text(plain(run.label)),
            f"{run.guess_k:.0f}",
            Text(plain(run.stage or run.state)),
            "" if run.fraction is None else f"{run.fraction:.0%}",
            "" if run.temperature_k is None else f"{run.temperature_k:.0f}",
            "" if run.solid_fraction is None else f"{run.solid_fraction:.2f}",
            "" if run.remaining_s is None or not goes_on else _duration(run.remaining_s),
        )
    return table


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def print_status(nodes: Sequence[WorkChainNode]) -> None:
    """Print the progress of work chains once."""
    from aiida_dnpmelt.report.live_files import LiveFiles
    from aiida_dnpmelt.report.progress import REPORTING, progress, reports_after

    console, goes_on, files = Console(), daemon_runs(), LiveFiles()
    if not goes_on:
        click.echo(NO_DAEMON)
    for node in nodes:
        if node.process_type not in REPORTING:
            console.print(progress_table(node, progress(node, files), goes_on))
            continue
        echo(f"{node.label or node.process_label} <{node.pk}>")
        for _, line in reports_after(node, 0)[-LAST_REPORTS:]:
            echo(f"  {line}")


def watch_to_end(node: WorkChainNode) -> None:
    """Show the progress until the work chain ends, then its result; exit with 1 if it failed."""
    from aiida_dnpmelt.report.live_files import LiveFiles
    from aiida_dnpmelt.report.progress import REPORTING, progress

    console, files = Console(), LiveFiles()
    try:
        if node.process_type in REPORTING:
            _print_reports(node)
        elif console.is_terminal:
            with Live(console=console, refresh_per_second=1, transient=True) as live:
                while not node.is_terminated:
                    goes_on = daemon_runs()
                    table = progress_table(node, progress(node, files), goes_on)
                    live.update(Group(table, *([] if goes_on else [Text(NO_DAEMON)])))
                    time.sleep(REFRESH_SECONDS)
        else:
            _print_lines(node)
    except KeyboardInterrupt:
        click.echo(f"\nThe run goes on: aiida-dnpmelt status {node.pk}. To end it: verdi process kill {node.pk}")
        return
    if "melting_point" in node.outputs:
        echo(node.tools.summary())
        click.echo(f"work chain {node.pk}: aiida-dnpmelt tm show {node.pk}, verdi process status {node.pk}")
    elif "melting" in node.outputs:
        echo(node.tools.summary())
        click.echo(f"work chain {node.pk}: aiida-dnpmelt report {node.pk}, verdi process status {node.pk}")
    elif "finite_size" in node.outputs:
        echo(node.tools.summary())
        click.echo(f"work chain {node.pk}: aiida-dnpmelt tm size {node.pk}, verdi process status {node.pk}")
    elif node.description:
        echo(node.description)
        if "sweep" in node.outputs:
            click.echo(f"work chain {node.pk}: aiida-dnpmelt tm sweep {node.pk}, verdi process status {node.pk}")
    if not node.is_finished_ok:
        echo(f"work chain {node.pk} did not succeed: {node.exit_message or node.process_state.value}", err=True)
        sys.exit(1)


def _print_lines(node: WorkChainNode) -> None:
    """Print a line for each run whenever its stage, or the estimate, changes: for logs and pipes."""
    from aiida_dnpmelt.report.live_files import LiveFiles
    from aiida_dnpmelt.report.progress import progress

    seen: set[str] = set()
    files = LiveFiles()
    while not node.is_terminated:
        lines = [] if daemon_runs() else [NO_DAEMON]
        lines += [node.description] if node.description else []
        for run in progress(node, files):
            tenth = "" if run.fraction is None else f", {10 * int(10 * run.fraction)} % done"
            known = run.solid_fraction is not None and run.stage == "production"
            solid = f", solid fraction about {run.solid_fraction:.1f}" if known else ""
            lines.append(f"{run.label}: {run.stage or run.state}{tenth}{solid}")
        for line in lines:
            if line not in seen:
                echo(line)
                seen.add(line)
        time.sleep(REFRESH_SECONDS)


def _print_reports(node: WorkChainNode) -> None:
    """Print what a work chain and those that it calls report, as they do."""
    from aiida_dnpmelt.report.progress import reports_after

    last, told = 0, False
    while True:
        ended = node.is_terminated
        stands_still = not ended and not daemon_runs()
        if stands_still and not told:
            click.echo(NO_DAEMON)
        told = stands_still
        for number, line in reports_after(node, last):
            echo(line)
            last = number
        if ended:
            return
        time.sleep(REFRESH_SECONDS)
