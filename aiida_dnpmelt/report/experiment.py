"""Melting temperatures beside experiment: errors, their means by lattice, and the figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiida_dnpmelt.data.elements import elements
from aiida_dnpmelt.physics.reference_errors import MeanErrors, mean_errors
from aiida_dnpmelt.provenance.ambient import AmbientPoint
from aiida_dnpmelt.report.bars import draw_valid_and_others, say_lacking
from aiida_dnpmelt.report.figures import COLOURS, diagonal, label_points, new_figure, page_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LATTICES = ("fcc", "bcc", "hcp", "diamond", "other")
"""Lattices in the order in which they are shown, each with a colour and a marker of its own."""
MARKERS = dict(zip(LATTICES, "osD^v", strict=True))
ALL = "all"
_DPI = 200


@dataclass(frozen=True)
class Comparison:
    """A melting temperature and that of experiment, in K.

    :param melts_from: lattice from which the element melts in reality.
    """

    point: AmbientPoint
    experiment_k: float
    melts_from: str

    @property
    def error_k(self) -> float:
        """Return T_m less that of experiment in K."""
        return self.point.melting_temperature_k - self.experiment_k

    @property
    def error_percent(self) -> float:
        """Return the same in percent of experiment."""
        return 100 * self.error_k / self.experiment_k


def compare(points: Iterable[AmbientPoint]) -> list[Comparison]:
    """Return the melting temperatures of elements that the table has, beside those of experiment."""
    known = elements()
    return [
        Comparison(point, known[point.element].melting_temperature, known[point.element].melting_lattice)
        for point in points
        if point.element in known
    ]


def by_lattice(comparisons: Sequence[Comparison]) -> dict[str, MeanErrors]:
    """Return the mean errors by lattice, and of `all` at the end."""
    chosen = {name: [each for each in comparisons if name in (ALL, each.point.lattice)] for name in (*LATTICES, ALL)}
    return {
        name: mean_errors([each.point.melting_temperature_k for each in some], [each.experiment_k for each in some])
        for name, some in chosen.items()
        if some
    }


def write_experiment(comparisons: Sequence[Comparison], path: Path) -> None:
    """Write the figure, by the suffix of the path.

    :raises ImportError: without the extra ``[report]``.
    """
    with page_style():
        experiment_figure(comparisons).savefig(path, dpi=_DPI)


def experiment_figure(comparisons: Sequence[Comparison]) -> Figure:
    """Return T_m over that of experiment with 95 % intervals, by lattice; open if it is unfinished."""
    figure = new_figure(5.2, 5.0)
    axes = figure.subplots()
    means = by_lattice(comparisons)
    for lattice, colour in zip(LATTICES, COLOURS, strict=False):
        some = [each for each in comparisons if each.point.lattice == lattice]
        if some:
            title = f"{lattice}, mean error {means[lattice].mean_absolute_percent:.1f} %"
            draw_valid_and_others(
                axes,
                [each.experiment_k for each in some],
                [each.point.melting_temperature_k for each in some],
                [each.point.interval_k for each in some],
                [each.point.verdict == "valid" for each in some],
                markers=(MARKERS[lattice],) * 2,
                labels=(title, f"{lattice}, unfinished"),
                colour=colour,
            )
    say_lacking(axes, [each.point.interval_k for each in comparisons])
    diagonal(axes)
    label_points(
        axes, [(each.point.element, each.experiment_k, each.point.melting_temperature_k) for each in comparisons]
    )
    axes.set(xlabel="T_m of experiment in K", ylabel="T_m in K, with 95 % intervals")
    axes.legend(fontsize="small", loc="upper left")
    return figure
