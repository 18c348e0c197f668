"""Strained and rattled crystals: frames that a first training set is made from.

As `init_bulk` of DP-GEN makes them (Zhang et al., Comput. Phys. Commun. 253, 107206 (2020)): the volume is scaled, the
cell is strained at random, and each atom is moved in a random direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

Array = NDArray[np.float64]

LARGEST_TEMPERATURE_K = 20_000.0


class InitialFramesSettings(BaseModel):
    """How a crystal is repeated, strained and rattled."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int = Field(ge=1, le=10_000, description="Number of frames.")
    repetitions: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(
        (1, 1, 1), description="Repetitions of the cell along its vectors."
    )
    smallest_scale: float = Field(0.97, gt=0.5, lt=2, description="Least factor on the lengths of the cell.")
    largest_scale: float = Field(
        1.03, gt=0.5, lt=2, description="Largest factor; the frames go from one to the other in equal steps."
    )
    strain: float = Field(
        0.03, ge=0, le=0.3, description="Largest absolute component of the random symmetric strain of each frame."
    )
    displacement_angstrom: float = Field(
        0.1, ge=0, le=2, description="Largest displacement of an atom in Angstrom; directions and lengths are random."
    )
    temperatures_k: tuple[float, ...] = Field(
        (300.0,),
        min_length=1,
        description="Temperatures in K that the frames are meant for, in turn: what a labeller that runs dynamics "
        "takes.",
    )

    @model_validator(mode="after")
    def _fitting(self) -> InitialFramesSettings:
        if self.smallest_scale > self.largest_scale:
            raise ValueError(
                f"smallest_scale = {self.smallest_scale:g} must not exceed largest_scale = {self.largest_scale:g}"
            )
        if not all(0 < temperature <= LARGEST_TEMPERATURE_K for temperature in self.temperatures_k):
            raise ValueError(
                f"temperatures_k = {list(self.temperatures_k)} must lie in 0 < T <= {LARGEST_TEMPERATURE_K:g} K"
            )
        return self


@dataclass(frozen=True)
class Crystals:
    """Strained and rattled crystals.

    :param cells: cell vectors as rows in Angstrom, shape (f, 3, 3).
    :param positions: in Angstrom, shape (f, n, 3).
    :param temperatures_k: in K, shape (f,).
    """

    cells: Array
    positions: Array
    temperatures_k: Array


def strained_and_rattled(cell: Array, positions: Array, settings: InitialFramesSettings, seed: int) -> Crystals:
    """Return strained and rattled copies of a crystal that has been repeated; the same seed gives the same ones.

    :param cell: cell vectors as rows in Angstrom, shape (3, 3).
    :param positions: in Angstrom, shape (n, 3).
    """
    random = np.random.default_rng(seed)
    scales = np.linspace(settings.smallest_scale, settings.largest_scale, settings.number)
    random.shuffle(scales)  # or the temperatures, which come in turn, would go with the scales
    cells, moved = [], []
    for scale in scales:
        strain = random.uniform(-settings.strain, settings.strain, (3, 3))
        deformation = scale * (np.eye(3) + np.triu(strain) + np.triu(strain, 1).T)
        directions = random.normal(size=positions.shape)
        directions /= np.linalg.norm(directions, axis=1)[:, None]
        lengths = settings.displacement_angstrom * random.uniform(size=(len(positions), 1))
        cells.append(cell @ deformation)
        moved.append(positions @ deformation + lengths * directions)
    return Crystals(np.array(cells), np.array(moved), np.resize(settings.temperatures_k, settings.number).astype(float))
