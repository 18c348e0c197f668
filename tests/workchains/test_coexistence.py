from __future__ import annotations

import io
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import run_get_node
from coexistence_jobs import KILLED_AT, LONG_PS, N_ATOMS, job_inputs

from aiida_dnpmelt.calculations.lammps_coexistence import LammpsCoexistenceCalculation
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.data.runs import from_node
from aiida_dnpmelt.workchains.coexistence import CoexistenceWorkChain

CODES = CoexistenceWorkChain.exit_codes
JOB_CODES = LammpsCoexistenceCalculation.exit_codes

# The first job sleeps in production until its wall time has passed, the second one is killed there.
TROUBLED = """
echo >> "$0.jobs"; number=$(wc -l < "$0.jobs")
rows() { sed -n '/^dnpmelt stage production/,$p' log.lammps 2>/dev/null | grep -c '^ *[0-9]'; }
"$LMP" "$@" & job=$!
[ $number -gt 2 ] || while kill -0 $job && [ "$(rows)" -lt 30 ]; do sleep 0.02; done
case $number in
    1) kill -STOP $job; sleep 8; kill -CONT $job;;
    2) kill -9 $job;;
esac
wait $job
"""
WALL_TIME_S = 8  # the job has 7 s of it, and needs less than 1 s if nothing else runs


def run_chain(code: orm.InstalledCode, potential: PotentialData, **changes: Any) -> orm.WorkChainNode:
    return run_get_node(CoexistenceWorkChain, calc=job_inputs(code, potential, **changes)).node


def jobs_of(chain: orm.WorkChainNode) -> list[orm.CalcJobNode]:
    return sorted((job for job in chain.called if isinstance(job, orm.CalcJobNode)), key=lambda job: job.pk)


def statuses(jobs: Iterable[orm.CalcJobNode]) -> list[int]:
    return [job.exit_status for job in jobs]


def reports_of(chain: orm.WorkChainNode) -> str:
    return "\n".join(log.message for log in orm.Log.collection.get_logs_for(chain))


def test_run_goes_on_through_wall_time_and_kill_to_one_whole_series(code_that, cu_u3):
    chain = run_chain(code_that(TROUBLED), cu_u3, production_time=6.0, max_wallclock_seconds=WALL_TIME_S)
    assert chain.is_finished_ok, chain.exit_message
    jobs = jobs_of(chain)
    first, second, *more, last = statuses(jobs)
    out_of_time = JOB_CODES.ERROR_OUT_OF_WALLTIME.status
    assert (first, second, last) == (out_of_time, JOB_CODES.ERROR_INTERRUPTED.status, 0)
    assert set(more) <= {out_of_time}, "on a busy machine another job may run out of time"
    for job, following in pairwise(jobs):
        assert following.inputs.restart.uuid == job.outputs.restart.uuid
        assert following.inputs.parent_folder.uuid == job.outputs.remote_folder.uuid
    run = from_node(chain.outputs.run)
    np.testing.assert_allclose(run.time_ps, np.arange(201) * 0.03, atol=1e-9)
    assert np.abs(np.diff(run.temperature_k)).max() < 400
    results = chain.outputs.results
    assert results["ended"] is True
    assert results["steps"] == sum(job.outputs.results["steps"] for job in jobs)
    assert results["atom_steps"] == results["steps"] * N_ATOMS
    assert chain.outputs.restart.get_dict() == {
        "stage": "production",
        "step": 2000,
        "file": "production.end.restart",
    }
    assert chain.outputs.remote_folder.uuid == jobs[-1].outputs.remote_folder.uuid
    assert chain.outputs.run.creator.process_label == "join_pieces"
    assert f"job {jobs[1].pk} was cut: going on from step" in reports_of(chain)


def test_run_that_needs_one_job_passes_its_outputs_on(lmp_code, cu_u3):
    chain = run_chain(lmp_code, cu_u3)
    assert chain.is_finished_ok, chain.exit_message
    (job,) = jobs_of(chain)
    assert {name: chain.outputs[name].uuid for name in ("run", "results", "restart", "remote_folder")} == {
        name: job.outputs[name].uuid for name in ("run", "results", "restart", "remote_folder")
    }
    assert chain.outputs.parameters.uuid == chain.inputs.calc.parameters.uuid


