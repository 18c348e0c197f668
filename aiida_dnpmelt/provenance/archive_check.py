"""Look at an AiiDA archive that nobody vouches for, before AiiDA opens it: refuse what could do harm.

Nothing of it is run, and nothing is written but its database, into a folder that is gone afterwards. The format is that
of AiiDA 2: a zip file of `metadata.json`, `db.sqlite3`, and `repo/` with files that are named by their SHA-256
(documentation of AiiDA, storage format `core.sqlite_zip`).
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aiida.plugins import StorageFactory

from aiida_dnpmelt.provenance.archive_database import ArchiveError, Contents, check_database

STORAGE = "core.sqlite_zip"
METADATA, DATABASE, REPOSITORY = "metadata.json", "db.sqlite3", "repo/"
LARGEST_BYTES = 200 * 10**9
"""Unpacked size up to which an archive is taken."""
LARGEST_METADATA = 10**8
"""Bytes of `metadata.json`, which may list the nodes that the archive began with, 40 bytes each."""
LARGEST_RATIO = 200
"""How much smaller packing may make an archive: that of a real one is 2 to 20, that of a zip bomb 1000 and more."""
SMALL_BYTES = 10**9
"""Unpacked size below which no ratio is wrong."""
MOST_FILES = 2_000_000

_CHUNK = 1 << 20
_KEY = re.compile(r"repo/([0-9a-f]{64})")
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Archive:
    """What a checked archive is.

    :param created: when it was made, as it says itself; empty if it does not.
    :param aiida_version: of the AiiDA that made it.
    """

    path: Path
    created: str
    aiida_version: str
    contents: Contents


def check_archive(path: Path) -> Archive:
    """Check an archive and return what is in it.

    :raises ArchiveError: if it is refused, with the reason.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            metadata = _metadata(archive)
            _check_version(path, str(metadata["export_version"]))
            keys = _check_files(archive)
            with tempfile.TemporaryDirectory() as folder:
                contents = check_database(_unpacked(archive, Path(folder)), keys)
    except _BROKEN as error:
        raise ArchiveError(f"it is no zip file that can be read to its end: {error}") from error
    return Archive(
        path=path,
        created=str(metadata.get("ctime", "")),
        aiida_version=str(metadata.get("aiida_version", "")),
        contents=contents,
    )


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    """Check the list of the files of an archive; none is read.

    :raises ArchiveError: if one of them has no business there.
    """
    members = archive.infolist()
    if len(members) > MOST_FILES:
        raise ArchiveError(f"it has {len(members)} files, more than {MOST_FILES}")
    for member in members:
        _check_member(member)
    _check_names([member.filename for member in members])
    size = sum(member.file_size for member in members)
    if size > LARGEST_BYTES:
        raise ArchiveError(f"unpacked it would be {size / 1e9:.0f} GB, more than {LARGEST_BYTES / 1e9:g} GB")
    if size > SMALL_BYTES and size > LARGEST_RATIO * path.stat().st_size:
        raise ArchiveError(f"unpacked it would be {size / path.stat().st_size:.0f} times as large: a zip bomb")


def _check_member(member: zipfile.ZipInfo) -> None:
    name = member.filename
    if stat.S_ISLNK(member.external_attr >> 16):
        raise ArchiveError(f"{name!r} is a link")
    if member.flag_bits & 1:
        raise ArchiveError(f"{name!r} is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveError(f"{name!r} is packed in a way that AiiDA does not use")
    if name not in (METADATA, DATABASE, REPOSITORY) and _KEY.fullmatch(name) is None:
        raise ArchiveError(
            f"{name!r} is in it: there can be {METADATA}, {DATABASE}, and {REPOSITORY} with files that are named by "
            "their SHA-256"
        )


def _check_names(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ArchiveError(f"{twice!r} is in it more than once")
    missing = [name for name in (METADATA, DATABASE) if name not in names]
    if missing:
        raise ArchiveError(f"it lacks {' and '.join(missing)}")


def _metadata(archive: zipfile.ZipFile) -> dict[str, object]:
    size = archive.getinfo(METADATA).file_size
    if size > LARGEST_METADATA:
        raise ArchiveError(f"{METADATA} has {size} bytes, more than {LARGEST_METADATA}")
    try:
        found = json.loads(archive.read(METADATA))
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{METADATA} is no JSON: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("export_version"), str):
        raise ArchiveError(f"{METADATA} does not say which version of the format it is")
    if found.get("key_format", "sha256") != "sha256":
        raise ArchiveError(f"its files are named by {found['key_format']!r} instead of SHA-256")
    return found


def _check_version(path: Path, version: str) -> None:
    """Check that this AiiDA reads the version of the format.

    :raises ArchiveError: if it does not; the message says how to bring an older archive up to date.
    """
    latest = StorageFactory(STORAGE).version_head()
    if version != latest:
        raise ArchiveError(
            f"its format is {version!r}, this AiiDA reads {latest!r}: if you know where it comes from, "
            f"`verdi archive migrate '{path.name}' 'new_{path.name}'` brings an older one up to date"
        )


def _check_files(archive: zipfile.ZipFile) -> set[str]:
    """Return the names of the files of the repository, after a look at each: their content must be what they say."""
    keys = set()
    for member in archive.infolist():
        found = _KEY.fullmatch(member.filename)
        if found is None:
            continue
        digest = hashlib.sha256()
        with archive.open(member) as handle:
            while chunk := handle.read(_CHUNK):
                digest.update(chunk)
        if digest.hexdigest() != found[1]:
            raise ArchiveError(f"{member.filename!r} holds something else than its name says")
        keys.add(found[1])
    return keys


def _unpacked(archive: zipfile.ZipFile, folder: Path) -> Path:
    """Unpack the database into a folder and return its path."""
    size, free = archive.getinfo(DATABASE).file_size, shutil.disk_usage(folder).free
    if size > free:
        raise ArchiveError(f"its database has {size / 1e9:.1f} GB, and {folder.parent} only {free / 1e9:.1f} GB free")
    target = folder / DATABASE
    with archive.open(DATABASE) as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink, _CHUNK)
    return target
