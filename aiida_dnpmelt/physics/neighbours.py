"""Counts of neighbours: what the descriptor of a machine-learned potential must have room for."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from aiida_dnpmelt.physics.frames import Array, LabelledFrames

TOTAL = "all species"
"""Name of the number of neighbours of any species."""


def most_neighbours(parts: Iterable[LabelledFrames], cutoff: float) -> dict[str, int]:
    """Return, for each species and for `TOTAL`, the largest number of its atoms around any atom of any frame.

    :param cutoff: radius in Angstrom; periodic images count, also those of the atom itself.
    """
    most: dict[str, int] = {}
    for frames in parts:
        for cell, positions in zip(frames.cells, frames.positions, strict=True):
            counts = neighbour_counts(frames.symbols, cell, positions, cutoff)
            counts[TOTAL] = np.sum(list(counts.values()), axis=0)
            for name, values in counts.items():
                most[name] = max(most.get(name, 0), int(values.max()))
    return most


def neighbour_counts(
    symbols: tuple[str, ...], cell: Array, positions: Array, cutoff: float
) -> dict[str, NDArray[np.int64]]:
    """Return, for each species, the number of its atoms around each of the n atoms, shape (n,).

    :param cell: cell vectors as rows in Angstrom, shape (3, 3), periodic along all of them.
    :param positions: in Angstrom, shape (n, 3), anywhere in space.
    :param cutoff: radius in Angstrom; periodic images count, also those of the atom itself.
    """
    scaled = np.linalg.solve(cell.T, positions.T).T % 1.0
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    margins = cutoff / heights
    centres, species = scaled @ cell, np.array(symbols)
    found = {}
    for symbol in sorted(set(symbols)):
        tree = cKDTree(_images(scaled[species == symbol], margins) @ cell)
        counts = tree.query_ball_point(centres, cutoff, return_length=True)
        found[symbol] = np.asarray(counts, dtype=np.int64) - (species == symbol)
    return found


def _images(scaled: Array, margins: Array) -> Array:
    """Return the periodic images of points that lie in the cell or within the margins around it, in its units."""
    reach = np.ceil(margins).astype(int)
    shifts = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    images: Array = (scaled[:, None, :] + shifts).reshape(-1, 3)
    inside: Array = images[((images >= -margins) & (images <= 1 + margins)).all(axis=1)]
    return inside
