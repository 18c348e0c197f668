"""Move a profile to another storage, as from SQLite to PostgreSQL, with all that is in it.

It goes through an archive of AiiDA. AiiDA imports in one transaction, so that a migration that is killed leaves the
target empty or whole; the source is only read. It can be run again in either case.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiida import orm
from aiida.manage import get_manager
from aiida.manage.configuration import Profile, get_config
from aiida.tools import delete_nodes
from aiida.tools.archive import create_archive, import_archive

from aiida_dnpmelt.data.trust import all_codes, remember_trusted_group, trusted_group

from .migration_check import Contents, broken_files, contents_of, difference
from .profile import ARCHIVE, ProfileError
from .reports import quiet

_UNPACKED = 0
"""Level of compression: the archive is gone at the end."""
_MIRROR = ("n", "c", "u")
"""How AiiDA merges extras of nodes that are there: it takes those of the archive, with the hashes of the caching."""


def migrate(source: Profile, target: Profile) -> Iterator[str]:
    """Copy all of a profile into an empty one, and yield what was done, a sentence each; at the end all is compared.

    :raises ProfileError: if the target is not empty, processes of the source have not ended, or the two differ then.
    """
    _check(source, target)
    with _loaded(source):
        _check_ended(source)
        before = contents_of()
        group = trusted_group()
        trusted = None if group is None else group.uuid
    with _loaded(target), quiet():
        yield from _make_empty(before)
    with tempfile.TemporaryDirectory(prefix=_prefix(source), dir=_folder(source)) as folder:
        archive = Path(folder) / "all.aiida"
        with _loaded(source), quiet():
            create_archive(None, archive, include_authinfos=True, strip_checkpoints=False, compression=_UNPACKED)
        yield f"{before.nodes} nodes of '{source.name}' are in an archive of {archive.stat().st_size / 1e6:.0f} MB"
        with _loaded(target), quiet():
            import_archive(archive, include_authinfos=True, create_group=False)
            import_archive(archive, include_authinfos=True, create_group=False, merge_extras=_MIRROR)
            if trusted is not None:
                remember_trusted_group(trusted)
            get_manager().set_default_user_email(target, str(source.default_user_email))
    yield f"they are in '{target.name}'; now each is compared"
    with _loaded(target):
        after = contents_of()
        problems = [*difference(before, after), *broken_files()]
    if problems:
        raise ProfileError(f"'{target.name}' is not the same as '{source.name}': {'; '.join(problems)}")
    yield from after.words()


def _check(source: Profile, target: Profile) -> None:
    if source.name == target.name:
        raise ProfileError(f"--to: '{target.name}' is the profile that is to be moved")
    if target.storage_backend == ARCHIVE:
        raise ProfileError(f"--to: profile '{target.name}' is an archive that was opened: it can only be read")


def _check_ended(profile: Profile) -> None:
    """Check that no process runs.

    :raises ProfileError: if one does; the message names the first.
    """
    query = orm.QueryBuilder().append(
        orm.ProcessNode, filters={"or": [{"attributes.sealed": {"!==": True}}, {"attributes": {"!has_key": "sealed"}}]}
    )
    found = query.all(flat=True)
    if found:
        numbers = ", ".join(str(node.pk) for node in found[:10])
        raise ProfileError(
            f"{len(found)} processes of '{profile.name}' have not ended ({numbers}): wait for them, or end them by "
            "`verdi process kill`"
        )


def _make_empty(before: Contents) -> Iterator[str]:
    """Remove what setup made in the target: a computer and codes that the source has as well.

    :raises ProfileError: if there is anything else.
    """
    there = contents_of()
    if there.nodes and set(there.hashes) <= set(before.hashes):
        yield f"{there.nodes} nodes of an earlier migration are there"
        return
    codes = all_codes()
    if len(codes) != there.nodes or there.links:
        raise ProfileError(f"the target has {there.nodes} nodes of its own: name an empty profile")
    computers = orm.Computer.collection.all()
    strange = [each.label for each in computers if each.label not in before.computers]
    strange += [code.full_label for code in codes if code.full_label not in before.codes]
    if strange:
        raise ProfileError(f"the target has {', '.join(strange)}, which the source lacks: name an empty profile")
    if codes:
        delete_nodes([code.pk for code in codes], dry_run=False)
    for computer in computers:
        orm.Computer.collection.delete(computer.pk)
    if computers:
        yield f"{len(codes)} codes, {len(computers)} computers that setup made there give way to those of the source"


@contextmanager
def _loaded(profile: Profile) -> Iterator[None]:
    """Load a profile, and afterwards the one that was loaded before."""
    manager = get_manager()
    before = manager.get_profile()
    manager.load_profile(profile.name, allow_switch=True)
    manager.get_profile_storage()
    try:
        yield
    finally:
        if before is not None:
            manager.load_profile(before.name, allow_switch=True)


def _prefix(source: Profile) -> str:
    return f"migrate-{source.name}-"


def _folder(source: Profile) -> Path:
    """Return the folder for the archive, that of AiiDA; what a migration that was killed has left there is removed."""
    folder = Path(get_config().dirpath)
    for left in folder.glob(f"{_prefix(source)}*"):
        shutil.rmtree(left)
    return folder