def test_run_that_is_cut_before_its_first_state_begins_anew_once(code_killed_at, cu_u3):
    killed = code_killed_at("equilibrate", 10)
    chain = run_chain(killed, cu_u3, equilibrate_ps=LONG_PS, restart_interval_ps=LONG_PS)
    assert chain.exit_status == CODES.ERROR_NO_PROGRESS.status
    assert "raise the wall time" in chain.exit_message
    assert statuses(jobs_of(chain)) == [JOB_CODES.ERROR_INTERRUPTED.status] * 2
    assert "was cut before its first restart file: starting anew" in reports_of(chain)


def test_run_that_does_not_come_further_stops(code_that, cu_u3):
    """The time average of a stage cannot be taken up in its middle, so that it must fit into one job."""
    killed = code_that(KILLED_AT.format(stage="average", step=10))
    chain = run_chain(killed, cu_u3, average_ps=LONG_PS)
    assert chain.exit_status == CODES.ERROR_NO_PROGRESS.status
    assert [job.outputs.restart.get_dict() for job in jobs_of(chain)] == [
        {"stage": "average", "step": 0, "file": "equilibrate.end.restart"}
    ] * 2


def test_explosion_is_followed_by_half_the_time_step(lmp_code, cu_u3):
    chain = run_chain(lmp_code, cu_u3, timestep_fs=6.0, thermostat_damping_ps=0.002, production_time=0.3)
    assert chain.is_finished_ok, chain.exit_message
    jobs = jobs_of(chain)
    assert statuses(jobs) == [JOB_CODES.ERROR_LOST_ATOMS.status, 0]
    assert [job.inputs.parameters["timestep_fs"] for job in jobs] == [6.0, 3.0]
    assert jobs[1].inputs.parameters.creator.process_label == "shorter_timestep"
    assert chain.outputs.parameters.uuid == jobs[1].inputs.parameters.uuid
    assert "starting anew with a time step of 3 fs" in reports_of(chain)
    assert from_node(chain.outputs.run).timestep_fs == 3.0
    assert chain.outputs.results["steps"] == sum(job.outputs.results["steps"] for job in jobs)
    assert chain.outputs.results["steps"] > jobs[1].outputs.results["steps"]


def test_dynamics_that_explodes_with_every_time_step_is_given_up(lmp_code, cu_u3):
    chain = run_chain(lmp_code, cu_u3, timestep_fs=10.0, barostat_damping_ps=0.001)
    assert chain.exit_status == CODES.ERROR_UNSTABLE.status
    assert [job.inputs.parameters["timestep_fs"] for job in jobs_of(chain)] == [10.0, 5.0, 2.5]
    assert "check potential and pressure" in chain.exit_message


def test_input_that_lammps_refuses_is_not_tried_again(lmp_code):
    model = PotentialData(io.BytesIO(b"model"), "graph.pb", pair_style="deepmd", type_map=["Cu"], cutoff=4.0)
    chain = run_chain(lmp_code, model)
    assert chain.exit_status == CODES.ERROR_INPUT_REFUSED.status
    assert "Unrecognized pair style 'deepmd'" in chain.exit_message
    assert len(jobs_of(chain)) == 1


def test_program_that_leaves_nothing_is_run_once_more(code_that, cu_u3):
    chain = run_chain(code_that("true"), cu_u3)
    assert chain.exit_status == CODES.ERROR_NO_OUTPUT.status
    assert chain.exit_message.endswith("LAMMPS left no log: see the scheduler's output and the file lammps.out.")
    assert statuses(jobs_of(chain)) == [JOB_CODES.ERROR_LOG_MISSING.status] * 2


def test_job_that_left_nothing_is_followed_by_one_that_ends(code_that, cu_u3):
    chain = run_chain(code_that('mkdir "$0.d" 2> /dev/null || exec "$LMP" "$@"'), cu_u3, production_time=0.3)
    assert chain.is_finished_ok, chain.exit_message
    assert statuses(jobs_of(chain)) == [JOB_CODES.ERROR_LOG_MISSING.status, 0]


def test_as_many_jobs_as_make_progress_are_allowed():
    assert CoexistenceWorkChain.spec().inputs["max_iterations"].default().value >= 100
