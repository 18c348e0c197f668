"""Cells as LAMMPS has them: lower triangular, and the rotation between such a cell and a general one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def lammps_cell(cell: Array) -> Array:
    """Return the lower triangular cell of the same lengths and angles, with a positive diagonal, shape (3, 3).

    :param cell: cell vectors as rows, right-handed.
    :raises ValueError: if the volume is not positive: such a cell would have to be mirrored.
    """
    if np.linalg.det(cell) <= 0:
        raise ValueError(f"the cell {cell.tolist()} has no positive volume: its vectors must be right-handed")
    triangular: Array = np.linalg.cholesky(cell @ cell.T)
    return triangular


def rotation_from_lammps(cell: Array) -> Array:
    """Return the matrix that takes row vectors of LAMMPS to the axes of a cell: ``v = v_lammps @ rotation``.

    A tensor turns as ``rotation.T @ tensor @ rotation``.

    :param cell: cell vectors as rows, right-handed, as given to LAMMPS.
    :raises ValueError: as `lammps_cell`.
    """
    rotation: Array = np.asarray(np.linalg.solve(lammps_cell(cell), cell), dtype=np.float64)
    return rotation
