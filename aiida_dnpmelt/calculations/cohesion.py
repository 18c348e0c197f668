"""Calculation functions of the relations between melting temperature and cohesive energy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_dnpmelt.calculations.known_points import no_melting_point
from aiida_dnpmelt.calculations.melting import final_temperature
from aiida_dnpmelt.data.elements import element
from aiida_dnpmelt.physics.cohesion import FEWEST_ELEMENTS, fit, melting_temperature_k, relation_of

SCHEMA = "dnpmelt.cohesive_relation"
SCHEMA_VERSION = 1
ENERGY_SCHEMA = "dnpmelt.cohesive_energy"
"""Schema of dictionaries that hold the cohesive energy of a potential."""
EVERY_GROUP = "all"
_POINT, _ENERGY = "point_", "energy_"


@calcfunction
def temperature_from_cohesion(element_symbol: orm.Str, cohesive_energy: orm.Float, mapping: orm.Str) -> orm.Dict:
    """Return T_m in K of an element from its cohesive energy, and the relation that it is from.

    :param cohesive_energy: against the free atom, in eV/atom, positive.
    :param mapping: `corrected`, `as_printed` or `all`, see `aiida_dnpmelt.physics.cohesion`.
    :raises ValueError: for an element or a mapping that is not known, or an energy out of range.
    """
    group = element(element_symbol.value).group
    relation = relation_of(group, mapping.value)
    return orm.Dict(
        {
            "melting_temperature_k": melting_temperature_k(cohesive_energy.value, group, mapping.value),
            "element": element_symbol.value,
            "group": group,
            "cohesive_energy_ev_per_atom": cohesive_energy.value,
            "mapping": mapping.value,
            **asdict(relation),
        }
    )


@calcfunction
def cohesive_relation(
    cohesive_energies: orm.Dict, melting_temperatures: orm.Dict, through_origin: orm.Bool
) -> orm.Dict:
    """Return the line through elements by least squares, with its standard uncertainties.

    :param cohesive_energies: in eV/atom, by chemical symbol.
    :param melting_temperatures: in K, by chemical symbol; elements that lack one of both are left out.
    :return: the values of `Fit`, and the ``elements`` that were used.
    :raises ValueError: if fewer than three elements have both.
    """
    energies, temperatures = cohesive_energies.get_dict(), melting_temperatures.get_dict()
    symbols = sorted(set(energies) & set(temperatures))
    found = fit(
        [energies[symbol] for symbol in symbols], [temperatures[symbol] for symbol in symbols], through_origin.value
    )
    return orm.Dict({**asdict(found), "through_origin": through_origin.value, "elements": symbols})


@calcfunction
def refit_relation(group: orm.Str, **nodes: orm.Dict) -> orm.Dict:
    """Return the line through computed melting temperatures over cohesive energies, see the reference of the schema.

    The line has an offset where the published one of the group has one.

    :param group: name of a group of the table of the elements, or `all`.
    :param nodes: ``point_...``: melting points, or results of whole chains, of which those of the group count;
        ``energy_...``: cohesive energies of their potentials, instead of the experimental ones.
    :raises ValueError: for an unknown group, if a point is no melting point, an element has more than one melting
        temperature, or fewer than three have one.
    """
    mapping = EVERY_GROUP if group.value == EVERY_GROUP else "corrected"
    through_origin = relation_of(group.value, mapping).offset_k == 0
    points = [node.get_dict() for name, node in sorted(nodes.items()) if name.startswith(_POINT)]
    given = [node.get_dict() for name, node in sorted(nodes.items()) if name.startswith(_ENERGY)]
    known = {(each["element"], each["potential_uuid"]): each["cohesive_energy_ev"] for each in given}
    points = [point for point in points if group.value in (EVERY_GROUP, element(point["element"]).group)]
    for point in points:
        flaw = no_melting_point(point)
        if flaw is not None:
            raise ValueError(f"the point of {point['element']} is no melting point: {flaw}")
    check_single(point["element"] for point in points)
    rows = sorted((point["element"], *_energy(point, known), _temperature(point)) for point in points)
    energies, temperatures = [row[1] for row in rows], [row[3] for row in rows]
    try:
        found = fit(energies, temperatures, through_origin)
    except ValueError as error:
        raise ValueError(f"{group.value}: elements with a T_m: {len(rows)}, a line needs {FEWEST_ELEMENTS}") from error
    return orm.Dict(
        {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "group": group.value,
            **asdict(found),
            "through_origin": through_origin,
            "elements": [row[0] for row in rows],
            "cohesive_energies_ev_per_atom": energies,
            "energy_sources": [row[2] for row in rows],
            "melting_temperatures_k": temperatures,
        }
    )


def check_single(symbols: Iterable[str]) -> None:
    """Check that each element has one melting temperature.

    :raises ValueError: if one has more; it names them.
    """
    counted: dict[str, int] = {}
    for symbol in symbols:
        counted[symbol] = counted.get(symbol, 0) + 1
    several = [f"{number} of {symbol}" for symbol, number in sorted(counted.items()) if number > 1]
    if several:
        raise ValueError(f"there must be one melting temperature of an element, there are {', '.join(several)}")


def _temperature(point: Mapping[str, Any]) -> float:
    return final_temperature(point)[0] if "models" in point else float(point["melting_temperature_k"])


def _energy(point: Mapping[str, Any], known: Mapping[tuple[str, str], float]) -> tuple[float, str]:
    """Return the cohesive energy of the potentials of a melting temperature, or that of experiment, and which it is."""
    models = point["models"].values() if "models" in point else [point]
    keys = [(point["element"], model["potential_uuid"]) for model in models]
    if all(key in known for key in keys):
        return sum(known[key] for key in keys) / len(keys), "potential"
    return element(point["element"]).cohesive_energy, "experiment"
