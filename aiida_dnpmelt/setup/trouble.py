"""What is wrong with that on which a command stands - its folders, its database - and what to do about it."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .check import UP
from .messages import sentence

if TYPE_CHECKING:
    from aiida.manage.configuration import Profile

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_OWN_FOLDER = "set AIIDA_PATH to a folder in which you can write, or make this one yours again"
_FREE_SPACE = "free some and run the command again, what was stored before is whole"
_SQLITE = {
    "readonly": ("it cannot be written", _OWN_FOLDER),
    "unable to open": ("its file cannot be opened", _OWN_FOLDER),
    "disk I/O": ("its file cannot be read or written", "look at the disk, it may be full or broken"),
    "full": ("no space is left on the disk", _FREE_SPACE),
    "locked": ("another program has kept it locked", "run the command again when that has ended"),
    "not a database": ("its file is damaged", "restore it from a backup"),
    "malformed": ("its file is damaged", "restore it from a backup"),
}
"""What SQLite says, what that means, and what to do."""


class Trouble(NamedTuple):
    """What is wrong, and what to do about it."""

    what: str
    remedy: str

    def __str__(self) -> str:
        """Return one sentence."""
        return f"{self.what}: {self.remedy}"


def trouble_of(error: BaseException) -> Trouble | None:
    """Return what an error, or one that caused it, says of folders and storage; None if it is of another kind."""
    causes = list(_causes(error))
    for look in (_of_folder, _of_database, _of_storage):
        found = next(filter(None, map(look, causes)), None)
        if found is not None:
            return found
    return None


def trouble_of_profile(profile: Profile, error: BaseException) -> Trouble:
    """Return why a profile cannot be loaded."""
    return trouble_of(error) or _closed(profile, error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _of_folder(error: BaseException) -> Trouble | None:
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        return Trouble("your home folder is not known", "set HOME")
    if not isinstance(error, OSError):
        return None
    if error.errno in _FULL:
        return Trouble(f"no space is left{_for(error)}", _FREE_SPACE)
    if error.filename is None or error.errno is None:
        return None
    inside = ".aiida" in Path(str(error.filename)).parts
    remedy = _OWN_FOLDER if inside else "choose another one, or change who may use it"
    return Trouble(f"'{error.filename}' cannot be used: {error.strerror}", remedy)


def _for(error: OSError) -> str:
    return " on the disk" if error.filename is None else f" for '{error.filename}'"


def _of_database(error: BaseException) -> Trouble | None:
    """Return what a database says of itself: not what it says of a question, which is a fault of the program."""
    from sqlalchemy.exc import DatabaseError, OperationalError

    if not isinstance(error, DatabaseError):
        return None
    said = sentence(error.orig or error)
    name = _database()
    for words, (what, remedy) in _SQLITE.items():
        if words in said:
            return Trouble(f"{name} does not work: {what}", remedy)
    if not isinstance(error, OperationalError) or isinstance(error.orig, sqlite3.Error):
        return None
    return Trouble(f"{name} does not answer ({said})", _start())


def _of_storage(error: BaseException) -> Trouble | None:
    from aiida.common import exceptions

    kinds = (
        exceptions.CorruptStorage,
        exceptions.DatabaseMigrationError,
        exceptions.IncompatibleDatabaseSchema,
        exceptions.UnreachableStorage,
    )
    profile = _profile()
    return _closed(profile, error) if profile is not None and isinstance(error, kinds) else None


def _closed(profile: Profile, error: BaseException) -> Trouble:
    remedy = "restore it from a backup, or, after an update of AiiDA, `verdi storage migrate`"
    if profile.storage_backend == "core.sqlite_zip":
        remedy = f"open its archive again, or forget it by `aiida-dnpmelt open --close {profile.name}`"
    return Trouble(
        f"the storage of profile '{profile.name}' does not open ({sentence(error) or type(error).__name__})", remedy
    )


def _database() -> str:
    profile = _profile()
    return "the database" if profile is None else f"the database of profile '{profile.name}'"


def _start() -> str:
    """Return how to start the server of the database."""
    from .postgres_programs import PostgresError
    from .profile import cluster_of

    profile = _profile()
    try:
        ours = profile is not None and cluster_of(profile) is not None
    except PostgresError as exception:
        return str(exception)
    return UP if ours else "start its server, which is not one of ours"


def _profile() -> Profile | None:
    from aiida.manage import get_manager

    return get_manager().get_profile()
