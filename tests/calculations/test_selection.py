from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from ase.build import bulk

from aiida_dnpmelt.calculations.selection import check_frames, select_frames
from aiida_dnpmelt.data.trajectories import trajectory

NUMBER = 6


@pytest.fixture
def exploration(aiida_profile) -> tuple[orm.TrajectoryData, orm.ArrayData]:
    """Give six frames of two atoms at two temperatures, three of them candidates."""
    temperatures = np.repeat([300.0, 900.0], 3)
    steps = np.tile([0, 100, 200], 2)
    positions = np.arange(NUMBER * 6, dtype=float).reshape(NUMBER, 2, 3)
    cells = np.array([np.eye(3) * (4 + index) for index in range(NUMBER)])
    frames = trajectory(["Cu", "Cu"], cells, positions, temperatures, "liquid", steps)
    arrays = {"temperature_k": temperatures, "step": steps, "time_ps": steps * 0.002}
    deviation = orm.ArrayData({**arrays, "max_force_ev_per_angstrom": np.array([0.1, 0.1, 0.4, 0.5, 2.0, 0.7])})
    return frames, deviation


def test_chosen_frames_bring_all_that_the_labeller_needs(exploration):
    found, node = select_frames.run_get_node(*exploration, orm.Dict({}), orm.Int(1))
    frames, report = found["frames"], found["report"].get_dict()
    assert node.is_finished_ok
    assert frames.get_array("temperatures").tolist() == [300.0, 900.0, 900.0]
    assert frames.get_stepids().tolist() == [200, 200, 0]
    assert frames.base.attributes.get("phase") == "liquid"
    for place, index in enumerate((2, 5, 3)):
        np.testing.assert_array_equal(
            frames.get_array("positions")[place], exploration[0].get_array("positions")[index]
        )
        np.testing.assert_array_equal(frames.get_array("cells")[place], exploration[0].get_array("cells")[index])
    assert [report[key] for key in ("accurate", "candidate", "failed", "taken")] == [2, 3, 1, 3]
    assert report["frames"][1] == {
        "index": 5,
        "temperature_k": 900.0,
        "time_ps": 0.4,
        "step": 200,
        "max_force_deviation_ev_per_angstrom": 0.7,
    }


def test_no_candidate_gives_a_report_alone(exploration):
    found = select_frames(*exploration, orm.Dict({"lower_ev_per_angstrom": 1.0}), orm.Int(1))
    assert set(found) == {"report"}
    assert found["report"]["taken"] == 0


def test_temperatures_that_left_no_frame_are_in_the_report_with_what_ended_them(exploration):
    rows = [(300.0, "complete"), (900.0, "exploded"), (1200.0, "not_started")]
    results = orm.Dict({"by_temperature": [{"temperature_k": value, "ended": ended} for value, ended in rows]})
    found = select_frames(*exploration, orm.Dict({}), orm.Int(1), results=results)
    parts = found["report"]["by_temperature"]
    assert [(part["temperature_k"], part["ended"]) for part in parts] == rows
    assert [part["frames_seen"] for part in parts] == [3, 3, 0]
    without = select_frames(*exploration, orm.Dict({}), orm.Int(1))["report"]["by_temperature"]
    assert [part["ended"] for part in without] == [None, None]


def test_deviations_of_another_run_are_refused(exploration):
    other = orm.ArrayData({**dict(exploration[1].get_iterarrays()), "step": np.arange(NUMBER)})
    with pytest.raises(ValueError, match="they are not of the same exploration"):
        select_frames(exploration[0], other, orm.Dict({}), orm.Int(1))


def test_frames_that_are_taken_already_are_left_out(exploration):
    first = select_frames(*exploration, orm.Dict({"frames_per_temperature": 1}), orm.Int(1))["frames"]
    assert first.get_stepids().tolist() == [200, 200]
    found = select_frames(*exploration, orm.Dict({}), orm.Int(1), taken=first)
    assert (found["frames"].get_stepids().tolist(), found["report"]["candidate"]) == ([0], 3)


def bulk_frames(solid: bool, phase: str) -> orm.TrajectoryData:
    """Return twelve frames of copper at two temperatures: crystals, or atoms without order."""
    random = np.random.default_rng(2)
    atoms = bulk("Cu", "fcc", a=3.615, cubic=True).repeat(3)
    frames = [
        atoms.positions + random.normal(scale=0.1, size=atoms.positions.shape)
        if solid
        else random.uniform(0, 10.8, atoms.positions.shape)
        for _ in range(12)
    ]
    cells = np.repeat(atoms.cell.array[None], 12, axis=0)
    temperatures = np.repeat([1358.0, 1630.0], 6)
    return trajectory(
        atoms.get_chemical_symbols(), cells, np.array(frames), temperatures, phase, np.tile(np.arange(6) * 100, 2)
    )


@pytest.mark.parametrize(("solid", "phase"), [(True, "solid"), (False, "liquid")])
def test_unbiased_frames_are_at_equal_distances_of_one_temperature(aiida_profile, solid, phase):
    found, node = check_frames.run_get_node(bulk_frames(solid, phase), orm.Float(1358.0), orm.Int(3))
    assert node.is_finished_ok
    assert found["frames"].get_stepids().tolist() == [100, 300, 500]
    assert set(found["frames"].get_array("temperatures")) == {1358.0}
    assert found["frames"].base.attributes.get("phase") == phase
    report = found["report"].get_dict()
    assert (report["seen"], report["taken"], report["left_phase"]) == (6, 3, 0)


@pytest.mark.parametrize(("solid", "phase"), [(True, "liquid"), (False, "solid")])
def test_frames_that_left_their_phase_are_left_out_and_counted(aiida_profile, solid, phase):
    found = check_frames(bulk_frames(solid, phase), orm.Float(1358.0), orm.Int(3))
    assert set(found) == {"report"}
    assert (found["report"]["taken"], found["report"]["left_phase"]) == (0, 3)
