"""Unpack what may hold labelled frames or models from an archive that nobody vouches for."""

from __future__ import annotations

import lzma
import re
import tarfile
import zlib
from pathlib import Path, PurePosixPath

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
LARGEST_BYTES = 50 * 10**9
"""Unpacked size up to which an archive is taken: that of the published ones is a hundredth of it."""
MOST_FILES = 1_000_000

_POINTER = b"version https://git-lfs"
_WANTED = re.compile(
    r"vasprun\.xml|\w+_vasprun\.xml|OUTCAR|POSCAR|(type|type_map|coord|box|energy|force|virial)\.raw"
    r"|(coord|box|energy|force|virial)\.npy|out\.json|input\.json|lcurve\.out|.+\.(pb|pth|pt2)"
)
_BROKEN = (EOFError, OSError, tarfile.TarError, zlib.error, lzma.LZMAError)


def is_archive(path: Path) -> bool:
    """Return whether the name of a file is that of an archive."""
    return path.name.endswith(SUFFIXES)


def is_pointer(path: Path) -> bool:
    """Return whether a file stands for one that Git LFS did not bring."""
    with path.open("rb") as handle:
        return handle.read(len(_POINTER)) == _POINTER


def unpack(archive: Path, folder: Path) -> str:
    """Unpack into a folder what can be read here, and return what went wrong, in words; empty if nothing did.

    POTCAR files and all that is of no use stay in the archive. Nothing is written outside of the folder, no link is
    made, and what came before a cut is kept.
    """
    size = number = 0
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                if not member.isfile() or not _WANTED.fullmatch(PurePosixPath(member.name).name):
                    continue
                size, number = size + member.size, number + 1
                if size > LARGEST_BYTES or number > MOST_FILES:
                    return f"more than {LARGEST_BYTES / 1e9:g} GB or {MOST_FILES} files in it: the rest was left out"
                tar.extract(member, folder, filter="data")
    except _BROKEN as error:
        return f"it cannot be read to its end: {error}"
    return ""
