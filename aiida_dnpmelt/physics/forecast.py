"""What a melting temperature is expected to take: the rounds of the work chain, played through with runs that live."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from aiida_dnpmelt.physics.assessment import Budget, shortcomings
from aiida_dnpmelt.physics.error_budget import Measured
from aiida_dnpmelt.physics.estimate import LEAST_LENGTH_IN_TAU, Estimate
from aiida_dnpmelt.physics.plan import Bracket, Plan, first_runs

TYPICAL_RELAXATION_TIME_PS = 8.0
"""Relaxation time of the interface in a cell of some 1,700 atoms: 5 to 11 ps for EAM metals."""
BETWEEN_RUNS = 0.2
"""Difference between runs over the slow noise that the estimate of runs which agree does not exclude: 6 runs of 36 to
80 ps of synthetic copper."""


@dataclass(frozen=True)
class Forecast:
    """What a melting temperature is expected to take, if the guess is good.

    :param runs: living runs.
    :param time_ps: production of the longest of them, in ps.
    :param atom_steps: atom-steps in all, preparation included.
    :param first_round_atom_steps: those of the first round, which is run whatever the budget is.
    :param longest_atom_steps: sum over the rounds of the longest run of each: what takes time if all have cores.
    :param rounds: rounds of runs.
    :param jobs: jobs of all rounds, if none is cut.
    :param standard_uncertainty_k: of T_m, in K.
    :param missing: why the number will not be valid, in a sentence; empty if it will be.
    """

    runs: int
    time_ps: float
    atom_steps: float
    first_round_atom_steps: float
    longest_atom_steps: float
    rounds: int
    jobs: int
    standard_uncertainty_k: float
    missing: str


@dataclass(frozen=True)
class ExpectedRun:
    """A run as the plan sees it, without what it would have measured."""

    guess_k: float
    n_atoms: int
    timestep_fs: float
    length_ps: float
    preparation_time_ps: tuple[float, ...]


def forecast(
    plan: Plan, temperature_k: float, n_seeds: int, n_atoms: int, timestep_fs: float, preparation_ps: float
) -> Forecast:
    """Return what a melting temperature is expected to take: each round is what the work chain would start.

    :param temperature_k: first guess in K, taken as T_m.
    :param n_seeds: runs that may be started.
    :param preparation_ps: length of the stages before production, in ps.
    """
    per_ps = n_atoms * 1000 / timestep_fs
    lengths = {f"seed_{index}": plan.first_time_ps for index in range(first_runs(plan, n_seeds))}
    work = [[preparation_ps + time for time in lengths.values()]]  # of each round, ps a run
    while True:
        runs = {
            label: ExpectedRun(temperature_k, n_atoms, timestep_fs, time, (preparation_ps,))
            for label, time in lengths.items()
        }
        found = expected_estimate(runs, plan.criteria.heat_capacity_k)
        missing = shortcomings(runs, list(runs), found, plan)
        spent = per_ps * sum(map(sum, work))
        budget = Budget(runs, plan, len(work), spent, n_seeds - len(runs))
        following = budget.plan_next(list(runs), found, Bracket())
        if not missing or following.is_nothing:
            break
        time = following.production_time_ps
        longer = [time - lengths[label] for label in following.extend]
        new = [f"seed_{len(lengths) + index}" for index in range(len(following.guesses_k))]
        work.append([*longer, *(preparation_ps + time for _ in new)])
        lengths |= dict.fromkeys([*following.extend, *new], time)
    return Forecast(
        runs=len(lengths),
        time_ps=max(lengths.values()),
        atom_steps=spent,
        first_round_atom_steps=per_ps * sum(work[0]),
        longest_atom_steps=per_ps * sum(map(max, work)),
        rounds=len(work),
        jobs=sum(map(len, work)),
        standard_uncertainty_k=found.standard_uncertainty_k,
        missing="; ".join([*missing, following.reason]) if missing else "",
    )


def expected_estimate(runs: Mapping[str, ExpectedRun], heat_capacity_k: float) -> Estimate:
    """Return the estimate that runs which agree are expected to give.

    The slow motion of the interface has the variance sigma^2 = T^2/(N c_p/k) and a relaxation time tau, so that
    the mean over runs with the length t in all has the variance 2 sigma^2 tau/t, beside what may lie between runs.
    """
    some = next(iter(runs.values()))
    tau, number = TYPICAL_RELAXATION_TIME_PS, len(runs)
    sigma = some.guess_k / math.sqrt(some.n_atoms * heat_capacity_k)
    total = sum(run.length_ps for run in runs.values())
    uncertainty = sigma * math.sqrt(2 * tau / total + BETWEEN_RUNS**2 / number)
    shortest = min(run.length_ps for run in runs.values()) / tau
    return Estimate(
        temperature_k=some.guess_k,
        standard_uncertainty_k=uncertainty,
        interval_k=Measured(some.guess_k, uncertainty).interval_k,
        relaxation_time_ps=tau,
        relaxation_time_uncertainty_ps=0.0,
        slow_noise_k=sigma,
        fast_noise_k=0.0,
        between_seeds_k=BETWEEN_RUNS * sigma,
        seed_temperatures_k=(some.guess_k,) * number,
        seed_uncertainties_k=(uncertainty * math.sqrt(number),) * number,
        amplitudes_k=(0.0,) * number,
        chi2=0.0,
        dof=number - 1,
        drift_z=(0.0,) * number,
        length_in_tau=shortest,
        short=shortest < LEAST_LENGTH_IN_TAU,
    )
