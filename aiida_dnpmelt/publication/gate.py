"""Refuse to publish what a licence forbids: VASP's POTCAR files, wherever they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.orm.implementation import StorageBackend

from aiida_dnpmelt.publication.contents import Content, NodeFiles
from aiida_dnpmelt.publication.potcar import FILE_TYPE, holds_potcar, is_potcar_name

_SHOWN = 20
_TEXTS: tuple[tuple[Any, tuple[str, ...], str], ...] = (
    (orm.Node, ("id", "label", "description", "attributes", "extras"), "attributes, extras, label or description"),
    (orm.Log, ("dbnode_id", "message"), "logs"),
    (orm.Comment, ("dbnode_id", "content"), "comments"),
)
"""Where texts of a node stand beside its files: the entity, the column with the PK of the node, and those of texts."""


@dataclass(frozen=True)
class Refusal:
    """A node that may not be published: which one, where in it, and why."""

    pk: int
    kind: str
    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.pk} ({self.kind}), {self.place}: {self.reason}"


class LicenceError(ValueError):
    """Something may not be published."""


def refusals(backend: StorageBackend, nodes: Iterable[NodeFiles], contents: Mapping[str, Content]) -> list[Refusal]:
    """Return what may not be published: POTCAR files by type, name or content, and their text among the attributes.

    :param contents: by key, as `read_contents` returns them.
    """
    nodes = list(nodes)
    found = [refusal for node in nodes for refusal in _in_files(node, contents)]
    known = {node.pk: node for node in nodes}
    found += [
        Refusal(pk, known[pk].kind, place, "hold the text of a POTCAR")
        for entity, columns, place in _TEXTS
        for pk, *texts in _rows(backend, entity, columns)
        if pk in known and holds_potcar(str(texts))
    ]
    return sorted(found, key=lambda refusal: (refusal.pk, refusal.place))


def _rows(backend: StorageBackend, entity: Any, columns: tuple[str, ...]) -> Iterator[Any]:
    query = orm.QueryBuilder(backend=backend).append(entity, project=list(columns))
    return iter(query.iterall(batch_size=1000))


def _in_files(node: NodeFiles, contents: Mapping[str, Content]) -> list[Refusal]:
    """Return what the files of a node are refused for."""
    if node.node_type.startswith(FILE_TYPE):
        return [Refusal(node.pk, node.kind, path, "is the POTCAR itself") for path in node.files or ["no file"]]
    found = []
    for path, key in node.files.items():
        reason = "is called so" if is_potcar_name(path) else contents[key].potcar
        if reason:
            found.append(Refusal(node.pk, node.kind, path, reason))
    return found


def check_licences(where: str, found: list[Refusal]) -> None:
    """Raise an error that names what may not be published.

    :param where: what was looked at.
    :raises LicenceError: if there is any.
    """
    if not found:
        return
    lines = [f"  {refusal}" for refusal in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"  and {len(found) - _SHOWN} more")
    raise LicenceError(
        f"{where}: {len(found)} places hold POTCAR text, which VASP's licence forbids to publish:\n"
        + "\n".join(lines)
        + "\nKeep them out of what is published; aiida-vasp stores only their hash with a calculation"
    )
