"""Names that hold numbers, in the order of the numbers: ``seed_2`` before ``seed_10``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")
_NUMBER = re.compile(r"([0-9]+)")


def by_number(name: str) -> tuple[list[str | int], str]:
    """Return a key for sorting names: numbers in them count as numbers, ``iteration_99`` before ``iteration_100``."""
    words = _NUMBER.split(name)  # text and number in turn, text first, so that any two can be compared
    return [int(word) if place % 2 else word for place, word in enumerate(words)], name


def ordered(named: Mapping[str, Value]) -> dict[str, Value]:
    """Return what has names in the order of `by_number`."""
    return {name: named[name] for name in sorted(named, key=by_number)}
