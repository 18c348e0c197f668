"""The melting points of the profile, kept in memory: those of an element are read again when it has more, or fewer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from aiida import orm

from aiida_dnpmelt.provenance.query import OUTPUT, PROCESS_TYPE, MeltingPoint, melting_points


class Shelf:
    """Melting points by the PK of their work chain.

    Reading takes some 0.3 ms each, which is too long for a table of many thousands to be read for each page. What a
    later point supersedes is one of the same element, so that an element is read as a whole.
    """

    def __init__(self) -> None:
        self._stamp: Any = None
        self._points: dict[int, MeltingPoint] = {}

    def points(self) -> Sequence[MeltingPoint]:
        """Return all melting points, the latest first, whatever their marks."""
        stamp = _stamp()
        if stamp != self._stamp:
            self._update()
            self._stamp = stamp
        return list(self._points.values())

    def of_chains(self, pks: Iterable[int]) -> list[MeltingPoint]:
        """Return the melting points of work chains, the latest first; others have none."""
        wanted = set(pks)
        return [point for point in self.points() if point.pk in wanted]

    def find(self, pk: int) -> MeltingPoint | None:
        """Return the melting point of a work chain, or of the dictionary that holds it, None if there is none."""
        points = self.points()
        found = self._points.get(pk)
        return found or next((point for point in points if point.node_pk == pk), None)

    def _update(self) -> None:
        there = _chains()
        new, gone = there - set(self._points), set(self._points) - there
        if len(new) == len(there):
            self._points = {point.pk: point for point in melting_points(everything=True)}
            return
        changed = _elements(new) | {self._points[pk].element for pk in gone}
        kept = [point for point in self._points.values() if point.element not in changed]
        read = [point for element in sorted(changed) for point in melting_points(element, everything=True)]
        self._points = {point.pk: point for point in sorted([*kept, *read], key=_time, reverse=True)}


def _time(point: MeltingPoint) -> tuple[datetime, int]:
    """Return what the latest is told by: PKs of an imported archive are in no order of time."""
    return point.created, point.pk


def _stamp() -> tuple[Any, ...]:
    """Return what changes when nodes do: the latest change, and the number of work chains."""
    query = orm.QueryBuilder().append(orm.Node, project=["mtime", "id"], tag="node")
    latest = query.order_by({"node": [{"mtime": "desc"}]}).limit(1).all()
    chains = orm.QueryBuilder().append(orm.WorkChainNode, filters={"process_type": PROCESS_TYPE}).count()
    return (*map(tuple, latest), chains)


def _chains() -> set[int]:
    """Return the PKs of the work chains that have a melting point."""
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"process_type": PROCESS_TYPE}, tag="chain", project="id")
    query.append(orm.Dict, with_incoming="chain", edge_filters={"label": OUTPUT})
    return set(query.all(flat=True))


def _elements(pks: set[int]) -> set[str]:
    """Return the elements of the melting points of a few work chains."""
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={"id": {"in": sorted(pks)}}, tag="chain")
    query.append(orm.Dict, with_incoming="chain", edge_filters={"label": OUTPUT}, project="attributes.element")
    return set(query.all(flat=True)) if pks else set()
