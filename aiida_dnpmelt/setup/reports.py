"""What AiiDA reports while it works on archives."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("aiida.export", "aiida.delete")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the reports of AiiDA on archives and deletions from the terminal; to load a profile brings them back."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
