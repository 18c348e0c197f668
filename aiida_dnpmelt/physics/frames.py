"""Labelled frames: cells and positions of one list of atoms, with energies, forces and virials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from ase.units import GPa
from numpy.typing import NDArray

Array = NDArray[np.float64]
Phase = Literal["solid", "liquid", "interface"]

_FLAT = 1e-6
"""Volume in cubic Angstrom that a cell of no volume can have by the rounding of its vectors."""


@dataclass(frozen=True)
class LabelledFrames:
    """Frames that share one list of atoms, labelled by one method.

    :param symbols: chemical symbols of the n atoms, in the order of the positions.
    :param cells: cell vectors as rows in Angstrom, shape (f, 3, 3).
    :param positions: in Angstrom, shape (f, n, 3).
    :param energies_ev: potential energies of the cells in eV, shape (f,).
    :param forces_ev_per_angstrom: shape (f, n, 3).
    :param virials_ev: shape (f, 3, 3): +P V, positive under compression, as DeePMD-kit has it; -stress of ase x V.
    :param temperatures_k: temperature of the run that each frame is from, in K, shape (f,).
    """

    symbols: tuple[str, ...]
    cells: Array
    positions: Array
    energies_ev: Array
    forces_ev_per_angstrom: Array
    virials_ev: Array
    temperatures_k: Array

    def __post_init__(self) -> None:
        """Check shapes and values.

        :raises ValueError: if an array has another shape than the class says, or holds what is not finite.
        """
        f, n = len(self.energies_ev), len(self.symbols)
        if not f or not n:
            raise ValueError(f"{f} frames of {n} atoms given, at least one of each is needed")
        shapes = {
            "cells": (f, 3, 3),
            "positions": (f, n, 3),
            "energies_ev": (f,),
            "forces_ev_per_angstrom": (f, n, 3),
            "virials_ev": (f, 3, 3),
            "temperatures_k": (f,),
        }
        for name, shape in shapes.items():
            values = getattr(self, name)
            if values.shape != shape:
                raise ValueError(f"{name}: shape is {values.shape}, {shape} is needed")
            if not np.isfinite(values).all():
                raise ValueError(f"{name}: not all values are finite")
        if (np.linalg.det(self.cells) <= 0).any():
            raise ValueError("cells: a volume is not positive")

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.energies_ev)

    @property
    def energies_per_atom_ev(self) -> Array:
        """Return the energies in eV an atom, shape (f,)."""
        return self.energies_ev / len(self.symbols)

    @property
    def pressures_gpa(self) -> Array:
        """Return the potential part of the pressure tensors in GPa, virial/V, shape (f, 3, 3)."""
        pressures: Array = self.virials_ev / np.linalg.det(self.cells)[:, None, None] / GPa
        return pressures

    def take(self, indices: Sequence[int]) -> LabelledFrames:
        """Return some of the frames, in the order of the indices."""
        chosen = np.asarray(indices, dtype=int)
        return LabelledFrames(self.symbols, *(getattr(self, field.name)[chosen] for field in fields(self)[1:]))


def join_frames(parts: Sequence[LabelledFrames]) -> LabelledFrames:
    """Return frames of the same atoms as one.

    :raises ValueError: if there is none, or the atoms differ.
    """
    if len({part.symbols for part in parts}) != 1:
        raise ValueError(f"frames of {len({part.symbols for part in parts})} lists of atoms given, one is needed")
    arrays = (np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(LabelledFrames)[1:])
    return LabelledFrames(parts[0].symbols, *arrays)


def right_handed(cells: Array) -> tuple[Array, int]:
    """Return cells whose three vectors are right-handed, and how many were not.

    The vectors of a left-handed cell are taken the other way, all three: the lattice, its angles, positions, forces and
    virials are the same, only fractional coordinates change their signs.

    :param cells: in Angstrom, shape (f, 3, 3).
    :raises ValueError: if a cell has no volume.
    """
    volumes = np.linalg.det(cells)
    if not np.abs(volumes).min(initial=np.inf) > _FLAT:
        raise ValueError("cells: a volume is zero")
    return cells * np.sign(volumes)[:, None, None], int((volumes < 0).sum())


def finite_frames(arrays: Mapping[str, Array]) -> NDArray[np.bool_]:
    """Return for each frame whether all of its numbers are finite, shape (f,).

    :param arrays: of the same number of frames, the first axis of each.
    """
    masks = [np.isfinite(values.reshape(len(values), -1)).all(axis=1) for values in arrays.values()]
    return np.logical_and.reduce(masks)
