"""Calculation functions of pressure sweeps: what to compute next and from which guess, and the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm
from aiida.engine import calcfunction
from pydantic import BaseModel, ConfigDict, Field

from aiida_dnpmelt import __version__
from aiida_dnpmelt.calculations.bulk_phases import quantity_of
from aiida_dnpmelt.calculations.melting_curve import stored_fit
from aiida_dnpmelt.calculations.melting_point import measured
from aiida_dnpmelt.physics.melting_curve import (
    FEWEST_SLOPES,
    Known,
    Quantity,
    consistency,
    disagreement,
    guess_k,
    ready_pressures,
)
from aiida_dnpmelt.physics.ordering import ordered

SCHEMA = "dnpmelt.pressure_sweep"
SCHEMA_VERSION = 1
POINT, PROPERTIES, GUESS, PRESSURE = "point_", "properties_", "guess_", "pressure_"
_POINT_KEYS = {
    "melting_temperatures_k": "melting_temperature_k",
    "standard_uncertainties_k": "standard_uncertainty_k",
    "verdicts": "verdict",
    "lattices": "lattice",
    "found_lattices": "found_lattice",
    "found_lattice_shares": "found_lattice_share",
}
_PROPERTY_KEYS = {
    "slopes_k_per_gpa": "slope_k_per_gpa",
    "slope_uncertainties_k_per_gpa": "slope_uncertainty_k_per_gpa",
    "volumes_of_melting_angstrom3": "volume_of_melting_angstrom3",
    "volume_of_melting_uncertainties_angstrom3": "volume_of_melting_uncertainty_angstrom3",
    "enthalpies_of_melting_ev": "enthalpy_of_melting_ev",
    "enthalpy_of_melting_uncertainties_ev": "enthalpy_of_melting_uncertainty_ev",
    "entropies_of_melting_kb": "entropy_of_melting_kb",
    "entropy_of_melting_uncertainties_kb": "entropy_of_melting_uncertainty_kb",
}
_SHARED = ("element", "potential_label", "potential_uuid", "potential_sha256", "protocol")
_COSTS = ("atom_steps", "core_hours")


class SweepSettings(BaseModel):
    """How a sweep goes from pressure to pressure."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reach_gpa: float = Field(
        5.0,
        gt=0,
        le=1000,
        description="A known point gives guesses for all pressures within so many GPa, which then run side by side; "
        "beyond, for the next one only.",
    )


def index_of(name: str) -> int:
    """Return the place in the list of pressures that a name such as ``point_003`` stands for."""
    return int(name.rsplit("_", 1)[-1])


def name_of(kind: str, index: int) -> str:
    """Return the name of a point, its properties or its guess, by the place of its pressure in the list."""
    return f"{kind}{index:03d}"


@calcfunction
def sweep_guesses(
    pressures: orm.List, sweep: orm.Dict, temperature: orm.Float, ended: orm.List, **nodes: orm.Dict
) -> dict[str, orm.Float]:
    """Return the pressures in GPa that can be computed now (``pressure_000``) with guesses in K (``guess_000``).

    :param pressures: in GPa; names count them from 0.
    :param sweep: see `SweepSettings`.
    :param temperature: guess in K for the first one, and until a point is known.
    :param ended: places of the pressures that came to an end, with a T_m or without.
    :param nodes: ``point_000``, ... and ``properties_000``, ...: melting points and properties that are known.
    """
    values = [float(value) for value in pressures.get_list()]
    known = known_points({name: node.get_dict() for name, node in nodes.items()})
    pending = [value for index, value in enumerate(values) if index not in ended.get_list()]
    reach = SweepSettings(**sweep.get_dict()).reach_gpa
    ready = ready_pressures(pending, [point.pressure_gpa for point in known], reach)
    found: dict[str, orm.Float] = {}
    for value in ready:
        index = values.index(value)
        found[name_of(PRESSURE, index)] = orm.Float(value)
        found[name_of(GUESS, index)] = orm.Float(guess_k(known, value) if known else temperature.value)
    return found


