"""Error bars that are the 95 % intervals of results, and what is said of points that have none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiida_dnpmelt.provenance.intervals import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def bars(values: Sequence[float], intervals: Sequence[Interval | None]) -> NDArray[np.float64]:
    """Return the lengths of error bars below and above values, shape (2, n); not a number is no bar."""
    bounds = np.array([each or (np.nan, np.nan) for each in intervals], dtype=float).reshape(-1, 2)
    middle = np.asarray(values, dtype=float)
    # A value may lie outside of an interval that somebody made by hand: matplotlib takes no negative length.
    return np.maximum([middle - bounds[:, 0], bounds[:, 1] - middle], 0.0)


def lacking(intervals: Sequence[Interval | None]) -> str:
    """Return what is to be said of points without a bar, nothing if each has one."""
    number = sum(each is None for each in intervals)
    return f"{number} without a bar: no interval on record" if number else ""


def draw_valid_and_others(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    intervals: Sequence[Interval | None],
    valid: Sequence[bool],
    *,
    markers: tuple[str, str],
    labels: tuple[str | None, str | None],
    colour: str,
) -> None:
    """Draw points with their 95 % intervals, full where they are valid, and open in a kind of their own otherwise."""
    lengths = bars(y, intervals)
    for good, marker, label, fill in zip((True, False), markers, labels, ("full", "none"), strict=True):
        chosen = np.array(valid, dtype=bool) == good
        if chosen.any():
            style: dict[str, Any] = {"fmt": marker, "color": colour, "fillstyle": fill, "capsize": 2, "label": label}
            axes.errorbar(np.asarray(x)[chosen], np.asarray(y)[chosen], lengths[:, chosen], **style)


def say_lacking(axes: Axes, intervals: Sequence[Interval | None]) -> None:
    """Say in the legend of axes how many points have no bar."""
    if words := lacking(intervals):
        axes.plot([], [], " ", label=words)
