"""Figures of adaptive learning, made from plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Literal

import numpy as np

from aiida_dnpmelt.physics.ordering import by_number
from aiida_dnpmelt.report.bars import bars, say_lacking
from aiida_dnpmelt.report.figures import COLOURS, diagonal, new_figure
from aiida_dnpmelt.report.held_out import Parity
from aiida_dnpmelt.report.learned import Calibration, Curve, Deviation, Shift, Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORCE = "eV/Å"
_PANEL = 3.0  # inches


def curves_figure(curves: Sequence[Curve]) -> Figure:
    """Return the rms errors of the forces along all trainings, one after the other."""
    figure = new_figure(9, 3.4)
    axes = figure.subplots()
    colours = dict(zip(sorted({curve.model for curve in curves}, key=by_number), COLOURS * len(curves), strict=False))
    begin = 0.0
    for iteration, group in groupby(curves, key=lambda curve: curve.iteration):
        members = list(group)
        axes.axvline(begin, color="0.8", linewidth=0.8)
        axes.annotate(
            f" {iteration}", (begin, 1), xycoords=("data", "axes fraction"), va="top", color="0.4", fontsize="small"
        )
        for curve in members:
            for values, style, part in ((curve.training, ":", "training"), (curve.validation, "-", "validation")):
                if values is not None:
                    first = iteration == curves[0].iteration
                    label = f"{curve.model}, {part}" if first else None
                    axes.plot(begin + curve.step, values, style, color=colours[curve.model], label=label, linewidth=1)
        begin += max(float(curve.step[-1]) for curve in members if len(curve.step))
    axes.set(xlabel="steps of all trainings; an iteration begins at each line", ylabel=f"rms force error in {FORCE}")
    _logarithmic(axes, "y")
    axes.legend(ncols=3, fontsize="small")
    return figure


def deviations_figure(deviations: Sequence[Deviation], windows: Sequence[Window]) -> Figure:
    """Return the deviations by iteration, a panel for each run, with the thresholds of each iteration."""
    runs = sorted({each.run for each in deviations}, key=by_number)
    temperatures = sorted({each.temperature_k for each in deviations})
    colours = dict(zip(temperatures, _heat(len(temperatures)), strict=True))
    figure = new_figure(9, 3.4)
    panels = figure.subplots(1, len(runs), sharey=True, squeeze=False)[0]
    for axes, run in zip(panels, runs, strict=True):
        _draw_window(axes, windows)
        for temperature in temperatures:
            members = [each for each in deviations if (each.run, each.temperature_k) == (run, temperature)]
            numbers = [each.iteration for each in members]
            quantiles = [np.nan if each.quantile_95 is None else each.quantile_95 for each in members]
            largest = [np.nan if each.largest is None else each.largest for each in members]
            if members:
                axes.plot(numbers, quantiles, "o-", color=colours[temperature], label=f"{temperature:.0f} K")
                axes.plot(numbers, largest, "^", color=colours[temperature], fillstyle="none")
        axes.set(title=run, xlabel="iteration", xticks=[window.iteration for window in windows])
        axes.legend(fontsize="small")
        _logarithmic(axes, "y")
    panels[0].set_ylabel(f"largest force deviation in a frame, {FORCE}")
    return figure


def calibration_figure(calibrations: Sequence[Calibration]) -> Figure:
    """Return the error of each atom over its deviation for the last calibration, and the mean course of all."""
    figure = new_figure(9, 3.8)
    atoms, course = figure.subplots(1, 2)
    last = calibrations[-1]
    atoms.plot(last.deviation, last.error, ".", markersize=2, alpha=0.3, rasterized=True)
    atoms.set(title=f"atoms, {_named(last.name)}")
    for colour, each in zip(_heat(len(calibrations)), calibrations, strict=True):
        numbers = each.numbers
        course.plot(
            numbers["bin_deviation_ev_per_angstrom"],
            numbers["bin_error_ev_per_angstrom"],
            "o-",
            color=colour,
            label=_named(each.name),
        )
    course.set(title="rms in bins of equally many atoms")
    for axes in (atoms, course):
        axes.set(xlabel=f"deviation in {FORCE}", ylabel=f"error of a model in {FORCE}")
        _logarithmic(axes, "x", "y")
        ratio = last.numbers["ratio_if_independent"]
        ends = np.array(axes.get_xlim())
        axes.plot(ends, ratio * ends, color="black", linewidth=0.8, label="if errors were independent")
        axes.set_xlim(ends)
    course.legend(fontsize="small")
    return figure


def parity_figure(parities: Sequence[Parity]) -> Figure:
    """Return forces and energies of the models over those of the teacher, a column for each phase."""
    figure = new_figure(_PANEL * max(2, len(parities)) + 0.6, 2 * _PANEL)
    panels = figure.subplots(2, len(parities), squeeze=False)
    for column, each in enumerate(parities):
        forces, energies = panels[:, column]
        for colour, model in zip(COLOURS * len(each.force_by_model), each.force_by_model, strict=False):
            forces.plot(
                each.force, each.force_by_model[model], ".", markersize=1.5, alpha=0.4, color=colour, rasterized=True
            )
            energies.plot(each.energy, each.energy_by_model[model], ".", markersize=5, color=colour, label=model)
        forces.set(title=f"{each.phase}, {each.frames} frames", xlabel=f"teacher's force, {FORCE}")
        energies.set(xlabel="teacher's energy, meV/atom")
        for axes in (forces, energies):
            diagonal(axes)
    panels[0, 0].set_ylabel(f"model's force, {FORCE}")
    panels[1, 0].set_ylabel("model's energy, meV/atom")
    panels[1, 0].legend(fontsize="small")
    return figure


def shifts_figure(shifts: Sequence[Shift], target_k: float | None) -> Figure:
    """Return the predicted shift of T_m of each model by iteration, with 95 % intervals, and the target."""
    figure = new_figure(9, 3.0)
    axes = figure.subplots()
    models = sorted({model for shift in shifts for model in shift.by_model}, key=by_number)
    if target_k is not None:
        axes.axhspan(-target_k, target_k, color="0.92", label=f"target: within {target_k:g} K")
    axes.axhline(0, color="0.5", linewidth=0.8)
    for index, (colour, model) in enumerate(zip(COLOURS * len(models), models, strict=False)):
        known = [(place, shift.by_model[model]) for place, shift in enumerate(shifts) if model in shift.by_model]
        places = [place + 0.12 * (index - (len(models) - 1) / 2) for place, _ in known]
        values = [value for _, (value, _) in known]
        intervals = [shift.intervals_k.get(model) for shift in shifts if model in shift.by_model]
        axes.errorbar(places, values, bars(values, intervals), fmt="o", color=colour, capsize=2, label=model)
    say_lacking(axes, [shift.intervals_k.get(model) for shift in shifts for model in shift.by_model])
    axes.set_xticks(range(len(shifts)), [_named(shift.name) for shift in shifts])
    axes.set(ylabel="predicted shift of T_m in K")
    axes.set_xlim(-0.5, len(shifts) - 0.5)
    axes.legend(ncols=4, fontsize="small")
    return figure


def _draw_window(axes: Axes, windows: Sequence[Window]) -> None:
    """Draw the window in which frames are chosen, and the threshold of convergence; they may change."""
    edges = np.array([window.iteration - 0.5 for window in windows] + [windows[-1].iteration + 0.5])
    lower, upper, converged = (
        np.array([getattr(window, name) for window in windows] + [getattr(windows[-1], name)])
        for name in ("lower", "upper", "converged")
    )
    axes.fill_between(edges, lower, upper, step="post", color="0.94")
    axes.step(edges, converged, where="post", color="black", linewidth=1, linestyle="--")


def _logarithmic(axes: Axes, *names: Literal["x", "y"]) -> None:
    """Have axes in decades, with plain numbers at 1, 2 and 5: those of matplotlib are formulas."""
    from matplotlib.ticker import LogLocator, NullLocator

    for name in names:
        axes.set(**{f"{name}scale": "log"})
        axis = axes.xaxis if name == "x" else axes.yaxis
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_locator(NullLocator())


def _named(name: str) -> str:
    return f"iteration {name}" if name.isdigit() else name


def _heat(number: int) -> list[tuple[float, float, float, float]]:
    """Return colours from cold to hot that differ in lightness, too."""
    from matplotlib import colormaps

    return [tuple(colormaps["plasma"](place)) for place in np.linspace(0.0, 0.75, number)]
