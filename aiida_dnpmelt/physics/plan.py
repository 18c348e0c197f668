"""What to run next: guesses from outcomes, time and seeds from the estimate, within a budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from aiida_dnpmelt.physics.verdict import Criteria, State


class Plan(BaseModel):
    """How a melting temperature is approached, and when it is good enough."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    initial_runs: int = Field(ge=1, le=100, description="Runs started together at first guesses.")
    guess_spread: float = Field(
        ge=0, le=0.3, description="First guesses lie within plus and minus this share of the guess."
    )
    guess_step: float = Field(0.08, gt=0, le=0.3, description="Step of the guess while T_m is bounded on one side.")
    first_time_ps: float = Field(
        ge=5, le=100_000, description="Production of a run before its first verdict, in ps; an estimate needs 5."
    )
    runs: int = Field(ge=1, le=100, description="Living runs that are aimed at.")
    minimum_runs: int = Field(
        1, ge=1, le=100, description="Living runs that an estimate needs, or `runs` if that is less."
    )
    production_time_ps: float = Field(gt=0, le=100_000, description="Least production of each of them, in ps.")
    maximum_time_ps: float = Field(gt=0, le=1_000_000, description="Most production of one run, in ps.")
    target_uncertainty_k: float = Field(ge=0.1, le=1000, description="Standard uncertainty of T_m to reach, in K.")
    budget_atom_steps: float = Field(gt=0, description="Atom-steps after which nothing new is started.")
    maximum_rounds: int = Field(ge=1, le=100, description="Rounds of runs after which nothing new is started.")
    criteria: Criteria = Field(default_factory=Criteria, description="What makes a run count.")

    @model_validator(mode="after")
    def _ordered(self) -> Plan:
        if not self.first_time_ps <= self.production_time_ps <= self.maximum_time_ps:
            raise ValueError(
                "first_time_ps <= production_time_ps <= maximum_time_ps is needed, got "
                f"{self.first_time_ps:g}, {self.production_time_ps:g}, {self.maximum_time_ps:g}"
            )
        return self


@dataclass(frozen=True)
class Bracket:
    """Bounds of T_m from outcomes, in K: the hottest guess that froze, the coldest that melted."""

    lower_k: float = 0.0
    upper_k: float = math.inf

    @property
    def contradictory(self) -> bool:
        """Tell whether a run froze at a higher guess than another melted at, as chance may have it near T_m."""
        return self.lower_k >= self.upper_k


def bracket(outcomes: Sequence[tuple[float, State]]) -> Bracket:
    """Return the bounds that outcomes at guesses (K) set; a lost box bounds by its guess, never by its end."""
    froze = [guess for guess, state in outcomes if state == "froze"]
    melted = [guess for guess, state in outcomes if state == "melted"]
    return Bracket(max(froze, default=0.0), min(melted, default=math.inf))


def first_guesses(guess_k: float, number: int, spread: float) -> list[float]:
    """Return ``number`` guesses in K, evenly within ``guess_k (1 +- spread)``."""
    if number == 1:
        return [guess_k]
    return [float(value) for value in guess_k * (1 + spread * np.linspace(-1, 1, number))]


def next_guesses(bounds: Bracket, number: int, step: float) -> list[float]:
    """Return ``number`` guesses in K that split the bracket, or walk on from its only end.

    A contradictory bracket is narrow: all guesses are its middle.

    :raises ValueError: if nothing bounds T_m.
    """
    lower, upper = bounds.lower_k, bounds.upper_k
    if bounds.contradictory:
        return [(lower + upper) / 2] * number
    if lower > 0 and math.isfinite(upper):
        return [float(value) for value in np.linspace(lower, upper, number + 2)[1:-1]]
    if lower > 0:
        return [lower * (1 + step * (index + 1)) for index in range(number)]
    if math.isfinite(upper):
        return [upper / (1 + step * (index + 1)) for index in range(number)]
    raise ValueError("no run froze or melted: nothing bounds the melting temperature")


def coexistence_window(fusion_entropy_k: float, heat_capacity_k: float) -> float:
    """Return the share of T_m that a guess may be off by, so that both phases live at the end: L/(2 c_p T_m).

    Enthalpy is constant, so a wrong guess melts or freezes some of the cell, and half of it is there to do so.

    :param fusion_entropy_k: L/T_m in k_B an atom.
    :param heat_capacity_k: c_p in k_B an atom.
    """
    return fusion_entropy_k / (2 * heat_capacity_k)


def first_runs(plan: Plan, n_seeds: int) -> int:
    """Return the number of runs of the first round: each needs a seed of its own."""
    return min(plan.initial_runs, n_seeds)


def first_round_atom_steps(plan: Plan, n_seeds: int, n_atoms: int, timestep_fs: float, preparation_ps: float) -> float:
    """Return what the first round takes, whatever the budget is: nothing is known before it.

    :param preparation_ps: length of the stages before production, in ps.
    """
    return first_runs(plan, n_seeds) * (preparation_ps + plan.first_time_ps) * n_atoms * 1000 / timestep_fs
