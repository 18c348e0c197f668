from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm
from ase.build import bulk
from physics.synthetic_frames import copper_frames
from pydantic import ValidationError

from aiida_dnpmelt.calculations.learning import (
    decide_learning,
    exploration_inputs,
    first_frames_inputs,
    rms_force,
    sel_suffices,
    summarise_learning,
    warm_training,
)
from aiida_dnpmelt.calculations.learning_plan import LearningPlan
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.workchains.protocols import load_protocol

KEY = "quantile_95_deviation_ev_per_angstrom"


def plan_with(**changes: Any) -> dict[str, Any]:
    return {**load_protocol("adaptive_learning", "fast")["plan"], **changes}


@pytest.fixture
def plan(aiida_profile) -> orm.Dict:
    return orm.Dict(plan_with()).store()


@pytest.fixture
def frames(aiida_profile) -> FramesData:
    return FramesData(copper_frames(4), labeller="EMT of ase")


WHOLE = 31
"""Frames that a run of the plan leaves at a temperature."""


def temperature_report(temperature_k: float, deviation: float | None, **changes: Any) -> dict[str, Any]:
    """Return what a report tells of a temperature with this 95 % quantile of the deviation."""
    frames = changes.pop("frames", WHOLE if deviation is not None else 0)
    return {
        "temperature_k": temperature_k,
        KEY: deviation,
        "largest_deviation_ev_per_angstrom": None if deviation is None else 1.1 * deviation,
        "frames_seen": frames,
        "accurate": frames,
        "candidate": 0,
        "failed": 0,
        "ended": "complete",
        **changes,
    }


def report_of(*by_temperature: dict[str, Any]) -> orm.Dict:
    return orm.Dict({"by_temperature": list(by_temperature), "histogram_edges_ev_per_angstrom": [0.0, 1.0]})


def selection_report(*deviations: float | None) -> orm.Dict:
    """Return a report of a selection with these deviations, one a temperature from 1000 K on in steps of 100 K."""
    return report_of(*(temperature_report(1000.0 + 100 * index, value) for index, value in enumerate(deviations)))


def learned() -> orm.Dict:
    """Return the report of a run at the three temperatures of the plan, at which the models agree."""
    return selection_report(0.01, 0.02, 0.02)


def comparison(solid: float, liquid: float, shift: float) -> orm.Dict:
    """Return what a decision reads of a comparison."""
    return orm.Dict(
        {
            "offset": {
                "mean_of_models": {"offset_solid_mev_per_atom": solid, "offset_liquid_mev_per_atom": liquid},
                "by_model": {"seed_1": {"predicted_shift_k": shift, "predicted_shift_uncertainty_k": 2.0}},
            },
            "by_set": {"check_solid": {"by_model": {"seed_1": {"rmse_force_ev_per_angstrom": 0.03}}}},
        }
    )


def decide(plan: orm.Dict, frames: FramesData, iteration: int = 1, **nodes: orm.Data) -> orm.Dict:
    number = orm.Int(iteration)
    selection = exploration_inputs(plan, orm.Int(0), number, orm.Int(1), frames_first=frames)["selection"]
    return decide_learning(plan, orm.Int(0), number, selection, frames_first=frames, **nodes)


def test_first_frames_have_temperatures_of_the_guess_and_melts_the_pressure(plan):
    cell = orm.StructureData(ase=bulk("Cu", "fcc", a=3.615, cubic=True))
    found = first_frames_inputs(cell, orm.Float(1000.0), orm.Float(5.0), plan, orm.Int(1))
    assert found["settings_crystals"]["temperatures_k"] == [500.0, 800.0, 1000.0]
    assert found["settings_crystals"]["repetitions"] == [2, 2, 2]
    assert found["label_melts"]["pressure_gpa"] == 5.0
    assert found["label_melts"]["melt_ps"] > 0
    assert found["seed_crystals"].value != found["seed_melts"].value


