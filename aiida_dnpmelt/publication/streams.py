"""Look through files piece by piece, also through those that are compressed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, BinaryIO, Protocol, cast

CHUNK_BYTES = 1 << 20
LARGEST_BYTES = 20 * 10**9
"""Size up to which what is compressed is looked through: a few MB can stand for any number of bytes."""
_OVERLAP = 256
"""Bytes of a piece that are seen again with the next one: words that are looked for are not longer."""
_BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, NotImplementedError)
_OPENERS: dict[bytes, Callable[[Any], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_ZIP = b"PK\x03\x04"
_LEVELS = 3
"""How often a file may be compressed within another one."""


class Watcher(Protocol):
    """What is told each piece of a file."""

    def look(self, piece: bytes, first: bool) -> None:
        """Look at a piece, with the end of the one before it; the first one is the beginning of a file."""


class Search:
    """Watch for words; those that were found are in `found`."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = {word: word.encode()[:_OVERLAP] for word in words}
        self.found: set[str] = set()

    def look(self, piece: bytes, first: bool) -> None:
        """Look at a piece."""
        self.found |= {word for word, sought in self._words.items() if sought in piece}


def scan(stream: BinaryIO, watchers: Sequence[Watcher]) -> int:
    """Show a file to watchers, as it is and unpacked, and return its size in bytes.

    Files in a tar archive stand in it as they are, so that they are seen, too.

    :raises ValueError: if what is compressed in it is larger than `LARGEST_BYTES`.
    """
    size, head = _show(stream, watchers, None)
    if size:
        _show_unpacked(stream, head, watchers, _LEVELS)
    return size


def _show(stream: Any, watchers: Sequence[Watcher], most: int | None) -> tuple[int, bytes]:
    """Show a stream from where it is, and return its size and how it begins.

    :param most: size above which it is refused.
    """
    size, head, before = 0, b"", b""
    # What is cut gives its last whole part to `read1` only.
    read = getattr(stream, "read1", stream.read)
    while piece := read(CHUNK_BYTES):
        first = size == 0
        size += len(piece)
        if most is not None and size > most:
            raise ValueError(f"a compressed file holds more than {most / 1e9:g} GB: it cannot be looked through")
        for watcher in watchers:
            watcher.look(before + piece, first)
        head, before = head or piece[:8], (before + piece)[-_OVERLAP:]
    return size, head


def _show_unpacked(stream: Any, head: bytes, watchers: Sequence[Watcher], levels: int) -> None:
    """Show what is compressed in a file; what is cut or broken is shown as far as it can be read."""
    opener = next((opener for begin, opener in _OPENERS.items() if head.startswith(begin)), None)
    try:
        if opener is not None:
            stream.seek(0)
            with opener(stream) as inner:
                _, inner_head = _show(inner, watchers, LARGEST_BYTES)
                if levels > 1:
                    _show_unpacked(inner, inner_head, watchers, levels - 1)
        elif head.startswith(_ZIP):
            _show_members(stream, watchers, levels)
    except _BROKEN:
        return


def _show_members(stream: Any, watchers: Sequence[Watcher], levels: int) -> None:
    """Show the members of a zip file; the repository gives streams that jump slowly, so that it is copied first."""
    stream.seek(0)
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy, CHUNK_BYTES)
        with zipfile.ZipFile(cast(Any, copy)) as archive:
            for member in archive.infolist():
                with archive.open(member) as inner:
                    _, head = _show(inner, watchers, LARGEST_BYTES)
                    if levels > 1:
                        _show_unpacked(inner, head, watchers, levels - 1)
