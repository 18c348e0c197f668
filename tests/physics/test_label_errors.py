from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from physics.labelled import labelled

from aiida_dnpmelt.physics.label_errors import label_errors


def shifted(frames, energy=0.0, force=0.0, virial=0.0):
    """Return the labels with errors: of each energy in eV, of one component of a force, of one of a virial."""
    forces, virials = frames.forces_ev_per_angstrom.copy(), frames.virials_ev.copy()
    forces[0, 0, 0] += force
    virials[0, 0, 0] += virial
    return replace(frames, energies_ev=frames.energies_ev + energy, forces_ev_per_angstrom=forces, virials_ev=virials)


def test_errors_by_hand():
    frames = labelled(2, atoms=4)
    found = label_errors([(frames, shifted(frames, energy=-0.02, force=0.6, virial=-0.9))])
    assert found["frames"] == 2
    assert found["energy_offset_mev_per_atom"] == pytest.approx(-5.0)
    assert (found["rmse_energy_mev_per_atom"], found["max_energy_mev_per_atom"]) == pytest.approx((5.0, 5.0))
    assert found["max_force_ev_per_angstrom"] == pytest.approx(0.6)
    assert found["rmse_force_ev_per_angstrom"] == pytest.approx(0.6 / np.sqrt(24))
    assert found["max_virial_mev_per_atom"] == pytest.approx(225.0)
    assert found["rmse_virial_mev_per_atom"] == pytest.approx(225.0 / np.sqrt(18))
    assert found["rms_force_ev_per_angstrom"] == pytest.approx(np.sqrt(np.mean(frames.forces_ev_per_angstrom**2)))


def test_frames_of_several_sets_count_alike():
    small, large = labelled(1, atoms=2), labelled(3, atoms=8)
    found = label_errors([(small, shifted(small, energy=0.008)), (large, large)])
    assert found["frames"] == 4
    assert found["energy_offset_mev_per_atom"] == pytest.approx(1.0)
    assert found["rmse_energy_mev_per_atom"] == pytest.approx(2.0)


def test_no_frame_and_other_atoms_are_refused():
    with pytest.raises(ValueError, match="no frame is given"):
        label_errors([])
    with pytest.raises(ValueError, match="another number of frames or atoms"):
        label_errors([(labelled(2), labelled(3))])
