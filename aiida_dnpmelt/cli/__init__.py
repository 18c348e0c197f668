"""The command line, `aiida-dnpmelt`.

A command's module is imported when the command is run, so that `--help` is instant.
"""

from __future__ import annotations

import importlib
import os
import signal
import sysconfig
from typing import Any, NoReturn

import click

from aiida_dnpmelt import __version__
from aiida_dnpmelt.interrupts import interrupted, interruptible, number_of

COMMANDS = {
    "setup": ("setup:setup", "Set up a profile, this machine and its codes."),
    "services": ("setup:services", "Start, stop and show PostgreSQL and the daemon."),
    "migrate": ("migrate:migrate_command", "Move a profile to PostgreSQL."),
    "doctor": ("setup:doctor", "Check all that a run needs, with a remedy for what fails."),
    "import": ("imports:imports", "Store labelled frames and potentials that others made."),
    "open": ("archives:open_command", "Look into an archive, without taking it in."),
    "trust": ("archives:trust_command", "Let what came by an archive run."),
    "potential": ("potential:potential", "Show and test potentials."),
    "launch": ("launch:launch", "Launch a work chain."),
    "campaign": ("campaign:campaign", "Launch work chains for many elements, pressures and potentials."),
    "report": ("report:report", "Write the page of a work chain."),
    "browse": ("browse:browse", "Look at melting temperatures in a browser."),
    "publish": ("publish:publish", "Make a folder for a public repository."),
    "tm": ("tm:tm", "Query melting temperatures."),
    "impact": ("tracing:impact", "List the melting temperatures that stand on a node."),
    "status": ("status:status", "Show the progress of work chains."),
}
"""Name of a command: where its function is, and one line on it."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order in which a user needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        module, function = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(f"{__name__}.{module}"), function)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Call a command; what ends it is told in a sentence, and what that quotes from a node as `plain` text."""
        try:
            with interruptible():
                return super().invoke(ctx)
        except (Exception, KeyboardInterrupt) as error:
            ended = interrupted(error)
            if ended is not None:
                end(ctx, ended)
            refusal = refusal_of(error)
            if refusal is None or refusal is error:
                raise
            raise refusal from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="aiida-dnpmelt")
def main() -> None:
    """Melting temperatures with machine-learned potentials, and the provenance of every step."""
    put_scripts_on_path()


def end(ctx: click.Context, ended: KeyboardInterrupt) -> NoReturn:
    """Say by which signal a command ends and what became of what ran, and exit with the status of that signal."""
    number = number_of(ended)
    words = f"ended by {signal.Signals(number).name}" + (f": {ended}" if str(ended) else "")
    click.echo(f"\n{words}", err=True)
    ctx.exit(128 + number)


def refusal_of(error: BaseException) -> click.ClickException | None:
    """Return what is printed of an error as `plain` text; None for a fault of the program, which has a traceback."""
    from aiida_dnpmelt.report.terminal import plain
    from aiida_dnpmelt.setup.trouble import trouble_of

    if isinstance(error, click.ClickException):
        error.message = plain(error.message)
        return error
    trouble = None if isinstance(error, click.exceptions.Exit) else trouble_of(error)
    return None if trouble is None else click.ClickException(plain(str(trouble)))


def put_scripts_on_path() -> None:
    """Put the programs of this environment first on PATH, where AiiDA looks for the `verdi` that is its daemon.

    Without an activated environment there is none, or that of another one.
    """
    scripts = sysconfig.get_path("scripts")
    path = os.environ.get("PATH", os.defpath)
    if path.split(os.pathsep)[0] != scripts:
        os.environ["PATH"] = os.pathsep.join([scripts, path])
