"""Profiles that can be read only: archives that were opened."""

from __future__ import annotations

from aiida.manage import get_manager


def check_can_store(why: str) -> None:
    """Check that the loaded profile takes new nodes.

    :param why: what would be stored, as the second half of a sentence.
    :raises ValueError: if it does not; the message says what to do.
    """
    storage = get_manager().get_profile_storage()
    if storage.read_only:
        raise ValueError(
            f"profile '{storage.profile.name}' is an archive that was opened and can only be read: {why}; name another "
            "profile by --profile, or take the archive into one by `aiida-dnpmelt import archive`"
        )
