"""Files that commands write at their end: whether they can is asked at the beginning."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click


def check_output(path: Path, option: str) -> None:
    """Check that a file can be written, by trying; what is in it stays.

    :raises ClickException: if it cannot; it names the option.
    """
    folder = path.absolute().parent
    try:
        if path.exists():
            with path.open("r+b"):
                return
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as exception:
        place = path if path.exists() else folder
        raise click.ClickException(f"{option}: {path} cannot be written: {exception.strerror}: {place}") from exception
