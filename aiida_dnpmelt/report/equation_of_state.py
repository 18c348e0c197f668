"""The figure of equations of state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_dnpmelt.physics.equation_of_state import EquationOfState
from aiida_dnpmelt.report.figures import COLOURS, new_figure, page_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 200


def write_equations(properties: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the figure of equations of state, by the suffix of the path.

    :raises ValueError: if none of the properties has one.
    :raises ImportError: without the extra ``[report]``.
    """
    if not any(each["eos_energies_ev"] for each in properties):
        raise ValueError("there is no equation of state to draw: it was not computed")
    with page_style():
        equations_figure(properties).savefig(path, dpi=_DPI)


def equations_figure(properties: Sequence[Mapping[str, Any]]) -> Figure:
    """Return energies over volume, each above the lowest of its own, and the equations through them."""
    figure = new_figure(5.6, 4.0)
    axes = figure.subplots()
    for values, colour, marker in zip(properties, COLOURS, "osD^vx", strict=False):
        if not values["eos_energies_ev"]:
            continue
        volumes, energies = np.array(values["eos_volumes_angstrom3"]), np.array(values["eos_energies_ev"])
        lowest = energies.min() if values["eos_energy_ev"] is None else values["eos_energy_ev"]
        label = values["potential_label"]
        if values["eos_energy_ev"] is not None:
            equation = _equation(values)
            line = np.linspace(volumes.min(), volumes.max(), 200)
            axes.plot(line, 1000 * (equation.energy(line) - lowest), color=colour)
            label += f": V = {equation.volume_angstrom3:.3f} Å³, B = {equation.bulk_modulus_gpa:.1f} GPa"
        axes.plot(volumes, 1000 * (energies - lowest), marker, color=colour, label=label)
    first = properties[0]
    axes.set(
        xlabel="volume in Å³ an atom",
        ylabel="energy above the lowest in meV an atom",
        title=f"{first['element']} ({first['lattice']}), equation of Birch and Murnaghan",
    )
    axes.legend(fontsize="small")
    return figure


def _equation(values: Mapping[str, Any]) -> EquationOfState:
    return EquationOfState(
        energy_ev=values["eos_energy_ev"],
        volume_angstrom3=values["eos_volume_angstrom3"],
        bulk_modulus_gpa=values["bulk_modulus_gpa"],
        derivative=values["bulk_modulus_derivative"],
        residual_ev=values["eos_residual_ev"],
    )
