"""The page of melting temperatures at ambient pressure against experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from aiida_dnpmelt.browse.charts import Spot, figure, line, spots
from aiida_dnpmelt.browse.html import Cell, Chart, Column, Row, Table, answer
from aiida_dnpmelt.browse.parameters import filters_of, flag_of, parameters_of
from aiida_dnpmelt.browse.policies import CHARTS
from aiida_dnpmelt.data.elements import elements
from aiida_dnpmelt.physics.reference_errors import MeanErrors
from aiida_dnpmelt.provenance.ambient import AmbientPoint, ambient_points
from aiida_dnpmelt.report import words
from aiida_dnpmelt.report.bars import lacking
from aiida_dnpmelt.report.experiment import LATTICES, Comparison, by_lattice, compare

_COLUMNS = ("element", "lattice", "T_m/K", "T_m(exp)/K", "error/K", "error/%", "verdict", "potential")
_MEANS = ("lattice", "number", "error/K", "|error|/K", "error/%", "|error|/%")
_WORDS = ("element", "lattice", "verdict", "potential")


def view(request: Request) -> Response:
    """Return the page."""
    given = parameters_of(request, "element", "potential", "protocol", "unfinished")
    filters, unfinished = filters_of(given), flag_of(given, "unfinished")
    found = ambient_points(filters.element or None, filters.potential or None, filters.protocol or None)
    comparisons = compare(point for point in found if unfinished or point.verdict == "valid")
    return answer(
        request,
        "experiment.html",
        policy=CHARTS,
        chart=_chart(comparisons) if comparisons else None,
        content=Table(
            "One for each element, lattice and potential: the latest valid one.",
            [Column(name, name in _WORDS) for name in _COLUMNS],
            [_row(each) for each in comparisons],
        ),
        means=_means(by_lattice(comparisons)),
        notes=_notes(found, comparisons, unfinished),
        filters=filters,
        unfinished=unfinished,
    )


def _notes(found: Sequence[AmbientPoint], comparisons: Sequence[Comparison], unfinished: bool) -> list[str]:
    """Return what was left out, and what does not melt from the lattice that it melts from in reality."""
    left = [point for point in found if point.element in elements() and point.verdict != "valid" and not unfinished]
    notes = [f"{len(left)} unfinished left out: the box above takes them in."] if left else []
    unknown = sorted({point.element for point in found if point.element not in elements()})
    notes += [f"{element} is not in the table of the elements." for element in unknown]
    return notes + [
        f"{each.point.element}: {each.point.lattice} is not what melts in reality, which is {each.melts_from}."
        for each in comparisons
        if each.point.lattice != each.melts_from
    ]


def _chart(comparisons: Sequence[Comparison]) -> Chart:
    known = [each.experiment_k for each in comparisons] + [each.point.melting_temperature_k for each in comparisons]
    ends = [0.95 * min(known), 1.05 * max(known)]
    traces: list[dict[str, Any]] = [line(ends, ends, "#5a6675", "equal")]
    for index, lattice in enumerate(LATTICES):
        members = [_spot(each) for each in comparisons if each.point.lattice == lattice]
        if members:
            traces.append(spots(lattice, members, index))
    caption = "Bars are 95 % intervals; unfinished ones are open. A click on a point leads to its page."
    if note := lacking([each.point.interval_k for each in comparisons]):
        caption = f"{caption} {note}."
    alt = f"Melting temperature over that of experiment: {len(comparisons)} points about the line of equal ones"
    axes = ("<i>T</i><sub>m</sub> of experiment in K", "<i>T</i><sub>m</sub> in K")
    return Chart(figure(traces, *axes), alt, caption)


def _spot(each: Comparison) -> Spot:
    point = each.point
    text = f"{point.element}: {point.notation} K, experiment {each.experiment_k:g} K, {each.error_percent:+.1f} %"
    url = f"/point/{point.pk}"
    good = point.verdict == "valid"
    return Spot(each.experiment_k, point.melting_temperature_k, point.interval_k, text, url, good, point.element)


def _row(each: Comparison) -> Row:
    point = each.point
    errors = (words.signed(each.error_k), f"{each.error_percent:+.1f}".replace("-", "−"))
    temperature = Cell(words.bare(point.melting_temperature_k, point.standard_uncertainty_k), f"/point/{point.pk}")
    experiment = Cell(f"{each.experiment_k:g}")
    cells = [Cell(point.element), Cell(point.lattice), temperature, experiment, *map(Cell, errors)]
    return Row([*cells, Cell(point.verdict), Cell(point.of)])


def _means(means: Mapping[str, MeanErrors]) -> Table:
    rows = []
    for name, errors in means.items():
        numbers = (words.signed(errors.mean_k), words.bare(errors.mean_absolute_k))
        percents = (f"{errors.mean_percent:+.1f}".replace("-", "−"), f"{errors.mean_absolute_percent:.1f}")
        rows.append(Row([*map(Cell, (name, str(errors.number), *numbers, *percents))]))
    return Table("Mean errors by lattice.", [Column(name, name in _WORDS) for name in _MEANS], rows)
