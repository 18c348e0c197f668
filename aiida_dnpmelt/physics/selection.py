"""Which frames of an exploration are worth a label: by the deviation of the forces within a committee of models.

Thresholds on the largest deviation of a force in a frame, as in Zhang et al., Phys. Rev. Materials 3, 023804 (2019):
below the lower one the models agree, above the upper one the frame is taken for unphysical.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

Array = NDArray[np.float64]


class SelectionSettings(BaseModel):
    """Which frames are chosen, and how many."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lower_ev_per_angstrom: float = Field(
        0.3, ge=0, le=1000, description="Largest force deviation below which a frame is accurate, in eV/Angstrom."
    )
    upper_ev_per_angstrom: float = Field(
        1.5, gt=0, le=1000, description="Largest force deviation above which a frame has failed, in eV/Angstrom."
    )
    frames_per_temperature: int = Field(5, ge=1, le=10_000, description="Most frames that are taken a temperature.")
    minimum_spacing_ps: float = Field(0.2, ge=0, le=1000, description="Least time between taken frames, in ps.")
    mode: Literal["deviation", "random"] = Field(
        "deviation",
        description="`deviation` takes the largest deviations among the candidates; `random` takes as many frames at "
        "random from all that have not failed, as a yardstick.",
    )
    histogram_bins: int = Field(20, ge=1, le=1000, description="Bins of the histogram, from 0 to the upper threshold.")

    @model_validator(mode="after")
    def _ordered(self) -> SelectionSettings:
        if not self.lower_ev_per_angstrom < self.upper_ev_per_angstrom:
            raise ValueError(
                f"lower_ev_per_angstrom = {self.lower_ev_per_angstrom:g} must be less than "
                f"upper_ev_per_angstrom = {self.upper_ev_per_angstrom:g}"
            )
        return self


@dataclass(frozen=True)
class Selection:
    """What was chosen.

    :param indices: the chosen frames, by temperature, in the order in which they were taken.
    :param report: counts, deviations and reasons as plain values; units in the keys.
    """

    indices: tuple[int, ...]
    report: dict[str, Any]


def select(
    temperatures_k: Array,
    times_ps: Array,
    deviations: Array,
    settings: SelectionSettings,
    seed: int,
    excluded: Sequence[int] = (),
    planned_k: Sequence[float] = (),
) -> Selection:
    """Choose frames at each temperature by itself; the same input gives the same choice.

    :param temperatures_k: temperature of the run that each frame is from, in K, shape (f,).
    :param times_ps: time of each frame in its run in ps, shape (f,).
    :param deviations: largest deviation of a force in each frame in eV/Angstrom, shape (f,); what is not finite has
        failed.
    :param seed: of the mode ``random``; has no effect on the other.
    :param excluded: frames that are counted, but not taken.
    :param planned_k: temperatures in K that are told even if they have no frame.
    :raises ValueError: if the shapes differ.
    """
    if not temperatures_k.shape == times_ps.shape == deviations.shape:
        raise ValueError(
            f"shapes of temperatures, times and deviations are {temperatures_k.shape}, {times_ps.shape} and "
            f"{deviations.shape}, they must be the same"
        )
    random = np.random.default_rng(seed)
    taken: list[int] = []
    by_temperature = []
    for temperature in np.unique([*temperatures_k, *planned_k]):
        members = np.flatnonzero(temperatures_k == temperature)
        free = members[~np.isin(members, excluded)]
        chosen = _choose(free, times_ps, deviations, settings, random)
        taken += chosen
        by_temperature.append({"temperature_k": float(temperature), **_summary(deviations[members], settings)})
        by_temperature[-1]["taken"] = len(chosen)
    reasons = [
        {
            "index": index,
            "temperature_k": float(temperatures_k[index]),
            "time_ps": float(times_ps[index]),
            "max_force_deviation_ev_per_angstrom": float(deviations[index]),
        }
        for index in taken
    ]
    report = {
        "mode": settings.mode,
        "lower_ev_per_angstrom": settings.lower_ev_per_angstrom,
        "upper_ev_per_angstrom": settings.upper_ev_per_angstrom,
        **_summary(deviations, settings),
        "taken": len(taken),
        "by_temperature": by_temperature,
        "frames": reasons,
    }
    return Selection(tuple(taken), report)


def _choose(
    members: NDArray[np.int64],
    times_ps: Array,
    deviations: Array,
    settings: SelectionSettings,
    random: np.random.Generator,
) -> list[int]:
    """Return the frames that are taken at one temperature."""
    inside = deviations[members]
    candidate = (inside >= settings.lower_ev_per_angstrom) & (inside <= settings.upper_ev_per_angstrom)
    by_deviation = members[candidate][np.argsort(-inside[candidate], kind="stable")]
    chosen = _spaced(by_deviation, times_ps, settings.minimum_spacing_ps, settings.frames_per_temperature)
    if settings.mode == "deviation":
        return chosen
    sound = members[inside <= settings.upper_ev_per_angstrom]
    return _spaced(random.permutation(sound), times_ps, settings.minimum_spacing_ps, len(chosen))


def _spaced(order: NDArray[np.int64], times_ps: Array, spacing_ps: float, most: int) -> list[int]:
    """Return the first frames of an order that are at least the spacing apart."""
    taken: list[int] = []
    for index in order:
        if len(taken) == most:
            break
        # A time is a step times a time step: what rounding adds must not part frames that are just far enough.
        if all(abs(times_ps[index] - times_ps[other]) >= spacing_ps * (1 - 1e-9) for other in taken):
            taken.append(int(index))
    return taken


def _summary(deviations: Array, settings: SelectionSettings) -> dict[str, Any]:
    """Return counts, and the distribution of the finite deviations."""
    finite = deviations[np.isfinite(deviations)]
    accurate = int((finite < settings.lower_ev_per_angstrom).sum())
    candidate = int((finite <= settings.upper_ev_per_angstrom).sum()) - accurate
    edges = np.linspace(0.0, settings.upper_ev_per_angstrom, settings.histogram_bins + 1)
    return {
        "frames_seen": len(deviations),
        "accurate": accurate,
        "candidate": candidate,
        "failed": len(deviations) - accurate - candidate,
        "largest_deviation_ev_per_angstrom": float(finite.max()) if len(finite) else None,
        "quantile_95_deviation_ev_per_angstrom": float(np.quantile(finite, 0.95)) if len(finite) else None,
        "histogram_edges_ev_per_angstrom": [float(edge) for edge in edges],
        "histogram_counts": [int(count) for count in np.histogram(finite, edges)[0]],
    }


def evenly_spaced(members: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Return at most ``number`` of the members at equal distances, the last one among them, in their order."""
    if len(members) <= number:
        return members
    return members[np.arange(1, number + 1) * len(members) // number - 1]
