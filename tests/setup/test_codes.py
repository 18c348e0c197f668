from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import CalculationFactory

from aiida_dnpmelt.setup.codes import JOB_POLL_SECONDS, LOW_PRIORITY, State, ensure_code, ensure_computer
from aiida_dnpmelt.setup.engines import find_engines, find_lammps


def run_as_job_would(code, arguments: str, prefix: str = "", stdin: str = "") -> str:
    script = f"{code.prepend_text}\n{prefix}'{code.filepath_executable}' {arguments}"
    done = subprocess.run(["bash", "-c", script], input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def clean(aiida_profile_clean):
    return aiida_profile_clean


def test_lmp_runs_and_knows_eam(lmp_code):
    styles = run_as_job_would(lmp_code, "-log none", stdin="info styles pair\n").split()
    assert {"eam", "eam/alloy", "eam/fs"} <= set(styles)
    assert "deepmd" not in styles


def test_lmp_deepmd_knows_deepmd(lmp_deepmd_code):
    assert "deepmd" in run_as_job_would(lmp_deepmd_code, "-log none", stdin="info styles pair\n").split()


def test_dp_runs(dp_code):
    assert "DeePMD" in run_as_job_would(dp_code, "--version")


def test_lmp_runs_a_job(lmp_code):
    builder = CalculationFactory("lammps.raw").get_builder()
    builder.code = lmp_code
    builder.script = orm.SinglefileData.from_string("units metal\nprint 'hello'\n")
    builder.metadata.options.resources = {"num_machines": 1}
    _, node = run_get_node(builder)
    assert "hello" in node.outputs.retrieved.get_object_content("lammps.out")


def test_mpirun_of_the_computer_starts_two_ranks(lmp_code, localhost):
    prefix = f"'{localhost.get_mpirun_command()[0]}' -np 2 "
    stdin = "region box block 0 1 0 1 0 1\ncreate_box 1 box\n"
    assert "1 by 1 by 2 MPI processor grid" in run_as_job_would(lmp_code, "-log none", prefix, stdin)


def test_second_time_keeps_everything(localhost):
    engines = find_engines()
    assert [engine.label for engine in engines] == ["lmp", "lmp-deepmd", "dp"]
    made = [ensure_code(engine, localhost) for engine in engines]
    kept = [ensure_code(engine, localhost) for engine in engines]
    assert {step.state for _, step in made} == {State.MADE}
    assert {step.state for _, step in kept} == {State.KEPT}
    assert [code.pk for code, _ in made] == [code.pk for code, _ in kept]
    assert ensure_computer(Path("/nowhere"))[1].state is State.KEPT


def test_changed_executable_is_reported_and_the_code_kept(localhost, lmp_code):
    engine = find_lammps()
    assert engine is not None
    code, step = ensure_code(replace(engine, executable=Path("/opt/other/lmp")), localhost)
    assert code.pk == lmp_code.pk
    assert step.state is State.DIFFERS
    assert "/opt/other/lmp" in step.message
    assert "verdi code relabel" in step.message


def test_changed_environment_is_reported(localhost, lmp_code):
    engine = find_lammps()
    assert engine is not None
    _, step = ensure_code(replace(engine, libraries=()), localhost)
    assert step.state is State.DIFFERS
    assert "prepend_text" in step.message


def test_computer_does_not_wait(localhost):
    assert localhost.get_minimum_job_poll_interval() == JOB_POLL_SECONDS
    assert localhost.get_default_mpiprocs_per_machine() == 1
    assert localhost.get_configuration() == {"use_login_shell": False, "safe_interval": 0.0}


def test_jobs_stand_back_behind_the_daemon(localhost):
    assert localhost.get_prepend_text() == LOW_PRIORITY
    script = f"{LOW_PRIORITY}\nnice"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, start_new_session=True)
    assert (done.stdout.strip(), done.stderr) == ("10", "")


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel does not group processes by session")
def test_jobs_stand_back_as_a_session(localhost):
    script = f"{LOW_PRIORITY}\ncat /proc/self/autogroup"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, start_new_session=True)
    assert done.stdout.strip().endswith("nice 10")
