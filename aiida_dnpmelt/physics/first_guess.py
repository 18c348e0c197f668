"""A first guess of a melting temperature from melting temperatures at other pressures."""

from __future__ import annotations

from collections.abc import Sequence

LARGEST_CHANGE = 0.3
"""Most that a guess differs from the nearest T_m, as a share of it: two points near each other tell no slope."""


def guess_temperature_k(pressure_gpa: float, points: Sequence[tuple[float, float]]) -> float:
    """Return a guess of T_m in K at a pressure in GPa.

    It is T_m at the nearest pressure, taken on along the straight line to the next nearest one if there is one.
    Coexistence finds T_m from guesses 12 % off, and further by bisection.

    :param points: pressures in GPa and melting temperatures in K, the most trusted of those at one pressure first.
    :raises ValueError: if there are no points.
    """
    if not points:
        raise ValueError("no melting temperature is given, so that none can be guessed")
    known: dict[float, float] = {}
    for pressure, temperature in points:
        known.setdefault(pressure, temperature)
    (nearest, temperature), *others = sorted(known.items(), key=lambda each: (abs(each[0] - pressure_gpa), each[0]))
    if not others:
        return temperature
    second, other = others[0]
    change = (temperature - other) / (nearest - second) * (pressure_gpa - nearest)
    bound = LARGEST_CHANGE * temperature
    return temperature + min(max(change, -bound), bound)
