"""Ask of a melting temperature what a referee would ask first."""

from __future__ import annotations

from dataclasses import asdict

import click

from aiida_dnpmelt.cli.options import format_option, profile_option
from aiida_dnpmelt.cli.tables import FORMATS, echo_rows

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
