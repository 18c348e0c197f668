"""Write the page of a work chain."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_dnpmelt.cli.options import profile_option
from aiida_dnpmelt.cli.outputs import check_file


@click.command()
@click.argument("pk", type=int)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write. Default: report_PK.html.",
)
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
@profile_option
def report(pk: int, output: Path | None, force: bool) -> None:
    """Write the page of the work chain PK: one HTML file with its numbers, figures, costs and versions.

    PK is that of a MeltingWorkChain, an AdaptiveLearningWorkChain or a TPCWorkChain; of one that still runs or has
    failed, the page shows what there is.
    """
    from aiida.common.exceptions import NotExistent
    from aiida.orm import load_node

    from aiida_dnpmelt.report.page import write_html

    path = output or Path(f"report_{pk}.html")
    check_file(path, "--output", force)
    try:
        text = write_html(load_node(pk))
    except NotExistent as exception:
        raise click.ClickException(f"there is no node {pk}") from exception
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception
    except ImportError as exception:
        message = f"{exception}: a page needs the extra [report], pip install 'aiida-dnpmelt[report]'"
        raise click.ClickException(message) from exception
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exception:
        raise click.ClickException(f"{path} cannot be written: {exception.strerror}") from exception
    click.echo(f"{path} written: open it in a browser")
