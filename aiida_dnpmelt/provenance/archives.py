"""Unpack what may hold labelled frames or models from an archive that nobody vouches for."""

from __future__ import annotations

import lzma
import os
import re
import tarfile
import zlib
from pathlib import Path, PurePosixPath

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
LARGEST_BYTES = 50 * 10**9
"""Unpacked size up to which an archive is taken: that of the published ones is a hundredth of it."""
MOST_FILES = 1_000_000

_POINTER = b"version https://git-lfs"
_RUN = re.compile(r"(vasprun\.xml|OUTCAR)(\.(gz|bz2|xz))?")
_SET = re.compile(r"(type|type_map)\.raw|nopbc|(coord|box|energy|force|virial|real_atom_types)\.(npy|raw)")
_OTHERS = re.compile(r"\w+_vasprun\.xml|POSCAR|out\.json|input\.json|lcurve\.out|.+\.(pb|pth|pt2)")
_BROKEN = (EOFError, OSError, ValueError, tarfile.TarError, zlib.error, lzma.LZMAError)


def is_run(name: str) -> bool:
    """Return whether a file of this name holds a run of VASP."""
    return _RUN.fullmatch(name) is not None


def holds_frames(name: str) -> bool:
    """Return whether a file of this name holds labelled frames, or a part of them."""
    return is_run(name) or _SET.fullmatch(name) is not None


def is_of_use(name: str) -> bool:
    """Return whether a file of this name holds frames or models, or tells of them."""
    return holds_frames(name) or _OTHERS.fullmatch(name) is not None


def is_archive(path: Path) -> bool:
    """Return whether the name of a file is that of an archive."""
    return path.name.endswith(SUFFIXES)


def is_pointer(path: Path) -> bool:
    """Return whether a file stands for one that Git LFS did not bring."""
    try:
        with path.open("rb") as handle:
            return handle.read(len(_POINTER)) == _POINTER
    except OSError:
        return False  # who reads it says why not


def unpack(archive: Path, folder: Path) -> str:
    """Unpack into a folder what can be read here, and return what went wrong, in words; empty if nothing did.

    POTCAR files and all that is of no use stay in the archive. Nothing is written outside of the folder, no link is
    followed but to a file of the archive that is of use itself, and what came before a cut is kept.
    """
    links: list[str] = []
    try:
        with tarfile.open(archive, "r:*") as tar:
            flaw = _take(tar, folder, links)
    except _BROKEN as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        flaw = f"it cannot be read to its end: {why}"
    if links:
        told = f"{len(links)} link{'s' if len(links) > 1 else ''} in it not followed, as {links[0]}"
        return "; ".join(filter(None, [flaw, told]))
    return flaw


def _take(tar: tarfile.TarFile, folder: Path, links: list[str]) -> str:
    """Extract what is of use, and note links that are not followed; return why the rest was left out."""
    size = number = 0
    for member in tar:
        wanted = is_of_use(PurePosixPath(member.name).name)
        if member.issym() and (wanted or _leads_out(member)):
            links.append(f"{member.name} to {member.linkname}")
        if not wanted or not (member.isfile() or (member.islnk() and is_of_use(PurePosixPath(member.linkname).name))):
            continue
        size, number = size + member.size, number + 1
        if size > LARGEST_BYTES or number > MOST_FILES:
            return f"more than {LARGEST_BYTES / 1e9:g} GB or {MOST_FILES} files in it: the rest was left out"
        tar.extract(member, folder, filter="data")
    return ""


def _leads_out(member: tarfile.TarInfo) -> bool:
    """Return whether a link leads out of the archive. What is in it is found where it is."""
    target = os.path.normpath(PurePosixPath(member.name).parent / member.linkname)
    return target.startswith(("..", "/"))
