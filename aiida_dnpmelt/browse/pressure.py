"""The page of melting temperatures over pressure, with the curves that are stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from aiida import orm
from starlette.requests import Request
from starlette.responses import Response

from aiida_dnpmelt.browse.charts import Spot, band, figure, line, spots
from aiida_dnpmelt.browse.html import Cell, Chart, Column, Row, Table, answer, link, node_cell
from aiida_dnpmelt.browse.parameters import FILTERS, VERDICTS, Filters, filters_of, parameters_of
from aiida_dnpmelt.browse.points import COLUMNS, in_order, point_row, points_of
from aiida_dnpmelt.browse.policies import CHARTS
from aiida_dnpmelt.calculations.melting_curve import SCHEMA, stored_fit
from aiida_dnpmelt.physics.error_budget import Measured
from aiida_dnpmelt.provenance.intervals import interval_of
from aiida_dnpmelt.provenance.query import MeltingPoint
from aiida_dnpmelt.report.bars import lacking
from aiida_dnpmelt.report.figures import COLOURS

MOST = 1000
"""Points that are drawn, and curves that are looked at."""
_FUNCTION = "aiida_dnpmelt.calculations.melting_curve.melting_curve"
_LINE = 80
"""Places at which a curve is drawn."""
_CURVE_COLUMNS = ("element", "potential", "law", "points", "P/GPa", "node")

Key = tuple[str, str]
"""Element and label of the potential: what has one colour."""


def view(request: Request) -> Response:
    """Return the page."""
    filters = filters_of(parameters_of(request, *FILTERS))
    found = [point for point in points_of(request, filters) if point.melting_temperature_k is not None]
    shown = found[:MOST]
    curves = stored_curves(filters)
    keys = sorted({(point.element, point.potential) for point in shown} | {_key(curve) for _, curve in curves})
    return answer(
        request,
        "pressure.html",
        policy=CHARTS,
        chart=_chart(shown, [curve for _, curve in curves], keys, len(found)) if shown or curves else None,
        content=Table(
            f"{len(shown)} melting temperatures, by element and pressure.",
            [Column(column.name, column.left) for column in COLUMNS.values()],
            [point_row(point) for point in in_order(in_order(shown, "pressure"), "element")],
        ),
        curves=_curve_table(curves),
        filters=filters,
        verdicts=VERDICTS,
        points=link("/", **filters.parameters),
    )


def stored_curves(filters: Filters) -> list[tuple[str, dict[str, Any]]]:
    """Return the latest stored melting curve of each element and potential that is asked for, with its UUID.

    Curves have many pressures, potentials and verdicts: only element and potential choose among them.
    """
    query = orm.QueryBuilder()
    query.append(orm.CalcFunctionNode, filters={"process_type": _FUNCTION}, tag="function")
    wanted = {"attributes.schema": SCHEMA, **({"attributes.element": filters.element} if filters.element else {})}
    query.append(
        orm.Dict, with_incoming="function", filters=wanted, tag="curve", project=["uuid", "attributes"]
    ).order_by({"curve": {"id": "desc"}}).limit(MOST)
    latest: dict[Key, tuple[str, dict[str, Any]]] = {}
    for uuid, curve in query.all():
        if filters.potential in curve["potential_label"]:
            latest.setdefault(_key(curve), (str(uuid), curve))
    return [latest[key] for key in sorted(latest)]


def _key(curve: Mapping[str, Any]) -> Key:
    return str(curve["element"]), str(curve["potential_label"])


def _chart(points: Sequence[MeltingPoint], curves: Sequence[Mapping[str, Any]], keys: list[Key], number: int) -> Chart:
    traces: list[dict[str, Any]] = []
    for curve in curves:
        traces += _law(curve, COLOURS[keys.index(_key(curve)) % len(COLOURS)])
    for index, key in enumerate(keys):
        members = list(_spots(point for point in points if (point.element, point.potential) == key))
        if members:
            traces.append(spots(", ".join(key), members, index))
    caption = (
        "Bars and bands are 95 % intervals; points that are not valid are open. A click on a point leads to its page; "
        "drag to enlarge, double-click to go back. The table below has the same numbers."
    )
    if words := lacking([interval_of(point.details) for point in points]):
        caption = f"{caption} {words}."
    if number > len(points):
        caption = f"The latest {len(points)} of {number} points: choose by element or potential. {caption}"
    alt = f"Melting temperature over pressure: {len(points)} points and {len(curves)} curves"
    return Chart(figure(traces, "pressure in GPa", "<i>T</i><sub>m</sub> in K"), alt, caption)


def _spots(points: Iterator[MeltingPoint]) -> Iterator[Spot]:
    for point in points:
        assert point.melting_temperature_k is not None
        text = f"{point.element}, {point.pressure_gpa:g} GPa: {point.notation} K, {point.verdict}"
        yield Spot(
            point.pressure_gpa,
            point.melting_temperature_k,
            interval_of(point.details),
            text,
            f"/point/{point.uuid}",
            point.verdict == "valid",
        )


def _law(curve: Mapping[str, Any], colour: str) -> list[dict[str, Any]]:
    """Return the law of a curve between its first and its last point, with its 95 % band."""
    pressures = np.linspace(min(curve["pressures_gpa"]), max(curve["pressures_gpa"]), _LINE)
    values = [stored_fit(curve).temperature_k(pressure) for pressure in pressures]
    places = [round(float(pressure), 4) for pressure in pressures]
    bounds = [Measured(float(each.value), float(each.uncertainty)).interval_k for each in values]
    area = band(places, [low for low, _ in bounds], [high for _, high in bounds], colour)
    return [area, line(places, [float(each.value) for each in values], colour)]


def _curve_table(curves: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    rows = []
    for uuid, curve in curves:
        low, high = min(curve["pressures_gpa"]), max(curve["pressures_gpa"])
        texts = (*_key(curve), curve["law"].replace("_", "-"), str(len(curve["pressures_gpa"])), f"{low:g} to {high:g}")
        rows.append(Row([*map(Cell, texts), node_cell(uuid)]))
    columns = [Column(name, name not in ("points", "P/GPa")) for name in _CURVE_COLUMNS]
    return Table("The latest stored curve of each element and potential.", columns, rows)
