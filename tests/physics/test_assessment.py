from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from physics.synthetic_runs import MELTING_TEMPERATURE_K, N_ATOMS, PREPARATION_PS, synthetic_run

from aiida_dnpmelt.physics.assessment import Assessment, assess
from aiida_dnpmelt.physics.plan import Bracket, Plan, first_guesses
from aiida_dnpmelt.physics.run import CoexistenceRun
from aiida_dnpmelt.workchains.protocols import load_protocol

BALANCED = {**load_protocol("tpc", "balanced")["plan"], "runs": 4, "minimum_runs": 3, "production_time_ps": 30.0}
ATOM_STEPS_PER_PS = N_ATOMS / 0.003


def plan_with(**changes) -> Plan:
    return Plan(**{**BALANCED, **changes})


def assessed(
    runs: Mapping[str, CoexistenceRun], rounds: int = 1, spent: float = 1e6, unused_seeds: int = 10, **plan
) -> Assessment:
    return assess(runs, plan_with(**plan), rounds=rounds, atom_steps=spent, unused_seeds=unused_seeds)


def living(number: int, length_ps: float, **changes) -> dict[str, CoexistenceRun]:
    return {f"seed_{seed}": synthetic_run(seed, length_ps=length_ps, **changes) for seed in range(11, number + 11)}


def lost(seed: int, state: str, guess_k: float) -> dict[str, CoexistenceRun]:
    return {f"seed_{seed}": synthetic_run(seed, state, guess_k=guess_k)}


def test_four_long_runs_give_a_valid_number_that_covers_the_truth():
    found = assessed(living(4, 120.0))
    assert (found.verdict, found.next.is_nothing) == ("valid", True)
    assert found.estimate.interval_k[0] < MELTING_TEMPERATURE_K < found.estimate.interval_k[1]
    assert found.estimate.standard_uncertainty_k < 5
    assert found.reasons == ("both phases live in 4 of 4 runs, 480 ps in all, solid fraction 0.50 to 0.50",)


def test_time_step_correction_is_applied_once_and_a_share_of_it_is_the_uncertainty():
    found = assessed(living(4, 120.0))
    advance = np.array([outcome.measures["phase_advance_rad"] for outcome in found.outcomes.values()])
    assert found.correction == pytest.approx(np.mean(1 / (1 - advance**2 / 6)))
    assert found.temperature_k == pytest.approx(found.estimate.temperature_k * found.correction)
    shift = found.temperature_k - found.estimate.temperature_k
    assert 1 < shift < 5
    assert found.timestep_uncertainty_k == pytest.approx(0.25 * shift)


def test_without_probes_nothing_is_corrected():
    found = assessed(living(4, 120.0, mean_square_force=np.empty(0)))
    assert (found.correction, found.timestep_uncertainty_k) == (1.0, 0.0)


@pytest.mark.parametrize(("state", "guess"), [("froze", 1100.0), ("melted", 1500.0)])
def test_lost_run_is_never_averaged(state, guess):
    """A lost box at a very different temperature changes nothing but the bracket."""
    alone = assessed(living(4, 120.0))
    wrong = lost(9, state, guess)
    wrong["seed_9"] = replace(wrong["seed_9"], temperature_k=wrong["seed_9"].temperature_k + 300)
    found = assessed({**living(4, 120.0), **wrong})
    assert found.estimate.temperature_k == alone.estimate.temperature_k
    assert found.temperature_k == alone.temperature_k
    assert found.bounds == (Bracket(lower_k=guess) if state == "froze" else Bracket(upper_k=guess))
    assert found.verdict == "valid"
    assert f"seed_9 (guess {guess:.0f} K) {state}: no place along z" in found.reasons[1]


def test_frozen_runs_alone_move_the_guess_up_and_molten_ones_down():
    froze = assessed({**lost(1, "froze", 1000.0), **lost(2, "froze", 1060.0)})
    assert (froze.verdict, froze.estimate, froze.temperature_k) == ("invalid", None, None)
    assert min(froze.next.guesses_k) > 1060
    assert froze.next.production_time_ps == BALANCED["first_time_ps"]
    assert froze.next.extend == ()
    melted = assessed({**lost(1, "melted", 1600.0), **lost(2, "melted", 1700.0)})
    assert max(melted.next.guesses_k) < 1600
    both = assessed({**lost(1, "froze", 1000.0), **lost(2, "melted", 1600.0)})
    assert both.next.guesses_k == pytest.approx((1200.0, 1400.0))
    assert "no run holds both phases long enough for an estimate" in both.reasons


