"""The command `migrate`: from SQLite to PostgreSQL."""

from __future__ import annotations

import click

from aiida_dnpmelt.cli.options import find_profile, profile_name_option
from aiida_dnpmelt.cli.setup import clear_errors
from aiida_dnpmelt.cli.tables import echo


@click.command("migrate")
@profile_name_option
@click.option("--to", "target", required=True, help="Profile to fill: a new one, as setup makes it.")
def migrate_command(name: str | None, target: str) -> None:
    """Copy all of a profile into another one, such as one on PostgreSQL, and compare both.

    Nodes, links, files, groups, comments, logs, users, computers and their configuration, and POTCAR files. The profile
    itself is only read, and stays. UUIDs stay as they are; the PKs of the nodes are others.
    """
    from aiida.common.exceptions import AiidaException
    from aiida.tools.archive import ExportImportException

    from aiida_dnpmelt.setup.migrate import migrate

    source = find_profile(name)
    with clear_errors():
        try:
            for line in migrate(source, find_profile(target)):
                echo(f"[OK] {line}")
        except (AiidaException, ExportImportException, OSError) as exception:
            message = f"{exception}: '{source.name}' is as it was; run the command again"
            raise click.ClickException(message) from exception
    echo(f"PKs have changed. Go on with `-p {target}`; keep '{source.name}' until there is a backup of '{target}'.")
