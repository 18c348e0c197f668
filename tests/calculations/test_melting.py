from __future__ import annotations

import math
from typing import Any

import pytest
from aiida import orm

from aiida_dnpmelt.calculations.melting import SCHEMA, correction_inputs, guess_of_model, melting_result
from aiida_dnpmelt.workchains.melting import melting_summary
from aiida_dnpmelt.workchains.protocols import load_protocol


def point(value: float | None, uncertainty: float = 6.0, verdict: str = "valid") -> orm.Dict:
    """Return what the result reads of a melting point."""
    return orm.Dict(
        {
            "element": "Cu",
            "lattice": "fcc",
            "pressure_gpa": 0.0,
            "melting_temperature_k": value,
            "standard_uncertainty_k": uncertainty,
            "between_runs_k": 0.0,
            "verdict": verdict,
            "reasons": ["the budget is spent"] if verdict != "valid" else ["all is well"],
            "potential_uuid": "0",
            "atom_steps": 1000,
            "core_hours": 0.5,
        }
    )


def comparison(second_order: float = 0.0, **shifts: float) -> orm.Dict:
    """Return what the result reads of a comparison: the predicted shift of each model, known to 4 K."""
    by_model = {
        name: {"predicted_shift_k": shift, "predicted_shift_uncertainty_k": 4.0, "second_order_k": second_order}
        for name, shift in shifts.items()
    }
    return orm.Dict({"models": sorted(shifts), "offset": {"by_model": by_model}, "offset_reason": None})


def learning(converged: bool = True) -> orm.Dict:
    return orm.Dict(
        {
            "converged": converged,
            "reasons": ["4 of 4 iterations are done"],
            "labels": 250,
            "iterations": 2,
            "training_core_hours": 0.1,
        }
    )


def result(**nodes: Any) -> dict[str, Any]:
    inputs = {
        "learning": learning(),
        "comparison": comparison(seed_1=-30.0, seed_2=-10.0),
        "point_seed_1": point(1300.0),
        "point_seed_2": point(1316.0, 8.0),
    }
    found, node = melting_result.run_get_node(**{**inputs, **nodes})
    assert node.is_finished_ok
    values: dict[str, Any] = found.get_dict()
    return values


def test_parts_stand_apart_and_the_correction_beside_the_number(aiida_profile):
    found = result()
    assert (found["schema"], found["verdict"], found["reasons"]) == (SCHEMA, "valid", [])
    assert found["melting_temperature_k"] == 1308.0
    assert found["statistical_uncertainty_k"] == pytest.approx(5.0)
    assert (found["predicted_shift_k"], found["predicted_shift_uncertainty_k"]) == (-20.0, 4.0)
    assert found["standard_uncertainty_k"] == pytest.approx((25 + 400 + 16) ** 0.5)
    assert found["corrected_melting_temperature_k"] == 1328.0
    assert found["corrected_uncertainty_k"] == pytest.approx(41**0.5)
    assert found["models"]["seed_1"]["predicted_shift_k"] == -30.0
    assert (found["coexistence_atom_steps"], found["coexistence_core_hours"]) == (2000, 1.0)
    assert found["teacher_melting_temperature_k"] is None


def test_models_are_in_the_order_of_their_seeds(aiida_profile):
    lacking = {"point_seed_2": point(1316.0, 8.0, "unfinished"), "point_seed_10": point(1310.0, 8.0, "unfinished")}
    found = result(comparison=comparison(seed_1=0.0, seed_2=0.0, seed_10=0.0), **lacking)
    assert found["reasons"] == ["seed_2: the budget is spent", "seed_10: the budget is spent"]


def test_second_order_is_told_and_widens_both(aiida_profile):
    found = result(comparison=comparison(-10.0, seed_1=-30.0, seed_2=-10.0))
    assert (found["second_order_k"], found["corrected_melting_temperature_k"]) == (-10.0, 1328.0)
    assert found["corrected_uncertainty_k"] == pytest.approx(141**0.5)
    assert found["standard_uncertainty_k"] == pytest.approx((25 + 400 + 16 + 100) ** 0.5)


