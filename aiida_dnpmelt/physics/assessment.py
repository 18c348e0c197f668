"""From runs to a melting temperature: the verdict on each, the joint estimate, and what is worth running next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from aiida_dnpmelt.physics.estimate import (
    LEAST_BINS,
    LEAST_LENGTH_IN_TAU,
    Estimate,
    Series,
    bin_series,
    estimate,
    required_seeds,
    required_time,
    timestep_correction,
)
from aiida_dnpmelt.physics.lattices import LATTICES
from aiida_dnpmelt.physics.plan import Bracket, Plan, bracket, next_guesses
from aiida_dnpmelt.physics.run import CoexistenceRun
from aiida_dnpmelt.physics.verdict import Outcome, judge

Verdict = Literal["valid", "unfinished", "invalid"]

MAXIMUM_GROWTH = 1.5
"""Beyond the least production a run is not lengthened by more at once: by chance, few runs seem to need too much."""
MARGIN = 1.1
"""Time that is asked for, over the time that should do."""
_ENOUGH_TURNED = 2
"""Runs whose solid became another crystal, without any that kept it, after which no other guess is tried."""
TIMESTEP_SYSTEMATIC = 0.25
"""Share of the time-step correction that is quoted as its uncertainty."""


class Run(Protocol):
    """What the next round depends on: the same of a run and of one that is foreseen. Times in ps, the guess in K."""

    @property
    def guess_k(self) -> float: ...  # noqa: D102

    @property
    def n_atoms(self) -> int: ...  # noqa: D102

    @property
    def timestep_fs(self) -> float: ...  # noqa: D102

    @property
    def length_ps(self) -> float: ...  # noqa: D102

    @property
    def preparation_time_ps(self) -> Sequence[float] | np.ndarray: ...  # noqa: D102


@dataclass(frozen=True)
class Next:
    """What to run next: new runs at these guesses (K), and the length (ps) to which all living runs are taken."""

    guesses_k: tuple[float, ...] = ()
    production_time_ps: float = 0.0
    extend: tuple[str, ...] = ()
    reason: str = ""

    @property
    def is_nothing(self) -> bool:
        """Tell whether nothing is left to run."""
        return not self.guesses_k and not self.extend


@dataclass(frozen=True)
class Assessment:
    """Where a melting temperature stands.

    :param outcomes: verdict on each run, by its label.
    :param bounds: bounds of T_m by the runs that lost a phase.
    :param estimate: joint estimate over the living runs, before the correction for the time step.
    :param correction: factor from the kinetic temperature to that of the ensemble.
    :param verdict: ``valid``; ``unfinished``: true coexistence, but less of it than was asked for; ``invalid``.
    :param reasons: why, in sentences.
    :param next: what to run next; nothing if the melting temperature is final.
    """

    outcomes: dict[str, Outcome]
    bounds: Bracket
    estimate: Estimate | None
    correction: float
    verdict: Verdict
    reasons: tuple[str, ...]
    next: Next

    def labels(self, state: str) -> list[str]:
        """Return the labels of the runs with that outcome."""
        return [label for label, outcome in self.outcomes.items() if outcome.state == state]

    @property
    def temperature_k(self) -> float | None:
        """Return T_m in K, corrected for the time step."""
        return None if self.estimate is None else self.estimate.temperature_k * self.correction

    @property
    def timestep_uncertainty_k(self) -> float:
        """Return the uncertainty of the time-step correction in K."""
        if self.estimate is None:
            return 0.0
        return TIMESTEP_SYSTEMATIC * abs(self.correction - 1) * self.estimate.temperature_k


def assess(
    runs: Mapping[str, CoexistenceRun],
    plan: Plan,
    *,
    rounds: int,
    atom_steps: float,
    unused_seeds: int,
    lattice: str | None = None,
) -> Assessment:
    """Return the verdicts, the joint estimate over the living runs, and what to run next.

    :param runs: whole runs by label.
    :param rounds: rounds of runs so far.
    :param atom_steps: atom-steps that all jobs so far have taken.
    :param unused_seeds: how many new runs can still be started.
    :param lattice: of the crystal that is to melt; None if nothing is claimed of it.
    :raises ValueError: if there is no run.
    """
    if not runs:
        raise ValueError("runs: at least one run is needed")
    outcomes = {label: judge(run, plan.criteria, lattice) for label, run in runs.items()}
    found, outcomes = _estimate(runs, outcomes, plan)
    living = [label for label, outcome in outcomes.items() if outcome.state == "coexistence"]
    bounds = bracket([(runs[label].guess_k, outcome.state) for label, outcome in outcomes.items()])
    complaints = shortcomings(runs, living, found, plan)
    turned = [label for label, outcome in outcomes.items() if outcome.turned]
    budget = Budget(runs, plan, rounds, atom_steps, unused_seeds, len(turned))
    following = budget.plan_next(living, found, bounds) if complaints else Next()
    verdict: Verdict = "invalid" if found is None else ("unfinished" if complaints else "valid")
    return Assessment(
        outcomes=outcomes,
        bounds=bounds,
        estimate=found,
        correction=_correction(runs, outcomes),
        verdict=verdict,
        reasons=(
            *_told(runs, outcomes, living, lattice),
            *complaints,
            *((following.reason,) if following.reason else ()),
        ),
        next=following,
    )


def _series(run: CoexistenceRun) -> Series | None:
    """Return T(t) in bins of 1 ps, ``None`` if the run is too short for an estimate."""
    if run.length_ps < LEAST_BINS:
        return None
    series = bin_series(run.time_ps, run.temperature_k)
    return series if len(series.time_ps) >= LEAST_BINS else None


def _estimate(
    runs: Mapping[str, CoexistenceRun], outcomes: dict[str, Outcome], plan: Plan
) -> tuple[Estimate | None, dict[str, Outcome]]:
    """Return the joint estimate; a run that drifts as the model does not describe is put aside first."""
    outcomes = dict(outcomes)
    while True:
        binned = {label: _series(runs[label]) for label, outcome in outcomes.items() if outcome.state == "coexistence"}
        series = {label: values for label, values in binned.items() if values is not None}
        if not series:
            return None, outcomes
        living = list(series)
        found = estimate(
            list(series.values()),
            n_atoms=runs[living[0]].n_atoms,
            heat_capacity_k=plan.criteria.heat_capacity_k,
        )
        drifts = [abs(value) for value in found.drift_z]
        worst = int(np.argmax(drifts))
        if drifts[worst] <= plan.criteria.maximum_drift_sigma:
            return found, outcomes
        label = living[worst]
        reason = f"T(t) drifts by {drifts[worst]:.1f} standard deviations more than the model describes"
        outcomes[label] = replace(outcomes[label], state="invalid", reasons=(reason,))


def _correction(runs: Mapping[str, CoexistenceRun], outcomes: Mapping[str, Outcome]) -> float:
    """Return the mean factor that takes the full-step kinetic temperature to that of the ensemble."""
    factors = [
        timestep_correction(outcome.measures["einstein_frequency_rad_per_ps"], runs[label].timestep_fs)
        for label, outcome in outcomes.items()
        if outcome.state == "coexistence" and "einstein_frequency_rad_per_ps" in outcome.measures
    ]
    return float(np.mean(factors)) if factors else 1.0


def _told(
    runs: Mapping[str, CoexistenceRun], outcomes: Mapping[str, Outcome], living: list[str], lattice: str | None
) -> list[str]:
    """Return sentences on what the runs showed."""
    told = []
    if living:
        fractions = [outcomes[label].measures for label in living]
        low = min(f["smallest_solid_fraction"] for f in fractions)
        high = max(f["largest_solid_fraction"] for f in fractions)
        times = sum(runs[label].length_ps for label in living)
        told.append(
            f"both phases live in {len(living)} of {len(runs)} runs, {times:.0f} ps in all, "
            f"solid fraction {low:.2f} to {high:.2f}"
        )
        told += _crystal_told(outcomes, living, lattice)
    for label, outcome in outcomes.items():
        if label not in living:
            told.append(f"{label} (guess {runs[label].guess_k:.0f} K) {outcome.state}: {'; '.join(outcome.reasons)}")
    return told


def _crystal_told(outcomes: Mapping[str, Outcome], living: list[str], lattice: str | None) -> list[str]:
    """Return sentences on which crystal the solid of the living runs is, nothing if nothing is claimed of it."""
    if lattice is None:
        return []
    if lattice not in LATTICES:
        return [f"which crystal the solid is was not judged: only {', '.join(LATTICES)} are told apart"]
    known = [outcomes[label].measures.get("lattice_share") for label in living]
    shares = [share for share in known if share is not None]
    ends = list(dict.fromkeys(f"{share:.0%}" for share in (min(shares), max(shares)))) if shares else []
    told = [f"{' to '.join(ends)} of the solid is {lattice} at the end"] if ends else []
    if len(shares) < len(living):
        told.append(f"which crystal the solid is is not known in {len(living) - len(shares)} of {len(living)} runs")
    return told


def shortcomings(runs: Mapping[str, Run], living: list[str], found: Estimate | None, plan: Plan) -> list[str]:
    """Return what is missing for a valid melting temperature."""
    if found is None:
        return ["no run holds both phases long enough for an estimate"]
    complaints = []
    least = min(plan.minimum_runs, plan.runs)
    if len(living) < least:
        complaints.append(f"{len(living)} living runs, at least {least} are asked for")
    shortest = min(runs[label].length_ps for label in living)
    if shortest < plan.production_time_ps * 0.98:
        complaints.append(f"the shortest run has {shortest:.0f} ps, {plan.production_time_ps:.0f} ps are asked for")
    if found.short:
        complaints.append(f"runs are shorter than 3 relaxation times of {found.relaxation_time_ps:.1f} ps")
    if found.standard_uncertainty_k > plan.target_uncertainty_k:
        complaints.append(
            f"the standard uncertainty is {found.standard_uncertainty_k:.1f} K, "
            f"the target is {plan.target_uncertainty_k:g} K"
        )
    return complaints


@dataclass(frozen=True)
class Budget:
    """What has been spent, and what is left, of rounds, atom-steps and seeds."""

    runs: Mapping[str, Run]
    plan: Plan
    rounds: int
    atom_steps: float
    unused_seeds: int
    turned: int = 0

    def plan_next(self, living: list[str], found: Estimate | None, bounds: Bracket) -> Next:
        """Return the most useful runs that the budget allows."""
        left = self.plan.budget_atom_steps - self.atom_steps
        if self.rounds >= self.plan.maximum_rounds:
            number = "1 round" if self.rounds == 1 else f"{self.rounds} rounds"
            return Next(reason=f"stopped after {number}, the most that is allowed")
        if left <= 0:
            return Next(reason=f"stopped: the budget of {self.plan.budget_atom_steps:.3g} atom-steps is spent")
        if found is None:
            return self._search(bounds)
        return self._continue(living, found, left)

    def _search(self, bounds: Bracket) -> Next:
        if self.turned >= min(_ENOUGH_TURNED, self.plan.initial_runs) and not bounds.lower_k:
            return Next(reason="stopped: the solid does not stay the crystal that it began as, at no guess so far")
        number = min(self.plan.initial_runs, self.unused_seeds)
        if number == 0:
            return Next(reason="stopped: no seed is left for another guess")
        guesses = (
            next_guesses(bounds, number, self.plan.guess_step)
            if bounds != Bracket()
            else [run.guess_k for run in self.runs.values()][-number:]
        )
        return Next(guesses_k=tuple(guesses), production_time_ps=self.plan.first_time_ps)

    def _continue(self, living: list[str], found: Estimate, left: float) -> Next:
        current = float(np.mean([self.runs[label].length_ps for label in living]))
        needed, number = self._cheapest(living, found, current)
        time = min(needed, max(MAXIMUM_GROWTH * current, self.plan.production_time_ps), self.plan.maximum_time_ps)
        time, missing = self._affordable(living, number - len(living), time, left)
        extend = tuple(label for label in living if self.runs[label].length_ps < 0.98 * time)
        if not extend and not missing:
            return Next(reason="stopped: neither time, nor budget, nor seeds are left for more")
        return Next(guesses_k=(found.temperature_k,) * missing, production_time_ps=time, extend=extend)

    def _cheapest(self, living: list[str], found: Estimate, current: float) -> tuple[float, int]:
        """Return the length (ps) and the number of runs that should reach the target for the least work.

        Runs that agree are lengthened, since a new one has to be prepared first; against a difference between
        runs only more of them help, at most twice as many at once. If no number is enough, as many as there may be.
        """
        least = max(self.plan.production_time_ps, MARGIN * LEAST_LENGTH_IN_TAU * found.relaxation_time_ps * found.short)
        least = min(least, self.plan.maximum_time_ps)
        most = min(max(self.plan.runs, 2 * len(living)), len(living) + self.unused_seeds)
        preparation = self._preparation_ps(living)
        choices = []
        for number in range(min(max(self.plan.runs, len(living)), most), most + 1):
            time = max(MARGIN * required_time(found, number, current, self.plan.target_uncertainty_k), least)
            if time <= self.plan.maximum_time_ps:
                longer = sum(max(time - self.runs[label].length_ps, 0.0) for label in living)
                choices.append((longer + (number - len(living)) * (time + preparation), number, time))
        if choices:
            _, number, time = min(choices)
            return time, number
        if math.isfinite(required_time(found, most, current, self.plan.target_uncertainty_k)):
            return self.plan.maximum_time_ps, most
        return max(current, least), min(most, required_seeds(found, self.plan.target_uncertainty_k))

    def _preparation_ps(self, living: list[str]) -> float:
        times = self.runs[living[0]].preparation_time_ps
        return float(times[-1]) if len(times) else 0.0

    def _affordable(self, living: list[str], missing: int, time: float, left: float) -> tuple[float, int]:
        """Return the time and the number of new runs that the rest of the budget allows."""
        run = self.runs[living[0]]
        per_ps = run.n_atoms * 1000 / run.timestep_fs
        done = sum(min(self.runs[label].length_ps, time) for label in living)
        preparation = self._preparation_ps(living)
        while missing and (len(living) + missing) * time - done + missing * preparation > left / per_ps:
            missing -= 1
        affordable = (left / per_ps + done - missing * preparation) / (len(living) + missing)
        return min(time, affordable), missing
