from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from aiida_dnpmelt.physics.elasticity import (
    independent_constants,
    lowest_eigenvalue,
    moduli,
    stiffness,
    symmetric_stiffness,
)

COPPER = {"c11": 169.9, "c12": 122.6, "c44": 76.2}
ZINC = {"c11": 163.7, "c12": 36.4, "c13": 53.0, "c33": 63.5, "c44": 38.8}
STRAINS = np.kron(np.eye(6), np.array([[0.002], [-0.002]]))


def test_constants_come_back_from_stresses_with_a_quadratic_part_and_a_pressure():
    matrix = symmetric_stiffness(ZINC, "hcp")
    pressures = -STRAINS @ matrix.T + 0.3 + 900 * STRAINS**2
    found = stiffness(STRAINS, pressures)
    assert found == pytest.approx(matrix, abs=1e-9)
    assert independent_constants(found, "hcp") == pytest.approx(ZINC)


def test_one_strain_too_few_is_told():
    with pytest.raises(ValueError, match="do not span all six components"):
        stiffness(STRAINS[:10], np.zeros((10, 6)))


def test_hexagonal_crystal_is_isotropic_about_its_axis():
    """A turn about z leaves the tensor of rank four as it is, which fixes c66."""
    turn = Rotation.from_euler("z", 25, degrees=True).as_matrix()
    pairs = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
    matrix = symmetric_stiffness(ZINC, "hcp")
    tensor = np.empty((3, 3, 3, 3))
    for m, (i, j) in enumerate(pairs):
        for n, (k, o) in enumerate(pairs):
            for a, b in ((i, j), (j, i)):
                for c, d in ((k, o), (o, k)):
                    tensor[a, b, c, d] = matrix[m, n]
    turned = np.einsum("ai,bj,ck,dl,ijkl->abcd", turn, turn, turn, turn, tensor)
    assert turned == pytest.approx(tensor, abs=1e-9)


def test_moduli_of_copper_are_those_of_closed_formulas():
    found = moduli(symmetric_stiffness(COPPER, "fcc"))
    c11, c12, c44 = COPPER.values()
    voigt, reuss = (c11 - c12 + 3 * c44) / 5, 5 * (c11 - c12) * c44 / (4 * c44 + 3 * (c11 - c12))
    assert found.bulk_voigt == pytest.approx((c11 + 2 * c12) / 3)
    assert found.bulk_reuss == pytest.approx(found.bulk_voigt)
    assert (found.shear_voigt, found.shear_reuss) == pytest.approx((voigt, reuss))
    assert found.shear_hill == pytest.approx((voigt + reuss) / 2)
    assert found.bulk_hill == pytest.approx(found.bulk_voigt)


def test_bounds_of_a_hexagonal_crystal():
    found = moduli(symmetric_stiffness(ZINC, "hcp"))
    assert found.bulk_reuss < found.bulk_hill < found.bulk_voigt
    assert found.shear_reuss < found.shear_hill < found.shear_voigt


def test_crystal_that_gives_way_has_a_negative_eigenvalue():
    assert lowest_eigenvalue(symmetric_stiffness(COPPER, "fcc")) == pytest.approx(169.9 - 122.6)
    soft = {**COPPER, "c11": 120.0}
    assert lowest_eigenvalue(symmetric_stiffness(soft, "bcc")) == pytest.approx(-2.6)
    with pytest.raises(ValueError, match="has no inverse"):
        moduli(np.zeros((6, 6)))


def test_other_lattices_are_refused():
    with pytest.raises(ValueError, match="lattice is 'other', it can be one of fcc, bcc, diamond, hcp"):
        independent_constants(np.eye(6), "other")
