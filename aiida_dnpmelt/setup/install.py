"""All of the set-up, step by step; what is there already is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aiida.manage.configuration import get_config, load_profile

from .codes import State, Step, ensure_code, ensure_computer
from .engines import find_engines
from .profile import ensure_postgres_profile, ensure_profile, ensure_url_profile

LABELS = ("lmp", "lmp-deepmd", "dp")


def set_up(
    name: str, postgres: bool = False, postgres_path: Path | None = None, postgres_url: str | None = None
) -> Iterator[Step]:
    """Set up the profile `name`, the localhost computer and the codes found on this machine.

    :param postgres: store in a PostgreSQL cluster of one's own, in `postgres_path` if that is given.
    :param postgres_url: store in an empty database of an existing server.
    """
    if postgres_url is not None:
        yield from ensure_url_profile(name, postgres_url)
    elif postgres:
        yield from ensure_postgres_profile(name, postgres_path)
    else:
        yield from ensure_profile(name)
    load_profile(name, allow_switch=True)
    computer, step = ensure_computer(Path(get_config().dirpath) / "scratch" / name)
    yield step
    engines = {engine.label: engine for engine in find_engines()}
    for label in LABELS:
        if label in engines:
            yield ensure_code(engines[label], computer)[1]
        else:
            remedy = "install it, `pip install aiida-dnpmelt[engines]`, and run setup again"
            yield Step(State.MISSING, f"code '{label}': the program was not found: {remedy}")
