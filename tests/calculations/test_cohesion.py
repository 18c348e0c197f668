from __future__ import annotations

import pytest
from aiida import orm

from aiida_dnpmelt.calculations.cohesion import cohesive_relation, temperature_from_cohesion
from aiida_dnpmelt.data.elements import elements

pytestmark = pytest.mark.usefixtures("aiida_profile")


def test_estimate_is_a_node_that_knows_its_relation():
    found = temperature_from_cohesion(orm.Str("Sr"), orm.Float(1.72), orm.Str("corrected"))
    assert found["equation"] == 2
    assert found["melting_temperature_k"] == pytest.approx(0.0293 * 1.72 / 8.617333e-5 + 430.0, rel=1e-6)
    assert found.creator.inputs.cohesive_energy.value == 1.72
    printed = temperature_from_cohesion(orm.Str("Sr"), orm.Float(1.72), orm.Str("as_printed"))
    assert printed["equation"] == 3


def test_refit_carries_errors():
    chosen = {symbol: each for symbol, each in elements().items() if each.group == "alkali"}
    energies = orm.Dict({symbol: each.cohesive_energy for symbol, each in chosen.items()})
    temperatures = orm.Dict({symbol: each.melting_temperature for symbol, each in chosen.items() if symbol != "Cs"})
    found = cohesive_relation(energies, temperatures, orm.Bool(False)).get_dict()
    assert found["elements"] == ["K", "Li", "Na", "Rb"]
    assert 0 < found["slope_uncertainty"] < 0.1 * found["slope"]
    assert found["number"] == 4


def test_what_is_unknown_is_refused():
    with pytest.raises(ValueError, match="element 'Xx' is not in the table"):
        temperature_from_cohesion(orm.Str("Xx"), orm.Float(1.0), orm.Str("corrected"))
