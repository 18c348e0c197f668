"""A range of numbers as the value of an option."""

from __future__ import annotations

import math
from typing import Any

import click


class Range(click.ParamType):
    """A number, or two with a colon between them, of which one can be missing: ``5``, ``0:10``, ``:5``, ``1000:``."""

    name = "range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        """Return the lowest and the highest number."""
        if isinstance(value, tuple):
            return value
        low, colon, high = str(value).partition(":")
        try:
            begin = float(low) if low else -math.inf
            end = begin if not colon else float(high) if high else math.inf
        except ValueError:
            self.fail(f"'{value}' is no range: give a number, or LOW:HIGH, LOW: or :HIGH", param, ctx)
        if (not low and not high) or math.isnan(begin) or math.isnan(end):
            self.fail(f"'{value}' is no range: give a number, or LOW:HIGH, LOW: or :HIGH", param, ctx)
        if begin > end:
            self.fail(f"'{value}' is empty: {begin:g} is more than {end:g}", param, ctx)
        return begin, end


RANGE = Range()
