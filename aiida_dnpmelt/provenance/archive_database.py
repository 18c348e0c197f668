"""Look into the database of an archive that nobody vouches for, by plain SQL and without AiiDA."""

from __future__ import annotations

import graphlib
import importlib.util
import json
import re
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from aiida.plugins.entry_point import get_entry_point_names
from ase.data import atomic_numbers

MOST_NODES = 5_000_000
LARGEST_JSON = 64 * 10**6
"""Bytes of one value of JSON, and of one text: the largest that runs of ours leave are some hundred thousand."""

_TEXTS: Mapping[str, tuple[str, ...]] = {
    "db_dbuser": ("email", "first_name", "last_name", "institution"),
    "db_dbcomputer": ("label", "hostname", "description"),
    "db_dbgroup": ("label", "type_string", "description"),
    "db_dbnode": ("label", "description", "node_type", "process_type"),
    "db_dbcomment": ("content",),
    "db_dblog": ("loggername", "levelname", "message"),
    "db_dblink": ("label", "type"),
}
_JSON: Mapping[str, tuple[str, ...]] = {
    "db_dbauthinfo": ("metadata", "auth_params"),
    "db_dbcomputer": ("metadata",),
    "db_dbgroup": ("extras",),
    "db_dbnode": ("attributes", "extras", "repository_metadata"),
    "db_dblog": ("metadata",),
}
_TIMES: Mapping[str, tuple[str, ...]] = {
    "db_dbgroup": ("time",),
    "db_dbnode": ("ctime", "mtime"),
    "db_dbcomment": ("ctime", "mtime"),
    "db_dblog": ("time",),
}
_UUIDS = ("db_dbcomputer", "db_dbgroup", "db_dbnode", "db_dbcomment", "db_dblog")
_TABLES = {*_TEXTS, *_JSON, "db_dbgroup_dbnodes"}
_OTHER_TABLES = {"db_dbsetting", "alembic_version"}
"""Tables of AiiDA that are not read from an archive."""
_BACK = ("create", "input_calc", "call_calc", "call_work")
"""Types of links that lead from a cause to its effect, so that they make no circle."""

_NODE_TYPE = re.compile(r"(data|process)\.[A-Za-z0-9_.-]+\.")
_ENTRY_POINT = re.compile(r"aiida\.[a-z.]+:[A-Za-z0-9_.-]+")
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_POTENTIAL = "data.dnpmelt.potential.PotentialData."
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_<]\w*>?)*")


class ArchiveError(ValueError):
    """An archive is refused: the message says why."""


@dataclass(frozen=True)
class Contents:
    """What a database holds.

    :param kinds: number of nodes by the name of their class.
    :param foreign: types of nodes and processes that nothing here knows: they are shown, and never run.
    :param codes: labels of codes, with that of their computer.
    :param computers: labels of computers.
    """

    nodes: int
    kinds: dict[str, int]
    foreign: list[str]
    codes: list[str]
    computers: list[str]


def check_database(path: Path, keys: set[str]) -> Contents:
    """Check the database of an archive and return what it holds.

    :param keys: names of the files of its repository.
    :raises ArchiveError: if it is refused, with the reason.
    """
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA cell_size_check = ON")
            _check_schema(database)
            _check_integrity(database)
            _check_values(database)
            foreign = [*_check_node_types(database), *_check_process_types(database)]
            _check_processes(database)
            _check_repository(database, keys)
            _check_potentials(database)
            _check_circles(database)
            return _contents(database, foreign)
    except sqlite3.Error as error:
        raise ArchiveError(f"its database cannot be read: {error}") from error
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ArchiveError(f"its database holds what AiiDA does not write: {error}") from error


def _check_schema(database: sqlite3.Connection) -> None:
    """Check that there are the tables of AiiDA and nothing that computes: no triggers, views or generated columns."""
    tables = set()
    for kind, name, sql in database.execute("SELECT type, name, sql FROM sqlite_master"):
        virtual = re.match(r"\s*CREATE\s+VIRTUAL", str(sql or ""), re.IGNORECASE)
        if kind not in ("table", "index") or virtual:
            raise ArchiveError(f"its database has the {'virtual table' if virtual else kind} {name!r}")
        if kind == "table":
            tables.add(name)
        elif any(column == -2 for _, column, *_ in database.execute(f"PRAGMA index_xinfo({_quoted(name)})")):
            raise ArchiveError(f"its database has the index {name!r} of a computed value")
    unknown = {name for name in tables - _TABLES - _OTHER_TABLES if not name.startswith("sqlite_")}
    if unknown or not tables >= _TABLES:
        names = sorted(unknown or _TABLES - tables)
        raise ArchiveError(f"its database is none of AiiDA: it {'has' if unknown else 'lacks'} the table {names[0]!r}")
    for table in sorted(_TABLES):
        columns = list(database.execute(f"PRAGMA table_xinfo({_quoted(table)})"))
        if any(hidden for *_, hidden in columns):
            raise ArchiveError(f"its database has a computed column in {table}")
        names_of = {name for _, name, *_ in columns}
        wanted = {*_TEXTS.get(table, ()), *_JSON.get(table, ()), *_TIMES.get(table, ()), "id"}
        if not wanted <= names_of:
            raise ArchiveError(f"its database is none of AiiDA: {table} lacks {sorted(wanted - names_of)[0]!r}")


