"""Launch and show pressure sweeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_dnpmelt.cli.launch_inputs import (
    COEXISTENCE,
    RUN,
    add_options,
    coexistence_overrides,
    job_options,
    launch_chain,
    load_code,
    potential_of,
    usual_code,
)
from aiida_dnpmelt.cli.options import format_option, profile_option
from aiida_dnpmelt.cli.plots import check_plot, draw
from aiida_dnpmelt.cli.structures import load_structure
from aiida_dnpmelt.cli.tables import FORMATS, echo, echo_rows

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder

PROTOCOLS = ("balanced", "fast", "stringent", "paper")
COLUMNS = ("P/GPa", "T_m/K", "verdict", "solid", "dV/(A^3/atom)", "dH/(meV/atom)", "slope/(K/GPa)", "off/sigma")
"""`solid` is the lattice that was found at the end, `off` the fitted slope less that of Clausius and Clapeyron."""


@click.command("sweep")
@add_options(*COEXISTENCE)
@click.option(
    "--pressure",
    "pressures",
    type=float,
    multiple=True,
    help="Pressure in GPa; three or more. The sweep begins at the first one, which --temperature is a guess for.",
)
@click.option("--protocol", type=click.Choice(PROTOCOLS), default="balanced", show_default=True, help="Protocol.")
@click.option(
    "--structure-at",
    "structures",
    type=(float, click.Path(exists=True, dir_okay=False)),
    multiple=True,
    metavar="GPA FILE",
    help="Another crystal at one of the pressures; repeatable.",
)
@click.option(
    "--known",
    type=int,
    multiple=True,
    help="PK of a sweep, or of a melting point, whose points are taken over; repeatable.",
)
@click.option("--reach", type=float, help="A point gives guesses for all pressures within so many GPa.")
@add_options(*RUN)
def launch_sweep(**values: Any) -> None:
    """Compute melting temperatures at several pressures, the curve through them, and its slopes in two ways."""
    launch_chain(_builder, _forecast, values)


def _builder(values: dict[str, Any]) -> ProcessBuilder:
    from aiida import orm

    from aiida_dnpmelt.calculations.pressure_sweep import POINT, name_of
    from aiida_dnpmelt.provenance.query import known_nodes
    from aiida_dnpmelt.workchains.pressure_sweep import PressureSweepWorkChain

    overrides: dict[str, Any] = {"tpc": coexistence_overrides(values)}
    if values["pressures"]:
        overrides["pressures_gpa"] = list(values["pressures"])
    if values["reach"] is not None:
        overrides["sweep"] = {"reach_gpa": values["reach"]}
    potential = potential_of(values)
    builder = PressureSweepWorkChain.get_builder_from_protocol(
        load_code(values["code"] or usual_code(potential)),
        load_structure(values["element"], values["lattice"], values["structure_file"]),
        potential,
        values["protocol"],
        overrides,
        job_options(values),
    )
    if values["temperature"] is not None:
        builder.temperature = orm.Float(values["temperature"])
    pressures = builder.pressures.get_list()
    others = {}
    for pressure, file in values["structures"]:
        if pressure not in pressures:
            raise ValueError(f"--structure-at: {pressure:g} GPa is not one of the pressures {pressures}")
        others[name_of(POINT, pressures.index(pressure))] = load_structure(values["element"], None, file)
    if others:
        builder.structures = others
    builder.metadata.label = f"{builder.structure.get_formula(mode='hill_compact')}_sweep".lower()
    known = {f"node_{node.pk}": node for pk in values["known"] for node in known_nodes(pk)}
    if known:
        builder.known = known
    return builder


def _forecast(builder: ProcessBuilder) -> str:
    """Return what a launch would run, and what it would cost if the guesses are good."""
    from aiida_dnpmelt.calculations.melting_point import SCHEMA
    from aiida_dnpmelt.provenance.cost import speed_of
    from aiida_dnpmelt.workchains.forecasts import forecast_sweep

    point, slope = forecast_sweep(builder)
    pressures = builder.pressures.get_list()
    known = sum(node["schema"] == SCHEMA for node in (builder.known or {}).values())
    number = len(pressures) - known
    steps = number * (point.atom_steps + slope)
    speed = speed_of(builder.potential, builder.tpc["coexistence"]["calc"]["code"])
    shown = ", ".join(f"{pressure:g}" for pressure in pressures)
    lines = [
        f"{builder.structure.get_formula()} with {builder.potential.label}, "
        f"protocol {builder.tpc['protocol'].value}, at {shown} GPa:",
        f"  at each: {point.n_atoms} atoms, {point.runs} runs of {point.time_ps:.0f} ps, {point.atom_steps:.3g} "
        "atom-steps",
        f"  and crystal and melt by themselves for the slope, {slope:.3g} atom-steps",
        f"  {number} pressures ({known} known), some {number * (point.jobs + 2)} jobs, {steps:.3g} atom-steps",
        f"  {speed.text(steps)}",
        f"  first guess {point.temperature_k:.0f} K at {pressures[0]:g} GPa; the others follow from slopes",
    ]
    return "\n".join(lines)


@click.command()
@click.argument("pk", type=int)
@click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw it into this file: .svg, .png or .pdf."
)
@click.option("--force", is_flag=True, help="Overwrite the file of the plot if it exists.")
@format_option(*FORMATS)
@profile_option
def sweep(pk: int, plot: Path | None, force: bool, output_format: str) -> None:
    """Show a pressure sweep: T_m, volume and enthalpy of melting, slopes, and the law through the points.

    PK is that of the work chain, or of its output `sweep`.
    """
    from aiida_dnpmelt.provenance.query import curve_of_sweep, sweep_result
    from aiida_dnpmelt.report.pressure_sweep import sweep_rows, sweep_text, sweep_to_draw, write_sweep

    check_plot(plot, force)
    try:
        chain, details = sweep_result(pk)
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception
    curve = curve_of_sweep(chain) or details.get("curve")
    if output_format == "json":
        click.echo(json.dumps({"pk": chain, **details, "curve": curve}, indent=2))
    else:
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in sweep_rows(details)]
        echo_rows(rows, COLUMNS, output_format)
    if output_format == "table":
        echo(sweep_text(details, curve))
    if plot is not None:
        draw(write_sweep, sweep_to_draw(chain), plot)
        if output_format == "table":
            click.echo(f"{plot} written")
