"""Labels that cannot be true: drop them, and say why.

An AIMD goes on when its electrons have not come to self-consistency, and hands out energies and forces all the same.
The models of a committee agree on such a frame, since all of them have been trained on it: their deviation cannot find
it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.stats import median_abs_deviation

from aiida_dnpmelt.physics.frames import LabelledFrames


class ScreeningSettings(BaseModel):
    """Which labels are kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    converged: bool = Field(True, description="Drop frames whose electrons are known not to be self-consistent.")
    minimum_energy_ev_per_atom: float = Field(
        -20.0, ge=-1e6, le=1e6, description="Lowest energy in eV/atom; no element binds by more than 15."
    )
    maximum_energy_ev_per_atom: float = Field(
        0.2, ge=-1e6, le=1e6, description="Highest energy in eV/atom: above 0 atoms would be better off apart."
    )
    maximum_force_ev_per_angstrom: float = Field(50.0, gt=0, le=1e6, description="Largest force on an atom in eV/A.")
    energy_sigmas: float | None = Field(
        None,
        ge=2,
        le=1000,
        description="Largest distance of an energy from the median of the frames that are left, in their standard "
        "deviations, which are taken from the median distance; none if not given. Needs five frames.",
    )

    @model_validator(mode="after")
    def _range(self) -> ScreeningSettings:
        low, high = self.minimum_energy_ev_per_atom, self.maximum_energy_ev_per_atom
        if low >= high:
            raise ValueError(
                f"minimum_energy_ev_per_atom = {low:g} must be below maximum_energy_ev_per_atom = {high:g}"
            )
        return self


FEWEST = 5
"""Frames that a standard deviation is taken from."""


class Screened(NamedTuple):
    """Which frames are kept, by index, and what was dropped: index, reason and numbers of each."""

    kept: list[int]
    dropped: list[dict[str, Any]]


def screen(frames: LabelledFrames, settings: ScreeningSettings, converged: NDArray[np.bool_] | None = None) -> Screened:
    """Return which frames can be trained on.

    The first rule that a frame breaks is its reason: `unconverged`, `energy`, `force`, then `outlier`.

    :param converged: whether the electrons of each frame are self-consistent, shape (f,); None if it is not known.
    :raises ValueError: if ``converged`` is of another length.
    """
    number = len(frames)
    if converged is not None and len(converged) != number:
        raise ValueError(f"converged: {len(converged)} values given for {number} frames")
    energies = frames.energies_per_atom_ev
    forces = np.linalg.norm(frames.forces_ev_per_angstrom, axis=2).max(axis=1)
    low, high = settings.minimum_energy_ev_per_atom, settings.maximum_energy_ev_per_atom
    reasons = np.full(number, "", dtype=object)
    if converged is not None and settings.converged:
        reasons[~converged] = "unconverged"
    reasons[(reasons == "") & ((energies < low) | (energies > high))] = "energy"
    reasons[(reasons == "") & (forces > settings.maximum_force_ev_per_angstrom)] = "force"
    left = np.flatnonzero(reasons == "")
    if settings.energy_sigmas is not None and len(left) >= FEWEST:
        distances = np.abs(energies[left] - np.median(energies[left]))
        reasons[left[distances > settings.energy_sigmas * _sigma(energies[left])]] = "outlier"
    dropped = [
        {
            "index": int(index),
            "reason": str(reasons[index]),
            "energy_ev_per_atom": float(energies[index]),
            "largest_force_ev_per_angstrom": float(forces[index]),
        }
        for index in np.flatnonzero(reasons != "")
    ]
    return Screened([int(index) for index in np.flatnonzero(reasons == "")], dropped)


def _sigma(energies: NDArray[np.float64]) -> float:
    """Return a standard deviation that a few wild values do not widen: one in 20 of them would hide itself else."""
    return float(median_abs_deviation(energies, scale="normal"))
