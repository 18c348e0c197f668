"""Frames without labels as a node: what a labeller takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from aiida.orm import TrajectoryData
from numpy.typing import NDArray

from aiida_dnpmelt.data.frames import PHASES

Array = NDArray[np.float64]


def trajectory(
    symbols: Sequence[str],
    cells: Array,
    positions: Array,
    temperatures_k: Array,
    phase: str,
    steps: NDArray[np.int64] | None = None,
) -> TrajectoryData:
    """Return frames of one list of atoms as a node, not stored.

    :param cells: cell vectors as rows in Angstrom, shape (f, 3, 3).
    :param positions: in Angstrom, shape (f, n, 3).
    :param temperatures_k: temperature of the run that each frame is from or is meant for, in K, shape (f,): the
        array ``temperatures``.
    :param phase: ``solid``, ``liquid`` or ``interface``: an attribute.
    :param steps: time steps, shape (f,); numbers from 0 on if none are given.
    """
    node = TrajectoryData()
    node.set_trajectory(
        symbols=list(symbols),
        positions=np.asarray(positions, dtype=float),
        stepids=None if steps is None else np.asarray(steps, dtype=int),
        cells=np.asarray(cells, dtype=float),
        pbc=[True, True, True],
    )
    node.set_array("temperatures", np.asarray(temperatures_k, dtype=float))
    node.base.attributes.set("phase", phase)
    return node


def describe_flaw(node: TrajectoryData) -> str | None:
    """Return what keeps frames from being labelled, None if nothing does."""
    missing = [name for name in ("positions", "cells", "temperatures") if name not in node.get_arraynames()]
    if missing:
        return f"the arrays {', '.join(missing)} are missing"
    phase = node.base.attributes.get("phase", None)
    if phase not in PHASES:
        return f"the attribute phase is {phase!r}, it can be one of {', '.join(PHASES)}"
    temperatures, cells = node.get_array("temperatures"), node.get_array("cells")
    if temperatures.shape != (len(cells),) or not ((temperatures > 0) & (temperatures <= 20_000)).all():
        return f"temperatures: {len(cells)} values in 0 < T <= 20000 K are needed, found {temperatures.tolist()}"
    if not (np.isfinite(node.get_array("positions")).all() and np.isfinite(cells).all()):
        return "not all cells and positions are finite"
    if not (np.linalg.det(cells) > 0).all():
        return "a cell has no positive volume: its vectors must be right-handed"
    return None
