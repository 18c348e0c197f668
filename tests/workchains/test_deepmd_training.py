from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from training_jobs import run_training, settings_with, training_inputs

from aiida_dnpmelt.calculations.deepmd_train import DeepmdTrainCalculation
from aiida_dnpmelt.workchains.deepmd_training import DeepmdTrainingWorkChain

CODES = DeepmdTrainingWorkChain.exit_codes
JOB_CODES = DeepmdTrainCalculation.exit_codes
STEPS = 600

# The first job sleeps after its first checkpoint until its wall time has passed.
SLEEPY = """
[ "$1" = train ] || exec "$DP" "$@"
"$DP" "$@" & job=$!
trap 'kill -TERM $job; kill -CONT $job; wait $job; exit 143' TERM
while kill -0 $job && ! grep -qs 'saved checkpoint' train.log; do sleep 0.02; done
kill -STOP $job
while :; do sleep 0.1; done
"""
WALL_TIME_S = 60  # on a busy machine DeePMD-kit takes half of that to start

# The next one is killed after its first checkpoint, and the one after it cannot find its checkpoints to freeze them.
TROUBLED = """
[ "$1" != train ] || echo >> "$0.jobs"
number=$(wc -l < "$0.jobs" 2>/dev/null)
if [ "$1" = freeze ] && [ "$number" = 2 ]; then mv checkpoints/checkpoint moved; "$DP" "$@"; code=$?
    mv moved checkpoints/checkpoint; exit $code; fi
if [ "$1" != train ] || [ "$number" -gt 1 ]; then exec "$DP" "$@"; fi
saved() { grep -s 'saved checkpoint' train.log | wc -l; }
"$DP" "$@" & job=$!
while kill -0 $job && [ "$(saved)" = 0 ]; do sleep 0.02; done
kill -9 $job
wait $job
"""

# Killed before the first checkpoint.
HASTY = """
[ "$1" = train ] || exec "$DP" "$@"
"$DP" "$@" & job=$!
while kill -0 $job && ! [ -s lcurve.out ]; do sleep 0.02; done
kill -9 $job
wait $job
"""


def run_chain(code: orm.InstalledCode, **changes: Any) -> orm.WorkChainNode:
    return run_get_node(DeepmdTrainingWorkChain, calc=training_inputs(code, **changes)).node


def jobs_of(chain: orm.WorkChainNode) -> list[orm.CalcJobNode]:
    return sorted((job for job in chain.called if isinstance(job, orm.CalcJobNode)), key=lambda job: job.pk)


def reports_of(chain: orm.WorkChainNode) -> str:
    return "\n".join(log.message for log in orm.Log.collection.get_logs_for(chain))


def test_training_goes_on_through_wall_time_kill_and_a_lost_model(dp_that):
    cut = run_training(dp_that(SLEEPY), steps=STEPS, max_wallclock_seconds=WALL_TIME_S)
    assert cut.exit_status == JOB_CODES.ERROR_OUT_OF_WALLTIME.status, cut.exit_message
    begun = cut.outputs.learning_curve.get_array("step")
    chain = run_chain(
        dp_that(TROUBLED),
        steps=STEPS,
        parent_folder=cut.outputs.remote_folder,
        checkpoint_step=cut.outputs.results["checkpoint_step"],
    )
    assert chain.is_finished_ok, chain.exit_message
    jobs = jobs_of(chain)
    assert [job.exit_status for job in jobs] == [
        JOB_CODES.ERROR_INTERRUPTED.status,
        JOB_CODES.ERROR_FREEZE_FAILED.status,
        0,
    ]
    reached = [job.outputs.results["checkpoint_step"] for job in (cut, *jobs)]
    assert reached[0] >= 100
    assert reached[0] < reached[1] < reached[2] == reached[3] == STEPS
    for job, following in pairwise(jobs):
        assert following.inputs.parent_folder.uuid == job.outputs.remote_folder.uuid
        assert following.inputs.checkpoint_step.value == job.outputs.results["checkpoint_step"]

    curve = chain.outputs.learning_curve
    assert curve.creator.process_label == "join_training"
    steps = curve.get_array("step")
    assert set(begun) | set(steps) == set(range(0, STEPS + 1, 50))
    assert (np.diff(steps) > 0).all()
    rates = 5e-3 * (1e-4 / 5e-3) ** (steps / STEPS)
    np.testing.assert_allclose(curve.get_array("learning_rate"), rates, rtol=0.05)  # printed with two digits
    results = chain.outputs.results
    assert (results["finished"], results["last_step"], results["jobs"]) == (True, STEPS, 3)
    assert results["learning_rate"] == pytest.approx(1e-4)
    assert results["core_hours"] == pytest.approx(sum(job.outputs.results["core_hours"] for job in jobs))
    assert chain.outputs.potential.uuid == jobs[-1].outputs.potential.uuid
    reports = reports_of(chain)
    assert f"job {jobs[0].pk} was cut: going on from the checkpoint of step {reached[1]}" in reports
    assert f"job {jobs[1].pk} left no model, trying once more" in reports


def test_training_that_is_cut_before_its_first_checkpoint_begins_anew_once(dp_that):
    settings = settings_with(training__disp_freq=1, training__save_freq=10_000_000)
    chain = run_chain(dp_that(HASTY), settings=settings, steps=10_000_000)
    assert chain.exit_status == CODES.ERROR_NO_PROGRESS.status
    assert "settings.training.save_freq" in chain.exit_message
    jobs = jobs_of(chain)
    assert [job.exit_status for job in jobs] == [JOB_CODES.ERROR_INTERRUPTED.status] * 2
    assert "learning_curve" in jobs[0].outputs
    assert "was cut before its first checkpoint: starting anew" in reports_of(chain)


def test_loss_that_is_not_a_number_is_not_tried_again(dp_code):
    settings = settings_with(learning_rate__start_lr=1e8, learning_rate__stop_lr=1e7, training__disp_freq=10)
    chain = run_chain(dp_code, settings=settings)
    assert chain.exit_status == CODES.ERROR_TRAINING_FAILED.status
    assert "lower the learning rate" in chain.exit_message
    (job,) = jobs_of(chain)
    assert job.exit_status == JOB_CODES.ERROR_NOT_FINITE.status
    assert list(job.outputs.learning_curve.get_array("step")) == [0]


def test_code_that_leaves_nothing_is_run_twice(localhost):
    code = orm.InstalledCode(computer=localhost, filepath_executable="/bin/false", label="false").store()
    chain = run_chain(code)
    assert chain.exit_status == CODES.ERROR_NO_OUTPUT.status
    assert "aiida-dnpmelt doctor" in chain.exit_message
    assert [job.exit_status for job in jobs_of(chain)] == [JOB_CODES.ERROR_NO_OUTPUT.status] * 2
