from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from aiida_dnpmelt.physics.plan import (
    Bracket,
    Plan,
    bracket,
    coexistence_window,
    first_guesses,
    first_round_atom_steps,
    next_guesses,
)
from aiida_dnpmelt.workchains.protocols import load_protocol, load_protocols

BALANCED = load_protocol("tpc", "balanced")["plan"]


@pytest.mark.parametrize("name", load_protocols("tpc")["protocols"])
def test_plans_of_all_protocols_are_valid(name):
    plan = Plan(**load_protocol("tpc", name)["plan"])
    assert plan.runs <= len(load_protocol("tpc", name)["seeds"])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("initial_runs", 0),
        ("guess_spread", 0.5),
        ("guess_step", 0.0),
        ("first_time_ps", 4.0),
        ("runs", 101),
        ("target_uncertainty_k", 0.0),
        ("budget_atom_steps", 0.0),
        ("maximum_rounds", 0),
        ("criteria", {"minimum_fraction": 2.0}),
        ("rounds", 3),
    ],
)
def test_value_out_of_range_is_refused_by_its_key(key, value):
    with pytest.raises(ValidationError, match=key):
        Plan(**{**BALANCED, key: value})


@pytest.mark.parametrize("key", ["target_uncertainty_k", "runs", "production_time_ps"])
def test_missing_value_is_refused_by_its_key(key):
    with pytest.raises(ValidationError, match=f"{key}\n.*Field required"):
        Plan(**{name: value for name, value in BALANCED.items() if name != key})


@pytest.mark.parametrize("times", [{"first_time_ps": 60.0}, {"maximum_time_ps": 20.0}, {"production_time_ps": 500.0}])
def test_times_out_of_order_are_refused_with_all_three(times):
    with pytest.raises(ValidationError, match="first_time_ps <= production_time_ps <= maximum_time_ps is needed, got"):
        Plan(**{**BALANCED, **times})


def test_bracket_takes_the_closest_bounds_and_nothing_from_living_or_invalid_runs():
    outcomes = [(1100.0, "froze"), (1200.0, "froze"), (1250.0, "coexistence"), (1600.0, "melted"), (1500.0, "melted")]
    assert bracket(outcomes) == Bracket(1200.0, 1500.0)
    assert bracket([(900.0, "invalid"), (1250.0, "coexistence")]) == Bracket(0.0, math.inf)
    assert not bracket(outcomes).contradictory


def test_run_that_froze_above_one_that_melted_makes_a_contradictory_bracket():
    bounds = bracket([(1310.0, "froze"), (1290.0, "melted")])
    assert bounds.contradictory
    assert next_guesses(bounds, 3, 0.08) == [1300.0] * 3


def test_first_guesses_lie_evenly_about_the_guess():
    assert first_guesses(1000.0, 1, 0.03) == [1000.0]
    assert first_guesses(1000.0, 3, 0.03) == pytest.approx([970.0, 1000.0, 1030.0])
    assert first_guesses(1000.0, 2, 0.0) == [1000.0, 1000.0]


def test_next_guesses_split_a_bracket_or_walk_on_from_its_end():
    assert next_guesses(Bracket(1200.0, 1500.0), 1, 0.08) == [1350.0]
    assert next_guesses(Bracket(1200.0, 1500.0), 2, 0.08) == pytest.approx([1300.0, 1400.0])
    assert next_guesses(Bracket(1000.0, math.inf), 2, 0.08) == pytest.approx([1080.0, 1160.0])
    assert next_guesses(Bracket(0.0, 1160.0), 2, 0.08) == pytest.approx([1160 / 1.08, 1000.0])


def test_next_guesses_without_bounds_are_refused():
    with pytest.raises(ValueError, match="nothing bounds the melting temperature"):
        next_guesses(Bracket(), 2, 0.08)


@pytest.mark.parametrize("true", [1000 * share for share in (0.5, 0.7, 0.8, 0.85, 1.15, 1.2, 1.3, 2.0)])
@pytest.mark.parametrize("number", [1, 2, 4])
def test_walk_and_bisection_reach_the_window_from_any_wrong_guess(true, number):
    plan = Plan(**{**BALANCED, "initial_runs": number})
    guesses, outcomes, rounds = first_guesses(1000.0, number, plan.guess_spread), [], 1
    while all(_answer(guess, true) != "coexistence" for guess in guesses):
        outcomes += [(guess, _answer(guess, true)) for guess in guesses]
        guesses, rounds = next_guesses(bracket(outcomes), number, plan.guess_step), rounds + 1
    assert rounds <= math.ceil(abs(math.log(true / 1000)) / math.log(1.08) / number) + 2


def _answer(guess: float, true: float) -> str:
    """Return what a cell does: the window is the measured one, and narrow."""
    if guess < 0.96 * true:
        return "froze"
    return "melted" if guess > 1.06 * true else "coexistence"


def test_first_round_takes_what_it_takes_whatever_the_budget_and_no_more_runs_than_there_are_seeds():
    plan = Plan(**{**BALANCED, "budget_atom_steps": 1.0})
    one = (12.45 + plan.first_time_ps) / 0.003 * 1728
    assert first_round_atom_steps(plan, 16, 1728, 3.0, 12.45) == pytest.approx(plan.initial_runs * one)
    assert first_round_atom_steps(plan, 1, 1728, 3.0, 12.45) == pytest.approx(one)


def test_guesses_are_plain_floats():
    found = [*first_guesses(1000.0, 3, 0.03), *next_guesses(Bracket(1000.0, 1300.0), 3, 0.08)]
    assert {type(value) for value in found} == {float}
    assert np.all(np.diff(found[:3]) > 0)


def test_guess_may_be_off_by_what_melting_half_of_the_cell_takes():
    """Copper: 0.13743 eV an atom and c_p = 3.8 k_B; half of the cell takes 0.0687 eV an atom, which are 210 K."""
    share = coexistence_window(0.13743 / (8.617333e-5 * 1357.77), 3.8)
    assert share * 1357.77 == pytest.approx(0.0687 / (3.8 * 8.617333e-5), rel=1e-3)
    assert share == pytest.approx(0.155, abs=0.001)


def test_protocol_that_was_changed_by_who_loaded_it_is_the_same_for_the_next():
    load_protocol("tpc", "fast")["plan"]["runs"] = 99
    load_protocols("tpc")["protocols"].clear()
    assert load_protocol("tpc", "fast")["plan"]["runs"] == 2