def test_thresholds_are_in_units_of_the_rms_force_of_the_frames(plan, frames):
    expected = np.sqrt((frames.frames.forces_ev_per_angstrom**2).sum(axis=-1).mean())
    assert rms_force([frames]) == pytest.approx(expected)
    found = exploration_inputs(plan, orm.Int(0), orm.Int(2), orm.Int(1), frames_first=frames)
    assert found["selection"]["lower_ev_per_angstrom"] == pytest.approx(0.04 * expected)
    assert set(found["runs"]["runs"]) == {"liquid", "solid"}
    assert (found["check_solid"].value, found["check_liquid"].value) == (12, 12)
    other = exploration_inputs(plan, orm.Int(0), orm.Int(3), orm.Int(1), frames_first=frames)
    assert other["seed"].value != found["seed"].value


def test_absolute_thresholds_are_those_of_the_paper(aiida_profile, frames):
    plan = orm.Dict(load_protocol("adaptive_learning", "paper")["plan"])
    found = exploration_inputs(plan, orm.Int(0), orm.Int(1), orm.Int(1), frames_first=frames)
    selection = found["selection"].get_dict()
    assert (selection["lower_ev_per_angstrom"], selection["upper_ev_per_angstrom"]) == (0.3, 1.5)
    assert set(found["runs"]["runs"]) == {"liquid"}
    assert "check_liquid" not in found


def test_phase_that_is_off_gets_more_unbiased_frames_in_the_next_iteration(plan, frames):
    decision = decide(
        plan, frames, comparison=comparison(0.1, -3.0, -35.0), report_liquid=learned(), report_solid=learned()
    )
    assert decision["emphasis"] == "liquid"
    found = exploration_inputs(plan, orm.Int(0), orm.Int(2), orm.Int(1), decision, frames_first=frames)
    assert (found["check_solid"].value, found["check_liquid"].value) == (12, 24)


def test_decision_holds_its_reasons_and_what_it_is_based_on(plan, frames):
    nodes = {"report_liquid": selection_report(0.02, 5.0, 0.02), "report_solid": learned()}
    decision = decide(plan, frames, comparison=comparison(0.2, 0.1, -3.0), **nodes)
    assert (decision["action"], decision["converged"], decision["labels"]) == ("again", False, 4)
    assert [state["temperature_k"] for state in decision["failed"]] == [1100.0]
    assert decision["reasons"][0].startswith("liquid at 1100 K: deviation 5.000 eV/Angstrom is above")
    assert (decision["shift_k"], decision["shift_uncertainty_k"]) == ({"seed_1": -3.0}, {"seed_1": 2.0})
    assert set(decision["deviations"]) == {"liquid", "solid"}
    assert decision.creator.process_label == "decide_learning"


def test_run_without_a_frame_is_not_learned(plan, frames):
    decision = decide(plan, frames, comparison=comparison(0.2, 0.1, -3.0), report_liquid=learned())
    assert "solid left no frame" in "; ".join(decision["reasons"])
    assert decision["action"] == "again"


@pytest.mark.parametrize(
    ("hottest", "reason"),
    [
        (temperature_report(1200.0, None), "liquid at 1200 K left no frame"),
        (temperature_report(1200.0, None, ended="not_started"), "liquid at 1200 K left no frame: it was not begun"),
        (temperature_report(1200.0, 0.01, frames=12, ended="exploded"), "left 12 of 31 frames: it exploded"),
        (temperature_report(1200.0, 0.01, frames=30, ended="exploded"), "left 30 of 31 frames: it exploded"),
        (temperature_report(1200.0, 0.01, ended="bounds"), "left 31 of 31 frames: it ran out of bounds"),
        (temperature_report(1200.0, 0.01, frames=30, ended="cut"), "left 30 of 31 frames: it was cut"),
        (temperature_report(1200.0, 0.01, frames=6, ended="deviation"), "6 of 31 frames: its deviation ended it"),
        (temperature_report(1200.0, 0.01, frames=30), "liquid at 1200 K left 30 of 31 frames"),
        (temperature_report(1200.0, 0.01, accurate=0, failed=31), "no frame is below the upper threshold"),
        ({"temperature_k": 1200.0, KEY: 0.01, "frames_seen": 30}, "left 30 of 31 frames"),
    ],
)
def test_temperature_that_the_models_did_not_reach_the_end_of_is_not_learned(plan, frames, hottest, reason):
    hottest.setdefault("largest_deviation_ev_per_angstrom", None)
    report = report_of(temperature_report(1000.0, 0.01), temperature_report(1100.0, 0.01), hottest)
    decision = decide(plan, frames, comparison=comparison(0.2, 0.1, -3.0), report_liquid=report, report_solid=learned())
    assert (decision["action"], decision["converged"]) == ("again", False)
    assert len(decision["reasons"]) == 1
    assert reason in decision["reasons"][0]
    assert [(state["run"], state["temperature_k"]) for state in decision["failed"]] == [("liquid", 1200.0)]
    assert len(decision["deviations"]["liquid"]) == 3


