from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from calculations.test_bulk_phases import properties
from provenance.stored_points import POINT

from aiida_dnpmelt.calculations.melting_curve import melting_curve
from aiida_dnpmelt.calculations.pressure_sweep import pressure_sweep, sweep_guesses
from aiida_dnpmelt.physics.melting_curve import simon_glatzel, simon_glatzel_slope

pytestmark = pytest.mark.usefixtures("aiida_profile")

LAW = (1330.0, 20.0, 2.0)
PRESSURES = [5.0, 0.0, 10.0, 15.0]
FOUND = {"found_lattice": "fcc", "found_lattice_share": 0.9}


def nodes_at(pressures: list[float], slopes: bool = True, **changes: Any) -> dict[str, orm.Dict]:
    """Return melting points on a law by their places in `PRESSURES`, with properties that have its slopes."""
    nodes = {}
    for pressure in pressures:
        place, at = PRESSURES.index(pressure), np.array(pressure)
        temperature, slope = float(simon_glatzel(at, *LAW)), float(simon_glatzel_slope(at, *LAW))
        point = {**POINT, **FOUND, "pressure_gpa": pressure, "melting_temperature_k": temperature, **changes}
        nodes[f"point_{place:03d}"] = orm.Dict(point)
        if slopes:
            own = {"pressure_gpa": pressure, "slope_k_per_gpa": slope, "slope_uncertainty_k_per_gpa": 0.4}
            nodes[f"properties_{place:03d}"] = orm.Dict({**properties().get_dict(), **own})
    return nodes


def guesses(ended: list[int], nodes: dict[str, orm.Dict], reach: float = 5.0) -> dict[str, float]:
    given = (orm.List(PRESSURES), orm.Dict({"reach_gpa": reach}), orm.Float(1200.0), orm.List(ended))
    found = {name: node.value for name, node in sweep_guesses(*given, **nodes).items()}
    assert {name: value for name, value in found.items() if name.startswith("pressure")} == {
        name.replace("guess", "pressure"): PRESSURES[int(name[-3:])] for name in found if name.startswith("guess")
    }
    return {name: value for name, value in found.items() if name.startswith("guess")}


def test_first_pressure_of_the_list_starts_from_the_first_guess():
    assert guesses([], {}) == {"guess_000": 1200.0}


def test_until_a_point_is_known_the_next_one_does_too():
    assert guesses([0], {}) == {"guess_001": 1200.0}


def test_known_points_give_guesses_to_both_sides():
    found = guesses([0], nodes_at([5.0]))
    slope = float(simon_glatzel_slope(np.array(5.0), *LAW))
    middle = float(simon_glatzel(np.array(5.0), *LAW))
    assert found == pytest.approx({"guess_001": middle - 5 * slope, "guess_002": middle + 5 * slope})
    assert set(guesses([0], nodes_at([5.0]), reach=10.0)) == {"guess_001", "guess_002", "guess_003"}


def test_guess_over_a_gap():
    assert set(guesses([0, 1, 2], nodes_at([0.0, 5.0]))) == {"guess_003"}


def test_result_has_all_pressures_in_their_order_and_names_gaps():
    nodes = nodes_at([0.0, 5.0, 15.0])
    del nodes["properties_000"]
    points = {name: node for name, node in nodes.items() if name.startswith("point")}
    gaps = {"point_002": "No run held both phases", "properties_000": "A phase was not run to its end"}
    sweep = pressure_sweep(orm.List(PRESSURES), orm.Dict(gaps), melting_curve(**points), **nodes).get_dict()
    assert sweep["pressures_gpa"] == [0.0, 5.0, 10.0, 15.0]
    assert sweep["melting_temperatures_k"][2] is None
    assert sweep["melting_temperatures_k"][3] == pytest.approx(1330 * (1 + 15 / 20) ** 0.5)
    assert [value is None for value in sweep["slopes_k_per_gpa"]] == [False, True, True, False]
    assert sweep["gaps"] == [
        "no T_m at 10 GPa: No run held both phases",
        "no slope at 5 GPa: A phase was not run to its end",
    ]
    assert (sweep["law"], sweep["consistency_sigma"]) == ("simon_glatzel", None)  # two slopes have no integral
    assert sweep["largest_slope_difference_sigma"] < 0.1
    assert [value is None for value in sweep["slope_differences_sigma"]] == [False, True, True, False]
    assert sweep["found_lattices"] == ["fcc", "fcc", None, "fcc"]
    assert sweep["atom_steps"] == 3 * POINT["atom_steps"] + 2 * 2e6


def test_points_and_slopes_of_one_law_are_consistent():
    nodes = nodes_at(PRESSURES)
    points = {name: node for name, node in nodes.items() if name.startswith("point")}
    sweep = pressure_sweep(orm.List(PRESSURES), orm.Dict({}), melting_curve(**points), **nodes).get_dict()
    assert sweep["consistency_degrees_of_freedom"] == 3
    assert sweep["consistency_sigma"] < 0.1
    assert sweep["consistency_probability"] > 0.9


def test_sweep_without_a_curve_or_slopes():
    nodes = nodes_at([0.0, 5.0], slopes=False)
    sweep = pressure_sweep(orm.List(PRESSURES), orm.Dict({}), **nodes).get_dict()
    assert (sweep["law"], sweep["consistency_sigma"], sweep["gaps"]) == (None, None, [])
    points = nodes_at([0.0, 5.0, 10.0], slopes=False)
    sweep = pressure_sweep(orm.List(PRESSURES), orm.Dict({}), melting_curve(**points), **points).get_dict()
    assert (sweep["law"], sweep["consistency_sigma"], sweep["largest_slope_difference_sigma"]) == (
        "simon_glatzel",
        None,
        None,
    )


def test_points_of_earlier_versions_have_no_lattice_found():
    nodes = {name: node.get_dict() for name, node in nodes_at([0.0], slopes=False).items()}
    old = {key: value for key, value in nodes["point_001"].items() if key not in FOUND}
    sweep = pressure_sweep(orm.List(PRESSURES), orm.Dict({}), point_001=orm.Dict(old)).get_dict()
    assert sweep["found_lattices"] == [None] * 4


def test_every_key_is_in_the_reference():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "pressure_sweep.md").read_text()
    sweep = pressure_sweep(orm.List(PRESSURES), orm.Dict({}), **nodes_at([0.0])).get_dict()
    assert not [key for key in sweep if f"`{key}`" not in page]
