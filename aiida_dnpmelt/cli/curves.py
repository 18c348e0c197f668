"""Commands of `tm` on laws: of T_m over pressure, and over the cohesive energy."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_dnpmelt.cli.options import ELEMENT, FORMULA, format_option, profile_option
from aiida_dnpmelt.cli.plots import check_plot, draw
from aiida_dnpmelt.cli.tables import FORMATS, echo_rows

if TYPE_CHECKING:
    from aiida_dnpmelt.provenance.query import MeltingPoint
    from aiida_dnpmelt.report.literature import LiteraturePoint

CURVE = ("P/GPa", "T_m/K", "verdict", "law/K", "slope/(K/GPa)")
LITERATURE = ("source", "P/GPa", "T_m/K", "law less it/K")
ESTIMATES = ("element", "group", "E_coh/(eV/atom)", "T_m/K", "T_m(exp)/K", "off/%")


@click.command()
@click.option("--element", "symbol", required=True, type=FORMULA, help="Chemical symbol.")
@click.option("--potential", help="Part of the label of the potential, or of its SHA-256, if there are several.")
@click.option("--lattice", help="Lattice that melts, if there are several at one pressure.")
@click.option("--protocol", help="Name of the protocol, to take points of one only.")
@click.option("--unfinished", is_flag=True, help="Also points whose verdict is unfinished.")
@click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw it into this file: .svg, .png or .pdf."
)
@click.option("--force", is_flag=True, help="Overwrite the file of the plot if it exists.")
@click.option(
    "--literature",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV file of points to compare with: columns pressure_gpa, temperature_k, source, and uncertainty_k if known.",
)
@click.option("--beside", type=int, multiple=True, help="PK of a melting curve to draw on the same plot; repeatable.")
@format_option("table", "json")
@profile_option
def curve(
    symbol: str,
    potential: str | None,
    lattice: str | None,
    protocol: str | None,
    unfinished: bool,
    plot: Path | None,
    force: bool,
    literature: Path | None,
    beside: tuple[int, ...],
    output_format: str,
) -> None:
    """Fit the melting curve of an element and a potential to its melting temperatures at three or more pressures.

    The laws of Simon and Glatzel and of Kechin are fitted; the one with the smaller AICc is taken. The curve is kept,
    with the way back to its points.
    """
    from aiida_dnpmelt.provenance.intervals import with_intervals
    from aiida_dnpmelt.provenance.query import melting_curve_of, melting_points
    from aiida_dnpmelt.report.melting_curve import Picture, write_curve

    check_plot(plot, force)
    others, known = _curves(beside, plot), _literature(literature)
    points = melting_points(symbol, None, potential, protocol, None if unfinished else "valid")
    found = [point for point in points if not (point.superseded or point.of_study) and lattice in (None, point.lattice)]
    labels = sorted({f"{point.potential} ({point.details['potential_sha256'][:12]})" for point in found})
    if len(labels) > 1:
        raise click.ClickException(f"there are points of {len(labels)} potentials, choose by --potential: {labels}")
    _check_lattices(found)
    try:
        node = melting_curve_of(found)
    except ValueError as exception:
        hint = "" if unfinished else "; points that are not valid are taken with --unfinished"
        raise click.ClickException(f"{len(found)} points of {symbol}: {exception}{hint}") from exception
    details = node.get_dict()
    if output_format == "json":
        compared = {} if literature is None else {"literature": _compared(details, known)}
        click.echo(json.dumps({"pk": node.pk, **details, **compared}, indent=2))
    else:
        _print_curve(node.pk, details)
        if known:
            _print_literature(_compared(details, known))
    if plot is not None:
        draw(write_curve, Picture([with_intervals(node), *others], known), plot)
        if output_format == "table":
            click.echo(f"{plot} written")


def _check_lattices(points: Sequence[MeltingPoint]) -> None:
    """Refuse points of two lattices at one pressure; a curve may go from one lattice to another.

    :raises ClickException: if there are such.
    """
    for pressure in sorted({point.pressure_gpa for point in points}):
        lattices = sorted({point.lattice for point in points if point.pressure_gpa == pressure})
        if len(lattices) > 1:
            raise click.ClickException(
                f"there are points of {' and '.join(lattices)} at {pressure:g} GPa, choose by --lattice"
            )


def _curves(pks: Sequence[int], plot: Path | None) -> list[dict[str, Any]]:
    """Return stored curves.

    :raises ClickException: if one is none, or there is no plot.
    """
    from aiida_dnpmelt.provenance.intervals import with_intervals
    from aiida_dnpmelt.provenance.query import stored_curve

    if pks and plot is None:
        raise click.ClickException("--beside: there is no plot to draw it on, give --plot")
    try:
        return [with_intervals(stored_curve(pk)) for pk in pks]
    except ValueError as exception:
        raise click.ClickException(f"--beside: {exception}") from exception


def _literature(path: Path | None) -> list[LiteraturePoint]:
    """Return the points of a file, none without one.

    :raises ClickException: if it cannot be read.
    """
    from aiida_dnpmelt.report.literature import read_literature

    try:
        return [] if path is None else read_literature(path)
    except ValueError as exception:
        raise click.ClickException(f"--literature: {exception}") from exception


def _print_curve(pk: int, details: dict[str, Any]) -> None:
    from aiida_dnpmelt.physics.notation import notation
    from aiida_dnpmelt.report.melting_curve import law_lines

    best = details["fits"][0]
    law = dict(zip(best["pressures_gpa"], range(len(best["pressures_gpa"])), strict=True))
    names = ("melting_temperatures_k", "standard_uncertainties_k", "verdicts")
    rows = []
    for pressure, value, uncertainty, verdict in zip(
        details["pressures_gpa"], *(details[name] for name in names), strict=True
    ):
        index = law[pressure]
        fitted = notation(best["temperatures_k"][index], best["temperature_uncertainties_k"][index])
        slope = notation(best["slopes_k_per_gpa"][index], best["slope_uncertainties_k_per_gpa"][index])
        values = (f"{pressure:g}", notation(value, uncertainty), verdict, fitted, slope)
        rows.append(dict(zip(CURVE, values, strict=True)))
    echo_rows(rows, CURVE, "table")
    click.echo("\n".join(law_lines(details)))
    click.echo(f"[OK] kept as node {pk}")


def _compared(curve: dict[str, Any], points: Sequence[LiteraturePoint]) -> list[dict[str, Any]]:
    """Return points of the literature with T_m of the curve less theirs, empty beyond the pressures of the curve."""
    from aiida_dnpmelt.calculations.melting_curve import stored_fit

    fit, rows = stored_fit(curve), []
    low, high = min(curve["pressures_gpa"]), max(curve["pressures_gpa"])
    for point in points:
        row = {**point.model_dump(), "difference_k": None, "difference_uncertainty_k": None}
        if low <= point.pressure_gpa <= high:
            own = fit.temperature_k(point.pressure_gpa)
            row["difference_k"] = own.value - point.temperature_k
            row["difference_uncertainty_k"] = math.hypot(own.uncertainty, point.uncertainty_k or 0.0)
        rows.append(row)
    return rows


def _print_literature(compared: Sequence[dict[str, Any]]) -> None:
    from aiida_dnpmelt.physics.notation import notation

    rows = []
    for row in compared:
        temperature, uncertainty = row["temperature_k"], row["uncertainty_k"]
        known = f"{temperature:g}" if not uncertainty else notation(temperature, uncertainty)
        difference = "beyond the curve"
        if row["difference_k"] is not None:
            difference = notation(row["difference_k"], row["difference_uncertainty_k"])
        values = (row["source"], f"{row['pressure_gpa']:g}", known, difference)
        rows.append(dict(zip(LITERATURE, values, strict=True)))
    click.echo()
    echo_rows(rows, LITERATURE, "table")


@click.command()
@click.option("--element", "symbol", type=ELEMENT, help="Chemical symbol. Default: all of the table.")
@click.option("--cohesive-energy", type=float, help="In eV/atom, as of a potential. Default: the experimental one.")
@click.option(
    "--relation",
    type=click.Choice(["corrected", "as_printed", "all"]),
    default="corrected",
    show_default=True,
    help="That of the group, with two exchanged that are exchanged in print, or as printed; or one for all elements.",
)
@format_option(*FORMATS)
def estimate(symbol: str | None, cohesive_energy: float | None, relation: str, output_format: str) -> None:
    """Estimate T_m from the cohesive energy, by the relations of Andolina and Saidi.

    That is a rule of thumb, good to some 8 %: a first guess for a coexistence, or a check of one. It needs no profile.
    """
    from aiida_dnpmelt.data.elements import element, elements
    from aiida_dnpmelt.physics.cohesion import melting_temperature_k

    if cohesive_energy is not None and symbol is None:
        raise click.ClickException("--cohesive-energy: name the --element that it is of")
    try:
        chosen = [element(symbol)] if symbol else list(elements().values())
        rows: list[dict[str, Any]] = []
        for each in chosen:
            energy = each.cohesive_energy if cohesive_energy is None else cohesive_energy
            temperature = melting_temperature_k(energy, each.group, relation)
            error = 100 * (temperature / each.melting_temperature - 1)
            values = (each.symbol, each.group, energy, round(temperature), each.melting_temperature, round(error, 1))
            rows.append(dict(zip(ESTIMATES, values, strict=True)))
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception
    echo_rows(rows, ESTIMATES, output_format)
    if output_format == "table" and len(rows) > 1:
        mean = sum(abs(row["off/%"]) for row in rows) / len(rows)
        click.echo(f"mean absolute error over {len(rows)} elements: {mean:.1f} %")
