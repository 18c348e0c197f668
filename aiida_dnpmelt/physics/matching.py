"""Find frames again that were written to another file, and compare their labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from aiida_dnpmelt.physics.frames import LabelledFrames

Array = NDArray[np.float64]

TOLERANCE = 1e-3
"""Largest distance in Angstrom of a coordinate of the same frame: files are written with 5 to 10 digits."""


class Differences(NamedTuple):
    """Largest differences between the labels of frames in two files, in eV, eV/Angstrom and eV."""

    energy_ev: float
    force_ev_per_angstrom: float
    virial_ev: float


class Matches(NamedTuple):
    """What was found of a set of frames among others.

    :param partners: of each frame that was found, which of the others it is and which of its frames; None of the rest.
    :param differences: of those that were found; None if none was.
    """

    partners: list[tuple[int, int] | None]
    differences: Differences | None

    @property
    def new(self) -> list[int]:
        """Return the indices of the frames that were not found."""
        return [index for index, partner in enumerate(self.partners) if partner is None]


def match(frames: LabelledFrames, others: Sequence[LabelledFrames]) -> Matches:
    """Return which frames are among others, by symbols, cells and positions, and how much their labels differ.

    A frame that is there more than once, as that from which a run was restarted, is compared with the one that is
    nearest in energy.
    """
    partners: list[tuple[int, int] | None] = [None] * len(frames)
    same = [number for number, part in enumerate(others) if part.symbols == frames.symbols]
    if not same:
        return Matches(partners, None)
    theirs = np.concatenate([_coordinates(others[number]) for number in same])
    values = [np.concatenate([_labels(others[number])[i] for number in same]) for i in range(3)]
    places = [(number, index) for number in same for index in range(len(others[number]))]
    mine, labels = _coordinates(frames), _labels(frames)
    largest = np.zeros(3)
    near = _near(mine, theirs)
    for index, candidates in near.items():
        best = min(candidates, key=lambda other: abs(values[0][other] - labels[0][index]))
        partners[index] = places[best]
        errors = [float(np.abs(label[index] - value[best]).max()) for label, value in zip(labels, values, strict=True)]
        largest = np.maximum(largest, errors)
    return Matches(partners, Differences(*map(float, largest)) if near else None)


def _coordinates(frames: LabelledFrames) -> Array:
    """Return cells and positions as rows, shape (f, 9 + 3 n)."""
    return np.hstack([frames.cells.reshape(len(frames), -1), frames.positions.reshape(len(frames), -1)])


def _labels(frames: LabelledFrames) -> tuple[Array, Array, Array]:
    return frames.energies_ev, frames.forces_ev_per_angstrom, frames.virials_ev


def _near(mine: Array, theirs: Array) -> dict[int, list[int]]:
    """Return which rows agree within the tolerance in each column; a tree over the first columns finds candidates."""
    columns = min(15, mine.shape[1])
    pairs = cKDTree(theirs[:, :columns]).query_ball_point(mine[:, :columns], TOLERANCE, p=np.inf)
    found = defaultdict(list)
    for index, candidates in enumerate(pairs):
        for other in candidates:
            if np.abs(mine[index] - theirs[other]).max() <= TOLERANCE:
                found[index].append(int(other))
    return found
