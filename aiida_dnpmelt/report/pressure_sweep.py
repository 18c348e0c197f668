"""A pressure sweep as rows, as text, and as a figure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from aiida import orm

from aiida_dnpmelt.calculations.melting_curve import stored_fit
from aiida_dnpmelt.physics.error_budget import COVERAGE_FACTOR
from aiida_dnpmelt.physics.notation import notation
from aiida_dnpmelt.provenance.intervals import intervals_in, with_intervals
from aiida_dnpmelt.report.bars import bars, lacking
from aiida_dnpmelt.report.figures import COLOURS, new_figure, page_style
from aiida_dnpmelt.report.melting_curve import Picture, draw_band, draw_curves, law_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI = 200
_LARGE_SIGMA = 2.0
_MEV = 1000.0


def sweep_rows(sweep: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each pressure: P, T_m, verdict, solid, volume and enthalpy of melting, slope, its difference."""
    rows: list[tuple[str, ...]] = []
    for index, pressure in enumerate(sweep["pressures_gpa"]):
        value = {key: values[index] for key, values in sweep.items() if isinstance(values, list) and key != "gaps"}
        share, off = value["found_lattice_shares"], value["slope_differences_sigma"]
        rows.append(
            (
                f"{pressure:g}",
                notation(value["melting_temperatures_k"], value["standard_uncertainties_k"]),
                value["verdicts"] or "none",
                "-" if share is None else f"{value['found_lattices']} {share:.0%}",
                notation(value["volumes_of_melting_angstrom3"], value["volume_of_melting_uncertainties_angstrom3"]),
                notation(
                    _scaled(value["enthalpies_of_melting_ev"]), _scaled(value["enthalpy_of_melting_uncertainties_ev"])
                ),
                notation(value["slopes_k_per_gpa"], value["slope_uncertainties_k_per_gpa"]),
                "-" if off is None else f"{off:+.1f}",
            )
        )
    return rows


def _scaled(value: float | None) -> float | None:
    return None if value is None else _MEV * value


def sweep_text(sweep: Mapping[str, Any], curve: Mapping[str, Any] | None) -> str:
    """Return what the rows do not say: the laws, whether the slopes agree, and the gaps."""
    lines = [] if curve is None else law_lines(curve)
    if sweep.get("state"):
        lines.insert(0, f"the sweep is {sweep['state']} and has no result: this is what there is of it")
    largest = sweep["largest_slope_difference_sigma"]
    if largest is not None:
        lines.append(
            f"{_agree(largest)}: slopes of the law and of Clausius-Clapeyron differ by {largest:.1f} sigma at most"
        )
    sigma = sweep["consistency_sigma"]
    if sigma is not None:
        lines.append(
            f"{_agree(sigma)}: T_m rises by what the slopes of Clausius-Clapeyron integrate to, within {sigma:.1f} "
            f"sigma (chi2 = {sweep['consistency_chi2']:.1f} for {sweep['consistency_degrees_of_freedom']} rises)"
        )
    return "\n".join([*lines, *sweep["gaps"]])


def _agree(sigma: float) -> str:
    return "consistent" if sigma <= _LARGE_SIGMA else "INCONSISTENT"


def sweep_to_draw(pk: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return what `write_sweep` draws of a sweep that has a result.

    :param pk: of the work chain.
    """
    outputs = orm.load_node(pk).outputs
    return with_intervals(outputs.sweep), with_intervals(outputs.curve) if "curve" in outputs else None


def write_sweep(result: tuple[Mapping[str, Any], Mapping[str, Any] | None], path: Path) -> None:
    """Write the figure of a sweep, by the suffix of the path: T_m, and its slope in two ways.

    :param result: the sweep, and its melting curve if it has one, with the intervals of their points, see
        `with_intervals`.
    :raises ImportError: without the extra ``[report]``.
    """
    sweep, curve = result
    with page_style():
        figure = new_figure(5.6, 5.6)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        if curve is None:
            _draw_points(upper, sweep)
        else:
            draw_curves(upper, Picture([curve]))
            upper.set(xlabel="")
        _draw_slopes(lower, sweep, curve)
        figure.savefig(path, dpi=_DPI)


def _draw_points(axes: Axes, sweep: Mapping[str, Any]) -> None:
    found = [index for index, value in enumerate(sweep["melting_temperatures_k"]) if value is not None]
    pressures, temperatures = (
        [sweep[key][index] for index in found] for key in ("pressures_gpa", "melting_temperatures_k")
    )
    intervals = [intervals_in(sweep)[index] for index in found]
    axes.errorbar(pressures, temperatures, bars(temperatures, intervals), fmt="o", color="black", capsize=2)
    if note := lacking(intervals):
        axes.plot([], [], " ", label=note)
        axes.legend(fontsize="small")
    axes.set(ylabel="T_m in K, with 95 % intervals", title=f"{sweep['element']}, {sweep['potential_label']}")


def _draw_slopes(axes: Axes, sweep: Mapping[str, Any], curve: Mapping[str, Any] | None) -> None:
    if curve is not None:
        line = np.linspace(min(curve["pressures_gpa"]), max(curve["pressures_gpa"]), 200)
        fitted = [stored_fit(curve).slope_k_per_gpa(pressure) for pressure in line]
        draw_band(axes, line, fitted, COLOURS[0], f"{curve['law'].replace('_', '-')}, 95 % band")
    found = [index for index, value in enumerate(sweep["slopes_k_per_gpa"]) if value is not None]
    if found:
        pressures, slopes, errors = (
            [sweep[key][index] for index in found]
            for key in ("pressures_gpa", "slopes_k_per_gpa", "slope_uncertainties_k_per_gpa")
        )
        # These uncertainties are widened for few blocks: 1.96 of them are the 95 % interval.
        ends = COVERAGE_FACTOR * np.array(errors)
        axes.errorbar(pressures, slopes, ends, fmt="D", color=COLOURS[1], capsize=2, label="T_m dV/dH, 95 % intervals")
    axes.set(xlabel="pressure in GPa", ylabel="dT_m/dP in K/GPa")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small")
