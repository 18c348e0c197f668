from __future__ import annotations

import io

import numpy as np
import pytest
from aiida import orm
from ase.build import bulk
from coexistence_jobs import KILLED_AT
from label_jobs import copper_cell, dynamics, frames_of, run_label

from aiida_dnpmelt.calculations.lammps_label import LammpsLabelCalculation
from aiida_dnpmelt.data.potential import PotentialData

CODES = LammpsLabelCalculation.exit_codes


@pytest.fixture
def copper(aiida_profile, potentials_folder) -> PotentialData:
    return PotentialData.get_or_create(potentials_folder / "Cu_mishin1.eam.alloy")


def assert_ended(job: orm.CalcJobNode, name: str, message: str = "") -> None:
    assert job.exit_status == getattr(CODES, name).status, job.exit_message
    assert message in job.exit_message


def broken_cell():
    """Return a cell in which two atoms lie on one point: forces that are no numbers."""
    atoms = copper_cell()
    atoms.positions[1] = atoms.positions[0]
    return atoms


def squeezed_cell():
    """Return a cell in which two atoms are so close that the force is not of this world, but finite."""
    atoms = copper_cell()
    atoms.positions[1] = atoms.positions[0] + [0.9, 0.1, 0.0]
    return atoms


def test_results_count_frames_and_cost(lmp_code, copper):
    results = dynamics(lmp_code, copper).outputs.results.get_dict()
    counts = {"expected": 12, "labelled": 12, "not_finite": 0, "large_force": 0, "missing": 0}
    assert {key: results[key] for key in counts} == counts
    assert results["by_name"]["oblique"]["labelled"] == 4
    assert (results["starts"], results["atom_steps"], results["errors"]) == (3, 200 * (32 + 32 + 8), [])
    assert 0 < results["core_hours"] < 0.01
    assert "20" in results["lammps_version"]


def test_frames_that_are_not_finite_are_dropped_and_counted(lmp_code, copper):
    frames = {
        "bad": frames_of(broken_cell()),
        "mixed": frames_of(copper_cell(), broken_cell(), squeezed_cell(), copper_cell()),
    }
    job = run_label(lmp_code, copper, frames=frames)
    assert job.is_finished_ok, job.exit_message
    assert list(job.outputs.frames) == ["mixed"]
    assert len(job.outputs.frames.mixed.frames) == 2
    results = job.outputs.results
    assert (results["labelled"], results["not_finite"], results["large_force"]) == (2, 2, 1)
    assert results["by_name"]["bad"] == {
        "expected": 1,
        "labelled": 0,
        "not_finite": 1,
        "large_force": 0,
        "missing": 0,
    }


def test_nothing_that_can_be_used_is_an_exit_code(lmp_code, copper):
    job = run_label(lmp_code, copper, frames={"bad": frames_of(broken_cell())})
    assert_ended(job, "ERROR_NOTHING_LABELLED", "look at the starting frames")
    assert job.outputs.results["not_finite"] == 1


def test_explosion_keeps_the_frames_before_it(lmp_code, copper):
    frames = {"good": frames_of(copper_cell(), temperature=300.0), "z": frames_of(copper_cell(), temperature=20_000.0)}
    job = run_label(lmp_code, copper, frames=frames, steps=400, timestep_fs=10.0, frames_per_start=2)
    assert job.exit_status in {CODES.ERROR_LOST_ATOMS.status, CODES.ERROR_NOT_FINITE.status}
    assert len(job.outputs.frames.good.frames) == 2
    assert job.outputs.results["missing"] > 0


def test_job_that_was_killed_keeps_what_was_labelled(code_that, copper):
    code = code_that(KILLED_AT.format(stage="start_1", step=1000))
    frames = {"a": frames_of(copper_cell(), copper_cell())}
    job = run_label(code, copper, frames=frames, steps=1_000_000, frames_per_start=10_000)
    assert_ended(job, "ERROR_INTERRUPTED", "cut in stage start_1")
    results = job.outputs.results
    assert results["labelled"] == len(job.outputs.frames.a.frames) >= 10
    assert results["missing"] == 20_000 - results["labelled"]


def test_code_that_does_nothing_leaves_no_log(code_that, copper):
    assert_ended(run_label(code_that("true"), copper), "ERROR_LOG_MISSING")


def test_log_without_a_row_cannot_be_read(code_that, copper):
    job = run_label(code_that("echo 'LAMMPS (22 Jul 2025)' > log.lammps"), copper)
    assert_ended(job, "ERROR_LOG_UNREADABLE")


def test_dump_that_is_none_cannot_be_read(code_that, copper):
    job = run_label(code_that('"$LMP" "$@"; echo nothing > labels.dump'), copper)
    assert_ended(job, "ERROR_FRAMES_UNREADABLE", "line 1 of the dump")


def test_dump_of_another_run_is_refused(code_that, copper):
    job = run_label(code_that('"$LMP" "$@"; sed -i "2s/.*/7/" labels.dump'), copper)
    assert_ended(job, "ERROR_FRAMES_UNREADABLE", "step 7 of the dump is not that of the log")


def test_model_in_a_lammps_without_the_plugin(lmp_code):
    model = PotentialData(io.BytesIO(b"model"), "graph.pb", pair_style="deepmd", type_map=["Cu"], cutoff=4.0)
    assert_ended(run_label(lmp_code, model), "ERROR_UNKNOWN_PAIR_STYLE", "Unrecognized pair style 'deepmd'")


def test_file_that_is_no_model(lmp_deepmd_code):
    model = PotentialData(io.BytesIO(b"model"), "graph.pb", pair_style="deepmd", type_map=["Cu"], cutoff=4.0)
    assert_ended(run_label(lmp_deepmd_code, model), "ERROR_BAD_POTENTIAL")


def test_element_that_is_not_in_the_model(lmp_deepmd_code, tiny_model):
    model = PotentialData(tiny_model, pair_style="deepmd", type_map=["Cu", "Ni", "Al"], cutoff=3.5)
    aluminium = {"a": frames_of(bulk("Al", cubic=True))}
    assert_ended(run_label(lmp_deepmd_code, model, frames=aluminium), "ERROR_MISSING_ELEMENT", "Al")


def test_model_labels_as_an_eam_does(lmp_deepmd_code, tiny_model):
    model = PotentialData(tiny_model, pair_style="deepmd", type_map=["Cu", "Ni"], cutoff=3.5)
    moved = copper_cell()
    moved.positions[0, 0] += 0.2
    job = run_label(lmp_deepmd_code, model, frames={"a": frames_of(moved, copper_cell())})
    assert job.is_finished_ok, job.exit_message
    frames = job.outputs.frames.a.frames
    assert np.abs(frames.forces_ev_per_angstrom[0]).max() > 100 * np.abs(frames.forces_ev_per_angstrom[1]).max()


def test_other_errors_of_lammps_are_told(code_that, copper):
    code = code_that('sed -i "s/^run 0/fly 0/" input.in; "$LMP" "$@"')
    assert_ended(run_label(code, copper), "ERROR_LAMMPS", "Unknown command: fly")
