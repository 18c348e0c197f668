"""Figures made from nodes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiida_dnpmelt.physics.error_budget import Measured
from aiida_dnpmelt.physics.order import SOLID_THRESHOLD
from aiida_dnpmelt.physics.run import CoexistenceRun
from aiida_dnpmelt.provenance.intervals import Interval
from aiida_dnpmelt.report.bars import lacking

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours that differ for all kinds of colour vision (M. Okabe and K. Ito)."""

SHORTEST_PS = 3.0
"""Length below which a run has too few bins of 1 ps to draw."""

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Temperature:
    """A line of the figure of temperatures: a name, a temperature, and how it is drawn (``model`` or ``mean``).

    :param interval_k: its 95 % interval, None if it is not on record.
    """

    name: str
    measured: Measured
    kind: str = "model"
    interval_k: Interval | None = None


@contextmanager
def page_style() -> Iterator[None]:
    """Have figures made in a style of their own, whatever the user's is, and the same bytes each time."""
    from cycler import cycler
    from matplotlib.style import context

    style: dict[str, Any] = {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=COLOURS),
        "legend.frameon": False,
        "lines.markersize": 4,
        "svg.hashsalt": "aiida-dnpmelt",
        "text.parse_math": False,
        "text.usetex": False,
    }
    with context(["default", style]):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def diagonal(axes: Axes) -> None:
    """Give both axes the same limits, and draw the line on which they are equal."""
    low = min(axes.get_xlim()[0], axes.get_ylim()[0])
    high = max(axes.get_xlim()[1], axes.get_ylim()[1])
    axes.plot([low, high], [low, high], color="black", linewidth=0.6)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")


def label_points(axes: Axes, points: Iterable[tuple[str, float, float]]) -> None:
    """Write a name beside each of its points, given as name, x and y, where there is room; once if they share x.

    The limits of the axes must be final.
    """
    highest: dict[tuple[str, float], float] = {}
    taken = []
    for name, x, y in sorted(points):
        highest[name, x] = max(highest.get((name, x), y), y)
        taken.append((*_in_points(axes, x, y), 6.0))
    for (name, x), y in sorted(highest.items(), key=lambda item: item[0][1]):
        place = _in_points(axes, x, y)
        free = [
            offset
            for offset in _LABEL_OFFSETS
            if all(_apart(place, offset, name, (other_x, other_y), width) for other_x, other_y, width in taken)
        ]
        offset = free[0] if free else _LABEL_OFFSETS[0]
        taken.append((place[0] + offset[0], place[1] + offset[1], _label_width(name)))
        axes.annotate(
            name, (x, y), xytext=offset, textcoords="offset points", fontsize="small", ha="center", va="center"
        )


_LABEL_OFFSETS = tuple(
    (round(distance * math.cos(angle), 1), round(distance * math.sin(angle), 1))
    for distance in (12, 18, 24)
    for angle in (-0.6, 2.5, 0.0, math.pi, -1.57, 1.57, 0.6, -2.5)
)
"""Where the middle of a name may be from its point, in points: at the right below, around it, then further out."""
_LABEL_HEIGHT = 9.0


def _label_width(name: str) -> float:
    return 6.5 * len(name)


def _in_points(axes: Axes, x: float, y: float) -> tuple[float, float]:
    """Return a place in points from the lower left corner of the axes, about: the layout is not known yet."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    whole = axes.get_window_extent()
    scale = 72 / axes.figure.dpi
    return scale * whole.width * (x - left) / (right - left), scale * whole.height * (y - low) / (high - low)


def _apart(
    place: tuple[float, float], offset: tuple[float, float], name: str, other: tuple[float, float], width: float
) -> bool:
    """Tell whether a name beside a place is apart from another one, or from a point, of a width in points."""
    beside = abs(place[0] + offset[0] - other[0]) > (_label_width(name) + width) / 2
    above = abs(place[1] + offset[1] - other[1]) > (_LABEL_HEIGHT + min(width, _LABEL_HEIGHT)) / 2
    return beside or above


def temperatures_figure(temperatures: Sequence[Temperature]) -> Figure:
    """Return temperatures with their 95 % intervals, a line each, from top to bottom."""
    figure = new_figure(9, 0.8 + 0.3 * len(temperatures))
    axes = figure.subplots()
    for place, each in enumerate(temperatures):
        colour, width = ("0.45", 1.2) if each.kind == "model" else (COLOURS[0], 2.4)
        if each.interval_k is not None:
            axes.plot(each.interval_k, [place, place], color=colour, linewidth=width)
        axes.plot([each.measured.value_k], [place], "o", color=colour, markersize=5)
    axes.set_yticks(range(len(temperatures)), [each.name for each in temperatures])
    axes.invert_yaxis()
    axes.grid(axis="x", color="0.9")
    note = lacking([each.interval_k for each in temperatures])
    axes.set(xlabel=f"T_m in K, with 95 % intervals{note and f' ({note})'}")
    axes.margins(y=0.1)
    return figure


def coexistence_figure(
    runs: Mapping[str, CoexistenceRun], temperature_k: float | None, interval_k: tuple[float, float] | None
) -> Figure:
    """Return temperature and solid fraction over time, and the order along z at the end, of runs by label.

    :param temperature_k: T_m in K, drawn as a line.
    :param interval_k: its 95 % interval in K, drawn as a band.
    """
    figure = new_figure(9, 4.8)
    axes = figure.subplot_mosaic([["temperature", "temperature"], ["fraction", "profile"]])
    _draw_temperature(axes["temperature"], runs, temperature_k, interval_k)
    for label, run in runs.items():
        axes["fraction"].plot(run.frame_time_ps, run.solid_fraction, label=label)
        if len(run.order_profile):
            slabs = run.order_profile.shape[1]
            place = [(index + 0.5) / slabs for index in range(slabs)]
            axes["profile"].plot(place, run.order_profile[-1])
    axes["fraction"].set(xlabel="time in ps", ylabel="solid fraction", ylim=(0, 1))
    axes["profile"].axhline(SOLID_THRESHOLD, color="grey", linestyle=":")
    axes["profile"].set(xlabel="z / length of the cell", ylabel="averaged q6, last frame")
    return figure


def _draw_temperature(
    axes: Axes,
    runs: Mapping[str, CoexistenceRun],
    temperature_k: float | None,
    interval_k: tuple[float, float] | None,
) -> None:
    from aiida_dnpmelt.physics.estimate import bin_series

    for label, run in runs.items():
        if run.length_ps < SHORTEST_PS:
            continue
        series = bin_series(run.time_ps, run.temperature_k)
        axes.plot(series.time_ps, series.temperature_k, label=label, linewidth=1)
    if interval_k is not None:
        axes.axhspan(*interval_k, color="black", alpha=0.12, label="95 % interval")
    if temperature_k is not None:
        axes.axhline(temperature_k, color="black", label=f"T_m = {temperature_k:.0f} K")
    axes.set(xlabel="time in ps", ylabel="temperature in K, bins of 1 ps")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(ncols=4, fontsize="small")
