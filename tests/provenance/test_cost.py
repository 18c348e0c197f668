from __future__ import annotations

import io
from pathlib import Path

import pytest
from coexistence_jobs import LONG_PS, N_ATOMS, SETTINGS, run_job

from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.provenance.cost import coexistence_bytes, core_hours, learning_bytes, measured_speed


def test_speed_is_that_of_the_jobs_of_the_potential(finished_job, cu_u3):
    speed = measured_speed(cu_u3)
    assert 1e3 < speed < 1e8
    hours, source = core_hours(cu_u3, 1e9)
    assert hours == pytest.approx(1e9 / speed / 3600)
    assert source == "speed of the jobs with this potential"


def test_killed_job_does_not_count_since_its_time_is_not_known(finished_job, code_killed_at, cu_u3):
    before = measured_speed(cu_u3)
    assert run_job(code_killed_at("equilibrate", 10), cu_u3, equilibrate_ps=LONG_PS).exit_status == 401
    assert measured_speed(cu_u3) == before


def test_potential_that_has_run_nothing_has_a_typical_speed(potentials_folder):
    eam = PotentialData.from_file(potentials_folder / "Pd_u3.eam")
    model = PotentialData(io.BytesIO(b"model"), "graph.pb", pair_style="deepmd", type_map=["Cu"], cutoff=6.0)
    for potential in (eam, eam.store()):
        hours, source = core_hours(potential, 1.8e9)
        assert hours == pytest.approx(1.0)
        assert source == "at a typical 5e+05 atom-steps/s a core"
    assert core_hours(model, 1.8e9)[0] == pytest.approx(100.0)


def test_disk_is_what_a_job_leaves_in_its_folder_and_in_the_repository(finished_job, cu_u3):
    folder = Path(finished_job.get_remote_workdir())
    left = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    for node in (finished_job.outputs.retrieved, finished_job.outputs.run):
        names = node.base.repository.list_object_names()
        left += sum(node.base.repository.get_object_size(name) for name in names)
    size = cu_u3.base.repository.get_object_size(cu_u3.filename)
    expected = coexistence_bytes(CoexistenceSettings(**SETTINGS), N_ATOMS, 3.0, 1, 1, size)
    assert expected == pytest.approx(left, rel=0.3)


def test_disk_grows_with_runs_jobs_and_trainings():
    settings = CoexistenceSettings(**SETTINGS)
    one, two = (coexistence_bytes(settings, 1000, 10.0, runs, 3, 7) for runs in (1, 2))
    assert two - one == pytest.approx(one - 3 * 7)
    assert learning_bytes(0) == 0
    assert learning_bytes(4) == 2 * learning_bytes(2) > 1e7
