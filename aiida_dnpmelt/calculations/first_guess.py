"""A first guess of T_m from the melting points that are there already."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_dnpmelt.physics.melting_curve import Known, guess_k

_RANKS = ("valid", "unfinished")


@calcfunction
def guess_from_points(pressure: orm.Float, **points: orm.Dict) -> orm.Float:
    """Return a first guess of T_m in K at a pressure in GPa, by the line through the two nearest points.

    :param points: melting points (see the reference of the schema) with a T_m; of those at one pressure a
        valid one is taken, and of these the one with the smallest uncertainty.
    """
    ordered = sorted(
        (point.get_dict() for point in points.values()),
        key=lambda point: (_RANKS.index(point["verdict"]), point["standard_uncertainty_k"]),
    )
    best: dict[float, Known] = {}
    for point in ordered:
        known = Known(point["pressure_gpa"], point["melting_temperature_k"], None)
        best.setdefault(known.pressure_gpa, known)
    return orm.Float(guess_k(list(best.values()), pressure.value))