def known_points(nodes: Mapping[str, Mapping[str, Any]]) -> list[Known]:
    """Return the points of a curve from dictionaries of melting points and properties by name."""
    found = []
    for name, point in ordered(nodes).items():
        if not name.startswith(POINT):
            continue
        properties = nodes.get(name_of(PROPERTIES, index_of(name)))
        slope = None if properties is None else quantity_of(properties, "slope")
        value = None if slope is None else slope.value
        found.append(Known(point["pressure_gpa"], point["melting_temperature_k"], value))
    return found


@calcfunction
def pressure_sweep(pressures: orm.List, gaps: orm.Dict, curve: orm.Dict | None = None, **nodes: orm.Dict) -> orm.Dict:
    """Return the result of a sweep, see its reference.

    :param pressures: in GPa; names count them from 0.
    :param gaps: why there is no T_m (``point_003``) or no slope (``properties_003``).
    :param curve: melting curve through the points, if there are enough.
    :param nodes: ``point_000``, ... and ``properties_000``, ...: melting points and properties.
    """
    plain = {name: node.get_dict() for name, node in nodes.items()}
    return orm.Dict(sweep_of(pressures.get_list(), gaps.get_dict(), None if curve is None else curve.get_dict(), plain))


def sweep_of(
    pressures: Sequence[float],
    gaps: Mapping[str, str],
    curve: Mapping[str, Any] | None,
    nodes: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return what `pressure_sweep` does as plain values, also of a sweep that has not come to its end.

    :raises ValueError: without a melting point.
    """
    if not any(name.startswith(POINT) for name in nodes):
        raise ValueError("no pressure has a melting temperature")
    values = [float(value) for value in pressures]
    order = sorted(range(len(values)), key=lambda index: values[index])
    points = [nodes.get(name_of(POINT, index)) for index in order]
    properties = [nodes.get(name_of(PROPERTIES, index)) for index in order]
    first = next(point for point in points if point is not None)
    names = {name_of(POINT, index): "T_m" for index in order} | {name_of(PROPERTIES, index): "slope" for index in order}
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        **{key: first[key] for key in _SHARED},
        "pressures_gpa": [values[index] for index in order],
        **{key: [_value(node, name) for node in points] for key, name in _POINT_KEYS.items()},
        **{key: [_value(node, name) for node in properties] for key, name in _PROPERTY_KEYS.items()},
        "gaps": [
            f"no {names[name]} at {values[index_of(name)]:g} GPa: {reason}" for name, reason in ordered(gaps).items()
        ],
        **_agreement(curve, points, properties),
        **{key: sum(node[key] for node in (*points, *properties) if node is not None) for key in _COSTS},
        "dnpmelt_version": __version__,
    }


def _value(node: Mapping[str, Any] | None, name: str) -> Any:
    return None if node is None else node.get(name)


def _agreement(
    curve: Mapping[str, Any] | None,
    points: Sequence[Mapping[str, Any] | None],
    properties: Sequence[Mapping[str, Any] | None],
) -> dict[str, Any]:
    """Return how well the slopes of Clausius and Clapeyron agree with those of the law, and with the points."""
    slopes = [None if node is None else quantity_of(node, "slope") for node in properties]
    fit = None if curve is None else stored_fit(curve)
    differences = [
        None
        if fit is None or point is None or slope is None
        else disagreement(fit.slope_k_per_gpa(point["pressure_gpa"]), slope)
        for point, slope in zip(points, slopes, strict=True)
    ]
    known = [abs(value) for value in differences if value is not None]
    keys = ("consistency_sigma", "consistency_chi2", "consistency_degrees_of_freedom", "consistency_probability")
    both = [
        (point["pressure_gpa"], measured(point), slope)
        for point, slope in zip(points, slopes, strict=True)
        if point is not None and slope is not None
    ]
    numbers: tuple[float | None, ...] = (None,) * len(keys)
    if len(both) >= FEWEST_SLOPES:
        places, temperatures, rises = zip(*both, strict=True)
        own = [Quantity(each.value_k, each.uncertainty_k) for each in temperatures]
        found = consistency(places, own, rises, [each.common_k for each in temperatures])
        numbers = (found.sigma, found.chi2, found.degrees_of_freedom, found.probability)
    return {
        "law": None if curve is None else curve["law"],
        "slope_differences_sigma": differences,
        "largest_slope_difference_sigma": max(known, default=None),
        **dict(zip(keys, numbers, strict=True)),
    }
