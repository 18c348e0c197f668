"""What a model says of labelled frames beside their labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_dnpmelt.physics.ordering import by_number
from aiida_dnpmelt.report.figures import COLOURS, diagonal, new_figure, page_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aiida_dnpmelt.physics.frames import LabelledFrames

_DPI = 200


def write_parity(job: Any, path: Path) -> None:
    """Write the figure of a `DeepmdTestCalculation` as SVG, PNG or PDF, by the suffix of the path.

    :raises ImportError: without the extra ``[report]``.
    """
    given, said = job.inputs.frames, job.outputs.frames
    sets = {name: (given[name].phase, given[name].frames, said[name].frames) for name in sorted(said, key=by_number)}
    with page_style():
        parity_figure(job.inputs.potential.label, sets).savefig(path, dpi=_DPI)


def parity_figure(model: str, sets: Mapping[str, tuple[str, LabelledFrames, LabelledFrames]]) -> Figure:
    """Return energies, forces and virials of a model over the labels, a colour for each phase.

    Energies are those above the mean label of their set: sets of other cells lie elsewhere.

    :param sets: phase, labels and what the model says, by the name of the set.
    """
    figure = new_figure(9.6, 3.4)
    energy, force, virial = figure.subplots(1, 3)
    phases = list(dict.fromkeys(phase for phase, _, _ in sets.values()))
    for colour, phase in zip(COLOURS, phases, strict=False):
        pairs = [(labels, said) for of, labels, said in sets.values() if of == phase]
        style: dict[str, Any] = {"color": colour, "linestyle": "", "marker": ".", "alpha": 0.5, "rasterized": True}
        frames = sum(len(labels) for labels, _ in pairs)
        for number, (labels, said) in enumerate(pairs):
            mean, atoms = labels.energies_per_atom_ev.mean(), len(labels.symbols)
            name = {"label": f"{phase}, {frames} frames"} if not number else {}
            energies = [1000 * (each.energies_per_atom_ev - mean) for each in (labels, said)]
            energy.plot(*energies, **{**style, "alpha": 0.9}, **name)
            forces = [np.ravel(each.forces_ev_per_angstrom) for each in (labels, said)]
            force.plot(*forces, markersize=1.5, **style)
            virials = [1000 * np.ravel(each.virials_ev) / atoms for each in (labels, said)]
            virial.plot(*virials, markersize=2.5, **style)
    for axes, what, unit in (
        (energy, "energy above the mean of its set", "meV/atom"),
        (force, "force, components", "eV/Å"),
        (virial, "virial, components", "meV/atom"),
    ):
        diagonal(axes)
        axes.set(title=what, xlabel=f"label, {unit}", ylabel=f"{model}, {unit}")
    energy.legend(fontsize="small", loc="upper left")
    return figure
