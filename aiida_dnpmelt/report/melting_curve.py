"""The figure of a melting curve."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_dnpmelt.calculations.melting_curve import stored_fit
from aiida_dnpmelt.report.figures import COLOURS, new_figure, page_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 200


def write_curve(curve: Mapping[str, Any], path: Path) -> None:
    """Write the figure of a melting curve, by the suffix of the path.

    :raises ImportError: without the extra ``[report]``.
    """
    with page_style():
        curve_figure(curve).savefig(path, dpi=_DPI)


def curve_figure(curve: Mapping[str, Any]) -> Figure:
    """Return points with their 95 % intervals, and the best law with its 95 % band."""
    figure = new_figure(5.6, 4.0)
    draw_curve(figure.subplots(), curve)
    return figure


def draw_curve(axes: Axes, curve: Mapping[str, Any]) -> None:
    """Draw points with their 95 % intervals, and the best law with its 95 % band."""
    pressures = np.array(curve["pressures_gpa"])
    line = np.linspace(pressures.min(), pressures.max(), 200)
    fit = stored_fit(curve)
    values = [fit.temperature_k(pressure) for pressure in line]
    middle = np.array([each.value for each in values])
    width = 1.96 * np.array([each.uncertainty for each in values])
    axes.fill_between(line, middle - width, middle + width, color=COLOURS[0], alpha=0.2, label="95 % band")
    axes.plot(line, middle, color=COLOURS[0], label=curve["law"].replace("_", "-"))
    bars = 1.96 * np.array(curve["standard_uncertainties_k"])
    temperatures = np.array(curve["melting_temperatures_k"])
    for good, marker in ((True, "o"), (False, "s")):
        chosen = np.array([(verdict == "valid") == good for verdict in curve["verdicts"]])
        if chosen.any():
            axes.errorbar(
                pressures[chosen],
                temperatures[chosen],
                bars[chosen],
                fmt=marker,
                color="black",
                fillstyle="full" if good else "none",
                capsize=2,
                label="valid" if good else "unfinished",
            )
    axes.set(xlabel="pressure in GPa", ylabel="T_m in K", title=f"{curve['element']}, {curve['potential_label']}")
    axes.legend(fontsize="small")
