"""Melting points as records, as a table of pandas, sorted, and in groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import TYPE_CHECKING, Any

from aiida_dnpmelt.calculations.melting_point import measured
from aiida_dnpmelt.physics.error_budget import mean_of
from aiida_dnpmelt.physics.notation import notation
from aiida_dnpmelt.provenance.conditions import KEYS
from aiida_dnpmelt.provenance.query import MeltingPoint

if TYPE_CHECKING:
    import pandas

OWN = ("pk", "uuid", "created", "marks", "labellers", "functionals", "potential_unfinished")
"""Keys of a record beside those of the schema."""
SHORT = {"pressure": "pressure_gpa", "potential": "potential_label", "temperature": "melting_temperature_k"}
"""Short names of keys, for those who type."""


@dataclass(frozen=True)
class PointGroup:
    """Melting points that have some values in common; in K.

    :param values: these values, by key.
    :param verdicts: how many points have each verdict.
    :param mean_k: mean of T_m, weighted by the uncertainties that points do not share; None if no point has a T_m.
    :param standard_uncertainty_k: that of the mean, from the uncertainties of the points alone; that of the time step,
        which all points share, does not become smaller with their number.
    :param spread_k: standard deviation between the points, None for fewer than two.
    :param chi2: scatter about the mean in units of the uncertainties that they do not share, squared and summed.
    """

    values: dict[str, Any]
    pks: tuple[int, ...]
    verdicts: dict[str, int]
    mean_k: float | None
    standard_uncertainty_k: float | None
    spread_k: float | None
    chi2: float | None

    @property
    def notation(self) -> str:
        """Return the mean as ``1333(5)``."""
        return notation(self.mean_k, self.standard_uncertainty_k)


def record(point: MeltingPoint) -> dict[str, Any]:
    """Return a melting point as one flat record: what the graph says of it, and all keys of the schema."""
    own = {
        "pk": point.pk,
        "uuid": point.uuid,
        "created": point.created.isoformat(),
        "superseded": point.superseded,
        "marks": list(point.marks),
        "labellers": list(point.labellers),
        "functionals": list(point.functionals),
        "potential_unfinished": point.unfinished,
    }
    return {**own, **point.details}


def table(points: Iterable[MeltingPoint]) -> pandas.DataFrame:
    """Return melting points as a table, a row each, with the columns of `record`.

    :raises ImportError: without pandas, which the extra ``[report]`` brings.
    """
    import pandas

    frame = pandas.DataFrame([record(point) for point in points])
    return frame.assign(created=pandas.to_datetime(frame["created"], utc=True)) if len(frame) else frame


def key_of(name: str) -> str:
    """Return the key that a name stands for.

    :raises ValueError: if there is none.
    """
    key = SHORT.get(name, name)
    if key not in KEYS and key not in OWN:
        raise ValueError(f"'{name}' is no key of a melting point: {', '.join([*SHORT, *OWN, *KEYS])}")
    return key


def sort_points(points: Iterable[MeltingPoint], names: Sequence[str]) -> list[MeltingPoint]:
    """Return melting points sorted by keys, each from low to high, or from high to low with a ``-`` before it.

    Points that lack a value come last.

    :raises ValueError: for an unknown key.
    """
    found = list(points)
    for name in reversed(names):
        key, downwards = key_of(name.removeprefix("-")), name.startswith("-")
        known = [point for point in found if _value(point, key) is not None]
        unknown = [point for point in found if _value(point, key) is None]
        found = [*sorted(known, key=lambda point: _value(point, key), reverse=downwards), *unknown]
    return found


def group_points(points: Iterable[MeltingPoint], names: Sequence[str]) -> list[PointGroup]:
    """Return melting points in groups that have the same values of keys, in the order of these.

    :raises ValueError: for an unknown key.
    """
    keys = [key_of(name) for name in names]
    groups: dict[tuple[Any, ...], list[MeltingPoint]] = {}
    for point in sort_points(points, keys):
        groups.setdefault(tuple(_value(point, key) for key in keys), []).append(point)
    return [_group(dict(zip(keys, values, strict=True)), members) for values, members in groups.items()]


def _value(point: MeltingPoint, key: str) -> Any:
    value = record(point).get(key)
    return tuple(value) if isinstance(value, list) else value


def _group(values: dict[str, Any], points: Sequence[MeltingPoint]) -> PointGroup:
    pks = tuple(point.pk for point in points)
    verdicts = dict(Counter(point.verdict for point in points))
    known = [
        measured(point.details)
        for point in points
        if point.melting_temperature_k is not None and point.standard_uncertainty_k
    ]
    if not known:
        return PointGroup(values, pks, verdicts, None, None, None, None)
    weights = [(each.uncertainty_k or each.total_k) ** -2 for each in known]
    mean = mean_of(known, weights)
    deviations = [each.value_k - mean.value_k for each in known]
    chi2 = sum(weight * deviation**2 for weight, deviation in zip(weights, deviations, strict=True))
    spread = stdev(each.value_k for each in known) if len(known) > 1 else None
    return PointGroup(values, pks, verdicts, mean.value_k, mean.total_k, spread, chi2)
