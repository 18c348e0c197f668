from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from ase.build import bulk
from label_jobs import run_label

from aiida_dnpmelt.calculations.initial_frames import initial_frames
from aiida_dnpmelt.data.potential import PotentialData

SETTINGS = {"number": 6, "repetitions": [2, 2, 2], "temperatures_k": [300.0, 600.0]}


@pytest.fixture
def frames(aiida_profile) -> orm.TrajectoryData:
    structure = orm.StructureData(ase=bulk("Cu", cubic=True))
    return initial_frames(structure, orm.Dict(SETTINGS), orm.Int(4))


def test_frames_are_linked_to_their_crystal(frames):
    assert frames.creator.process_label == "initial_frames"
    assert frames.get_array("positions").shape == (6, 32, 3)
    assert frames.symbols == ["Cu"] * 32
    assert frames.base.attributes.get("phase") == "solid"
    assert frames.get_array("temperatures").tolist() == [300, 600] * 3


def test_frames_go_straight_to_the_labeller(frames, lmp_code, potentials_folder):
    copper = PotentialData.get_or_create(potentials_folder / "Cu_mishin1.eam.alloy")
    job = run_label(lmp_code, copper, frames={"initial": frames})
    assert job.is_finished_ok, job.exit_message
    labelled = job.outputs.frames.initial.frames
    assert len(labelled) == 6
    volumes = np.linalg.det(labelled.cells)
    pressures = np.trace(labelled.pressures_gpa, axis1=1, axis2=2) / 3
    assert np.corrcoef(volumes, pressures)[0, 1] < -0.9
    assert (labelled.energies_per_atom_ev > -3.54).all()