def test_contradictory_outcomes_ask_for_the_middle():
    found = assessed({**lost(1, "froze", 1320.0), **lost(2, "melted", 1290.0)})
    assert found.bounds.contradictory
    assert found.next.guesses_k == (1305.0, 1305.0)


def test_invalid_runs_alone_are_tried_again_with_other_seeds():
    runs = living(2, 20.0, timestep_fs=10.0)
    found = assessed(runs)
    assert found.labels("invalid") == ["seed_11", "seed_12"]
    assert found.next.guesses_k == (MELTING_TEMPERATURE_K, MELTING_TEMPERATURE_K)


def test_too_few_runs_are_joined_by_others_at_the_estimate_and_all_are_lengthened():
    found = assessed(living(2, 15.0))
    assert found.verdict == "unfinished"
    assert found.next.guesses_k == (found.estimate.temperature_k,) * 2
    assert found.next.extend == ("seed_11", "seed_12")
    assert BALANCED["production_time_ps"] == found.next.production_time_ps
    assert "2 living runs, at least 3 are asked for" in found.reasons


def test_short_run_catches_up_while_the_long_ones_wait():
    runs = {**living(3, 90.0), "seed_14": synthetic_run(14, length_ps=15.0)}
    found = assessed(runs, target_uncertainty_k=8.0)
    assert found.next.extend == ("seed_14",)
    assert "the shortest run has 15 ps, 30 ps are asked for" in found.reasons


def test_run_is_not_lengthened_by_more_than_half_at_once():
    found = assessed(living(4, 30.0), target_uncertainty_k=2.0)
    assert found.next.production_time_ps == pytest.approx(45.0)
    assert found.next.guesses_k == ()


def test_runs_of_full_length_are_joined_by_as_many_as_the_target_asks_for():
    found = assessed(living(4, 120.0), target_uncertainty_k=2.5, maximum_time_ps=120.0)
    assert found.next.extend == ()
    ratio = found.estimate.standard_uncertainty_k / 2.5
    assert len(found.next.guesses_k) == np.ceil(4 * ratio**2) - 4
    assert set(found.next.guesses_k) == {found.estimate.temperature_k}
    assert 110 < found.next.production_time_ps <= 120.0


def test_runs_are_not_more_than_doubled_at_once():
    found = assessed(living(4, 120.0), target_uncertainty_k=0.5, maximum_time_ps=120.0)
    assert len(found.next.guesses_k) == 4


def test_seeds_that_differ_by_more_than_the_target_ask_for_more_seeds_and_not_for_time():
    shifts = dict(enumerate((-40.0, -15.0, 15.0, 40.0), start=11))
    runs = {
        f"seed_{seed}": synthetic_run(seed, length_ps=120.0, melting_temperature_k=MELTING_TEMPERATURE_K + shift)
        for seed, shift in shifts.items()
    }
    found = assessed(runs, target_uncertainty_k=5.0)
    assert found.estimate.between_seeds_k > 10
    assert len(found.next.guesses_k) == 4
    assert found.next.extend == ()


def test_seeds_that_differ_are_joined_by_others_where_that_is_cheaper_than_time():
    shifts = dict(enumerate((-12.0, -4.0, 4.0, 12.0), start=11))
    runs = {
        f"seed_{seed}": synthetic_run(seed, length_ps=60.0, melting_temperature_k=MELTING_TEMPERATURE_K + shift)
        for seed, shift in shifts.items()
    }
    found = assessed(runs, target_uncertainty_k=4.0, maximum_time_ps=4000.0)
    between = found.estimate.between_seeds_k
    assert 0 < between < 2 * 4.0  # so that time alone would do, in the end
    assert len(found.next.guesses_k) >= 2
    assert found.next.production_time_ps <= 90.0


def test_runs_shorter_than_three_relaxation_times_are_lengthened_though_the_target_is_reached():
    runs = living(4, 15.0, n_atoms=20_000, tau_ps=30.0)
    found = assessed(runs, target_uncertainty_k=10.0, production_time_ps=15.0)
    assert found.estimate.short
    assert found.estimate.standard_uncertainty_k < 10
    assert set(found.next.extend) == set(runs)
    assert found.next.production_time_ps == pytest.approx(1.5 * 15.0)


def test_drifting_run_is_set_aside_and_named():
    runs = living(4, 120.0)
    drift = np.linspace(0, 400, len(runs["seed_12"].time_ps))
    runs["seed_12"] = replace(runs["seed_12"], temperature_k=runs["seed_12"].temperature_k + drift)
    found = assessed(runs)
    assert found.labels("invalid") == ["seed_12"]
    assert found.outcomes["seed_12"].reasons[0].startswith("T(t) drifts by ")
    three = assessed({label: run for label, run in runs.items() if label != "seed_12"})
    assert found.estimate.temperature_k == three.estimate.temperature_k
    assert found.bounds == Bracket()


