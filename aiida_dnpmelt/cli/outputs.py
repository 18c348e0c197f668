"""Files that commands write at their end: whether they can is asked at the beginning."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click


def check_file(path: Path, option: str, force: bool) -> None:
    """Check the file that a command will write before anything is done.

    :param option: that names it.
    :raises ClickException: if it exists and may not be overwritten, or cannot be written.
    """
    if path.exists() and not force:
        raise click.ClickException(f"{path} exists: choose another file by {option}, or overwrite it by --force")
    check_output(path, option)


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
