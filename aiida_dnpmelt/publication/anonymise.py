"""Take what names people, machines and folders out of the copy of a database that an archive is."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from aiida_dnpmelt.publication.traces import JOB_FILES, Names, anonymous_text, anonymous_value

_MACHINERY = ("process.", "data.core.code.", "data.core.remote.")
_HASH = "_aiida_hash"
_LOCAL = "localhost"


def anonymise(connection: sqlite3.Connection, names: Names) -> None:
    """Change the database of an archive so that nobody is named where its format allows.

    Users and computers get numbers for names, absolute paths and the words of `names` are replaced in all attributes,
    extras, labels and descriptions, what schedulers told of jobs is dropped, and so are the scripts of jobs. UUIDs
    stay, so that all archives of the same nodes can be told to be such.
    """
    _users(connection)
    _computers(connection, names)
    _groups(connection, names)
    _nodes(connection, names)
    connection.execute("DELETE FROM db_dbauthinfo")


def _users(connection: sqlite3.Connection) -> None:
    for number, (pk,) in enumerate(connection.execute("SELECT id FROM db_dbuser ORDER BY id").fetchall(), 1):
        connection.execute(
            "UPDATE db_dbuser SET email = ?, first_name = '', last_name = '', institution = '' WHERE id = ?",
            (f"author-{number}@anonymised.invalid", pk),
        )


def _computers(connection: sqlite3.Connection, names: Names) -> None:
    rows = connection.execute("SELECT id, label, hostname, metadata FROM db_dbcomputer ORDER BY id").fetchall()
    for number, (pk, label, hostname, metadata) in enumerate(rows, 1):
        own = f"computer-{number}"
        connection.execute(
            "UPDATE db_dbcomputer SET label = ?, hostname = ?, description = '', metadata = ? WHERE id = ?",
            (
                label if label == _LOCAL else own,
                hostname if hostname == _LOCAL else f"{own}.invalid",
                json.dumps(anonymous_value(json.loads(metadata), names, machinery=True)),
                pk,
            ),
        )


def _groups(connection: sqlite3.Connection, names: Names) -> None:
    rows = connection.execute("SELECT id, label, description, extras FROM db_dbgroup").fetchall()
    for pk, label, description, extras in rows:
        connection.execute(
            "UPDATE db_dbgroup SET label = ?, description = ?, extras = ? WHERE id = ?",
            (
                anonymous_text(label, names),
                anonymous_text(description, names),
                json.dumps(anonymous_value(json.loads(extras), names, machinery=False)),
                pk,
            ),
        )


def _nodes(connection: sqlite3.Connection, names: Names) -> None:
    query = "SELECT id, node_type, label, description, attributes, extras, repository_metadata FROM db_dbnode"
    for pk, node_type, label, description, attributes, extras, files in connection.execute(query).fetchall():
        machinery = node_type.startswith(_MACHINERY)
        old: tuple[Any, ...] = (label, description, json.loads(attributes or "{}"), json.loads(files or "{}"))
        new = (
            anonymous_text(label, names),
            anonymous_text(description, names),
            anonymous_value(old[2], names, machinery),
            _without_job_files(old[3]) if node_type.startswith("process.") else old[3],
        )
        more = anonymous_value(json.loads(extras or "{}"), names, machinery=False)
        if old[2:] != new[2:]:
            more.pop(_HASH, None)  # it is that of the node as it was
        connection.execute(
            "UPDATE db_dbnode SET label = ?, description = ?, attributes = ?, repository_metadata = ?, extras = ? "
            "WHERE id = ?",
            (*new[:2], json.dumps(new[2]), json.dumps(new[3]), json.dumps(more), pk),
        )


def _without_job_files(folder: dict[str, Any]) -> dict[str, Any]:
    """Return the files of a process without its script and what belongs to it."""
    dropped = {name.rstrip("/") for name in JOB_FILES}
    kept = {name: entry for name, entry in folder.get("o", {}).items() if name not in dropped}
    return {"o": kept} if kept else {}