def test_uncertainty_above_the_target_is_told():
    found = assessed(living(4, 120.0), target_uncertainty_k=0.5)
    assert found.verdict == "unfinished"
    assert any(reason.endswith("the target is 0.5 K") for reason in found.reasons)


@pytest.mark.parametrize(
    ("spent", "reason"),
    [
        ({"rounds": 12}, "stopped after 12 rounds, the most that is allowed"),
        ({"spent": 1.1e9}, "stopped: the budget of 1e+09 atom-steps is spent"),
        (
            {"unused_seeds": 0, "maximum_time_ps": 30.0},
            "stopped: neither time, nor budget, nor seeds are left for more",
        ),
    ],
)
def test_end_of_a_budget_leaves_the_number_unfinished_and_says_so(spent, reason):
    found = assessed(living(4, 30.0), **spent, target_uncertainty_k=0.5)
    assert (found.verdict, found.next.is_nothing) == ("unfinished", True)
    assert found.reasons[-1] == reason
    assert found.temperature_k is not None


def test_search_ends_with_the_seeds():
    found = assessed(lost(1, "froze", 1000.0), unused_seeds=0)
    assert (found.verdict, found.next.is_nothing) == ("invalid", True)
    assert found.reasons[-1] == "stopped: no seed is left for another guess"


def test_rest_of_the_budget_is_divided_before_anything_is_started():
    left = 2 * (20.0 + PREPARATION_PS) * ATOM_STEPS_PER_PS
    found = assessed(living(2, 20.0), spent=1e9 - left, target_uncertainty_k=0.5)
    new = len(found.next.guesses_k)
    longer = sum(found.next.production_time_ps - 20.0 for _ in found.next.extend)
    cost = new * (found.next.production_time_ps + PREPARATION_PS) + longer
    assert cost * ATOM_STEPS_PER_PS == pytest.approx(left, rel=0.05)


@pytest.mark.parametrize("length", [0.0, 0.1, 1.0, 1.9, 4.0])
def test_living_run_that_is_too_short_for_an_estimate_enters_none(length):
    runs = living(1, length, frame_time_ps=np.zeros(1), solid_fraction=np.array([0.5]), interfaces=np.array([2.0]))
    found = assessed(runs)
    assert (found.verdict, found.estimate) == ("invalid", None)
    assert found.next.guesses_k == (MELTING_TEMPERATURE_K,)


def test_no_run_at_all_is_refused():
    with pytest.raises(ValueError, match="at least one run"):
        assessed({})


@dataclass
class Search:
    """The loop of a work chain without its jobs: an oracle answers what a run at a guess does."""

    plan: Plan
    seeds: int
    answer: Callable[[int, float], str]
    runs: dict[str, CoexistenceRun] = field(default_factory=dict)
    spent: float = 0.0
    rounds: int = 0

    def to_the_end(self, guess_k: float) -> Assessment:
        guesses, time, extend = (
            first_guesses(guess_k, self.plan.initial_runs, self.plan.guess_spread),
            self.plan.first_time_ps,
            (),
        )
        while True:
            self.rounds += 1
            self._run_round(guesses, time, extend)
            found = assess(
                self.runs,
                self.plan,
                rounds=self.rounds,
                atom_steps=self.spent,
                unused_seeds=self.seeds - len(self.runs),
            )
            if found.next.is_nothing:
                return found
            guesses, time, extend = found.next.guesses_k, found.next.production_time_ps, found.next.extend

    def _run_round(self, guesses, time, extend) -> None:
        assert len(guesses) + len(extend) > 0
        assert 0 < time <= self.plan.maximum_time_ps
        assert len(guesses) <= self.seeds - len(self.runs)
        assert all(np.isfinite(guess) and guess > 0 for guess in guesses)
        for label in extend:
            run = self.runs[label]
            assert time > run.length_ps
            self._run(run.seed, run.guess_k, time, run.length_ps)
        for guess in guesses:
            self._run(len(self.runs) + 1, guess, time, -PREPARATION_PS)

    def _run(self, seed: int, guess: float, time: float, begin: float) -> None:
        state = self.answer(seed, guess)
        self.runs[f"seed_{seed}"] = synthetic_run(seed, state, time, guess_k=guess)
        self.spent += (time - begin) * ATOM_STEPS_PER_PS