def _check_integrity(database: sqlite3.Connection) -> None:
    number = _one(database, "SELECT count(*) FROM db_dbnode")
    if number > MOST_NODES:
        raise ArchiveError(f"it has {number} nodes, more than {MOST_NODES}")
    problem = _one(database, "PRAGMA integrity_check(1)")
    if problem != "ok":
        raise ArchiveError(f"its database is damaged: {problem}")
    broken = database.execute("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        raise ArchiveError(f"its database is damaged: a row of {broken[0]} points to none of {broken[2]}")


def _check_values(database: sqlite3.Connection) -> None:
    """Check sizes by SQLite itself, before anything is loaded, then that JSON, times and UUIDs are such."""
    for table, columns in (*_TEXTS.items(), *_JSON.items()):
        for column in columns:
            size = _one(database, f'SELECT max(length(CAST("{column}" AS BLOB))) FROM {table}')
            if (size or 0) > LARGEST_JSON:
                raise ArchiveError(f"a value of {table}.{column} has {size} bytes, more than {LARGEST_JSON}")
            _refuse(database, table, f"typeof(\"{column}\") NOT IN ('text', 'null')", f"a {column} that is no text")
    for table, columns in _JSON.items():
        for column in columns:
            wrong = f'NOT json_valid("{column}") OR json_type("{column}") != \'object\''
            _refuse(database, table, f'"{column}" IS NOT NULL AND ({wrong})', f"{column} that are no JSON object")
    for table, columns in _TIMES.items():
        for column in columns:
            pattern = "[12][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]*"
            _refuse(database, table, f"\"{column}\" NOT GLOB '{pattern}'", f"a {column} that is no time")
    for table in _UUIDS:
        _refuse(database, table, "length(uuid) != 36 OR uuid GLOB '*[^0-9a-f-]*'", "a UUID that is none")


def _refuse(database: sqlite3.Connection, table: str, condition: str, what: str) -> None:
    found = database.execute(f"SELECT id FROM {table} WHERE {condition} LIMIT 1").fetchone()
    if found is not None:
        raise ArchiveError(f"row {found[0]} of {table} has {what}")


def _check_node_types(database: sqlite3.Connection) -> Iterator[str]:
    """Yield types of nodes that nothing here knows; AiiDA shows such as plain data or a plain process.

    AiiDA loads a class by the name of an entry point, that is, of a package that is installed here.

    :raises ArchiveError: if one is neither of data nor of a process: of such AiiDA's import keeps the checkpoints.
    """
    known = {*(f"data.{name}" for name in get_entry_point_names("aiida.data")), *get_entry_point_names("aiida.node")}
    for (kind,) in database.execute("SELECT DISTINCT node_type FROM db_dbnode ORDER BY 1"):
        if _NODE_TYPE.fullmatch(kind) is None:
            raise ArchiveError(f"a node is of the type {kind[:80]!r}, which is neither of data nor of a process")
        if kind.rsplit(".", 2)[0] not in known and kind != "data.Data.":
            yield kind


def _check_process_types(database: sqlite3.Connection) -> Iterator[str]:
    """Yield types of processes that nothing here knows.

    A type with a colon names an entry point. Others are those of functions, by their path in Python: AiiDA may import
    their module, so that they must not name one that is here and has nothing to do with AiiDA.

    :raises ArchiveError: if one does, or is no type at all.
    """
    for (kind,) in database.execute("SELECT DISTINCT process_type FROM db_dbnode WHERE process_type > '' ORDER BY 1"):
        if _ENTRY_POINT.fullmatch(kind):
            group, _, name = kind.partition(":")
            if name not in get_entry_point_names(group):
                yield kind
        elif _DOTTED.fullmatch(kind) is None:
            raise ArchiveError(f"it has a process of the type {kind[:80]!r}, which is none")
        elif _is_strange_module(kind.partition(".")[0]):
            raise ArchiveError(f"it has a process of the type {kind!r}: to show it, AiiDA would import that module")
        elif not _is_plugin(kind.partition(".")[0]):
            yield kind


def _is_plugin(package: str) -> bool:
    """Return whether a package is AiiDA or one that brings something for it."""
    return package.startswith("aiida") and importlib.util.find_spec(package) is not None


def _is_strange_module(package: str) -> bool:
    """Return whether a package could be imported here, though it is none of AiiDA's."""
    if package == "__main__" or package.startswith("aiida"):
        return False
    if package in sys.builtin_module_names or package in sys.stdlib_module_names or package in packages_distributions():
        return True
    return importlib.util.find_spec(package) is not None


def _check_processes(database: sqlite3.Connection) -> None:
    """Check that all processes have ended, and that none has a checkpoint, which a daemon would run as Python code."""
    wanted = "SELECT id, label FROM db_dbnode WHERE {} LIMIT 1"
    found = database.execute(wanted.format("json_type(attributes, '$.checkpoints') IS NOT NULL")).fetchone()
    if found is not None:
        raise ArchiveError(f"node {found[0]} ({found[1][:80]!r}) has a checkpoint, which a daemon would run")
    unsealed = "node_type LIKE 'process.%' AND json_extract(attributes, '$.sealed') IS NOT 1"
    found = database.execute(wanted.format(unsealed)).fetchone()
    if found is not None:
        raise ArchiveError(f"process {found[0]} ({found[1][:80]!r}) has not ended: a daemon would go on with it")


def _check_repository(database: sqlite3.Connection, keys: set[str]) -> None:
    """Check that the files of the nodes are there, and that their names lead nowhere else."""
    query = "SELECT id, repository_metadata FROM db_dbnode WHERE repository_metadata != '{}'"
    for node, text in database.execute(query):
        for name, value in _files(json.loads(text)):
            if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
                raise ArchiveError(f"node {node} has a file of the name {name[:80]!r}")
            key = value.get("k")
            if key is not None and key not in keys:
                raise ArchiveError(f"node {node} has the file {name[:80]!r}, whose content is not there")


def _files(tree: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the names of files and folders below a folder, with what is known of them."""
    left = [tree]
    while left:
        inside = left.pop().get("o", {})
        if not isinstance(inside, dict) or not all(isinstance(value, dict) for value in inside.values()):
            raise ArchiveError("a list of files is none")
        yield from inside.items()
        left += inside.values()


def _check_potentials(database: sqlite3.Connection) -> None:
    """Check that potentials are what they say: their file has the name and the SHA-256, their elements are elements."""
    query = "SELECT id, attributes, repository_metadata FROM db_dbnode WHERE node_type = ?"
    for node, attributes, repository in database.execute(query, (_POTENTIAL,)):
        said, files = json.loads(attributes), json.loads(repository).get("o", {})
        name, elements = said.get("filename"), said.get("type_map")
        if name not in files or _FILENAME.fullmatch(name) is None or files[name].get("k") != said.get("sha256"):
            raise ArchiveError(f"potential {node} is not what it says: its file has another name or SHA-256")
        if not isinstance(elements, list) or not all(each in atomic_numbers for each in elements):
            raise ArchiveError(f"potential {node} is of no elements: {str(elements)[:80]!r}")


def _check_circles(database: sqlite3.Connection) -> None:
    """Check that no node comes of itself: whoever follows a circle back would not come to an end."""
    effects: dict[int, list[int]] = {}
    places = ", ".join("?" * len(_BACK))
    query = f"SELECT output_id, input_id FROM db_dblink WHERE type IN ({places})"
    for effect, cause in database.execute(query, _BACK):
        effects.setdefault(effect, []).append(cause)
    try:
        graphlib.TopologicalSorter(effects).prepare()
    except graphlib.CycleError as error:
        raise ArchiveError(f"node {error.args[1][0]} comes of itself: its links make a circle") from error


def _contents(database: sqlite3.Connection, foreign: list[str]) -> Contents:
    kinds: dict[str, int] = {}
    for kind, number in database.execute("SELECT node_type, count(*) FROM db_dbnode GROUP BY node_type ORDER BY 1"):
        name = kind.rsplit(".", 2)[1]
        kinds[name] = kinds.get(name, 0) + number
    codes = database.execute(
        "SELECT node.label, computer.label FROM db_dbnode AS node LEFT JOIN db_dbcomputer AS computer "
        "ON node.dbcomputer_id = computer.id WHERE node.node_type LIKE 'data.core.code.%' ORDER BY node.id"
    )
    return Contents(
        nodes=sum(kinds.values()),
        kinds=kinds,
        foreign=foreign,
        codes=[label if computer is None else f"{label}@{computer}" for label, computer in codes],
        computers=[label for (label,) in database.execute("SELECT label FROM db_dbcomputer ORDER BY id")],
    )


def _one(database: sqlite3.Connection, query: str) -> Any:
    return database.execute(query).fetchone()[0]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
