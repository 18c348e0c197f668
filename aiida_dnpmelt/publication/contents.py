"""The nodes of a profile or of an archive with their files, and what is in these, read once each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.orm.implementation import StorageBackend

from aiida_dnpmelt.publication.potcar import PotcarSearch
from aiida_dnpmelt.publication.streams import Search, scan


@dataclass(frozen=True)
class NodeFiles:
    """A node and its files.

    :param files: key in the repository by path.
    """

    pk: int
    uuid: str
    node_type: str
    label: str
    files: dict[str, str]

    @property
    def kind(self) -> str:
        """Return the last part of the type of the node, such as `CalcJobNode`."""
        return self.node_type.rstrip(".").rpartition(".")[2]


@dataclass(frozen=True)
class Content:
    """What is in a file of the repository.

    :param size: in bytes.
    :param potcar: why it is taken for a POTCAR; empty if it is none.
    :param found: which of the words that were looked for are in it.
    """

    size: int
    potcar: str
    found: frozenset[str]


def nodes_with_files(backend: StorageBackend, pks: Iterable[int] | None = None) -> list[NodeFiles]:
    """Return nodes with their files.

    :param pks: all nodes if it is None.
    """
    wanted = None if pks is None else set(pks)
    query = orm.QueryBuilder(backend=backend)
    query.append(orm.Node, project=["id", "uuid", "node_type", "label", "repository_metadata"])
    return [
        NodeFiles(pk, uuid, node_type, label, dict(_files(metadata or {})))
        for pk, uuid, node_type, label, metadata in query.iterall(batch_size=1000)
        if wanted is None or pk in wanted
    ]


def _files(folder: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and the key of all files in the metadata of a repository."""
    for name, entry in folder.get("o", {}).items():
        if "k" in entry:
            yield f"{path}{name}", entry["k"]
        else:
            yield from _files(entry, f"{path}{name}/")


def read_contents(backend: StorageBackend, nodes: Iterable[NodeFiles], words: Iterable[str] = ()) -> dict[str, Content]:
    """Read each file of nodes once, and return what is in it by its key.

    :param words: to look for.
    """
    keys = sorted({key for node in nodes for key in node.files.values()})
    names, found = list(words), {}
    if not keys:
        return {}
    for key, stream in backend.get_repository().iter_object_streams(keys):
        potcar, search = PotcarSearch(), Search(names)
        size = scan(stream, [potcar, search])
        found[key] = Content(size, potcar.reason, frozenset(search.found))
    return found