def test_temperature_that_is_missing_in_a_report_is_not_learned(plan, frames):
    nodes = {"report_liquid": selection_report(0.01), "report_solid": learned()}
    decision = decide(plan, frames, comparison=comparison(0.2, 0.1, -3.0), **nodes)
    assert decision["action"] == "again"
    assert decision["reasons"] == ["liquid left no frame: a planned temperature is missing in its report"]


def test_coldest_temperature_alone_does_not_end_the_loops_of_the_paper(aiida_profile, frames):
    settings = load_protocol("adaptive_learning", "paper")["plan"]
    planned = len(settings["stages"][0]["runs"]["liquid"]["temperature_factors"])
    largest = "largest_deviation_ev_per_angstrom"
    parts = [temperature_report(1000.0, 0.01, frames=10_000)]
    parts += [temperature_report(1000.0 + 100 * index, None, ended="not_started") for index in range(1, planned)]
    parts[0][largest] = parts[0][KEY]
    decision = decide(orm.Dict(settings), frames, report_liquid=report_of(*parts))
    assert planned > 1
    assert (decision["action"], decision["converged"]) == ("again", False)
    assert sum("left no frame: it was not begun" in reason for reason in decision["reasons"]) == planned - 1


def test_share_of_the_frames_that_is_enough_can_be_chosen(aiida_profile, frames):
    plan = orm.Dict(plan_with(frames_share=0.9))

    def reasons(**changes: Any) -> list[str]:
        report = report_of(*(temperature_report(1000.0 + 100 * index, 0.01, **changes) for index in range(3)))
        nodes = {"report_liquid": report, "report_solid": learned()}
        decision = decide(plan, frames, comparison=comparison(0.2, 0.1, -3.0), **nodes)
        return [] if decision["action"] == "stop" else decision["reasons"]

    assert reasons(frames=28, ended="cut") == []
    assert len(reasons(frames=27, ended="cut")) == 3
    assert len(reasons(frames=30, ended="exploded")) == 3


def test_budget_counts_the_labels_of_the_learning_alone(plan, frames):
    given = {"given_old": FramesData(copper_frames(500), labeller="EMT of ase")}
    nodes = {"report_liquid": selection_report(5.0, 5.0, 5.0), "report_solid": learned()}
    decision = decide(plan, frames, **nodes, **given)
    assert (decision["labels"], decision["labels_given"], decision["action"]) == (504, 500, "again")
    small = orm.Dict(plan_with(label_budget=4))
    bound = decide(small, frames, **nodes, **given)
    assert bound["action"] == "stop"
    assert bound["reasons"][0] == "4 labels have been made, the budget is 4"


def test_small_deviations_and_shifts_end_it(plan, frames):
    nodes = {"report_liquid": learned(), "report_solid": learned()}
    decision = decide(plan, frames, comparison=comparison(0.2, 0.1, -3.0), **nodes)
    assert (decision["action"], decision["converged"], decision["next_stage"]) == ("stop", True, 0)


