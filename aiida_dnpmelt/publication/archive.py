"""Archives of AiiDA: write one, change a copy of it, and look whether it is whole."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from aiida.orm.implementation import StorageBackend
from aiida.plugins import StorageFactory
from aiida.tools.archive import create_archive

from aiida_dnpmelt.publication.contents import NodeFiles, nodes_with_files
from aiida_dnpmelt.publication.selection import Selection

DATABASE = "db.sqlite3"
METADATA = "metadata.json"
FILES = "repo/"
"""Names in an archive of the format `core.sqlite_zip`: two files, and a folder of files named by their SHA-256."""
_CHUNK_BYTES = 1 << 20


def write_archive(selection: Selection, path: Path, remarks: bool = True) -> None:
    """Write the archive of a selection with the whole provenance.

    :param remarks: with the comments and logs of the nodes.
    """
    logger = logging.getLogger("aiida.export")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        create_archive(selection.entities, path, include_comments=remarks, include_logs=remarks, **selection.rules)
    finally:
        logger.setLevel(level)


@contextmanager
def opened(path: Path) -> Iterator[StorageBackend]:
    """Give the storage of an archive, to read."""
    storage = StorageFactory("core.sqlite_zip")
    backend = storage(storage.create_profile(path))
    try:
        yield backend
    finally:
        backend.close()


def rewrite(path: Path, change: Callable[[sqlite3.Connection], None]) -> None:
    """Change the database of an archive, and leave out the files that no node has any more.

    What is deleted from the database is not left in it as free space.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as place, zipfile.ZipFile(path) as old:
        database, new = Path(place, DATABASE), Path(place, "new.aiida")
        with old.open(DATABASE) as source, database.open("wb") as target:
            shutil.copyfileobj(source, target, _CHUNK_BYTES)
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            change(connection)
            connection.commit()
            connection.execute("VACUUM")
            kept = _keys(connection)
        with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(METADATA, old.read(METADATA), zipfile.ZIP_STORED)
            archive.write(database, DATABASE)
            for info in old.infolist():
                if info.filename.startswith(FILES) and info.filename.removeprefix(FILES) in kept:
                    with old.open(info) as source, archive.open(info.filename, "w", force_zip64=True) as target:
                        shutil.copyfileobj(source, target, _CHUNK_BYTES)
        new.replace(path)


def _keys(connection: sqlite3.Connection) -> set[str]:
    """Return the keys of all files that nodes have."""
    found: set[str] = set()
    for (text,) in connection.execute("SELECT repository_metadata FROM db_dbnode"):
        folders = [json.loads(text or "{}")]
        while folders:
            for entry in folders.pop().get("o", {}).values():
                if "k" in entry:
                    found.add(entry["k"])
                else:
                    folders.append(entry)
    return found


def delete_nodes(connection: sqlite3.Connection, pks: set[int]) -> None:
    """Delete nodes from the database of an archive, with their links and what is said of them."""
    rows = [(pk,) for pk in sorted(pks)]
    for table, column in (
        ("db_dblink", "input_id"),
        ("db_dblink", "output_id"),
        ("db_dbgroup_dbnodes", "dbnode_id"),
        ("db_dbcomment", "dbnode_id"),
        ("db_dblog", "dbnode_id"),
        ("db_dbnode", "id"),
    ):
        connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", rows)


def words_in_database(path: Path, words: Iterable[str]) -> list[tuple[str, str]]:
    """Return the words that stand anywhere in the database of an archive, with the table."""
    found = set()
    with tempfile.TemporaryDirectory(dir=path.parent) as place, zipfile.ZipFile(path) as archive:
        database = archive.extract(DATABASE, place)
        sought = list(words)
        with closing(sqlite3.connect(database)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                for row in connection.execute(f'SELECT * FROM "{table}"'):
                    text = "\n".join(str(value) for value in row)
                    found |= {(word, table) for word in sought if word in text}
    return sorted(found)


def check_archive(path: Path) -> list[NodeFiles]:
    """Return the nodes of an archive, after each of their files was read and found to be what its key says.

    :raises ValueError: if a file is missing or another one.
    """
    with opened(path) as backend:
        nodes = nodes_with_files(backend)
        keys = {key for node in nodes for key in node.files.values()}
        repository = backend.get_repository()
        there = set(repository.list_objects())
        wrong = sorted(keys - there)
        for key, stream in repository.iter_object_streams(sorted(keys & there)):
            digest = hashlib.sha256()
            while piece := stream.read(_CHUNK_BYTES):
                digest.update(piece)
            if digest.hexdigest() != key:
                wrong.append(key)
    if wrong:
        raise ValueError(f"{path.name}: {len(wrong)} files of nodes are missing or broken, the first is {wrong[0]}")
    return nodes
