"""What all work of a profile has cost, by stage, element and result, in a few queries."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiida import orm

from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.provenance.ancestry import CALL_LINKS, batches
from aiida_dnpmelt.provenance.spent import spent_by
from aiida_dnpmelt.report.costs import Cost, classical, stage_of

_OURS = "aiida.workflows:dnpmelt.%"
_LABELLERS = ("aiida.workflows:dnpmelt.label_vasp", "aiida.workflows:dnpmelt.label_reference")
_LABEL = "label_"
_CACHED = "_aiida_cached_from"
KEYS = ("stage", "element", "result")
"""What entries can be summed by."""


@dataclass(frozen=True)
class Entry:
    """What one stage of one work chain that a user launched has cost.

    :param result: PK of that work chain.
    :param kind: its entry point, such as ``dnpmelt.tpc``.
    :param bytes: of the files in the repository that its jobs left; None if nobody asked.
    """

    result: int
    kind: str
    element: str
    stage: str
    cost: Cost
    bytes: int | None = None


@dataclass
class _Calls:
    """Which process called which, by PK, with the labels of the calls."""

    caller: dict[int, tuple[int, str]] = field(default_factory=dict)

    def path(self, pk: int) -> tuple[int, tuple[str, ...]]:
        """Return the work chain that nobody called above a process, and the labels of the calls from it down."""
        labels: list[str] = []
        while pk in self.caller:
            pk, label = self.caller[pk]
            labels.append(label)
        return pk, tuple(reversed(labels))


def ledger(results: Collection[int] | None = None, with_bytes: bool = False) -> list[Entry]:
    """Return what each stage of each work chain that was launched has cost, the oldest first.

    :param results: PKs of work chains that were launched, None for all of this package.
    :param with_bytes: also measure the files that the jobs left, which takes a look at each of them.
    :raises ValueError: if one of them is no work chain that was launched by itself.
    """
    calls, jobs, kinds = _calls()
    if results is not None:
        _check(results, calls, kinds)
    costs: dict[tuple[int, str], Cost] = {}
    members: dict[tuple[int, str], list[int]] = {}
    spent, cached, given = spent_by(jobs), _cached(jobs), classical(jobs)
    for pk in sorted(jobs):
        top, path = calls.path(pk)
        if results is not None and top not in results:
            continue
        key = (top, stage_of(path, pk in given))
        costs.setdefault(key, Cost(key[1])).add(spent[pk], pk in cached)
        members.setdefault(key, []).append(pk)
    for chain, number in _labels():
        top, path = calls.path(chain)
        if path and path[-1].startswith(_LABEL) and (results is None or top in results):
            key = (top, stage_of(path))
            costs.setdefault(key, Cost(key[1])).labels += number
    elements = _elements({top for top, _ in costs})
    return [
        Entry(
            result=top,
            kind=kinds.get(top, ""),
            element=elements.get(top, ""),
            stage=stage,
            cost=costs[top, stage],
            bytes=_bytes(members.get((top, stage), [])) if with_bytes else None,
        )
        for top, stage in sorted(costs)
    ]


def summed(entries: Sequence[Entry], keys: Sequence[str]) -> list[tuple[dict[str, Any], Cost, int | None]]:
    """Return the sums of entries with the same values of keys, in the order of these: values, cost and bytes.

    :param keys: of `KEYS`, none for the sum of all.
    :raises ValueError: for an unknown key.
    """
    unknown = [key for key in keys if key not in KEYS]
    if unknown:
        raise ValueError(f"'{unknown[0]}' is nothing to sum by: {', '.join(KEYS)}")
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in entries:
        groups.setdefault(tuple(getattr(entry, key) for key in keys), []).append(entry)
    found = []
    for values, members in sorted(groups.items()):
        total = Cost("total")
        for entry in members:
            total.include(entry.cost)
        sizes = [entry.bytes for entry in members if entry.bytes is not None]
        found.append((dict(zip(keys, values, strict=True)), total, sum(sizes) if sizes else None))
    return found


def _check(results: Collection[int], calls: _Calls, kinds: Mapping[int, str]) -> None:
    for pk in results:
        if pk in calls.caller:
            raise ValueError(f"node {pk} was called by work chain {calls.path(pk)[0]}: ask for that")
        if pk not in kinds:
            raise ValueError(f"node {pk} is no work chain of this package")


def _calls() -> tuple[_Calls, set[int], dict[int, str]]:
    """Return the calls of all work chains, the PKs of the jobs below them, and the entry points of the work chains."""
    calls, jobs = _Calls(), set()
    query = orm.QueryBuilder().append(
        orm.WorkChainNode, filters={"process_type": {"like": _OURS}}, tag="caller", project="id"
    )
    links = {"type": {"in": [each.value for each in CALL_LINKS]}}
    query.append(
        orm.ProcessNode,
        with_incoming="caller",
        edge_filters=links,
        edge_project="label",
        filters={"node_type": {"or": [{"like": "process.calculation.calcjob.%"}, {"like": "process.workflow.%"}]}},
        project=["id", "node_type"],
    )
    for caller, pk, node_type, label in query.all():
        calls.caller[pk] = (caller, label)
        if node_type.startswith("process.calculation."):
            jobs.add(pk)
    types = orm.QueryBuilder().append(
        orm.WorkChainNode, filters={"process_type": {"like": _OURS}}, project=["id", "process_type"]
    )
    return calls, jobs, {pk: kind.partition(":")[2] for pk, kind in types.all()}


def _cached(jobs: Collection[int]) -> set[int]:
    """Return the jobs that were taken from the cache."""
    found: set[int] = set()
    for batch in batches(jobs):
        filters = {"id": {"in": batch}, "extras": {"has_key": _CACHED}}
        found.update(orm.QueryBuilder().append(orm.CalcJobNode, filters=filters, project="id").all(flat=True))
    return found


def _labels() -> Iterator[tuple[int, int]]:
    """Yield the work chains that label, with the number of frames of each node that they returned."""
    query = orm.QueryBuilder().append(
        orm.WorkChainNode, filters={"process_type": {"in": list(_LABELLERS)}}, tag="chain", project="id"
    )
    query.append(
        FramesData,
        with_incoming="chain",
        edge_filters={"label": {"like": "frames%"}},
        project="attributes.number_of_frames",
    )
    for pk, number in query.all():
        yield pk, number or 0


def _elements(chains: Collection[int]) -> dict[int, str]:
    """Return the chemical symbols of the crystals that work chains began with."""
    found: dict[int, str] = {}
    for batch in batches(chains):
        query = orm.QueryBuilder().append(orm.WorkChainNode, filters={"id": {"in": batch}}, tag="chain", project="id")
        query.append(
            orm.StructureData, with_outgoing="chain", edge_filters={"label": "structure"}, project="attributes.kinds"
        )
        for pk, kinds in query.all():
            found[pk] = "".join(sorted({symbol for kind in kinds or () for symbol in kind["symbols"]}))
    return found


def _bytes(jobs: Sequence[int]) -> int:
    """Return the size of the files in the repository that jobs left; the same file counts once."""
    sizes: dict[str, int] = {}
    for batch in batches(jobs):
        query = orm.QueryBuilder().append(orm.CalcJobNode, filters={"id": {"in": batch}}, tag="job")
        query.append(orm.Data, with_incoming="job", project="*")
        for node in query.all(flat=True):
            for root, _, names in node.base.repository.walk():
                for name in names:
                    key = f"{node.pk}/{root / name}"
                    sizes[key] = node.base.repository.get_object_size(root / name)
    return sum(sizes.values())
