"""What a publication would hold: looked at before anything is written."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiida.manage import get_manager

from aiida_dnpmelt.publication.contents import Content, NodeFiles, nodes_with_files, read_contents
from aiida_dnpmelt.publication.gate import check_licences, refusals
from aiida_dnpmelt.publication.selection import Selection, select
from aiida_dnpmelt.publication.slim import LeftOut, left_out
from aiida_dnpmelt.publication.traces import (
    Names,
    Trace,
    names_of,
    traces_in_database,
    traces_in_files,
    words_for_files,
)

FREE_BYTES = 5 * 10**9
"""Bytes of a record that Materials Cloud Archive takes of anybody."""
LARGEST_BYTES = 50 * 10**9
"""Bytes of a record with AiiDA archives that it takes after a request, and that Zenodo takes of anybody."""


@dataclass(frozen=True)
class Plan:
    """What would be published.

    :param nodes: of the selection, with their files.
    :param contents: what is in these, by key.
    :param words: that the files were searched for, by what they are.
    :param traces: what names somebody, some machine or some folder.
    :param gone: nodes that a slim publication leaves out.
    """

    selection: Selection
    nodes: list[NodeFiles]
    contents: dict[str, Content]
    names: Names
    words: dict[str, str]
    traces: list[Trace]
    gone: list[LeftOut]

    @property
    def size(self) -> int:
        """Return the bytes of the files that would be in the archive, before they are compressed; each once."""
        gone = {row.node.pk for row in self.gone}
        return sum(self.contents[key].size for key in _keys(node for node in self.nodes if node.pk not in gone))

    def kinds(self) -> list[tuple[str, int, int]]:
        """Return kind, number and bytes of the files of nodes; a file of several nodes counts for each."""
        numbers: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        gone = {row.node.pk for row in self.gone}
        for node in self.nodes:
            if node.pk not in gone:
                numbers[node.kind] += 1
                sizes[node.kind] += sum(self.contents[key].size for key in node.files.values())
        return [(kind, number, sizes[kind]) for kind, number in sorted(numbers.items())]


def _keys(nodes: Iterable[NodeFiles]) -> set[str]:
    return {key for node in nodes for key in node.files.values()}


def make_plan(identifiers: Sequence[str], slim_kb: float | None = None) -> Plan:
    """Return what would be published.

    :param identifiers: as `select` takes them.
    :param slim_kb: leave out bulky nodes larger than this in kB; all stay if it is None.
    :raises ValueError: as `select`.
    :raises LicenceError: if a licence forbids to publish a file.
    """
    selection = select(identifiers)
    backend = get_manager().get_profile_storage()
    nodes = nodes_with_files(backend, selection.pks)
    names = names_of(backend, selection.pks)
    traces = traces_in_database(backend, nodes, names)
    words = words_for_files(names, traces)
    contents = read_contents(backend, nodes, words)
    check_licences("the profile", refusals(backend, nodes, contents))
    gone = [] if slim_kb is None else left_out(nodes, contents, slim_kb)
    return Plan(selection, nodes, contents, names, words, [*traces, *traces_in_files(nodes, contents, words)], gone)


def check_size(size: int) -> str:
    """Return what to do about the size of a publication, empty if every repository takes it.

    :param size: in bytes.
    :raises ValueError: if none does.
    """
    if size > LARGEST_BYTES:
        raise ValueError(
            f"it has {size / 1e9:.1f} GB, more than the {LARGEST_BYTES / 1e9:g} GB that public repositories take: "
            "leave bulky files out by --slim, or publish fewer work chains at once"
        )
    if size > FREE_BYTES:
        return (
            f"it has {size / 1e9:.1f} GB: Materials Cloud Archive takes {FREE_BYTES / 1e9:g} GB, and up to "
            f"{LARGEST_BYTES / 1e9:g} GB of AiiDA archives if it is asked first; Zenodo takes {LARGEST_BYTES / 1e9:g} "
            "GB; --slim makes it smaller"
        )
    return ""


def write_traces(nodes: Iterable[NodeFiles], contents: dict[str, Content], words: dict[str, str], path: Path) -> int:
    """Write which files still name somebody, some machine or some folder, not whom; return their number, none for 0."""
    rows = [
        (node.uuid, node.kind, file, " ".join(sorted({words[word] for word in contents[key].found})))
        for node in nodes
        for file, key in node.files.items()
        if contents[key].found
    ]
    if not rows:
        return 0
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerows([("uuid", "type", "file", "what it names"), *sorted(rows)])
    return len(rows)
