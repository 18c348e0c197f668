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
from aiida_dnpmelt.physics.units import BOLTZMANN_EV_PER_K, gpa_a3_to_ev


class ScreeningSettings(BaseModel):
    """Which labels are kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    converged: bool = Field(True, description="Drop frames whose electrons are known not to be self-consistent.")
    minimum_energy_ev_per_atom: float = Field(
        -20.0, ge=-1e6, le=1e6, description="Lowest energy in eV/atom; no element binds by more than 15."
    )
    maximum_energy_ev_per_atom: float = Field(
        0.2,
        ge=-1e6,
        le=1e6,
        description="Highest energy in eV/atom of cold frames without pressure: above 0 atoms would be better off "
        "apart.",
    )
    bound_follows_state: bool = Field(
        True,
        description="Add to the highest energy what heat and compression do: k T, and P V P/(P + 40 GPa) of the "
        "potential pressure.",
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


_SOFT_GPA = 40.0
"""Twice the bulk modulus of a soft crystal: the work of compression is P V P/2K at small P, below P V at large P."""
_LARGEST_GPA = 1000.0
"""Pressures above are not believed: they are those of electrons that have not come to self-consistency."""
_SAME_VOLUME = 0.02
"""Relative width of volumes whose frames are taken to be at one pressure, so that one wild stress counts for nothing.
"""
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
    low, high = settings.minimum_energy_ev_per_atom, highest_energies(frames, settings)
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


def highest_energies(frames: LabelledFrames, settings: ScreeningSettings) -> NDArray[np.float64]:
    """Return the highest energy of each frame in eV an atom, shape (f,), by its temperature and its pressure.

    The pressure is the median of the frames of about its volume.
    """
    bound = np.full(len(frames), settings.maximum_energy_ev_per_atom)
    if not settings.bound_follows_state:
        return bound
    volumes = np.linalg.det(frames.cells) / len(frames.symbols)
    own = np.trace(frames.pressures_gpa, axis1=1, axis2=2) / 3
    _, group = np.unique(np.rint(np.log(volumes) / _SAME_VOLUME), return_inverse=True)
    pressures = np.array([np.median(own[group == number]) for number in range(group.max() + 1)])[group]
    pressures[(pressures < 0) | (pressures > _LARGEST_GPA)] = 0.0
    work = gpa_a3_to_ev(pressures * volumes) * pressures / (pressures + _SOFT_GPA)
    highest: NDArray[np.float64] = bound + BOLTZMANN_EV_PER_K * np.maximum(frames.temperatures_k, 0) + work
    return highest


def _sigma(energies: NDArray[np.float64]) -> float:
    """Return a standard deviation that a few wild values do not widen: one in 20 of them would hide itself else."""
    return float(median_abs_deviation(energies, scale="normal"))
