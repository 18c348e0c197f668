"""The profile of AiiDA: where results are stored, and how processes talk to each other."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiida.common.exceptions import AiidaException
from aiida.manage.configuration import Profile, create_profile, get_config
from aiida.plugins import BrokerFactory

from .codes import State, Step
from .configuration import configuration
from .messages import sentence
from .postgres import Cluster, default_folder
from .postgres_programs import PostgresError
from .postgres_url import check_empty_database, storage_config

BROKER = "core.zeromq"
SQLITE = "core.sqlite_dos"
POSTGRES = "core.psql_dos"
ARCHIVE = "core.sqlite_zip"
EMAIL = "aiida@localhost"
POLL_INTERVAL = 10
"""Seconds between two looks of a process at its children, in case their message is lost; AiiDA's default is 60."""


class ProfileError(ValueError):
    """The profile cannot be made as asked: the message says why, and what to do about it."""


def ensure_profile(name: str) -> Iterator[Step]:
    """Make the profile `name` on SQLite if there is none of that name; nothing has to be started for that.

    A profile that exists is kept whatever its storage is, and our cluster is started if it is in there.
    """
    backend = _storage_backend(name)
    if backend == POSTGRES and _cluster_folder(name) is not None:
        yield from ensure_postgres_profile(name)
        return
    if backend == ARCHIVE:
        raise ProfileError(f"profile '{name}' is an archive that was opened: name another one with --profile")
    if backend is None:
        _create(name, SQLITE, {})
        yield Step(State.MADE, f"profile '{name}' on SQLite")
    else:
        yield Step(State.KEPT, f"profile '{name}' exists, with the storage {backend}")
    yield from _configure(name)


def ensure_postgres_profile(name: str, folder: Path | None = None) -> Iterator[Step]:
    """Make the profile `name` in a cluster of one's own if there is none of that name, and start the cluster.

    :param folder: the folder of the cluster; default, the one of this user.
    """
    exists = _exists_on_postgres(name)
    known = _cluster_folder(name)
    if exists and known is None:
        raise ProfileError(
            f"profile '{name}' is on a PostgreSQL server that is not ours: name another one with --profile"
        )
    if exists and folder is not None and folder.absolute() != known:
        raise ProfileError(f"the cluster of profile '{name}' is in '{known}', not in '{folder.absolute()}'")
    folder = known if exists and known is not None else (folder or default_folder()).absolute()
    if exists or Cluster.exists(folder):
        cluster = Cluster.load(folder)
        yield Step(State.KEPT, f"PostgreSQL cluster in {folder}")
    else:
        cluster = Cluster.create(folder)
        who = "" if cluster.account is None else f", run by '{cluster.account.pw_name}' since root may not"
        yield Step(State.MADE, f"PostgreSQL cluster in {folder}{who}")
    running = cluster.process() is not None
    yield Step(State.KEPT if running else State.MADE, cluster.start())
    if exists:
        yield Step(State.KEPT, f"profile '{name}' exists, on PostgreSQL")
    else:
        with _new_database(cluster, name) as config:
            _create(name, POSTGRES, config)
        _remember_cluster(name, folder)
        yield Step(State.MADE, f"profile '{name}' on PostgreSQL")
    yield from _configure(name)


def ensure_url_profile(name: str, url: str) -> Iterator[Step]:
    """Make the profile `name` in an empty database of an existing server if there is none of that name."""
    config = storage_config(url)
    where = f"{config['database_hostname']}:{config['database_port']}/{config['database_name']}"
    if _exists_on_postgres(name):
        stored = get_config().get_profile(name).storage_config
        differing = [key for key, value in config.items() if stored.get(key) != value]
        if differing:
            raise ProfileError(
                f"profile '{name}' exists, and differs from the URL in {', '.join(differing)}: name another "
                "one with --profile"
            )
        yield Step(State.KEPT, f"profile '{name}' exists, on PostgreSQL at {where}")
    else:
        check_empty_database(config)
        _create(name, POSTGRES, config)
        yield Step(State.MADE, f"profile '{name}' on PostgreSQL at {where}")
    yield from _configure(name)


def check_profile_name(name: str) -> None:
    """Check that a name is fit for a profile and its files.

    :raises ProfileError: if it is not.
    """
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) is None:
        raise ProfileError(f"the name of a profile is made of letters, digits, '_', '.' and '-', not '{name}'")


def cluster_of(profile: Profile) -> Cluster | None:
    """Return the cluster of our own that holds the storage of a profile, or `None` if there is none."""
    folder = _cluster_folder(profile.name)
    if folder is None or profile.storage_backend != POSTGRES:
        return None
    return Cluster.load(folder)


def _exists_on_postgres(name: str) -> bool:
    """Return whether the profile exists.

    :raises ProfileError: if it does with another storage.
    """
    backend = _storage_backend(name)
    if backend not in (None, POSTGRES):
        raise ProfileError(
            f"profile '{name}' exists, with the storage {backend} instead of {POSTGRES}: name another one "
            "with --profile"
        )
    return backend is not None


def _storage_backend(name: str) -> str | None:
    """Return the storage plugin of the profile, or `None` if there is no such profile.

    :raises ProfileError: if `name` is not fit for file names.
    """
    check_profile_name(name)
    config = configuration(create=True)
    if name not in config.profile_names:
        return None
    return str(config.get_profile(name).storage_backend)


def _create(name: str, backend: str, storage: dict[str, Any]) -> None:
    config = configuration(create=True)
    if backend == POSTGRES:
        repository = Path(config.dirpath) / "repository" / f"{name}-{secrets.token_hex(4)}"
        storage = {**storage, "repository_uri": repository.as_uri()}
    try:
        create_profile(
            config,
            name=name,
            email=EMAIL,
            storage_backend=backend,
            storage_config=storage,
            broker_backend=BROKER,
            broker_config=BrokerFactory(BROKER).get_default_config(),
        )
    except AiidaException as exception:
        raise ProfileError(f"profile '{name}' could not be made: {sentence(exception)}") from exception


def _configure(name: str) -> Iterator[Step]:
    """Set what `create_profile` leaves open: the poll interval, and a default profile where there is none."""
    config = get_config()
    if config.get_option("runner.poll.interval", scope=name, default=False) is None:
        config.set_option("runner.poll.interval", POLL_INTERVAL, scope=name)
        config.store()
        yield Step(State.MADE, f"processes look at their children every {POLL_INTERVAL} s")
    if config.default_profile_name is None:
        config.set_default_profile(name)
        config.store()
        yield Step(State.MADE, f"'{name}' is the default profile")


@contextmanager
def _new_database(cluster: Cluster, profile: str) -> Iterator[dict[str, Any]]:
    """Create a database of a name that nobody else uses; drop it if the profile cannot be made."""
    name = f"aiida-{profile}-{secrets.token_hex(4)}"
    config = cluster.create_database(name)
    try:
        yield config
    except BaseException:
        cluster.drop_database(name)
        raise


def _cluster_file(name: str) -> Path:
    return Path(get_config().dirpath) / "aiida-dnpmelt" / f"{name}.json"


def _remember_cluster(name: str, folder: Path) -> None:
    """Write down which cluster a profile lives in: the configuration of AiiDA has no place for it."""
    file = _cluster_file(name)
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"cluster": str(folder)}))


def _cluster_folder(name: str) -> Path | None:
    file = _cluster_file(name)
    try:
        return Path(json.loads(file.read_text())["cluster"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as exception:
        raise PostgresError(
            f"'{file}', which says where the cluster of profile '{name}' is, cannot be read: {exception}"
        ) from exception
