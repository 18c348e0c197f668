"""Archives as AiiDA writes them, and what somebody could make of them by hand."""

from __future__ import annotations

import hashlib
import sqlite3
import zipfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from aiida.orm import Node
from aiida.tools.archive import create_archive

from aiida_dnpmelt.setup.reports import quiet

DATABASE = "db.sqlite3"


def write_archive(path: Path, nodes: Sequence[Node] | None = None) -> Path:
    """Write an archive of nodes, or of the whole profile."""
    with quiet():
        create_archive(nodes, path)
    return path


def changed(archive: Path, target: Path, *statements: str, script: str = "") -> Path:
    """Write an archive whose database was changed by SQL, as any tool could do it: nothing is checked."""
    database = target.with_suffix(".sqlite3")
    with zipfile.ZipFile(archive) as source:
        database.write_bytes(source.read(DATABASE))
    with closing(sqlite3.connect(database)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.executescript(script)
        connection.commit()
    return repacked(archive, target, lambda name, content: database.read_bytes() if name == DATABASE else content)


def repacked(archive: Path, target: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """Write an archive with other contents of its files; those for which there are none are left out."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as sink:
        for name in source.namelist():
            content = change(name, source.read(name))
            if content is not None:
                sink.writestr(name, content)
    return target


def with_member(archive: Path, target: Path, member: zipfile.ZipInfo | str, content: bytes = b"x") -> Path:
    """Write an archive with one more file in it."""
    target.write_bytes(archive.read_bytes())
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as sink:
        sink.writestr(member, content)
    return target


def key_of(content: bytes) -> str:
    """Return the name in the repository of a file of some content."""
    return f"repo/{hashlib.sha256(content).hexdigest()}"
