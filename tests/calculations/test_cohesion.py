from __future__ import annotations

import pytest
from aiida import orm

from aiida_dnpmelt.calculations.cohesion import cohesive_relation, refit_relation, temperature_from_cohesion
from aiida_dnpmelt.data.elements import elements
from aiida_dnpmelt.physics.cohesion import fit

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


def point(symbol: str, temperature_k: float, uuid: str = "a") -> orm.Dict:
    return orm.Dict({"element": symbol, "melting_temperature_k": temperature_k, "potential_uuid": uuid})


def whole(symbol: str, temperature_k: float, *uuids: str) -> orm.Dict:
    """Return a result of a whole chain."""
    return orm.Dict(
        {
            "element": symbol,
            "melting_temperature_k": 1.0,
            "standard_uncertainty_k": 1.0,
            "corrected_melting_temperature_k": temperature_k,
            "corrected_uncertainty_k": 2.0,
            "models": {f"seed_{index}": {"potential_uuid": uuid} for index, uuid in enumerate(uuids)},
        }
    )


def energy(symbol: str, value_ev: float, uuid: str) -> orm.Dict:
    return orm.Dict({"element": symbol, "cohesive_energy_ev": value_ev, "potential_uuid": uuid})


def test_refit_of_a_group_takes_its_points_and_the_energies_of_their_potentials():
    """Points on the line 0.04 E/k through the origin, as the published relation of the d-block goes."""
    kelvin = 0.04 / 8.617333262e-5
    nodes = {
        "point_1": point("Cu", 3.5 * kelvin, "a"),
        "point_2": whole("Ni", 4.5 * kelvin, "b", "c"),
        "point_3": point("Ag", 2.95 * kelvin, "d"),
        "point_4": point("Al", 933.0, "e"),
        "energy_1": energy("Cu", 3.5, "a"),
        "energy_2": energy("Ni", 4.4, "b"),
        "energy_3": energy("Ni", 4.6, "c"),
        "energy_4": energy("Ag", 9.9, "a"),
    }
    found = refit_relation(group=orm.Str("d_block"), **nodes).get_dict()
    assert (found["schema"], found["group"], found["through_origin"]) == ("dnpmelt.cohesive_relation", "d_block", True)
    assert found["elements"] == ["Ag", "Cu", "Ni"]
    assert found["energy_sources"] == ["experiment", "potential", "potential"]
    assert found["cohesive_energies_ev_per_atom"] == pytest.approx([2.95, 3.5, 4.5])
    assert found["slope"] == pytest.approx(0.04, rel=1e-6)
    assert found["residual_k"] == pytest.approx(0.0, abs=0.01)
    everything = refit_relation(group=orm.Str("all"), **nodes).get_dict()
    assert everything["elements"] == ["Ag", "Al", "Cu", "Ni"]
    aluminium = fit([2.95, 3.39, 3.5, 4.5], [2.95 * kelvin, 933.0, 3.5 * kelvin, 4.5 * kelvin], through_origin=True)
    for name in ("slope", "slope_uncertainty", "residual_k"):
        assert everything[name] == pytest.approx(getattr(aluminium, name))


@pytest.mark.parametrize(
    ("group", "symbols", "message"),
    [
        ("d_block", ["Cu", "Ni", "Cu"], "there must be one melting temperature of an element, there are 2 of Cu"),
        ("d_block", ["Cu", "Ni", "Al"], "d_block: elements with a T_m: 2, a line needs 3"),
        ("metals", ["Cu", "Ni", "Ag"], "group is 'metals', there are relations of alkali"),
        ("all", ["Cu", "Ni", "Xx"], "element 'Xx' is not in the table"),
    ],
)
def test_refit_of_what_makes_no_line_is_refused(group, symbols, message):
    nodes = {f"point_{index}": point(symbol, 1000.0) for index, symbol in enumerate(symbols)}
    with pytest.raises(ValueError, match=message):
        refit_relation(group=orm.Str(group), **nodes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"verdict": "invalid", "melting_temperature_k": None}, "its verdict is invalid"),
        ({"melting_temperature_k": None}, "its melting_temperature_k is None, it must be a number above 0 K"),
        ({"verdict": "valid", "lattice": "fcc", "found_lattice": "bcc"}, "most of the solid is bcc at the end"),
    ],
)
def test_what_is_no_melting_point_makes_no_line(changes, message):
    point = {"potential_uuid": "a", "verdict": "valid"}
    known = {"Cu": 1327.0, "Ni": 1700.0, "Ag": 1230.0}
    points = {
        f"point_{symbol}": {**point, "element": symbol, "melting_temperature_k": t} for symbol, t in known.items()
    }
    points["point_Ni"].update(changes)
    with pytest.raises(ValueError, match=f"the point of Ni is no melting point: {message}"):
        refit_relation(group=orm.Str("d_block"), **{name: orm.Dict(values) for name, values in points.items()})
