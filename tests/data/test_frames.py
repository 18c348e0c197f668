from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from aiida import orm
from aiida.common.exceptions import ValidationError
from physics.synthetic_frames import copper_frames

from aiida_dnpmelt.data.frames import FramesData


@pytest.fixture(scope="module")
def frames():
    return copper_frames(3)


def test_stored_frames_are_the_same_frames(aiida_profile, frames):
    node = orm.load_node(FramesData(frames, phase="liquid", labeller="EMT of ase").store().pk)
    assert (node.phase, node.labeller, node.base.attributes.get("number_of_frames")) == ("liquid", "EMT of ase", 3)
    for field in fields(frames):
        np.testing.assert_array_equal(getattr(node.frames, field.name), getattr(frames, field.name))


def test_a_frame_is_a_structure(aiida_profile, frames):
    structure = FramesData(frames).get_step_structure(1).get_ase()
    np.testing.assert_allclose(structure.positions, frames.positions[1])
    assert structure.pbc.all()


def test_unknown_phase_is_refused(aiida_profile, frames):
    with pytest.raises(ValueError, match="phase is 'gas', it can be one of solid, liquid, interface"):
        FramesData(frames, phase="gas")


def test_a_trajectory_without_labels_is_not_stored(aiida_profile, frames):
    node = FramesData()
    node.set_trajectory(["Cu"] * 32, frames.positions, cells=frames.cells, pbc=[True] * 3)
    with pytest.raises(ValidationError, match="it lacks energies, forces, temperatures, virials"):
        node.store()
