"""Calculation functions of the relations between melting temperature and cohesive energy."""

from __future__ import annotations

from dataclasses import asdict

from aiida import orm
from aiida.engine import calcfunction

from aiida_dnpmelt.data.elements import element
from aiida_dnpmelt.physics.cohesion import fit, melting_temperature_k, relation_of


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