@pytest.mark.parametrize(("own", "agrees", "corrected"), [(1331.0, True, True), (1290.0, True, False)])
def test_teacher_is_compared_with_both(aiida_profile, own, agrees, corrected):
    found = result(teacher=point(own, 4.0))
    assert found["difference_k"] == pytest.approx(1308.0 - own)
    assert (found["agrees"], found["corrected_agrees"]) == (agrees, corrected)
    assert f"the teacher's own {own:.0f}(4) K" in melting_summary(found)
    assert "T_m = 1308(21) K, corrected to the teacher 1328(6) K" in melting_summary(found)


def with_parts(value: float, own: float = 2.0, timestep: float = 3.0) -> orm.Dict:
    """Return a melting point with a part of the time step in its uncertainty."""
    parts = {"statistical_uncertainty_k": own, "timestep_uncertainty_k": timestep}
    return orm.Dict({**point(value, math.hypot(own, timestep)).get_dict(), **parts})


def test_the_time_step_is_common_to_all_models_and_to_the_teacher(aiida_profile):
    points = {f"point_seed_{index}": with_parts(1300.0) for index in (1, 2, 3)}
    unknown = orm.Dict({"models": ["seed_1"], "offset": None, "offset_reason": "the liquid froze"})
    found = result(comparison=unknown, teacher=with_parts(1305.0), **points)
    assert found["statistical_uncertainty_k"] == pytest.approx(2 / 3**0.5)
    assert (found["timestep_uncertainty_k"], found["models"]["seed_1"]["timestep_uncertainty_k"]) == (3.0, 3.0)
    assert found["standard_uncertainty_k"] == pytest.approx(3.2146, abs=1e-4)
    assert found["interval_high_k"] - found["interval_low_k"] == pytest.approx(
        2 * 1.96 * found["standard_uncertainty_k"]
    )
    assert found["difference_uncertainty_k"] == pytest.approx((4 / 3 + 4) ** 0.5)
    slow = result(comparison=unknown, teacher=with_parts(1305.0, timestep=0.0), **points)
    assert slow["difference_uncertainty_k"] == pytest.approx((4 / 3 + 4 + 9) ** 0.5)


def test_what_a_result_lacks_is_told(aiida_profile):
    found = result(learning=learning(False), point_seed_2=point(1316.0, 8.0, "unfinished"))
    assert found["verdict"] == "unfinished"
    assert found["reasons"] == [
        "seed_2: the budget is spent",
        "the learning did not converge: 4 of 4 iterations are done",
    ]


def test_model_without_a_melting_temperature_is_named(aiida_profile):
    found = result(comparison=comparison(seed_1=-30.0, seed_2=-10.0, seed_3=5.0))
    assert (found["verdict"], found["reasons"]) == ("unfinished", ["seed_3: it has no T_m"])
    assert found["predicted_shift_k"] == -20.0  # of the models that have one


def test_without_a_shift_there_is_no_correction_and_the_spread_stands_for_it(aiida_profile):
    unknown = orm.Dict({"models": ["seed_1", "seed_2"], "offset": None, "offset_reason": "the liquid froze"})
    found = result(comparison=unknown)
    assert found["corrected_melting_temperature_k"] is None
    assert found["standard_uncertainty_k"] == pytest.approx((25 + 16.0**2 / 2 / 2) ** 0.5)
    assert found["reasons"] == ["no shift of T_m against the teacher: the liquid froze"]
    without, node = melting_result.run_get_node(learning=learning(), point_seed_1=point(1300.0))
    assert node.is_finished_ok
    assert "could not be labelled or compared" in without["reasons"][0]


def test_guess_of_a_model_has_its_predicted_shift(aiida_profile):
    known = comparison(seed_1=-30.0)
    assert guess_of_model(orm.Float(1358.0), known, orm.Str("seed_1")).value == 1328.0
    unknown = orm.Dict({"offset": None})
    assert guess_of_model(orm.Float(1358.0), unknown, orm.Str("seed_1")).value == 1358.0


def test_correction_is_made_at_the_mean_temperature_of_the_models(aiida_profile):
    settings = orm.Dict(load_protocol("melting", "fast")["correction"])
    found = correction_inputs(settings, orm.Int(1), seed_1=point(1300.0), seed_2=point(1320.0))
    assert found["temperature"].value == 1310.0
    assert {name: run["phase"] for name, run in found["runs"]["runs"].items()} == {
        "solid": "solid",
        "liquid": "liquid",
    }
    assert found["check_frames"].value == settings["frames"]
