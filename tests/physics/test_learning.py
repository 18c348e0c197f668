from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aiida_dnpmelt.physics.learning import ENDED, Limits, Progress, Shift, TemperatureState, decide, shortfall

LIMITS = Limits(converged_ev_per_angstrom=0.2, target_shift_k=10.0, iterations=5, labels=100)
EARLY = Progress(iteration=1, labels=20, last_stage=True)
LEARNED = [TemperatureState("liquid", 1300.0, 0.15), TemperatureState("solid", 1000.0, 0.1)]
SMALL = Shift({"seed_1": 4.0, "seed_2": -6.0}, {"seed_1": 3.0, "seed_2": 3.0}, "liquid")


def test_small_deviations_and_shifts_end_the_learning():
    found = decide(LEARNED, SMALL, LIMITS, EARLY)
    assert (found.action, found.converged, found.failed, found.emphasis) == ("stop", True, (), None)
    assert "no model shifts T_m by more than 6 K" in found.reasons[0]


def test_temperature_that_is_not_learned_asks_for_another_iteration_and_is_named():
    states = [*LEARNED, TemperatureState("liquid", 1800.0, 0.31)]
    found = decide(states, SMALL, LIMITS, EARLY)
    assert (found.action, found.converged) == ("again", False)
    assert found.failed == (states[-1],)
    assert found.reasons == ("liquid at 1800 K: deviation 0.310 eV/Angstrom is above 0.200",)


def test_forces_that_agree_are_not_enough_if_a_model_shifts_the_melting_temperature():
    shift = replace(SMALL, by_model_k={"seed_1": 4.0, "seed_2": -61.0})
    found = decide(LEARNED, shift, LIMITS, EARLY)
    assert (found.action, found.converged, found.emphasis) == ("again", False, "liquid")
    assert found.reasons == ("seed_2: predicted shift of T_m -61(3) K, the target is 10 K",)


def test_shift_that_is_small_but_not_known_well_is_not_enough():
    shift = replace(SMALL, uncertainty_by_model_k={"seed_1": 3.0, "seed_2": 14.0})
    assert decide(LEARNED, shift, LIMITS, EARLY).action == "again"


def test_shift_that_is_not_known_is_not_enough():
    found = decide(LEARNED, None, LIMITS, EARLY)
    assert (found.action, found.emphasis) == ("again", None)
    assert "the shift of T_m is not known" in found.reasons[0]


def test_forces_alone_decide_where_no_target_is_given():
    assert decide(LEARNED, None, replace(LIMITS, target_shift_k=None), EARLY).action == "stop"


def test_stage_that_is_learned_is_followed_by_the_next_whatever_the_shift():
    found = decide(LEARNED, None, LIMITS, replace(EARLY, last_stage=False))
    assert (found.action, found.converged) == ("next_stage", True)


@pytest.mark.parametrize(
    ("progress", "reason"),
    [
        (replace(EARLY, iteration=5), "5 of 5 iterations are done"),
        (replace(EARLY, labels=100), "100 labels have been made, the budget is 100"),
    ],
)
def test_bounds_end_the_learning_and_what_was_not_learned_is_told(progress, reason):
    states = [TemperatureState("liquid", 1300.0, None)]
    found = decide(states, SMALL, LIMITS, progress)
    assert (found.action, found.converged) == ("stop", False)
    assert found.reasons == (reason, "liquid at 1300 K left no frame")
    found = decide(LEARNED, SMALL, LIMITS, replace(progress, last_stage=False))
    assert (found.action, found.converged) == ("stop", True)
    assert found.reasons[-1] == f"{reason}, but stages are left"


def state(**changes: Any) -> TemperatureState:
    whole = {"deviation": 0.1, "frames": 101, "planned": 101, "usable": 101, "ended": "complete"}
    return TemperatureState("liquid", 1600.0, **{**whole, **changes})


@pytest.mark.parametrize("ended", list(ENDED))
def test_run_that_ended_early_is_not_learned_whatever_its_deviation(ended):
    found = decide([*LEARNED, state(frames=40, ended=ended)], SMALL, LIMITS, EARLY)
    assert (found.action, found.converged) == ("again", False)
    assert found.reasons == (f"liquid at 1600 K left 40 of 101 frames: {ENDED[ended]}",)


@pytest.mark.parametrize("last_stage", [True, False])
def test_temperature_without_a_frame_keeps_the_learning_in_its_stage(last_stage):
    lost = state(deviation=None, frames=0, usable=0, ended="not_started")
    found = decide([*LEARNED, lost], SMALL, LIMITS, replace(EARLY, last_stage=last_stage))
    assert (found.action, found.failed) == ("again", (lost,))
    assert found.reasons == ("liquid at 1600 K left no frame: it was not begun",)


def test_short_run_and_large_deviation_are_both_told():
    found = decide([state(frames=50, deviation=0.9, ended="deviation")], SMALL, LIMITS, EARLY)
    assert len(found.reasons) == 2
    assert "above 0.200" in found.reasons[1]


@pytest.mark.parametrize("changes", [{"usable": 0, "deviation": 0.1}, {"deviation": None, "usable": None}])
def test_frames_that_are_all_unphysical_are_none(changes):
    found = decide([state(**changes)], SMALL, LIMITS, EARLY)
    assert found.reasons == ("liquid at 1600 K: no frame is below the upper threshold",)


def test_share_of_the_frames_is_enough_where_it_is_asked_for_unless_the_run_burst():
    assert shortfall(state(frames=91, ended="cut"), 0.9) is None
    assert shortfall(state(frames=90, ended="cut"), 0.9) is not None
    assert shortfall(state(frames=100, ended="exploded"), 0.9) is not None
    assert shortfall(state(ended="bounds"), 0.9) is not None
    assert shortfall(state(frames=None, planned=None, ended=None)) is None
