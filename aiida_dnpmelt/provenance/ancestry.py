"""Walk through the provenance graph along the links of data, a few queries a step whatever the size of the graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiida import orm
from aiida.common.links import LinkType

DATA_LINKS = (LinkType.INPUT_CALC, LinkType.CREATE)
CALL_LINKS = (LinkType.CALL_CALC, LinkType.CALL_WORK)
_BATCH = 5_000
"""Nodes in the filter of one query: SQLite takes 32,766 values, PostgreSQL 65,535."""


@dataclass(frozen=True)
class Node:
    """A node of the graph, without its attributes.

    :param kind: its type, as ``data.core.dict.Dict.``.
    :param process_type: entry point of a job or work chain, place of a calculation function; empty for data.
    """

    pk: int
    uuid: str
    kind: str
    process_type: str
    label: str
    created: datetime

    @property
    def is_process(self) -> bool:
        """Return whether it is a process."""
        return self.kind.startswith("process.")

    @property
    def is_job(self) -> bool:
        """Return whether it is a calculation job."""
        return self.kind.startswith("process.calculation.calcjob.")

    @property
    def short_kind(self) -> str:
        """Return the last part of its type: ``Dict``, ``FramesData``, ``CalcJobNode``."""
        return self.kind.rstrip(".").rpartition(".")[2]


@dataclass(frozen=True)
class Link:
    """A link from the node that was first, by the PKs."""

    source: int
    target: int
    label: str


@dataclass(frozen=True)
class Ancestry:
    """Nodes by PK, and all links of data between them."""

    nodes: dict[int, Node]
    links: list[Link]

    def inputs(self) -> dict[int, list[Link]]:
        """Return the links that lead to each node."""
        found: dict[int, list[Link]] = {pk: [] for pk in self.nodes}
        for link in self.links:
            found[link.target].append(link)
        return found

    def behind(self, pk: int) -> set[int]:
        """Return the PKs of the ancestors of one node, and its own."""
        inputs, seen, waiting = self.inputs(), {pk}, [pk]
        while waiting:
            new = {link.source for link in inputs[waiting.pop()]} - seen
            seen |= new
            waiting += new
        return seen


def ancestors(pks: Collection[int]) -> Ancestry:
    """Return all that data stand on, and they themselves: what made them, what that took, and so on.

    Each node is looked at once. The recursive joins of `QueryBuilder` follow each path instead, and a learning loop has
    more paths than can be counted: models make frames, and frames models.
    """
    seen, links = set(pks), []
    frontier = set(pks)
    while frontier:
        before = [Link(*row) for row in _incoming(frontier)]
        links += before
        frontier = {link.source for link in before} - seen
        seen |= frontier
    return Ancestry(load_nodes(seen), links)


def called_below(pks: Collection[int]) -> set[int]:
    """Return the PKs of all processes that work chains called, and these, and so on; others called none."""
    found: set[int] = set()
    frontier = set(pks)
    while frontier:
        called: set[int] = set()
        for batch in batches(frontier):
            query = orm.QueryBuilder().append(orm.WorkflowNode, filters={"id": {"in": batch}}, tag="caller")
            query.append(orm.ProcessNode, with_incoming="caller", edge_filters=_types(CALL_LINKS), project="id")
            called.update(query.all(flat=True))
        frontier = called - found
        found |= called
    return found


def load_nodes(pks: Collection[int]) -> dict[int, Node]:
    """Return nodes by PK."""
    columns = ["id", "uuid", "node_type", "process_type", "label", "ctime"]
    return {
        pk: Node(pk, str(uuid), kind, process_type or "", label, created)
        for batch in batches(pks)
        for pk, uuid, kind, process_type, label, created in _query(batch, columns).all()
    }


def attributes_of(pks: Collection[int], *names: str) -> dict[int, dict[str, Any]]:
    """Return attributes of nodes by PK; all of them without names, None for those that a node does not have."""
    found: dict[int, dict[str, Any]] = {}
    for batch in batches(pks):
        columns = [f"attributes.{name}" for name in names] or ["attributes"]
        for pk, *values in _query(batch, ["id", *columns]).all():
            found[pk] = dict(zip(names, values, strict=True)) if names else dict(values[0])
    return found


def hashes_of(pks: Collection[int]) -> dict[int, str]:
    """Return the checksum of the content of nodes by PK, as AiiDA computed it; of those without one, the UUID."""
    found: dict[int, str] = {}
    for batch in batches(pks):
        for pk, uuid, checksum in _query(batch, ["id", "uuid", "extras._aiida_hash"]).all():
            found[pk] = checksum or str(uuid)
    return found


def batches(pks: Iterable[int]) -> Iterator[Sequence[int]]:
    """Yield PKs in numbers that fit into one query."""
    ordered = sorted(pks)
    for begin in range(0, len(ordered), _BATCH):
        yield ordered[begin : begin + _BATCH]


def _query(batch: Sequence[int], columns: list[str]) -> orm.QueryBuilder:
    return orm.QueryBuilder().append(orm.Node, filters={"id": {"in": batch}}, project=columns)


def _incoming(pks: Collection[int]) -> Iterator[tuple[int, int, str]]:
    """Yield source, target and label of the links of data that lead to nodes."""
    for batch in batches(pks):
        query = orm.QueryBuilder().append(orm.Node, filters={"id": {"in": batch}}, tag="target")
        query.append(
            orm.Node, with_outgoing="target", tag="source", project="id", edge_filters=_types(), edge_project="label"
        )
        query.add_projection("target", "id")
        for target, source, label in query.all():
            yield source, target, label


def _types(links: Sequence[LinkType] = DATA_LINKS) -> dict[str, Any]:
    return {"type": {"in": [each.value for each in links]}}
