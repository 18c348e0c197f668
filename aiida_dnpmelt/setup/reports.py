"""What AiiDA reports while it works on archives."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the reports of AiiDA on an export or an import from the terminal; to load a profile brings them back."""
    logger = logging.getLogger("aiida.export")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
