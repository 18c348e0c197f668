"""Figures for plotly: points with their 95 % intervals, lines and bands. Colours of text and grid are the page's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiida_dnpmelt.provenance.intervals import Interval
from aiida_dnpmelt.report.bars import bars
from aiida_dnpmelt.report.figures import COLOURS

_NO_BAR = "none"
"""Length of a bar that is not drawn: plotly takes an empty one for zero, and draws that."""
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross")


@dataclass(frozen=True)
class Spot:
    """A point of a chart.

    :param interval: its 95 % interval, which is drawn; None if it is not known.
    :param text: what is said of it.
    :param url: page that it leads to.
    :param good: drawn full; open otherwise.
    :param label: what is written beside it.
    """

    x: float
    y: float
    interval: Interval | None
    text: str
    url: str
    good: bool
    label: str = ""


def spots(name: str, points: Sequence[Spot], index: int) -> dict[str, Any]:
    """Return points of one kind; the index says their colour and symbol."""
    symbol = SYMBOLS[(index // len(COLOURS) + index) % len(SYMBOLS)]
    below, above = bars([point.y for point in points], [point.interval for point in points])
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": name,
        "x": [point.x for point in points],
        "y": [point.y for point in points],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [_NO_BAR if np.isnan(length) else length for length in above.tolist()],
            "arrayminus": [_NO_BAR if np.isnan(length) else length for length in below.tolist()],
            "thickness": 1.2,
            "width": 3,
        },
        "text": [point.label for point in points],
        "textposition": "top left",
        "hovertext": [point.text for point in points],
        "customdata": [point.url for point in points],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": {
            "color": COLOURS[index % len(COLOURS)],
            "size": 8,
            "symbol": [symbol if point.good else f"{symbol}-open" for point in points],
        },
    }


def line(x: Sequence[float], y: Sequence[float], colour: str, name: str | None = None) -> dict[str, Any]:
    """Return a line, in the legend if it has a name."""
    shown = {"name": name, "showlegend": True} if name else {"showlegend": False}
    style = {"color": colour, "width": 1.5}
    return {"type": "scatter", "mode": "lines", "x": list(x), "y": list(y), "line": style, "hoverinfo": "skip", **shown}


def band(x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str) -> dict[str, Any]:
    """Return the area between two lines."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [*x, *reversed(x)],
        "y": [*high, *reversed(low)],
        "fill": "toself",
        "fillcolor": f"rgba({red},{green},{blue},0.15)",
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def figure(traces: Sequence[Mapping[str, Any]], x: str, y: str) -> dict[str, Any]:
    """Return a figure with the titles of its axes."""
    axis = {"zeroline": False, "ticks": "outside", "automargin": True, "exponentformat": "none"}
    return {
        "data": list(traces),
        "layout": {
            "xaxis": {**axis, "title": {"text": x}},
            "yaxis": {**axis, "title": {"text": y}, "separatethousands": False},
            "hovermode": "closest",
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
            "margin": {"t": 20, "r": 20},
            "separators": ".",
        },
    }
