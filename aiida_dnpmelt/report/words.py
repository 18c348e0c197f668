"""Numbers as words of a page; what is not known is a dash."""

from __future__ import annotations

import math

from aiida_dnpmelt.physics.notation import notation

DASH = "–"


def kelvin(value: float | None, uncertainty: float | None = None) -> str:
    """Return a temperature with its uncertainty and unit: ``1331(4) K``."""
    number = bare(value, uncertainty)
    return number if number == DASH else f"{number} K"


def bare(value: float | None, uncertainty: float | None = None) -> str:
    """Return a number with its uncertainty in units of its last digits: ``1331(4)``; alone it has no decimals."""
    if value is None or not math.isfinite(value):
        return DASH
    return minus(f"{value:.0f}" if uncertainty is None else notation(value, uncertainty))


def decimals(value: float | None, places: int) -> str:
    """Return a number with a number of decimals."""
    return DASH if value is None or not math.isfinite(value) else minus(f"{value:.{places}f}")


def signed(value: float | None, uncertainty: float | None = None) -> str:
    """Return a difference with its sign."""
    text = bare(value, uncertainty)
    return text if value is None or value < 0 or text == DASH else f"+{text}"


def interval(low: float | None, high: float | None) -> str:
    """Return an interval in K."""
    return DASH if low is None or high is None else f"{low:.0f} to {high:.0f} K"


def millions(value: float) -> str:
    """Return a count in millions."""
    return decimals(value / 1e6, 1 if value < 1e8 else 0)


def hours(value: float) -> str:
    """Return hours with two decimals, and with two digits if they are few."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def core_hours(jobs: int, unknown: int, known: float) -> str:
    """Return the core-hours of jobs: those that are known, and that there are more if some are not.

    :param unknown: number of the jobs whose core-hours are not known.
    :param known: core-hours of the others.
    """
    if jobs == 0:
        return DASH
    if unknown == jobs and not known:
        return "not known"
    return f"at least {hours(known)}" if unknown else hours(known)


def minus(text: str) -> str:
    """Return a number with a true minus sign, zero without any."""
    if not text.startswith("-"):
        return text
    zero = not any(digit in "123456789" for digit in text.partition("(")[0])
    return text[1:] if zero else f"−{text[1:]}"
