"""Say how far a long command has come, on stderr, so that what it prints can go into a file."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

import click

SECONDS = 5.0
"""After so long, and so often, it is said; what takes less says nothing."""
T = TypeVar("T")


def told(items: Iterable[T], what: str) -> Iterator[T]:
    """Yield items, and say now and then how many have passed.

    :param what: what is done with them, such as ``checking cells``.
    """
    last = time.monotonic()
    total = f" of {len(items)}" if isinstance(items, Sized) else ""
    for number, item in enumerate(items):
        now = time.monotonic()
        if now - last >= SECONDS:
            last = now
            click.echo(f"{what}: {number}{total}", err=True)
        yield item
