"""Elastic constants: from stresses under small strains to moduli and stability.

Voigt's order is xx, yy, zz, yz, xz, xy; shears are angles (twice the component of the tensor). Averages of Voigt, Reuss
and Hill: R. Hill, Proc. Phys. Soc. A 65, 349 (1952). Stability: F. Mouhat, F.-X. Coudert, Phys. Rev. B 90,
224104 (2014).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Places = Mapping[str, tuple[tuple[int, int], ...]]

_CUBIC: Places = {
    "c11": ((0, 0), (1, 1), (2, 2)),
    "c12": ((0, 1), (0, 2), (1, 2)),
    "c44": ((3, 3), (4, 4), (5, 5)),
}
_HEXAGONAL: Places = {
    "c11": ((0, 0), (1, 1)),
    "c12": ((0, 1),),
    "c13": ((0, 2), (1, 2)),
    "c33": ((2, 2),),
    "c44": ((3, 3), (4, 4)),
}
INDEPENDENT: Mapping[str, Places] = {"fcc": _CUBIC, "bcc": _CUBIC, "diamond": _CUBIC, "hcp": _HEXAGONAL}
"""Where the independent constants of a lattice stand in the matrix, the hexagonal axis along z."""


@dataclass(frozen=True)
class Moduli:
    """Moduli of a polycrystal in GPa: bounds of Voigt and Reuss, and their mean, that of Hill."""

    bulk_voigt: float
    bulk_reuss: float
    bulk_hill: float
    shear_voigt: float
    shear_reuss: float
    shear_hill: float


def stiffness(strains: Array, pressures_gpa: Array) -> Array:
    """Return the matrix of elastic constants in GPa, symmetric, shape (6, 6).

    Where each strain is there with both signs, terms of second order drop out.

    :param strains: in Voigt's order, shape (n, 6), n >= 6.
    :param pressures_gpa: pressure tensor under each of them, shape (n, 6).
    :raises ValueError: if the strains do not determine all constants.
    """
    if np.linalg.matrix_rank(strains) < 6:
        raise ValueError("the strains do not span all six components: some constants are not determined")
    centred = -(pressures_gpa - pressures_gpa.mean(axis=0))
    solution, *_ = np.linalg.lstsq(strains - strains.mean(axis=0), centred, rcond=None)
    matrix: Array = (solution + solution.T) / 2
    return matrix


def independent_constants(matrix: Array, lattice: str) -> dict[str, float]:
    """Return the independent constants of a lattice in GPa by name (``c11``): means over what symmetry makes equal.

    :raises ValueError: for another lattice than those of `INDEPENDENT`.
    """
    return {name: float(np.mean([matrix[place] for place in places])) for name, places in _places(lattice).items()}


def symmetric_stiffness(constants: Mapping[str, float], lattice: str) -> Array:
    """Return the matrix that has the symmetry of a lattice, in GPa, from its independent constants."""
    matrix = np.zeros((6, 6))
    for name, places in _places(lattice).items():
        for row, column in places:
            matrix[row, column] = matrix[column, row] = constants[name]
    if lattice == "hcp":
        matrix[5, 5] = (constants["c11"] - constants["c12"]) / 2
    return matrix


def moduli(matrix: Array) -> Moduli:
    """Return the moduli of a polycrystal.

    :param matrix: elastic constants in GPa, shape (6, 6).
    :raises ValueError: if the matrix has no inverse.
    """
    if abs(np.linalg.det(matrix)) < 1e-12:
        raise ValueError("the matrix of elastic constants has no inverse")
    compliance = np.linalg.inv(matrix)
    bulk_voigt, shear_voigt = _voigt(matrix)
    normal, off = np.trace(compliance[:3, :3]), compliance[0, 1] + compliance[0, 2] + compliance[1, 2]
    bulk_reuss = 1 / (normal + 2 * off)
    shear_reuss = 15 / (4 * normal - 4 * off + 3 * np.trace(compliance[3:, 3:]))
    bulk, shear = (bulk_voigt + bulk_reuss) / 2, (shear_voigt + shear_reuss) / 2
    return Moduli(*map(float, (bulk_voigt, bulk_reuss, bulk, shear_voigt, shear_reuss, shear)))


def _voigt(matrix: Array) -> tuple[float, float]:
    normal, off = float(np.trace(matrix[:3, :3])), float(matrix[0, 1] + matrix[0, 2] + matrix[1, 2])
    return (normal + 2 * off) / 9, (normal - off + 3 * float(np.trace(matrix[3:, 3:]))) / 15


def lowest_eigenvalue(matrix: Array) -> float:
    """Return the lowest eigenvalue of the elastic constants in GPa: a crystal is stable if it is positive."""
    return float(np.linalg.eigvalsh(matrix)[0])


def _places(lattice: str) -> Places:
    if lattice not in INDEPENDENT:
        raise ValueError(f"lattice is '{lattice}', it can be one of {', '.join(INDEPENDENT)}")
    return INDEPENDENT[lattice]
