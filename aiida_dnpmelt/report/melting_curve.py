"""The figure of melting curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiida_dnpmelt.calculations.melting_curve import stored_fit
from aiida_dnpmelt.physics.error_budget import COVERAGE_FACTOR, Measured
from aiida_dnpmelt.physics.melting_curve import Quantity
from aiida_dnpmelt.physics.notation import notation
from aiida_dnpmelt.provenance.intervals import Interval, intervals_in
from aiida_dnpmelt.report.bars import bars, draw_valid_and_others, say_lacking
from aiida_dnpmelt.report.figures import COLOURS, new_figure, page_style
from aiida_dnpmelt.report.literature import LiteraturePoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 200
_MARKERS = "^vD<>PX*"
"""Markers of the sources of the literature, in turn."""


@dataclass(frozen=True)
class Picture:
    """What the figure shows.

    :param curves: melting curves with the intervals of their points, see `with_intervals`.
    :param literature: points to draw beside them.
    """

    curves: Sequence[Mapping[str, Any]]
    literature: Sequence[LiteraturePoint] = ()


def write_curve(picture: Picture, path: Path) -> None:
    """Write the figure of melting curves, by the suffix of the path.

    :raises ImportError: without the extra ``[report]``.
    """
    with page_style():
        curve_figure(picture).savefig(path, dpi=_DPI)


def curve_figure(picture: Picture) -> Figure:
    """Return points with their 95 % intervals, the best law of each curve with its 95 % band, and the literature.

    Intervals are those of `with_intervals`; of laws and of the literature standard uncertainties are all there is: they
    are drawn as those of normal distributions.
    """
    figure = new_figure(5.6, 4.0)
    draw_curves(figure.subplots(), picture)
    return figure


def draw_curves(axes: Axes, picture: Picture) -> None:
    """Draw what `curve_figure` returns."""
    names = [f"{curve['element']}, {curve['potential_label']}" for curve in picture.curves]
    alone = len(names) == 1
    for index, (name, curve) in enumerate(zip(names, picture.curves, strict=True)):
        colour = COLOURS[index % len(COLOURS)]
        _draw_law(axes, curve, colour, "" if alone else name)
        _draw_points(axes, curve, "black" if alone else colour, legend=alone)
    for (source, points), marker in zip(_by_source(picture.literature).items(), cycle(_MARKERS)):
        axes.errorbar(
            [point.pressure_gpa for point in points],
            [point.temperature_k for point in points],
            bars([point.temperature_k for point in points], [_of_literature(point) for point in points]),
            fmt=marker,
            color="0.45",
            fillstyle="none",
            capsize=2,
            label=source,
        )
    intervals = [each for curve in picture.curves for each in intervals_in(curve)]
    say_lacking(axes, [*intervals, *map(_of_literature, picture.literature)])
    axes.set(xlabel="pressure in GPa", ylabel="T_m in K, with 95 % intervals", title=names[0] if alone else None)
    axes.legend(fontsize="small")


def _draw_law(axes: Axes, curve: Mapping[str, Any], colour: str, name: str) -> None:
    """Draw the best law of a curve from its first to its last point."""
    pressures = np.array(curve["pressures_gpa"])
    line = np.linspace(pressures.min(), pressures.max(), 200)
    temperatures = [stored_fit(curve).temperature_k(pressure) for pressure in line]
    draw_band(axes, line, temperatures, colour, name or f"{curve['law'].replace('_', '-')}, 95 % band")


def draw_band(
    axes: Axes, places: NDArray[np.float64], values: Sequence[Quantity], colour: str, label: str | None
) -> None:
    """Draw a line of values with the band of their 95 % intervals."""
    middle = np.array([each.value for each in values])
    width = COVERAGE_FACTOR * np.array([each.uncertainty for each in values])
    axes.fill_between(places, middle - width, middle + width, color=colour, alpha=0.2)
    axes.plot(places, middle, color=colour, label=label)


def _draw_points(axes: Axes, curve: Mapping[str, Any], colour: str, legend: bool) -> None:
    """Draw the points of a curve with 95 % intervals, open ones where they are unfinished."""
    draw_valid_and_others(
        axes,
        curve["pressures_gpa"],
        curve["melting_temperatures_k"],
        intervals_in(curve),
        [verdict == "valid" for verdict in curve["verdicts"]],
        markers=("o", "s"),
        labels=("valid", "unfinished") if legend else (None, None),
        colour=colour,
    )


def _of_literature(point: LiteraturePoint) -> Interval | None:
    return Measured(point.temperature_k, point.uncertainty_k).interval_k if point.uncertainty_k else None


def _by_source(points: Sequence[LiteraturePoint]) -> dict[str, list[LiteraturePoint]]:
    found: dict[str, list[LiteraturePoint]] = {}
    for point in points:
        found.setdefault(point.source, []).append(point)
    return found


def law_lines(curve: Mapping[str, Any]) -> list[str]:
    """Return a line of text for each law of a stored curve, and one for a maximum of the one that is taken."""
    lines = []
    for fit in curve["fits"]:
        known = stored_fit(curve, fit["law"])
        numbers = ", ".join(
            f"{name} = {notation(value, u) if (u := fit['uncertainties'][name]) < abs(value) else 'not determined'}"
            for name, value in zip(known.law.names, known.parameters, strict=True)
        )
        taken = " (taken)" if fit["law"] == curve["law"] else ""
        aicc = "-" if fit["aicc"] is None else f"{fit['aicc']:.1f}"
        lines.append(
            f"{fit['law']}{taken}: {numbers}; chi2 = {fit['chi2']:.1f} with {fit['degrees_of_freedom']} degrees of "
            f"freedom, AICc = {aicc}"
        )
        if taken and fit["maximum_gpa"] is not None:
            lines.append(f"T_m passes through a maximum at {fit['maximum_gpa']:.1f} GPa")
    return [*lines, *_crystals(curve)]


def _crystals(curve: Mapping[str, Any]) -> list[str]:
    """Return in words which crystals the points are of, if these are several: a law has no kink where they meet."""
    by_lattice: dict[str, list[str]] = {}
    for lattice, pressure in zip(curve["lattices"], curve["pressures_gpa"], strict=True):
        by_lattice.setdefault(lattice, []).append(f"{pressure:g}")
    if len(by_lattice) < 2:
        return []
    named = "; ".join(f"{lattice} at {', '.join(pressures)} GPa" for lattice, pressures in by_lattice.items())
    return [
        f"the points are of {len(by_lattice)} crystals ({named}): where they meet the curve has a kink, the law none"
    ]
