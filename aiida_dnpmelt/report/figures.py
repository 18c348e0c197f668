"""Figures made from nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiida_dnpmelt.physics.order import SOLID_THRESHOLD
from aiida_dnpmelt.physics.run import CoexistenceRun

SHORTEST_PS = 3.0
"""Length below which a run has too few bins of 1 ps to draw."""

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def coexistence_figure(
    runs: Mapping[str, CoexistenceRun], temperature_k: float | None, interval_k: tuple[float, float] | None
) -> Figure:
    """Return temperature and solid fraction over time, and the order along z at the end, of runs by label.

    :param temperature_k: T_m in K, drawn as a line.
    :param interval_k: its 95 % interval in K, drawn as a band.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
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
    axes.legend(ncols=4, fontsize="small")
