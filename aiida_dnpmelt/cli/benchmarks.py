"""The command `potential benchmark`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from aiida_dnpmelt.cli.options import format_option, profile_option
from aiida_dnpmelt.cli.plots import check_plot, draw
from aiida_dnpmelt.cli.tables import FORMATS, echo_note, echo_rows
from aiida_dnpmelt.report.terminal import plain


@click.command("benchmark")
@click.argument("identifier", metavar="PK")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the equation of state into this file: .svg, .png or .pdf.",
)
@click.option("--force", is_flag=True, help="Overwrite the file of the plot if it exists.")
@format_option(*FORMATS)
@profile_option
def potential_benchmark(identifier: str, plot: Path | None, force: bool, output_format: str) -> None:
    """Show the properties of a potential beside those that are known, with relative errors.

    PK is that of a benchmark, or the PK, UUID or label of a potential, whose latest benchmark is taken.
    """
    from aiida_dnpmelt.provenance.benchmarks import stored_benchmark
    from aiida_dnpmelt.report.equation_of_state import write_equations

    check_plot(plot, force)
    try:
        chain = stored_benchmark(identifier)
        table = chain.outputs.table.get_dict()
        if output_format == "json":
            click.echo(json.dumps({"pk": chain.pk, **table}, indent=2))
        elif output_format == "csv":
            echo_rows(table["rows"], _columns(table), "csv")
        else:
            _print_table(table, output_format)
        if plot is not None:
            names = [name for name in ("properties", "reference_properties") if name in chain.outputs]
            draw(write_equations, [chain.outputs[name].get_dict() for name in names], plot)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if output_format == "table":
        click.echo(f"[OK] benchmark {chain.pk}" + (f"; {plot} written" if plot else ""))


def _columns(table: Mapping[str, Any]) -> list[str]:
    references = [column for name in table["references"] for column in (name, f"{name}_error_percent")]
    return ["property", "unit", "value", *references]


def _print_table(table: Mapping[str, Any], output_format: str) -> None:
    """Print the rows for the eye, then sources, warnings and gaps."""
    echo_note(plain(f"{table['element']} ({table['lattice']}), {table['potential_label']}"), output_format)
    columns = {name: name.replace("_error_percent", " off/%") for name in _columns(table)}
    rows = [{title: _shown(row[name], name) for name, title in columns.items()} for row in table["rows"]]
    echo_rows(rows, list(columns.values()), output_format)
    for line in _remarks(table):
        echo_note(plain(line), output_format)


def _remarks(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield sources, gaps and warnings, a line each."""
    for name in table["references"]:
        source = table["sources"][name]
        listed = (
            source if isinstance(source, str) else "; ".join(f"{key}: {text}" for key, text in sorted(source.items()))
        )
        if listed:
            yield f"{name}: {listed}"
    for name, reason in sorted(table["gaps"].items()):
        yield f"no {name}: {reason}"
    if table["missing"]:
        yield f"not computed: {', '.join(table['missing'])}"
    for warning in table["warnings"]:
        yield f"warning: {warning}"


def _shown(value: Any, column: str) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:+.1f}" if column.endswith("_error_percent") else f"{value:.5g}"
