"""A first guess of T_m from the melting points that are there already."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_dnpmelt.physics.first_guess import guess_temperature_k

_RANKS = ("valid", "unfinished")


@calcfunction
def guess_from_points(pressure: orm.Float, **points: orm.Dict) -> orm.Float:
    """Return a first guess of T_m in K at a pressure in GPa, see `guess_temperature_k`.

    :param points: melting points (see the reference of the schema) with a T_m; of those at one pressure a
        valid one is taken, and of these the one with the smallest uncertainty.
    """
    known = sorted(
        (point.get_dict() for point in points.values()),
        key=lambda point: (_RANKS.index(point["verdict"]), point["standard_uncertainty_k"], point["pressure_gpa"]),
    )
    temperatures = [(point["pressure_gpa"], point["melting_temperature_k"]) for point in known]
    return orm.Float(guess_temperature_k(pressure.value, temperatures))
