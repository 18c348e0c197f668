"""Fit melting curves to melting points of the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_dnpmelt.calculations.known_points import no_melting_point
from aiida_dnpmelt.calculations.melting_point import measured
from aiida_dnpmelt.physics.melting_curve import FEWEST_PRESSURES, LAWS, CurveFit, fit_curves

SCHEMA = "dnpmelt.melting_curve"
SCHEMA_VERSION = 1
_SAME = ("element", "potential_uuid")


@calcfunction
def melting_curve(**points: orm.Dict) -> orm.Dict:
    """Return the laws that fit melting points at several pressures, with slopes, the best law first.

    :param points: dictionaries of melting points (see the reference of the schema) of one element and one potential.
    :return: see the reference of the melting curve.
    :raises ValueError: if a point has no T_m, or a verdict that says that it is none, if they are of different elements
        or potentials, or make no curve.
    """
    return orm.Dict(curve_of([node.get_dict() for _, node in sorted(points.items())]))


def curve_of(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what `melting_curve` does as plain values.

    :raises ValueError: as `melting_curve`.
    """
    values = curve_points(points)
    pressures = [value["pressure_gpa"] for value in values]
    temperatures = [value["melting_temperature_k"] for value in values]
    uncertainties = [value["standard_uncertainty_k"] for value in values]
    shared = [measured(value) for value in values]
    fits = fit_curves(
        pressures,
        temperatures,
        [each.uncertainty_k or each.total_k for each in shared],
        common_k=[each.common_k for each in shared],
    )
    different = [float(pressure) for pressure in np.unique(pressures)]
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "element": values[0]["element"],
        "lattices": [value["lattice"] for value in values],
        "potential_label": values[0]["potential_label"],
        "potential_uuid": values[0]["potential_uuid"],
        "potential_sha256": values[0]["potential_sha256"],
        "pressures_gpa": pressures,
        "melting_temperatures_k": temperatures,
        "standard_uncertainties_k": uncertainties,
        "verdicts": [value["verdict"] for value in values],
        "law": fits[0].law.name,
        "fits": [_fit(fit, different) for fit in fits],
    }


def curve_points(points: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return melting points in the order of their pressures.

    :raises ValueError: if they make no curve, see `melting_curve`.
    """
    for point in points:
        flaw = no_melting_point(point)
        if flaw is not None:
            raise ValueError(f"the point at {point['pressure_gpa']:g} GPa is no melting point: {flaw}")
    for key in _SAME:
        if len({point[key] for point in points}) > 1:
            raise ValueError(f"the points differ in {key}: {', '.join(sorted({str(point[key]) for point in points}))}")
    different = len({point["pressure_gpa"] for point in points})
    if different < FEWEST_PRESSURES:
        raise ValueError(f"{different} different pressures given, a curve needs {FEWEST_PRESSURES}")
    return sorted(points, key=lambda point: float(point["pressure_gpa"]))


def _fit(fit: CurveFit, pressures: list[float]) -> dict[str, Any]:
    """Return a fit as plain values: its numbers, and T_m and slopes at the pressures of the points."""
    curve = [fit.temperature_k(pressure) for pressure in pressures]
    slopes = [fit.slope_k_per_gpa(pressure) for pressure in pressures]
    return {
        "law": fit.law.name,
        "parameters": dict(zip(fit.law.names, map(float, fit.parameters), strict=True)),
        "uncertainties": dict(zip(fit.law.names, map(float, np.sqrt(np.diag(fit.covariance))), strict=True)),
        "covariance": fit.covariance.tolist(),
        "chi2": fit.chi2,
        "degrees_of_freedom": fit.degrees_of_freedom,
        "probability": fit.probability,
        "aicc": fit.aicc if np.isfinite(fit.aicc) else None,
        "maximum_gpa": fit.maximum_gpa(max(pressures)),
        "pressures_gpa": pressures,
        "temperatures_k": [each.value for each in curve],
        "temperature_uncertainties_k": [each.uncertainty for each in curve],
        "slopes_k_per_gpa": [each.value for each in slopes],
        "slope_uncertainties_k_per_gpa": [each.uncertainty for each in slopes],
    }


def stored_fit(curve: Mapping[str, Any], law: str | None = None) -> CurveFit:
    """Return a fit of a stored curve, the best one if none is named, to take T_m and slopes at other pressures from.

    :raises ValueError: if there is no such fit.
    """
    name = law or curve["law"]
    found = next((each for each in curve["fits"] if each["law"] == name), None)
    if found is None:
        raise ValueError(f"law is '{name}', there are fits of {', '.join(each['law'] for each in curve['fits'])}")
    laws = {each.name: each for each in LAWS}
    return CurveFit(
        law=laws[name],
        # A database of JSON keeps keys in an order of its own.
        parameters=np.array([found["parameters"][parameter] for parameter in laws[name].names]),
        covariance=np.array(found["covariance"]),
        chi2=found["chi2"],
        degrees_of_freedom=found["degrees_of_freedom"],
        aicc=float("inf") if found["aicc"] is None else found["aicc"],
    )
