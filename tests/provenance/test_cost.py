from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessState
from coexistence_jobs import LONG_PS, N_ATOMS, SETTINGS, run_job

from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.calculations.lammps_coexistence import LammpsCoexistenceCalculation
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.provenance.cost import Speed, coexistence_bytes, electronic_steps, learning_bytes, speed_of


def stored_job(
    potential: PotentialData, code: orm.InstalledCode, seconds: float, cpu_share: float | None = 1.0
) -> None:
    """Store a job of 10^7 atom-steps on one core that nobody ran; its CPU time may not be known."""
    node = orm.CalcJobNode(computer=code.computer, process_type=LammpsCoexistenceCalculation.build_process_type())
    node.base.links.add_incoming(potential, LinkType.INPUT_CALC, "potential")
    node.base.links.add_incoming(code, LinkType.INPUT_CALC, "code")
    node.store()
    cpu = {} if cpu_share is None else {"cpu_hours": cpu_share * seconds / 3600}
    results = orm.Dict({"atom_steps": 10_000_000, "core_hours": seconds / 3600, **cpu})
    results.base.links.add_incoming(node, LinkType.CREATE, "results")
    results.store()
    node.set_exit_status(0)
    node.set_process_state(ProcessState.FINISHED)


@pytest.fixture
def palladium(potentials_folder) -> PotentialData:
    return PotentialData.from_file(potentials_folder / "Pd_u3.eam").store()


def test_speed_is_that_of_the_jobs_of_the_potential(finished_job, cu_u3):
    speed = speed_of(cu_u3)
    assert 1e3 < speed.busy <= speed.value < 1e8
    assert speed.core_hours(1e9) == pytest.approx(1e9 / speed.value / 3600)
    assert re.fullmatch(r"speed of (1 job|\d+ jobs) with this potential", speed.source)


def test_one_job_that_shared_its_core_teaches_what_it_would_have_been_alone(palladium, lmp_code):
    stored_job(palladium, lmp_code, seconds=80.0, cpu_share=0.125)
    speed = speed_of(palladium, lmp_code)
    assert speed.value == pytest.approx(1e6)
    assert (
        speed.text(3.6e9)
        == "some 1 core-hours (speed of 1 job with this potential), 8 on cores as busy as those of the slowest of them"
    )


def test_speed_does_not_follow_the_last_job_and_tells_the_scatter(palladium, lmp_code):
    """Half of the jobs ran beside eight others, and nothing tells their CPU time."""
    for seconds in (10.0, 11.0, 10.5, 80.0, 82.0, 79.0, 10.2, 9.9):
        stored_job(palladium, lmp_code, seconds, cpu_share=None)
    speed = speed_of(palladium, lmp_code)
    assert speed.value == pytest.approx(1e6, rel=0.05)
    assert speed.busy == pytest.approx(1.25e5, rel=0.05)
    before = speed.core_hours(1e9)
    stored_job(palladium, lmp_code, 80.0, cpu_share=None)
    assert speed_of(palladium, lmp_code).core_hours(1e9) == pytest.approx(before, rel=0.05)


def test_jobs_on_quiet_cores_need_no_range(palladium, lmp_code):
    for seconds in (10.0, 11.0, 10.5):
        stored_job(palladium, lmp_code, seconds)
    assert speed_of(palladium).text(3.6e9) == "some 1.1 core-hours (speed of 3 jobs with this potential)"


def test_jobs_of_the_code_that_will_run_count_before_those_of_others(palladium, lmp_code, localhost):
    other = orm.InstalledCode(computer=localhost, filepath_executable="/bin/true", label="slow-lmp").store()
    stored_job(palladium, lmp_code, 10.0)
    stored_job(palladium, other, 100.0)
    assert speed_of(palladium, lmp_code).value == pytest.approx(1e6)
    assert speed_of(palladium, other).value == pytest.approx(1e5)


def test_other_eam_potentials_on_the_same_code_speak_for_one_that_has_not_run(palladium, localhost, potentials_folder):
    code = orm.InstalledCode(computer=localhost, filepath_executable="/bin/true", label="new-lmp").store()
    silver = PotentialData.from_file(potentials_folder / "Ag_u3.eam").store()
    for _ in range(2):
        stored_job(palladium, code, 20.0)
    assert speed_of(silver, code).source.startswith("at a typical")
    stored_job(palladium, code, 20.0)
    speed = speed_of(silver, code)
    assert (speed.value, speed.source) == (pytest.approx(5e5), "speed of 3 jobs with other EAM potentials")


@pytest.mark.parametrize(
    ("atom_steps", "words"), [(1e3, "1 min"), (6e7, "1 min"), (3.6e9, "1.0 h"), (9e10, "25.0 h"), (8.64e11, "10 days")]
)
def test_wall_time_is_told_in_units_that_fit(atom_steps, words):
    assert Speed(1e6, 1e6, "").wall_time(atom_steps) == words


def test_killed_job_does_not_count_since_its_time_is_not_known(finished_job, code_killed_at, cu_u3):
    before = speed_of(cu_u3)
    assert run_job(code_killed_at("equilibrate", 10), cu_u3, equilibrate_ps=LONG_PS).exit_status == 401
    assert speed_of(cu_u3) == before


def test_potential_that_has_run_nothing_has_a_typical_speed(potentials_folder):
    eam = PotentialData.from_file(potentials_folder / "Pd_u3.eam")
    model = PotentialData(io.BytesIO(b"model"), "graph.pb", pair_style="deepmd", type_map=["Cu"], cutoff=6.0)
    for potential in (eam, eam.store()):
        speed = speed_of(potential)
        assert speed.text(1.8e9) == "some 1 core-hours (at a typical 5e+05 atom-steps/s a core)"
    assert speed_of(model).core_hours(1.8e9) == pytest.approx(100.0)


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


@pytest.mark.usefixtures("aiida_profile_clean")
def test_electronic_steps_are_those_of_the_runs_of_the_profile():
    assert electronic_steps() == (13, "as the median of published runs, where it is 5 to 60")
    orm.Dict({"steps": 7, "pieces": 3}).store()  # by a version that did not count them
    orm.Dict({"steps": 10, "electronic_steps": 150}).store()
    orm.Dict({"steps": 30, "electronic_steps": 250}).store()
    assert electronic_steps() == (10.0, "mean of 2 runs of this profile")
