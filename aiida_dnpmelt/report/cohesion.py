"""Melting temperatures over cohesive energies: the relation of each, refits, and the figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_dnpmelt.calculations.cohesion import EVERY_GROUP
from aiida_dnpmelt.data.elements import elements
from aiida_dnpmelt.physics.cohesion import PRINTED, Relation, melting_temperature_k, relation_of
from aiida_dnpmelt.provenance.ambient import AmbientPoint
from aiida_dnpmelt.report.bars import draw_valid_and_others, say_lacking
from aiida_dnpmelt.report.figures import COLOURS, label_points, new_figure, page_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 200
_ALL_COLOUR = "black"


@dataclass(frozen=True)
class CohesivePoint:
    """A melting temperature and a cohesive energy.

    :param group: of the table of the elements.
    :param energy_ev: cohesive energy in eV/atom.
    :param source: ``experiment``, or ``potential`` with the PKs of the nodes of the energies.
    :param relation_k: T_m in K by the relation of the energy.
    """

    point: AmbientPoint
    group: str
    energy_ev: float
    source: str
    relation_k: float

    @property
    def off_percent(self) -> float:
        """Return the T_m of the relation less the computed one, in percent of the latter."""
        return 100 * (self.relation_k / self.point.melting_temperature_k - 1)


@dataclass(frozen=True)
class Picture:
    """What the figure shows.

    :param relation: ``corrected``, ``as_printed`` or ``all``, see `aiida_dnpmelt.physics.cohesion`.
    :param refits: dictionaries of `refit_relation` by group.
    """

    points: Sequence[CohesivePoint]
    relation: str
    refits: Mapping[str, Mapping[str, Any]]


def cohesive_point(point: AmbientPoint, energies: Sequence[Any], relation: str) -> CohesivePoint:
    """Return a melting temperature with the cohesive energy of its potentials, or with that of experiment.

    :param energies: nodes of the cohesive energies of its potentials, none if they are not known.
    :raises ValueError: for an element that the table does not have, or an energy out of range.
    """
    entry = elements()[point.element]
    value, source = entry.cohesive_energy, "experiment"
    if energies:
        value = sum(node["cohesive_energy_ev"] for node in energies) / len(energies)
        source = f"potential, {' '.join(str(node.pk) for node in energies)}"
    return CohesivePoint(point, entry.group, value, source, melting_temperature_k(value, entry.group, relation))


def write_cohesion(picture: Picture, path: Path) -> None:
    """Write the figure, by the suffix of the path.

    :raises ImportError: without the extra ``[report]``.
    """
    with page_style():
        cohesion_figure(picture).savefig(path, dpi=_DPI)


def cohesion_figure(picture: Picture) -> Figure:
    """Return T_m over cohesive energy by group with 95 % intervals, the relations, and experiment in grey."""
    figure = new_figure(6.2, 4.6)
    axes = figure.subplots()
    experiment = [(each.cohesive_energy, each.melting_temperature) for each in elements().values()]
    axes.plot(*zip(*experiment, strict=True), "+", color="0.7", label="experiment", zorder=0)
    colours = dict(zip(PRINTED, COLOURS, strict=False))
    for group, colour in colours.items():
        some = [each for each in picture.points if each.group == group]
        if some:
            _draw_group(axes, group, colour, some)
    shown = [group for group in PRINTED if any(each.group == group for each in picture.points)]
    if picture.relation == EVERY_GROUP:
        _draw_line(axes, relation_of("", EVERY_GROUP), _span(EVERY_GROUP), _ALL_COLOUR, "-", "published, all")
    else:
        for group in shown:
            _draw_line(axes, relation_of(group, picture.relation), _span(group), colours[group], "-", None)
    for group, fit in picture.refits.items():
        line = Relation(0, fit["slope"], fit["offset_k"])
        _draw_line(axes, line, _span(group), colours.get(group, _ALL_COLOUR), "--", f"refit, {group.replace('_', ' ')}")
    name = picture.relation.replace("_", " ")
    say_lacking(axes, [each.point.interval_k for each in picture.points])
    axes.set(
        xlabel="cohesive energy in eV/atom",
        ylabel="T_m in K, with 95 % intervals",
        title="lines: relation for all"
        if picture.relation == EVERY_GROUP
        else f"lines: relations of the groups, {name}",
    )
    axes.set(xlim=(0, None), ylim=(0, None))
    label_points(
        axes, [(each.point.element, each.energy_ev, each.point.melting_temperature_k) for each in picture.points]
    )
    axes.legend(fontsize="small")
    return figure


def _draw_group(axes: Axes, group: str, colour: str, some: Sequence[CohesivePoint]) -> None:
    """Draw the points of a group, open ones where they are unfinished."""
    name = group.replace("_", " ")
    draw_valid_and_others(
        axes,
        [each.energy_ev for each in some],
        [each.point.melting_temperature_k for each in some],
        [each.point.interval_k for each in some],
        [each.point.verdict == "valid" for each in some],
        markers=("o", "o"),
        labels=(name, f"{name}, unfinished"),
        colour=colour,
    )


def _draw_line(
    axes: Axes, line: Relation, span: tuple[float, float], colour: str, style: str, label: str | None
) -> None:
    temperatures = [line.temperature_k(energy) for energy in span]
    axes.plot(span, temperatures, style, color=colour, linewidth=1, label=label)


def _span(group: str) -> tuple[float, float]:
    """Return the lowest and the highest cohesive energy of the elements of a group in eV/atom."""
    energies = [each.cohesive_energy for each in elements().values() if group in (EVERY_GROUP, each.group)]
    return min(energies), max(energies)
