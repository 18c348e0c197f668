"""Find frames again that were written to another file, and compare their labels.

A tool may turn a frame, as dpdata does so that its cell is lower triangular, fold atoms into the cell, and sort them.
Frames are therefore compared in one orientation, whatever the order of their atoms and the cell that an atom is in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from aiida_dnpmelt.physics.frames import LabelledFrames

Array = NDArray[np.float64]

TOLERANCE = 1e-3
"""Largest distance in Angstrom of an atom, and difference of a cell, of the same frame: files have 5 to 10 digits."""

_WAVES = np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1)])
"""Waves whose sums over the atoms find candidates, in reciprocal lattice vectors."""


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
    """Return which frames are among others, and how much their labels differ; see `KnownFrames`."""
    known = KnownFrames()
    for other in others:
        known.add(other)
    return known.match(frames)


class KnownFrames:
    """Frames of several files, among which others are looked for.

    A frame that is there more than once, as that from which a run was restarted, is compared with the one that is
    nearest in energy.
    """

    def __init__(self) -> None:
        """Know none."""
        self._number = 0
        self._parts: dict[tuple[str, ...], list[tuple[int, _Standard]]] = defaultdict(list)

    def add(self, frames: LabelledFrames) -> None:
        """Take the frames of one more file: they are counted from 0, in the order in which they are added."""
        self._parts[tuple(sorted(frames.symbols))].append((self._number, _Standard(frames)))
        self._number += 1

    def match(self, frames: LabelledFrames) -> Matches:
        """Return which frames are known, by elements, cells and positions, and how much their labels differ."""
        mine = _Standard(frames)
        best: dict[int, tuple[tuple[int, int], Differences]] = {}
        for number, part in self._parts.get(tuple(sorted(frames.symbols)), []):
            for index, other in part.candidates(mine):
                order = _order(mine, index, part, other)
                if order is None:
                    continue
                found = _differences(mine, index, part, other, order)
                if index not in best or found.energy_ev < best[index][1].energy_ev:
                    best[index] = ((number, other), found)
        partners = [best[index][0] if index in best else None for index in range(len(frames))]
        largest = (max(values) for values in zip(*(found for _, found in best.values()), strict=True))
        return Matches(partners, Differences(*largest) if best else None)


class _Standard:
    """Frames in the orientation in which their cells are lower triangular, atoms in the order of their elements."""

    def __init__(self, frames: LabelledFrames) -> None:
        order = np.argsort(frames.symbols, kind="stable")
        inverse = np.linalg.inv(frames.cells)
        self.symbols = np.array(frames.symbols)[order]
        self.cells = np.linalg.cholesky(frames.cells @ frames.cells.transpose(0, 2, 1))
        self.turns = turn = inverse @ self.cells
        # Rounding can make a small negative number 1, which is the same place as 0.
        self.fractions = frames.positions[:, order] @ inverse % 1 % 1
        self.energies = frames.energies_ev
        self.forces = frames.forces_ev_per_angstrom[:, order] @ turn
        self.virials = turn.transpose(0, 2, 1) @ frames.virials_ev @ turn
        self.largest_step = TOLERANCE * float(np.linalg.norm(inverse, axis=1).max())
        """The tolerance in fractional coordinates, along the shortest height of a cell."""

    @cached_property
    def features(self) -> Array:
        """Return numbers that are alike for the same frame, whatever the order of its atoms, shape (f, 18).

        The cells, and sums over atoms of waves, which do not know in which cell an atom is.
        """
        phases = 2 * np.pi * self.fractions @ _WAVES.T
        rows, columns = np.tril_indices(3)
        return np.hstack([self.cells[:, rows, columns], np.cos(phases).sum(axis=1), np.sin(phases).sum(axis=1)])

    @cached_property
    def _scale(self) -> Array:
        """Return how far the features of the same frame can be apart at most, shape (18,)."""
        step = 2 * np.pi * np.abs(_WAVES).sum(axis=1) * self.largest_step * len(self.symbols)
        return np.concatenate([np.full(6, TOLERANCE), step, step])

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.features / self._scale)

    def candidates(self, others: _Standard) -> Iterator[tuple[int, int]]:
        """Yield which of the others may be which of these frames, by index."""
        near = self._tree.query_ball_point(others.features / self._scale, 1.0, p=np.inf)
        yield from ((index, int(own)) for index, found in enumerate(near) for own in found)


def _order(mine: _Standard, index: int, theirs: _Standard, other: int) -> NDArray[np.int64] | None:
    """Return which atom of their frame each atom of mine is, None if the frames are not the same."""
    own, found = mine.fractions[index], theirs.fractions[other]
    order = np.arange(len(own))
    if not _near(own, found, mine.cells[index]):
        _, order = cKDTree(found, boxsize=1).query(own, distance_upper_bound=2 * mine.largest_step)
        if len(set(order)) < len(own) or order.max() == len(own):
            return None
    same = (theirs.symbols[order] == mine.symbols).all() and _near(own, found[order], mine.cells[index])
    return order if same else None


def _near(own: Array, found: Array, cell: Array) -> bool:
    steps = own - found
    return bool((np.linalg.norm((steps - np.round(steps)) @ cell, axis=1) <= TOLERANCE).all())


def _differences(mine: _Standard, index: int, theirs: _Standard, other: int, order: NDArray[np.int64]) -> Differences:
    back = mine.turns[index].T  # to the orientation in which the labels are given
    forces = (mine.forces[index] - theirs.forces[other][order]) @ back
    virial = back.T @ (mine.virials[index] - theirs.virials[other]) @ back
    energy = abs(mine.energies[index] - theirs.energies[other])
    return Differences(float(energy), float(np.abs(forces).max()), float(np.abs(virial).max()))
