"""The 95 % intervals that results have on record: they are not symmetric about T_m, nor always known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.common.links import LinkType

LOWS, HIGHS = "interval_lows_k", "interval_highs_k"
"""Keys that `with_intervals` adds: the bounds of each point in K, None where no interval is on record."""

Interval = tuple[float, float]


def interval_of(values: Mapping[str, Any], prefix: str = "") -> Interval | None:
    """Return the 95 % interval of a result in K, None if it is not on record.

    :param prefix: of its keys, such as ``corrected_``.
    """
    return _both(*(values.get(f"{prefix}interval_{side}_k") for side in ("low", "high")))


def interval_in(values: Mapping[str, Any], key: str) -> Interval | None:
    """Return an interval that stands under one key as a pair, None if it is not on record."""
    return _both(*(values.get(key) or (None, None)))


def with_intervals(node: orm.Dict) -> dict[str, Any]:
    """Return a curve, a sweep or a study of sizes with the intervals of the melting points that it was made of."""
    values: dict[str, Any] = node.get_dict()
    known: dict[tuple[Any, Any], Interval | None] = {}
    links = [] if node.creator is None else node.creator.base.links.get_incoming(orm.Dict, LinkType.INPUT_CALC).all()
    for link in links:
        point = link.node.get_dict()
        known[point.get("melting_temperature_k"), point.get("standard_uncertainty_k")] = interval_of(point)
    points = zip(values["melting_temperatures_k"], values["standard_uncertainties_k"], strict=True)
    bounds = [known.get(point) or (None, None) for point in points]
    return {**values, LOWS: [low for low, _ in bounds], HIGHS: [high for _, high in bounds]}


def intervals_in(values: Mapping[str, Any]) -> list[Interval | None]:
    """Return the intervals of the points of what `with_intervals` returned; without its keys none is known."""
    unknown = [None] * len(values["melting_temperatures_k"])
    return [_both(*bounds) for bounds in zip(values.get(LOWS, unknown), values.get(HIGHS, unknown), strict=True)]


def _both(low: float | None, high: float | None) -> Interval | None:
    if low is None or high is None or not math.isfinite(low + high):
        return None
    return float(low), float(high)
