"""Read files that may be compressed as far as they go: gzip, bzip2 and xz are told by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

SUFFIXES: Final = ("", ".gz", ".bz2", ".xz")
"""Of the names of files that can be read."""
_OPENERS: Final[dict[bytes, Callable[[Path], Any]]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
_BLOCK: Final = 1 << 16
_LONGEST: Final = 1 << 20
"""Bytes of a line; what is longer is no text, and is given out in pieces."""


class Readable(Protocol):
    """What gives bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""


class PatientReader:
    """Bytes of a file up to its end, or up to where it was cut or damaged.

    :ivar flaw: why the bytes end early, None if they do not.
    """

    def __init__(self, handle: Any) -> None:
        """Take an open file."""
        self._handle = handle
        self.flaw: str | None = None

    def read(self, size: int = _BLOCK) -> bytes:
        """Return some of the next bytes, at most ``size``; none at the end."""
        if self.flaw is not None:
            return b""
        try:
            found: bytes = self._handle.read1(size)  # more than one block would lose what came before the damage
        except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
            self.flaw = f"the compressed file ends early or is damaged: {error}"
            return b""
        return found


@contextmanager
def open_packed(path: Path) -> Iterator[PatientReader]:
    """Open a file, compressed or not.

    :raises OSError: if it cannot be opened.
    """
    with path.open("rb") as plain:
        start = plain.read(max(map(len, _OPENERS)))
    opener = next((each for magic, each in _OPENERS.items() if start.startswith(magic)), None)
    with path.open("rb") if opener is None else opener(path) as handle:
        yield PatientReader(handle)


def lines_of(handle: Readable) -> Iterator[str]:
    """Yield the lines of a text without their ends; bytes are taken as those of ISO-8859-1."""
    rest = b""
    while block := handle.read(_BLOCK):
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line.decode("latin-1")
        if len(rest) > _LONGEST:
            yield rest.decode("latin-1")
            rest = b""
    if rest:
        yield rest.decode("latin-1")
