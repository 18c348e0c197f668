"""The verdict on a coexistence run: did both phases live while its temperature was averaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from aiida_dnpmelt.physics.estimate import einstein_frequency
from aiida_dnpmelt.physics.lattices import LEAST_LATTICE_SHARE, crystal_flaw, share_of
from aiida_dnpmelt.physics.order import ALIVE
from aiida_dnpmelt.physics.run import CoexistenceRun
from aiida_dnpmelt.physics.units import BOLTZMANN_EV_PER_K

State = Literal["coexistence", "froze", "melted", "invalid"]


class Criteria(BaseModel):
    """What a run must fulfil to count. The final temperature of a run that does not is no melting temperature."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum_fraction: float = Field(
        ALIVE, gt=0, lt=0.5, description="Smallest share of atoms that each phase must hold in every frame."
    )
    minimum_share_with_interfaces: float = Field(
        0.8, gt=0, le=1, description="Share of the frames that must show two interfaces or more."
    )
    minimum_lattice_share: float = Field(
        LEAST_LATTICE_SHARE,
        ge=0,
        le=1,
        description="Least share of the solid atoms at the end that must be in the lattice of the crystal.",
    )
    maximum_energy_drift_k: float = Field(
        5.0, gt=0, le=100, description="Drift of the conserved energy over the run, as a temperature in K."
    )
    maximum_normal_pressure_gpa: float = Field(
        0.03, gt=0, le=10, description="Mean pressure along z, away from its target, in GPa."
    )
    maximum_lateral_pressure_gpa: float = Field(
        0.3, gt=0, le=10, description="Mean pressure along x or y, away from the target, in GPa."
    )
    maximum_phase_advance: float = Field(
        0.25, gt=0, le=1, description="Einstein frequency times the time step, in rad."
    )
    maximum_drift_sigma: float = Field(
        3.5, gt=0, le=10, description="Linear drift that the model does not describe, in standard deviations."
    )
    heat_capacity_k: float = Field(
        3.8, gt=1, le=20, description="Heat capacity of an atom of the two-phase cell in units of k_B."
    )


@dataclass(frozen=True)
class Outcome:
    """The state of one run, the reasons for it, and the numbers that they rest on (units in the keys).

    :param turned: its solid is another crystal than the one that was to melt.
    """

    state: State
    reasons: tuple[str, ...]
    measures: dict[str, float]
    turned: bool = False


def judge(run: CoexistenceRun, criteria: Criteria, lattice: str | None = None) -> Outcome:
    """Return the verdict on a run.

    ``froze`` says that T_m lies above its guess, ``melted`` that it lies below; ``invalid`` says nothing of T_m.

    :param lattice: of the crystal that is to melt, which its solid is judged by; one that is none of
        `aiida_dnpmelt.physics.lattices.LATTICES`, or of a run whose solid nobody looked at, cannot be judged.
    """
    if run.bulk_melted:
        return Outcome("melted", (f"the whole crystal melted at {run.guess_k:.0f} K in preparation",), {})
    if not len(run.frame_time_ps) or len(run.time_ps) < 2:
        return Outcome("invalid", ("production left no frame to analyse",), {})
    measures = _measures(run, criteria, lattice)
    lost = _lost(run, criteria)
    flaw = crystal_flaw(lattice, run.found_lattices, criteria.minimum_lattice_share)
    if lost is not None and (flaw is None or lost[0] == "melted"):
        return Outcome(*lost, measures)
    if flaw is not None:
        return Outcome(
            "invalid", (flaw, *(lost[1] if lost else _complaints(measures, criteria))), measures, turned=True
        )
    reasons = tuple(_complaints(measures, criteria))
    if reasons:
        return Outcome("invalid", reasons, measures)
    smallest, largest = measures["smallest_solid_fraction"], measures["largest_solid_fraction"]
    told = f"both phases lived for {run.length_ps:.0f} ps: solid fraction {smallest:.2f} to {largest:.2f}"
    return Outcome("coexistence", (told,), measures)


def _lost(run: CoexistenceRun, criteria: Criteria) -> tuple[State, tuple[str, ...]] | None:
    """Return the state of a run that has lost a phase at its end, and the reason; ``None`` if it has both."""
    last, low = run.solid_fraction[-1], criteria.minimum_fraction
    when = f"after {run.frame_time_ps[-1]:.0f} ps (solid fraction {last:.2f})"
    if run.halted or not run.interfaces[-2:].any():
        return "froze" if last > 0.5 else "melted", (f"no place along z was left to one phase {when}",)
    if last > 1 - low:
        return "froze", (f"the cell was solid {when}",)
    if last < low:
        return "melted", (f"the cell was liquid {when}",)
    return None


def _measures(run: CoexistenceRun, criteria: Criteria, lattice: str | None) -> dict[str, float]:
    pressure = run.pressure_gpa.mean(axis=0) - run.target_pressure_gpa
    span = run.time_ps[-1] - run.time_ps[0]
    slope = np.polyfit(run.time_ps, run.conserved_ev, 1)[0]
    measures = {
        "smallest_solid_fraction": float(run.solid_fraction.min()),
        "largest_solid_fraction": float(run.solid_fraction.max()),
        "mean_solid_fraction": float(run.solid_fraction.mean()),
        "share_with_interfaces": float(np.mean(run.interfaces >= 2)),
        "energy_drift_k": float(slope * span / (criteria.heat_capacity_k * BOLTZMANN_EV_PER_K)),
        "normal_pressure_deviation_gpa": float(pressure[2]),
        "lateral_pressure_deviation_gpa": float(max(pressure[:2], key=abs)),
    }
    own = share_of(lattice, run.found_lattices)
    if own is not None:
        measures["lattice_share"] = own
    if len(run.mean_square_force):
        frequency = einstein_frequency(
            float(run.mean_square_force.mean()), run.mass_amu, float(run.temperature_k.mean())
        )
        measures["einstein_frequency_rad_per_ps"] = frequency
        measures["phase_advance_rad"] = frequency * run.timestep_fs / 1000
    return measures


def _complaints(measures: dict[str, float], criteria: Criteria) -> list[str]:
    complaints = []
    low = criteria.minimum_fraction
    smallest, largest = measures["smallest_solid_fraction"], measures["largest_solid_fraction"]
    if smallest < low or largest > 1 - low:
        complaints.append(f"a phase was lost for a while: solid fraction {smallest:.2f} to {largest:.2f}")
    share = measures["share_with_interfaces"]
    if share < criteria.minimum_share_with_interfaces:
        complaints.append(
            f"interfaces in {share:.0%} of the frames, less than {criteria.minimum_share_with_interfaces:.0%}"
        )
    for key, limit, name, unit in (
        ("energy_drift_k", criteria.maximum_energy_drift_k, "drift of the conserved energy", "K"),
        (
            "normal_pressure_deviation_gpa",
            criteria.maximum_normal_pressure_gpa,
            "pressure along z off by",
            "GPa",
        ),
        (
            "lateral_pressure_deviation_gpa",
            criteria.maximum_lateral_pressure_gpa,
            "lateral pressure off by",
            "GPa",
        ),
        ("phase_advance_rad", criteria.maximum_phase_advance, "Einstein frequency times time step", "rad"),
    ):
        if abs(measures.get(key, 0.0)) > limit:
            complaints.append(f"{name} {measures[key]:.3g} {unit}, more than {limit:g} {unit}")
    return complaints
