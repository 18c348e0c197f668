"""The page of all melting points: a table with filters, which can be sorted, a hundred rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from aiida_dnpmelt.browse.html import Cell, Column, Row, Table, answer, link
from aiida_dnpmelt.browse.parameters import FILTERS, VERDICTS, Filters, filters_of, page_of, parameters_of
from aiida_dnpmelt.browse.shelf import Shelf
from aiida_dnpmelt.provenance.query import MeltingPoint, asked_marks
from aiida_dnpmelt.report import words

ROWS = 100
NEWEST = "-created"
_TOLERANCE_GPA = 1e-9


@dataclass(frozen=True)
class _Sorted:
    """A column: its name on the page, what it is sorted by, and whether it holds words."""

    name: str
    value: Callable[[MeltingPoint], Any]
    left: bool = True


COLUMNS = {
    "element": _Sorted("element", lambda point: (point.element, point.lattice)),
    "lattice": _Sorted("lattice", lambda point: point.lattice),
    "pressure": _Sorted("P/GPa", lambda point: point.pressure_gpa, left=False),
    "temperature": _Sorted("T_m/K", lambda point: point.melting_temperature_k, left=False),
    "interval": _Sorted("95 %/K", lambda point: point.details["interval_low_k"], left=False),
    "verdict": _Sorted("verdict", lambda point: point.verdict),
    "potential": _Sorted("potential", lambda point: point.potential),
    "protocol": _Sorted("protocol", lambda point: point.protocol),
    "created": _Sorted("created", lambda point: point.created),
}


def view(request: Request) -> Response:
    """Return the page."""
    given = parameters_of(request, *FILTERS, "sort", "page")
    filters, order, page = filters_of(given), given.get("sort", NEWEST), page_of(given)
    if order.removeprefix("-") not in COLUMNS:
        raise HTTPException(400, f"sort is '{order}', it can be one of {', '.join(COLUMNS)}, with - before it or not")
    found = in_order(points_of(request, filters), order)
    last = max(1, -(-len(found) // ROWS))
    if page > last:
        raise HTTPException(404, f"there is no page {page}: the last one is {last}")
    shown = found[(page - 1) * ROWS : page * ROWS]
    kept = {**filters.parameters, "sort": None if order == NEWEST else order}
    return answer(
        request,
        "points.html",
        content=Table(_caption(len(found), page, last), _columns(filters, order), [point_row(each) for each in shown]),
        filters=filters,
        verdicts=VERDICTS,
        order=order,
        newest=NEWEST,
        number=len(found),
        before=link("/", **kept, page=page - 1 if page > 2 else None) if page > 1 else None,
        after=link("/", **kept, page=page + 1) if page < last else None,
        chart=link("/pressure", **filters.parameters),
    )


def points_of(request: Request, filters: Filters) -> Sequence[MeltingPoint]:
    """Return the melting points that are asked for, the latest first."""
    shelf: Shelf = request.app.state.shelf
    asked = asked_marks((), filters.verdict, filters.protocol, filters.everything)
    return [point for point in shelf.points() if _meets(point, filters) and asked.issuperset(point.marks)]


def in_order(points: Sequence[MeltingPoint], order: str) -> list[MeltingPoint]:
    """Return points sorted by a column, from high to low with ``-`` before it; those without a value come last."""
    column = COLUMNS[order.removeprefix("-")]
    known = [point for point in points if column.value(point) is not None]
    unknown = [point for point in points if column.value(point) is None]
    return [*sorted(known, key=column.value, reverse=order.startswith("-")), *unknown]


def point_row(point: MeltingPoint) -> Row:
    """Return the row of a melting point; its T_m leads to its page."""
    known = point.melting_temperature_k is not None
    words_of = (
        words.bare(point.melting_temperature_k, point.standard_uncertainty_k) if known else "none",
        interval(point),
        ", ".join(dict.fromkeys((point.verdict, *point.marks))),
        f"{point.potential} (training unfinished)" if point.unfinished else point.potential,
        point.protocol,
        f"{point.created:%Y-%m-%d %H:%M}",
    )
    temperature, *others = words_of
    cells = [Cell(point.element), Cell(point.lattice), Cell(words.minus(f"{point.pressure_gpa:g}"))]
    cells += [Cell(temperature, f"/point/{point.uuid}"), *map(Cell, others)]
    return Row(cells, faded=bool(point.marks))


def interval(point: MeltingPoint) -> str:
    """Return the 95 % interval in K."""
    return words.interval(point.details["interval_low_k"], point.details["interval_high_k"]).removesuffix(" K")


def _meets(point: MeltingPoint, filters: Filters) -> bool:
    low, high = filters.pressures
    return (
        filters.element in ("", point.element)
        and low - _TOLERANCE_GPA <= point.pressure_gpa <= high + _TOLERANCE_GPA
        and filters.protocol in ("", point.protocol)
        and filters.verdict in ("", point.verdict)
        and (filters.potential in point.potential or point.details["potential_sha256"].startswith(filters.potential))
    )


def _columns(filters: Filters, order: str) -> list[Column]:
    """Return the columns; that by which the table is sorted now leads to the other direction."""
    found = []
    for key, column in COLUMNS.items():
        now = {key: "ascending", f"-{key}": "descending"}.get(order, "")
        wanted = f"-{key}" if now == "ascending" else key
        url = link("/", **filters.parameters, sort=None if wanted == NEWEST else wanted)
        found.append(Column(column.name, column.left, url, now))
    return found


def _caption(number: int, page: int, last: int) -> str:
    if number == 0:
        return "No melting temperature found."
    count = f"{number} melting temperature{'s' if number > 1 else ''}"
    return f"{count}, page {page} of {last}." if last > 1 else f"{count}."
