"""Show the progress of work chains."""

from __future__ import annotations

import click

from aiida_dnpmelt.cli.options import profile_option


@click.command()
@click.argument("pk", type=int, required=False)
@click.option("--watch", is_flag=True, help="Show it until the end.")
@profile_option
def status(pk: int | None, watch: bool) -> None:
    """Show how far work chains have come: all that run, or the work chain PK."""
    from aiida.common.exceptions import NotExistent
    from aiida.orm import load_node

    from aiida_dnpmelt.cli.watch import print_status, watch_to_end
    from aiida_dnpmelt.provenance.query import PROCESS_TYPE
    from aiida_dnpmelt.report.progress import REPORTING, running

    try:
        nodes = running() if pk is None else [load_node(pk)]
    except NotExistent as exception:
        raise click.ClickException(f"there is no node {pk}") from exception
    if pk is not None and getattr(nodes[0], "process_type", None) not in (PROCESS_TYPE, *REPORTING):
        raise click.ClickException(
            f"node {pk} is no work chain whose progress can be shown: see `verdi process list -a`"
        )
    if not nodes:
        click.echo("Nothing runs. Results: aiida-dnpmelt tm list")
    elif (pk is not None and nodes[0].is_terminated) or (watch and len(nodes) == 1):
        watch_to_end(nodes[0])
    else:
        print_status(nodes)
