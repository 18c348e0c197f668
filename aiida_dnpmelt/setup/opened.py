"""Profiles of archives: they are read where they lie, and nothing is copied or changed."""

from __future__ import annotations

import re
from pathlib import Path

from aiida.manage.configuration import Profile

from .codes import State, Step
from .configuration import configuration
from .profile import ARCHIVE, ProfileError, check_profile_name


def open_archive(path: Path, name: str | None = None) -> tuple[Profile, Step]:
    """Return the read-only profile of an archive that was checked; make it if there is none.

    :param name: of the profile; by default that of the file.
    :raises ProfileError: if a profile of that name is something else, or the name cannot be one.
    """
    name, path = name or name_of(path), path.resolve()
    check_profile_name(name)
    config = configuration(create=True)
    if name in config.profile_names:
        profile = config.get_profile(name)
        if profile.storage_backend != ARCHIVE or profile.storage_config["filepath"] != str(path):
            raise ProfileError(f"profile '{name}' exists and is not this archive: choose another name by --name")
        return profile, Step(State.KEPT, f"profile '{name}' is this archive already")
    storage = {"backend": ARCHIVE, "config": {"filepath": str(path)}}
    profile = Profile(name, {"storage": storage, "process_control": {"backend": None, "config": {}}})
    config.add_profile(profile)
    config.store()
    return profile, Step(State.MADE, f"profile '{name}' reads '{path}'")


def close_archive(name: str) -> Step:
    """Forget the profile of an archive; the file stays.

    :raises ProfileError: if there is no such profile, or it is not that of an archive.
    """
    config = configuration(create=True)
    opened = [each.name for each in config.profiles if each.storage_backend == ARCHIVE]
    if name not in opened:
        known = f"there are {', '.join(opened)}" if opened else "none is open"
        raise ProfileError(f"'{name}' is no archive that was opened: {known}")
    path = config.get_profile(name).storage_config["filepath"]
    config.delete_profile(name, delete_storage=False)
    return Step(State.MADE, f"profile '{name}' is gone, the file '{path}' stays")


def name_of(path: Path) -> str:
    """Return a name for the profile of an archive, made of that of the file."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", path.name.removesuffix(".aiida")).strip("-._") or "archive"