def window(seed: int, guess: float) -> str:
    """Return what a real cell does."""
    if guess < 0.96 * MELTING_TEMPERATURE_K:
        return "froze"
    return "melted" if guess > 1.06 * MELTING_TEMPERATURE_K else "coexistence"


@pytest.mark.parametrize("share", [0.7, 0.8, 0.85, 0.95, 1.0, 1.05, 1.15, 1.2, 1.3])
def test_wrong_guess_ends_in_a_valid_number_within_the_budget(share):
    search = Search(plan_with(), seeds=16, answer=window)
    found = search.to_the_end(share * MELTING_TEMPERATURE_K)
    assert found.verdict == "valid", found.reasons
    assert search.rounds <= 8
    assert search.spent < BALANCED["budget_atom_steps"]
    assert abs(found.estimate.temperature_k - MELTING_TEMPERATURE_K) < 3.5 * found.estimate.standard_uncertainty_k
    assert found.bounds.lower_k < MELTING_TEMPERATURE_K < found.bounds.upper_k


@pytest.mark.parametrize("case", range(60))
def test_every_search_ends_whatever_the_cells_do(case):
    """Answers by chance, also contradictory ones: the plan alone has to bring the loop to its end."""
    random = np.random.default_rng(case)
    shares = random.dirichlet(np.ones(3))
    plan = plan_with(
        initial_runs=int(random.integers(1, 5)),
        runs=int(random.integers(1, 7)),
        maximum_rounds=100,
        maximum_time_ps=float(random.choice([30.0, 100.0, 400.0])),
        target_uncertainty_k=float(random.choice([0.5, 3.0, 10.0])),
        budget_atom_steps=float(10 ** random.uniform(6, 9)),
    )
    states = random.choice(["froze", "melted", "coexistence"], size=200, p=shares)
    seeds = int(random.integers(max(plan.runs, plan.initial_runs), 30))
    search = Search(plan, seeds, answer=lambda seed, guess: str(states[seed]))
    found = search.to_the_end(float(random.uniform(300, 4000)))
    assert found.verdict in {"valid", "unfinished", "invalid"}
    assert len(search.runs) <= seeds
    assert search.rounds < 40
    last_round = max(plan.initial_runs, plan.runs) * (plan.first_time_ps + PREPARATION_PS) * ATOM_STEPS_PER_PS
    assert search.spent <= plan.budget_atom_steps + last_round


FCC, BCC = np.array([0.95, 0.02, 0.03, 0.0]), np.array([0.0, 1.0, 0.0, 0.0])


def assessed_as(lattice: str, runs: Mapping[str, CoexistenceRun], **plan) -> Assessment:
    return assess(runs, plan_with(**plan), rounds=1, atom_steps=1e6, unused_seeds=10, lattice=lattice)


def test_four_runs_of_another_crystal_are_no_melting_temperature_of_the_claimed_one():
    found = assessed_as("fcc", living(4, 120.0, found_lattices=BCC))
    assert (found.verdict, found.temperature_k) == ("invalid", None)
    assert "100% bcc, 0% fcc at the end, at least 50% of it must be fcc" in found.reasons[0]
    assert found.next.is_nothing
    assert found.reasons[-1].startswith("stopped: the solid does not stay the crystal that it began as")
    assert assessed_as("bcc", living(4, 120.0, found_lattices=BCC)).verdict == "valid"


def test_runs_that_kept_the_crystal_count_and_those_that_did_not_are_named():
    runs = living(4, 120.0, found_lattices=FCC)
    alone = assessed_as("fcc", runs)
    assert (alone.verdict, alone.reasons[1]) == ("valid", "95% of the solid is fcc at the end")
    turned = {"seed_9": synthetic_run(9, length_ps=120.0, melting_temperature_k=1500.0, found_lattices=BCC)}
    found = assessed_as("fcc", {**runs, **turned})
    assert (found.verdict, found.temperature_k) == ("valid", alone.temperature_k)
    assert any(reason.startswith("seed_9 (guess 1500 K) invalid: the solid is 100% bcc") for reason in found.reasons)
    few = assessed_as("fcc", {**living(1, 120.0, found_lattices=FCC), **turned})
    assert (few.verdict, few.next.is_nothing) == ("unfinished", False)


def test_what_crystal_the_solid_is_is_told_where_it_is_not_known_or_cannot_be():
    unknown = assessed_as("fcc", living(4, 120.0))
    assert unknown.reasons[1] == "which crystal the solid is is not known in 4 of 4 runs"
    other = assessed_as("other", living(4, 120.0, found_lattices=BCC))
    assert other.verdict == "valid"
    assert other.reasons[1].startswith("which crystal the solid is was not judged: only fcc, bcc, hcp, diamond")
