from __future__ import annotations

import numpy as np
import pytest

from aiida_dnpmelt.physics.lattices import LATTICES, crystal_flaw, lattice_shares, share_of
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


def test_a_solid_of_another_crystal_is_told_with_both_shares():
    assert crystal_flaw("fcc", np.array([0.0, 1.0, 0.0, 0.0]), 0.5) == (
        "the solid is 100% bcc, 0% fcc at the end, at least 50% of it must be fcc"
    )
    mixed = np.array([0.45, 0.25, 0.3, 0.0])
    assert crystal_flaw("fcc", mixed, 0.5) == (
        "the solid is 45% fcc, 30% hcp, 25% bcc at the end, at least 50% of it must be fcc"
    )
    assert crystal_flaw("fcc", mixed, 0.4) is None


def test_stacking_faults_and_what_nobody_knows_are_no_flaw():
    faulted = np.array([0.6, 0.05, 0.35, 0.0])
    assert crystal_flaw("fcc", faulted, 0.5) is None
    assert crystal_flaw("hcp", faulted, 0.5) is not None
    for lattice, shares in ((None, faulted), ("other", faulted), ("fcc", np.full(4, np.nan))):
        assert crystal_flaw(lattice, shares, 0.5) is None
        assert share_of(lattice, shares) is None
