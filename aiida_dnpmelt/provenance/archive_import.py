"""Take a checked archive into the profile: as data, which nothing runs until the user trusts it."""

from __future__ import annotations

import sqlite3
import tempfile
import zipfile
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aiida.orm import Computer, Group, ImportGroup, Node, QueryBuilder
from aiida.tools.archive import import_archive

from aiida_dnpmelt.data.trust import make_trusted_group, untrusted
from aiida_dnpmelt.provenance.archive_check import DATABASE, Archive
from aiida_dnpmelt.setup.codes import LOCALHOST
from aiida_dnpmelt.setup.reports import quiet

_BATCH = 500


@dataclass(frozen=True)
class Taken:
    """What an import has brought: the group of all its nodes, and how many of them are new."""

    group: Group
    new: int
    known: int


def take_in(archive: Archive) -> Taken:
    """Import an archive; what the profile had and trusted before stays trusted, though the archive has it as well.

    AiiDA imports in one transaction: one that is killed leaves the profile as it was.

    :raises ValueError: if the profile has no computer of its own, whose place that of an archive would take.
    :raises aiida.common.exceptions.AiidaException: if AiiDA refuses the archive.
    """
    if not Computer.collection.find({"label": LOCALHOST}):
        raise ValueError(f"the profile has no computer '{LOCALHOST}' yet: run `aiida-dnpmelt setup` first")
    _keep_trusted(archive)
    before = QueryBuilder().append(Node).count()
    group = ImportGroup(_free_label(f"{archive.path.stem}-{datetime.now():%Y%m%d}"))
    group.description = "All nodes of an archive that was imported"
    group.store()
    try:
        with quiet():
            import_archive(archive.path, group=group)
    except BaseException:
        Group.collection.delete(group.pk)
        raise
    new = QueryBuilder().append(Node).count() - before
    return Taken(group=group, new=new, known=archive.contents.nodes - new)


def _keep_trusted(archive: Archive) -> None:
    """Put nodes of the archive that are here and trusted into the group of the trusted, before they are in another.

    An archive may have such a group as well: it comes second, so that AiiDA gives it another label.
    """
    trusted = make_trusted_group()
    uuids = _uuids(archive.path)
    for start in range(0, len(uuids), _BATCH):
        query = QueryBuilder().append(Node, filters={"uuid": {"in": uuids[start : start + _BATCH]}})
        here = query.all(flat=True)
        foreign = {node.pk for node in untrusted(here)}
        trusted.add_nodes([node for node in here if node.pk not in foreign])


def _uuids(path: Path) -> list[str]:
    """Return the UUIDs of the nodes of an archive."""
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        database = Path(archive.extract(DATABASE, folder))
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            return [uuid for (uuid,) in connection.execute("SELECT uuid FROM db_dbnode ORDER BY id")]


def _free_label(wanted: str) -> str:
    """Return a label that no group has yet."""
    taken = set(QueryBuilder().append(Group, filters={"label": {"like": f"{wanted}%"}}, project="label").all(flat=True))
    labels = (wanted, *(f"{wanted}-{number}" for number in range(2, len(taken) + 3)))
    return next(label for label in labels if label not in taken)