def test_room_for_the_neighbours_of_denser_frames_is_checked(aiida_profile, frames):
    descriptor = {"type": "se_e2_a", "rcut": 4.5, "sel": [60]}
    settings = {"model": {"type_map": ["Cu"], "descriptor": descriptor}}
    assert sel_suffices(orm.Dict(settings), frames_a=frames).value is True
    descriptor["sel"] = [12]
    assert sel_suffices(orm.Dict(settings), frames_a=frames).value is False


def test_warm_training_begins_with_its_own_learning_rate_and_weights(aiida_profile):
    settings = {"learning_rate": {"start_lr": 1.0, "stop_lr": 0.1}, "loss": {"start_pref_e": 1, "limit_pref_e": 2}}
    found = warm_training(orm.Dict(settings), orm.Dict({"steps": 7, "start_lr": 0.5, "start_pref_f": 9.0}))
    assert found["steps"].value == 7
    assert found["settings"]["learning_rate"] == {"start_lr": 0.5, "stop_lr": 0.1}
    assert found["settings"]["loss"] == {"start_pref_e": 1, "limit_pref_e": 2, "start_pref_f": 9.0}


def test_course_of_a_loop_has_an_entry_for_each_iteration(plan, frames):
    reports = {"report_liquid": learned(), "report_solid": learned()}
    first = decide(plan, frames, report_liquid=selection_report(5.0), comparison=comparison(0.1, 2.0, 40.0))
    second = decide(plan, frames, 2, comparison=comparison(0.2, 0.1, -3.0), **reports)
    training = orm.Dict(
        {"frames_training": 90, "core_hours": 0.5, "trainings": {"seed_1": {"steps": 100}, "seed_2": {"steps": 100}}}
    )
    found = summarise_learning(
        decision_01=first, decision_02=second, training_01=training, comparison_02=comparison(0.2, 0.1, -3.0)
    )
    assert (found["converged"], found["iterations"], found["labels"]) == (True, 2, 4)
    assert [entry["training_steps"] for entry in found["course"]] == [200, None]
    assert found["course"][1]["rmse_force_ev_per_angstrom"] == {"check_solid": 0.03}
    assert found["course"][0]["largest_deviation_ev_per_angstrom"] == pytest.approx(5.5)
    assert found["training_core_hours"] == 0.5


def test_last_iteration_is_the_one_with_the_largest_number(plan, frames):
    reports = {"report_liquid": learned(), "report_solid": learned()}
    nodes = {
        f"decision_{number:02d}": decide(plan, frames, number, report_liquid=selection_report(5.0, 5.0, 5.0))
        for number in (9, 10, 99)
    }
    nodes["decision_100"] = decide(plan, frames, 100, comparison=comparison(0.2, 0.1, -3.0), **reports)
    found = summarise_learning(**nodes)
    assert [entry["iteration"] for entry in found["course"]] == [9, 10, 99, 100]
    assert (found["converged"], found["shift_k"]) == (True, {"seed_1": -3.0})


@pytest.mark.parametrize("protocol", ["balanced", "fast", "paper"])
def test_plans_of_the_protocols_fit(protocol):
    plan = LearningPlan(**load_protocol("adaptive_learning", protocol)["plan"])
    assert plan.label_budget <= 1000


LIQUID_ALONE = {"name": "a", "runs": {"l": {"phase": "liquid", "temperature_factors": [1.0], "minimum_atoms": 9}}}
CROSSED = {"unit": "rms_force", "lower": 2.0, "upper": 1.5, "converged": 0.2}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"check_frames": 1}, "target_shift_k needs at least 2 unbiased frames"),
        ({"stages": [LIQUID_ALONE]}, "the last stage must have solid and liquid runs with a temperature factor of 1"),
        ({"thresholds": CROSSED}, "must be less than upper"),
        ({"stages": []}, "at least 1 item"),
        ({"iterations": 3}, "Extra inputs"),
    ],
)
def test_plans_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        LearningPlan(**plan_with(**changes))
