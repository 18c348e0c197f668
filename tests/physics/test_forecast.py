from __future__ import annotations

import statistics

import pytest
from physics.synthetic_runs import MELTING_TEMPERATURE_K, N_ATOMS, PREPARATION_PS, synthetic_run
from physics.test_assessment import Search

from aiida_dnpmelt.physics.assessment import assess
from aiida_dnpmelt.physics.forecast import ExpectedRun, Forecast, expected_estimate, forecast
from aiida_dnpmelt.physics.plan import Plan
from aiida_dnpmelt.workchains.protocols import load_protocol

BALANCED = load_protocol("tpc", "balanced")["plan"]


def foreseen(n_atoms: int = 1728, seeds: int = 16, **changes) -> Forecast:
    return forecast(Plan(**{**BALANCED, **changes}), 1300.0, seeds, n_atoms, 3.0, 12.45)


def test_forecast_is_what_the_rounds_take():
    """Two runs of 15 ps, then all six to 36 ps: that is enough for 5 K."""
    found = foreseen()
    per_ps = 1728 / 0.003
    assert (found.runs, found.time_ps, found.rounds, found.jobs, found.missing) == (6, 36.0, 2, 8, "")
    assert found.first_round_atom_steps == pytest.approx(2 * (15 + 12.45) * per_ps)
    assert found.atom_steps == pytest.approx(6 * (36 + 12.45) * per_ps)
    assert found.longest_atom_steps == pytest.approx((15 + 12.45 + 36 + 12.45) * per_ps)
    assert 4 < found.standard_uncertainty_k < 5


def test_better_target_takes_what_the_slow_noise_asks_for():
    found = foreseen(target_uncertainty_k=2.0)
    variance = 1300.0**2 / (1728 * 3.8)
    assert found.missing == ""
    assert found.runs * found.time_ps == pytest.approx(2 * variance * 8.0 / 2.0**2, rel=0.3)
    assert found.rounds > 2


def test_first_round_is_never_limited_by_the_budget():
    """What a budget below it leads to: the round is run, and nothing after it."""
    for n_atoms in (1728, 21952, 10**9):
        found = foreseen(n_atoms, budget_atom_steps=1e6)
        assert found.atom_steps == found.first_round_atom_steps == pytest.approx(2 * 27.45 * n_atoms / 0.003)
        assert (found.rounds, found.jobs) == (1, 2)
        assert found.missing.endswith("stopped: the budget of 1e+06 atom-steps is spent")


def test_published_cell_has_no_budget_for_all_runs_and_is_said_to_stay_unfinished():
    found = foreseen(21952)
    assert found.atom_steps == pytest.approx(2 * (36 + 12.45) * 21952 / 0.003)
    assert found.atom_steps < BALANCED["budget_atom_steps"]
    assert "living runs, at least 4 are asked for" in found.missing
    assert "stopped: " in found.missing


def test_seeds_and_rounds_bound_what_is_run():
    assert foreseen(seeds=1).runs == 1
    assert foreseen(seeds=1).first_round_atom_steps == foreseen().first_round_atom_steps / 2
    assert foreseen(maximum_rounds=1).atom_steps == foreseen().first_round_atom_steps
    assert foreseen(maximum_rounds=1).missing.endswith("stopped after 1 round, the most that is allowed")


def test_time_stays_within_the_bounds_of_the_plan():
    assert foreseen(target_uncertainty_k=100.0).time_ps == BALANCED["production_time_ps"]
    unreachable = foreseen(target_uncertainty_k=0.1, budget_atom_steps=1e12, seeds=8)
    assert unreachable.time_ps <= BALANCED["maximum_time_ps"]
    assert unreachable.runs == 8
    assert "the target is 0.1 K" in unreachable.missing


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"target_uncertainty_k": 3.0},
        {"budget_atom_steps": 5.0e7},
        {"budget_atom_steps": 1.0e6},
        {"maximum_rounds": 1},
        {"initial_runs": 5, "runs": 5, "first_time_ps": 60.0, "production_time_ps": 60.0, "maximum_time_ps": 60.0},
    ],
)
def test_forecast_is_what_the_loop_of_the_work_chain_takes_from_a_good_guess(changes):
    plan = Plan(**{**BALANCED, **changes})
    search = Search(plan, seeds=16, answer=lambda *_: "coexistence")
    search.to_the_end(MELTING_TEMPERATURE_K)
    found = forecast(plan, MELTING_TEMPERATURE_K, 16, N_ATOMS, 3.0, PREPARATION_PS)
    if changes.keys() <= {"target_uncertainty_k"}:  # chance moves the uncertainty, and it the time
        assert search.spent / 2 < found.atom_steps < 2 * search.spent
    else:
        assert found.atom_steps == pytest.approx(search.spent, rel=0.02)


@pytest.mark.parametrize(("number", "length"), [(6, 36.0), (6, 80.0), (10, 60.0)])
def test_expected_uncertainty_is_that_of_synthetic_runs(number, length):
    expected = expected_estimate(
        {str(index): ExpectedRun(1300.0, N_ATOMS, 3.0, length, (12.0,)) for index in range(number)}, 3.8
    )
    found = []
    for repetition in range(5):
        runs = {str(seed): synthetic_run(100 * repetition + seed, length_ps=length) for seed in range(1, number + 1)}
        estimate = assess(runs, Plan(**BALANCED), rounds=1, atom_steps=1.0, unused_seeds=0).estimate
        found.append(estimate.standard_uncertainty_k)
    assert expected.standard_uncertainty_k == pytest.approx(statistics.mean(found), rel=0.15)
    assert not expected.short
