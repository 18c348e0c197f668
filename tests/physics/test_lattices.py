from __future__ import annotations

import numpy as np
import pytest

from aiida_dnpmelt.physics.lattices import LATTICES, lattice_shares
from aiida_dnpmelt.physics.order import averaged_q6, solid_atoms


def test_lattices_are_told_apart_at_the_melting_temperature(crystal, bulk):
    expected = LATTICES.index(crystal.lattice.split()[0])
    for frame in bulk["solid"]:
        shares = lattice_shares(
            frame.lengths, frame.positions, solid_atoms(averaged_q6(frame.lengths, frame.positions))
        )
        assert shares.sum() == pytest.approx(1)
        assert shares[expected] > 0.95


def test_solid_atoms_alone_are_counted(crystal, bulk):
    frame = bulk["solid"][0]
    chosen = np.zeros(len(frame.positions), dtype=bool)
    chosen[::7] = True
    shares = lattice_shares(frame.lengths, frame.positions, chosen)
    assert shares.sum() == pytest.approx(1)
    assert shares * chosen.sum() == pytest.approx(np.round(shares * chosen.sum()))


def test_a_melt_has_no_lattice(bulk):
    frame = bulk["liquid"][0]
    assert np.isnan(lattice_shares(frame.lengths, frame.positions, np.zeros(len(frame.positions), dtype=bool))).all()
