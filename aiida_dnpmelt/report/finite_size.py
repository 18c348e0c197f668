"""What a finite-size study has to say, as text and as a figure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from aiida.tools.workflows import WorkflowTools

from aiida_dnpmelt.calculations.finite_size import stored_law, stored_line
from aiida_dnpmelt.physics.finite_size import log_scatter
from aiida_dnpmelt.provenance.intervals import intervals_in, with_intervals
from aiida_dnpmelt.report import words
from aiida_dnpmelt.report.bars import draw_valid_and_others, say_lacking
from aiida_dnpmelt.report.figures import COLOURS, new_figure, page_style
from aiida_dnpmelt.report.melting_curve import draw_band

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EQUAL_TIME_PS = 100.0
"""Production at which the uncertainties of cells are compared."""

_DPI = 200


class FiniteSizeTools(WorkflowTools):
    """Reached as ``node.tools`` of the node of a `FiniteSizeWorkChain`."""

    def summary(self) -> str:
        """Return T_m at infinite size, the effect of the size, the laws of the error and the gaps, in a few lines.

        :raises ValueError: if the work chain has no result (yet).
        """
        return study_text(self._study())

    def plot(self) -> Figure:
        """Return a figure of the error over 1/sqrt(N) and of T_m over 1/N; save it by ``savefig``.

        :raises ValueError: if the work chain has no result (yet), or no size has a T_m.
        :raises ImportError: without the extra ``[report]``.
        """
        with page_style():
            return study_figure(self._study())

    def _study(self) -> dict[str, Any]:
        if "finite_size" not in self._node.outputs:
            raise ValueError(f"work chain {self._node.pk} has no result: its state is {self._node.process_state}")
        return with_intervals(self._node.outputs.finite_size)


def study_text(study: Mapping[str, Any]) -> str:
    """Return a finite-size study as text: T_m at infinite size, verdict, reasons, gaps, and the laws of the error."""
    lines = [
        f"{study['element']} ({study['lattice']}) at {study['pressure_gpa']:g} GPa, {study['potential_label']}",
        *_infinite(study),
        f"verdict: {study['verdict']}",
        *(f"  - {reason}" for reason in study["reasons"]),
        *(f"  - no T_m of {gap['atoms']} atoms: {gap['reason']}" for gap in study["gaps"]),
        _law(study, "error_law", "the uncertainty at equal production time"),
        _law(study, "sem_law", "the sem of the last 20 ps between living runs"),
    ]
    return "\n".join(lines)


def _infinite(study: Mapping[str, Any]) -> list[str]:
    """Return T_m at infinite size and what is known of the effect of the size."""
    if study["infinite_temperature_k"] is None:
        return ["no T_m at infinite size"]
    smallest = words.signed(study["size_shifts_k"][0], study["size_shift_uncertainties_k"][0])
    resolved = "is resolved" if study["size_effect_resolved"] else "is not resolved"
    return [
        f"T_m at infinite size = {words.kelvin(study['infinite_temperature_k'], study['infinite_uncertainty_k'])}   "
        f"95 % interval {words.interval(study['interval_low_k'], study['interval_high_k'])}",
        f"an effect of the size {resolved}: {study['atoms'][0]} atoms change T_m by {smallest} K, "
        f"{abs(study['significance']):.1f} standard uncertainties",
        *(f"{_model(study, name)}" for name in ("constant", "line")),
    ]


def _model(study: Mapping[str, Any], name: str) -> str:
    fit = study[name]
    aicc = words.DASH if fit["aicc"] is None else f"{fit['aicc']:.1f}"
    temperature = words.kelvin(fit["temperature_k"], fit["temperature_uncertainty_k"])
    law = "T_m" if name == "constant" else "T_inf of T_inf + b/N"
    return (
        f"{name}: {law} = {temperature}, chi2 = {fit['chi2']:.1f} with {fit['degrees_of_freedom']} degrees of "
        f"freedom, AICc = {aicc}"
    )


def _law(study: Mapping[str, Any], name: str, what: str) -> str:
    """Return a law of the error in words."""
    law = study[name]
    if law is None:
        return f"{what}: too few sizes for a law"
    within = "is within" if law["agrees_with_paper"] else "is not within"
    exponent, low, high = (words.decimals(law[key], 2) for key in ("exponent", "exponent_low", "exponent_high"))
    return f"{what} falls as N^{exponent} (95 % {low} to {high}: the paper's {words.minus('-0.5')} {within})"


def write_study(study: Mapping[str, Any], path: Path) -> None:
    """Write the figure of a finite-size study, by the suffix of the path.

    :raises ValueError: if no size has a T_m.
    :raises ImportError: without the extra ``[report]``.
    """
    with page_style():
        study_figure(study).savefig(path, dpi=_DPI)


def study_figure(study: Mapping[str, Any]) -> Figure:
    """Return the error over 1/sqrt(N) beside T_m over 1/N.

    :raises ValueError: if no size has a T_m.
    """
    if not study["atoms"]:
        raise ValueError("no size of the study has a T_m: there is nothing to draw")
    figure = new_figure(9.4, 3.9)
    error, temperature = figure.subplots(1, 2)
    _draw_errors(error, study)
    _draw_temperatures(temperature, study)
    return figure


def _draw_errors(axes: Axes, study: Mapping[str, Any]) -> None:
    """Draw the published statistic, and the uncertainty that each size would have after the same production."""
    atoms = np.array(study["atoms"], dtype=float)
    scale = EQUAL_TIME_PS**-0.5
    measured = np.array([sem is not None for sem in study["window_sems_k"]])
    if measured.any():
        sems = np.array(study["window_sems_k"])[measured].astype(float)
        spread = np.exp(log_scatter(np.array(study["window_runs"])[measured] - 1.0))
        scatter = np.array([sems - sems / spread, sems * spread - sems])
        label = "sem of the last 20 ps, living runs, with one standard deviation of its scatter"
        axes.errorbar(atoms[measured] ** -0.5, sems, scatter, fmt="o", color=COLOURS[1], capsize=2, label=label)
    label = f"uncertainty at {EQUAL_TIME_PS:g} ps of production"
    axes.plot(atoms**-0.5, scale * np.array(study["errors_k_ps05"]), "s", color=COLOURS[0], label=label)
    for name, factor, colour in (("sem_law", 1.0, COLOURS[1]), ("error_law", scale, COLOURS[0])):
        if study[name] is not None:
            _draw_law(axes, study, name, factor, colour)
    axes.set(xlabel="1/√N", ylabel="error of T_m in K", title="Error over the size")
    axes.set(xlim=(0, None), ylim=(0, None))
    axes.legend(fontsize="small")


def _draw_law(axes: Axes, study: Mapping[str, Any], name: str, factor: float, colour: str) -> None:
    """Draw a law as it was fitted, and with the exponent -1/2."""
    law = stored_law(study, name)
    most, least = max(study[name]["atoms"]), min(study[name]["atoms"])
    line = np.linspace((4.0 * most) ** -0.5, float(least) ** -0.5, 200)
    fitted = [factor * law.error(root**-2) for root in line]
    axes.plot(line, fitted, color=colour, label=f"N^{words.decimals(law.exponent.value, 2)}, fitted")
    straight = np.array([0.0, float(least) ** -0.5])
    axes.plot(straight, factor * law.prefactor.value * straight, color=colour, linestyle=":", label="N^−0.5, fitted")


def _draw_temperatures(axes: Axes, study: Mapping[str, Any]) -> None:
    """Draw T_m with 95 % intervals, and the line with its 95 % band down to infinite size."""
    places = 1000 / np.array(study["atoms"], dtype=float)
    if study["line"] is not None:
        fit = stored_line(study)
        line = np.linspace(0, 1.05 * places.max(), 200)
        values = [fit.temperature_k(1000 / place if place else np.inf) for place in line]
        draw_band(axes, line, values, COLOURS[0], "T_inf + b/N, 95 % band")
        axes.axhline(study["constant"]["temperature_k"], color="0.5", linestyle=":", label="constant")
    draw_valid_and_others(
        axes,
        places.tolist(),
        study["melting_temperatures_k"],
        intervals_in(study),
        [verdict == "valid" for verdict in study["verdicts"]],
        markers=("o", "o"),
        labels=("valid", "unfinished"),
        colour="black",
    )
    say_lacking(axes, intervals_in(study))
    axes.set(
        xlabel="1000/N", ylabel="T_m in K, with 95 % intervals", title=f"{study['element']}, {study['potential_label']}"
    )
    axes.set(xlim=(0, None))
    axes.legend(fontsize="small")
