from __future__ import annotations

import numpy as np

from aiida_dnpmelt.data.trajectories import describe_flaw, trajectory


def test_frames_hold_what_they_were_given(aiida_profile):
    cells, positions = np.array([np.eye(3) * 4, np.eye(3) * 5]), np.zeros((2, 1, 3))
    node = trajectory(["Cu"], cells, positions, np.array([300.0, 400.0]), "liquid", np.array([10, 20])).store()
    assert describe_flaw(node) is None
    assert node.symbols == ["Cu"]
    assert node.get_stepids().tolist() == [10, 20]
    np.testing.assert_array_equal(node.get_array("cells"), cells)
    assert node.get_array("temperatures").tolist() == [300.0, 400.0]
    assert node.base.attributes.get("phase") == "liquid"
    assert node.get_step_structure(1).get_ase().cell.lengths().tolist() == [5.0, 5.0, 5.0]
