"""Numbers with their standard uncertainties as text, in one notation wherever they are told."""

from __future__ import annotations

import math

UNKNOWN = "-"
"""What stands for a number that is not known."""
_FINEST = 12
"""Decimals beyond which an uncertainty is none."""
_ALONE = 3
"""Digits of a number without an uncertainty, unless its integer part has more."""


def notation(value: float | None, uncertainty: float | None) -> str:
    """Return a number with its standard uncertainty in units of its last digits: ``1321(21)``, ``926.7(4)``.

    An uncertainty of 1 or more is rounded to an integer: ``1333(5)``, ``1290(100)``. One below 1 has one digit, or two
    if it begins with 1: ``0.512(4)``, ``923.04(12)``. An uncertainty that is zero or not known, as None, NaN or
    infinity, is not written: the number stands alone with three digits, or with all of its integer part: ``1300``,
    ``36.3``. A number that is not known is `UNKNOWN`, and zero has no sign.
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if uncertainty is None or not math.isfinite(uncertainty) or uncertainty < 10.0**-_FINEST:
        return _alone(value)
    decimals = max(0, -math.floor(math.log10(uncertainty)))
    if decimals and int(uncertainty * 10**decimals) == 1:
        decimals += 1
    digits = round(uncertainty * 10**decimals)
    return f"{_zero(value, decimals):.{decimals}f}({digits})"


def signed(value: float | None, uncertainty: float | None) -> str:
    """Return a difference in the same notation with its sign: ``+14(20)``, ``-11(2)``."""
    text = notation(value, uncertainty)
    return text if text.startswith("-") else f"+{text}"


def _alone(value: float) -> str:
    return f"{_zero(value, 0):.0f}" if abs(value) >= 10**_ALONE / 10 else f"{value + 0.0:.{_ALONE}g}"


def _zero(value: float, decimals: int) -> float:
    """Return a number rounded, and zero without a sign."""
    return round(value, decimals) + 0.0
