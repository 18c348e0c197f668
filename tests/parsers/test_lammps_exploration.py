from __future__ import annotations

import io
from pathlib import Path

import pytest
from aiida import orm
from coexistence_jobs import KILLED_AT
from exploration_jobs import COLLAPSING, SETTINGS, as_deepmd, explore

from aiida_dnpmelt.calculations.exploration_settings import ExplorationSettings
from aiida_dnpmelt.calculations.lammps_exploration import LammpsExplorationCalculation
from aiida_dnpmelt.data.potential import PotentialData

CODES = LammpsExplorationCalculation.exit_codes


@pytest.fixture
def models(tiny_model, other_model) -> tuple[Path, ...]:
    return tiny_model, other_model


def ended(job: orm.CalcJobNode) -> list[str]:
    return [row["ended"] for row in job.outputs.results["by_temperature"]]


def assert_ended(job: orm.CalcJobNode, name: str, message: str = "") -> None:
    assert job.exit_status == getattr(CODES, name).status, job.exit_message
    assert message in job.exit_message


def test_deviation_above_its_maximum_ends_a_temperature_and_not_the_next(lmp_deepmd_code, models):
    job = explore(lmp_deepmd_code, models, temperatures=[3000.0, 20.0], maximum_deviation_ev_per_angstrom=0.5)
    assert job.is_finished_ok, job.exit_message
    assert ended(job) == ["deviation", "complete"]
    hot, cold = job.outputs.results["by_temperature"]
    assert (hot["last_step"], hot["planned_step"], cold["last_step"]) == (70, 120, 120)
    assert hot["largest_force_deviation_ev_per_angstrom"] > 0.5 > cold["largest_force_deviation_ev_per_angstrom"]
    assert job.outputs.deviation.get_array("step")[:7].tolist() == [20, 30, 40, 50, 60, 70, 20]
    assert job.outputs.results["complete"] is False


WILD = {"barostat_damping_ps": 0.02, "maximum_volume_factor": 10.0, "time_ps": 0.4}
"""A barostat so quick that the box bursts within some 50 steps."""


def test_run_out_of_bounds_ends_and_the_next_goes_on(lmp_deepmd_code, models):
    job = explore(lmp_deepmd_code, models, temperatures=[20.0, 3000.0], **WILD)
    assert job.is_finished_ok, job.exit_message
    assert ended(job) == ["bounds", "bounds"]
    for row in job.outputs.results["by_temperature"]:
        assert row["frames"] > 0
        assert row["last_step"] < row["planned_step"] == 220
    assert job.outputs.results["errors"] == []


def test_explosion_keeps_what_came_before(code_that, lmp_deepmd_code, models):
    code = as_deepmd(code_that(COLLAPSING.format(before="print .dnpmelt stage sample_", run=2)), lmp_deepmd_code)
    job = explore(code, models, temperatures=[20.0, 30.0, 40.0])
    assert job.is_finished_ok, job.exit_message
    assert ended(job) == ["complete", "exploded", "not_started"]
    assert job.outputs.trajectory.get_stepids().tolist()[:11] == list(range(20, 121, 10))
    assert job.outputs.results["by_temperature"][0]["frames"] == ExplorationSettings(**SETTINGS).frames
    assert "Neighbor list overflow" in job.outputs.results["errors"][0]
    assert job.outputs.results["by_temperature"][1]["last_step"] >= 20


def test_explosion_before_the_first_frame_is_told(code_that, lmp_deepmd_code, models):
    code = as_deepmd(code_that(COLLAPSING.format(before="velocity", run=1)), lmp_deepmd_code)
    job = explore(code, models)
    assert_ended(job, "ERROR_NOT_FINITE", "Neighbor list overflow")


def test_job_that_was_killed_keeps_what_came_before(code_that, lmp_deepmd_code, models):
    code = as_deepmd(code_that(KILLED_AT.format(stage="sample_1", step=100)), lmp_deepmd_code)
    job = explore(code, models, time_ps=1000.0)
    assert job.is_finished_ok, job.exit_message
    assert ended(job) == ["cut", "not_started"]
    assert job.outputs.results["frames"] == len(job.outputs.deviation.get_array("step")) >= 8


def test_job_that_was_killed_before_its_first_frame(code_that, lmp_deepmd_code, models):
    code = as_deepmd(code_that(KILLED_AT.format(stage="equilibrate_1", step=10)), lmp_deepmd_code)
    job = explore(code, models, equilibrate_ps=1000.0)
    assert_ended(job, "ERROR_INTERRUPTED", "cut in stage equilibrate_1")


def test_no_frame_within_the_bounds(lmp_deepmd_code, models):
    job = explore(lmp_deepmd_code, models, temperatures=[3000.0], maximum_volume_factor=1.0001, equilibrate_ps=0.2)
    assert_ended(job, "ERROR_NO_FRAMES", "Runs ended by: bounds.")
    assert job.outputs.results["frames"] == 0


def test_code_that_does_nothing_leaves_no_log(code_that, models):
    assert_ended(explore(code_that("true"), models), "ERROR_LOG_MISSING")


def test_log_without_a_row_cannot_be_read(code_that, models):
    assert_ended(explore(code_that("echo 'LAMMPS (22 Jul 2025)' > log.lammps"), models), "ERROR_LOG_UNREADABLE")


def test_dump_that_is_none_cannot_be_read(code_that, lmp_deepmd_code, models):
    code = as_deepmd(code_that('"$LMP" "$@"; echo nothing > frames.1.dump'), lmp_deepmd_code)
    assert_ended(explore(code, models, temperatures=[20.0]), "ERROR_FRAMES_UNREADABLE", "line 1 of the dump")


def test_lammps_without_the_plugin(lmp_code, models):
    assert_ended(explore(lmp_code, models), "ERROR_UNKNOWN_PAIR_STYLE", "Unrecognized pair style 'deepmd'")


def test_file_that_is_no_model(lmp_deepmd_code, models):
    arguments = {"pair_style": "deepmd", "type_map": ["Cu", "Ni"], "cutoff": 3.5}
    good = PotentialData(models[0], **arguments)
    bad = PotentialData(io.BytesIO(b"model"), "graph.pb", **arguments)
    assert_ended(explore(lmp_deepmd_code, models, potentials={"a": good, "b": bad}), "ERROR_BAD_POTENTIAL")
