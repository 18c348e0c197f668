"""Files of figures that commands write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .outputs import check_file

FORMATS = (".svg", ".png", ".pdf")


def check_plot(path: Path | None, force: bool) -> None:
    """Check the file of a figure before anything is done.

    :raises ClickException: if its suffix stands for no picture, or it exists and may not be overwritten.
    """
    if path is None:
        return
    if path.suffix not in FORMATS:
        raise click.ClickException(f"--plot: '{path}' ends in '{path.suffix}', it can be one of {', '.join(FORMATS)}")
    check_file(path, "--plot", force)


def draw(write: Callable[[Any, Path], None], what: Any, path: Path) -> None:
    """Call a function that writes a figure.

    :raises ClickException: if it cannot.
    """
    try:
        write(what, path)
    except ImportError as error:
        message = f"{error}: a plot needs the extra [report], pip install 'aiida-dnpmelt[report]'"
        raise click.ClickException(message) from error
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
