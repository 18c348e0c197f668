"""Commands that set up this machine and look after it: `setup`, `services`, `doctor`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import DEFAULT_PROFILE, NoProfile, find_profile, find_running_profile, format_option, profile_name_option

if TYPE_CHECKING:
    from aiida_dnpmelt.setup.check import Check

COLOURS = {"made": "green", "kept": None, "differs": "yellow", "missing": "yellow"}


@click.command()
@click.option("-p", "--profile", "name", default=DEFAULT_PROFILE, show_default=True, help="Name of the profile.")
@click.option("--postgres", is_flag=True, help="Store in a PostgreSQL cluster of its own, which is started.")
@click.option(
    "--postgres-path",
    type=click.Path(path_type=Path),
    help="Folder of that cluster. Default: 'aiida-dnpmelt/postgres' in the data folder of the user.",
)
@click.option(
    "--postgres-url",
    help="Store in an empty database of an existing server: postgresql://user:password@host:port/database",
)
def setup(name: str, postgres: bool, postgres_path: Path | None, postgres_url: str | None) -> None:
    """Set up a profile, this machine as a computer, and its codes.

    Without options the results are stored in SQLite, and there is no service to start. What exists is left
    alone: to run setup twice changes nothing.
    """
    if postgres and postgres_url is not None:
        raise click.UsageError("--postgres makes a cluster, --postgres-url takes a server: give one of the two")
    if postgres_path is not None and not postgres:
        raise click.UsageError("--postgres-path is the folder of the cluster that --postgres makes: give both")
    from aiida_dnpmelt.setup.codes import State
    from aiida_dnpmelt.setup.install import set_up

    states = set()
    with clear_errors():
        for step in set_up(name, postgres, postgres_path, postgres_url):
            states.add(step.state)
            word = step.state.value
            click.echo(click.style(f"{word:8s}", fg=COLOURS[word]) + step.message)
    if states <= {State.KEPT}:
        click.echo("Nothing was changed.")
    elif State.MADE in states:
        click.echo("Next: `aiida-dnpmelt services up` starts the daemon, `aiida-dnpmelt doctor` checks everything.")


@click.group()
def services() -> None:
    """Start, stop and show what a profile needs to run: the daemon, and PostgreSQL where setup made it."""


@services.command("up")
@profile_name_option
@click.option(
    "--workers", type=click.IntRange(min=1), help="Daemon workers. Default: 1, or as many as a daemon that runs has."
)
def services_up(name: str | None, workers: int | None) -> None:
    """Start PostgreSQL, then the daemon; one that runs gets the number of workers that is asked for."""
    from aiida_dnpmelt.setup.services import up

    with clear_errors():
        echo_lines(up(find_running_profile(name), workers))


@services.command("down")
@profile_name_option
def services_down(name: str | None) -> None:
    """Stop the daemon, then PostgreSQL. Running processes go on after the next `services up`."""
    from aiida_dnpmelt.setup.services import down

    with clear_errors():
        echo_lines(down(find_running_profile(name)))


@services.command("status")
@profile_name_option
@format_option("table", "json")
def services_status(name: str | None, output_format: str) -> None:
    """Show which services run, and what is wrong with the others; the exit status is 1 if there are any."""
    from aiida_dnpmelt.setup.services import status

    with clear_errors():
        echo_checks(status(find_running_profile(name)), output_format)


@click.command()
@profile_name_option
@format_option("table", "json")
def doctor(name: str | None, output_format: str) -> None:
    """Check profile, storage, broker, daemon, codes, VASP and disk; the exit status is 1 if a check fails."""
    from aiida_dnpmelt.setup.check import Check
    from aiida_dnpmelt.setup.doctor import examine

    try:
        profile = find_profile(name)
    except NoProfile as exception:
        echo_checks([Check("profile", False, exception.what, exception.remedy)], output_format)
    else:
        echo_checks(examine(profile), output_format)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Print the errors that name their remedy without a traceback, and exit with status 1."""
    from aiida.common.exceptions import ConfigurationError
    from aiida.engine.daemon.client import DaemonException

    from aiida_dnpmelt.setup.postgres_programs import PostgresError
    from aiida_dnpmelt.setup.profile import ProfileError
    from aiida_dnpmelt.setup.trouble import trouble_of

    try:
        yield
    except (DaemonException, PostgresError, ProfileError) as exception:
        raise click.ClickException(str(exception)) from exception
    except (ConfigurationError, ValueError) as exception:
        raise click.ClickException(str(trouble_of(exception) or exception)) from exception


def echo_lines(lines: Iterable[str]) -> None:
    """Print lines as they come."""
    for line in lines:
        click.echo(line)


def echo_checks(checks: Iterable[Check], output_format: str) -> None:
    """Print checks; exit with status 1 if one failed."""
    done = []
    for check in checks:
        done.append(check)
        if output_format == "table":
            word, colour = ("OK", "green") if check.ok else ("FAILED", "red")
            word, colour = (word, colour) if check.applies else ("n/a", "cyan")
            click.echo(click.style(f"{word:7s}", fg=colour) + f" {check.name}: {check.message}")
            if not check.ok:
                click.echo(f"        -> {check.remedy}")
    if output_format == "json":
        click.echo(json.dumps([asdict(check) for check in done], indent=2))
    if not all(check.ok for check in done):
        raise click.exceptions.Exit(1)
