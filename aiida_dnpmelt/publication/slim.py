"""What a slim publication leaves out: whole nodes with bulky files, each of them named."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiida import orm
from aiida.common.links import LinkType

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.provenance.query import PROCESS_TYPE
from aiida_dnpmelt.publication.contents import Content, NodeFiles

BULKY = ("data.core.folder.", "data.core.singlefile.", "data.core.array.trajectory.", "data.dnpmelt.")
"""Beginnings of the types of nodes that may be left out: folders of jobs, files, trajectories, frames, models."""
DEFAULT_LIMIT_KB = 100.0
COLUMNS = ("uuid", "type", "label", "bytes", "sha256", "made by", "as")


@dataclass(frozen=True)
class LeftOut:
    """A node that is left out.

    :param sha256: of its file, empty if it has several.
    :param maker: UUID of the process that made it, empty if none did, and `role`, the label of the link.
    """

    node: NodeFiles
    size: int
    sha256: str
    maker: str
    role: str


def left_out(nodes: Iterable[NodeFiles], contents: Mapping[str, Content], limit_kb: float) -> list[LeftOut]:
    """Return the nodes that a slim publication goes without.

    A node cannot go without its files alone: it would be another node with the same UUID. The potentials that melting
    temperatures belong to stay, whatever their size.

    :param limit_kb: size of the files of a node in kB (1000 bytes) up to which it stays.
    """
    kept = _potentials()
    sizes = [
        (node, sum(contents[key].size for key in node.files.values()))
        for node in nodes
        if node.node_type.startswith(BULKY) and node.pk not in kept
    ]
    large = [(node, size) for node, size in sizes if size > 1000 * limit_kb]
    makers = _makers({node.pk for node, _ in large})
    return [
        LeftOut(node, size, next(iter(node.files.values())) if len(node.files) == 1 else "", *makers[node.pk])
        for node, size in sorted(large, key=lambda each: each[0].pk)
    ]


def _potentials() -> set[int]:
    """Return the PKs of the potentials that coexistences were run with."""
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"process_type": PROCESS_TYPE}, tag="chain")
    query.append(PotentialData, with_outgoing="chain", project="id")
    query.distinct()
    return set(query.all(flat=True))


def _makers(pks: set[int]) -> dict[int, tuple[str, str]]:
    """Return the UUID of the process that made each node, and the label of the link."""
    found: dict[int, tuple[str, str]] = defaultdict(lambda: ("", ""))
    if not pks:
        return found
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, tag="maker", project="uuid")
    query.append(
        orm.Data,
        with_incoming="maker",
        edge_filters={"type": LinkType.CREATE.value},
        edge_project="label",
        filters={"id": {"in": sorted(pks)}},
        project="id",
    )
    for maker, pk, role in query.iterall():
        found[pk] = (maker, role)
    return found


def write_left_out(rows: Iterable[LeftOut], path: Path) -> None:
    """Write what was left out as a table: one line a node, so that it can be recognised in a full archive."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            node = row.node
            writer.writerow([node.uuid, node.node_type, node.label, row.size, row.sha256, row.maker, row.role])


def by_kind(rows: Iterable[LeftOut]) -> list[tuple[str, int, int]]:
    """Return kind, number and bytes of what is left out."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        numbers[row.node.kind].append(row.size)
    return [(kind, len(sizes), sum(sizes)) for kind, sizes in sorted(numbers.items())]
