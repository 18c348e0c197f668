from __future__ import annotations

from pathlib import Path

import pytest
from aiida import orm
from aiida.engine import ProcessState
from aiida.transports.plugins.local import LocalTransport
from provenance.stored_points import counted_statements
from report.stored_chains import add_job, add_run, copied_folder, cut, end, stored_chain

from aiida_dnpmelt.report import live_files
from aiida_dnpmelt.report.live_files import LiveFiles
from aiida_dnpmelt.report.progress import RunProgress, progress, running

TOTAL = 200 + 500 + 400 + 100 + 200 + 1000  # time steps of the job


@pytest.fixture
def folder(finished_job, tmp_path) -> Path:
    return copied_folder(finished_job, tmp_path)


def live(finished_job: orm.CalcJobNode, folder: Path | None) -> RunProgress:
    """Return the progress of a run whose job runs in a folder."""
    chain = stored_chain()
    add_job(add_run(chain, "cu4_0gpa_seed_1_round_01"), finished_job, folder)
    (found,) = progress(chain)
    return found


def test_running_job_is_read_from_its_files(finished_job, folder):
    found = live(finished_job, folder)
    assert (found.label, found.guess_k, found.state) == ("cu4_0gpa_seed_1_round_01", 1283.0, "waiting")
    assert (found.stage, found.fraction, found.remaining_s) == ("production", None, None)  # between two tables


@pytest.mark.parametrize(
    ("stage", "step", "before"), [("equilibrate", 100, 0), ("melt", 210, 700), ("production", 510, 1400)]
)
def test_stage_and_share_of_a_job_under_way(finished_job, folder, stage, step, before):
    """The row of the step is not whole, so that the one before it counts."""
    cut(folder, stage, step)
    found = live(finished_job, folder)
    assert (found.stage, found.fraction) == (stage, pytest.approx((before + step - 10) / TOTAL))
    assert found.remaining_s > 0
    assert 100 < found.temperature_k < 5000
    assert 0 <= found.solid_fraction <= 1


def test_job_without_any_probe_yet(finished_job, folder):
    for probe in folder.glob("probe.*"):
        probe.unlink()
    cut(folder, "equilibrate", 100)
    found = live(finished_job, folder)
    assert found.fraction > 0
    assert found.solid_fraction is None


@pytest.mark.parametrize("log", ["", "LAMMPS (22 Jul 2025)\nunits metal\n", "dnpmelt stage relaxation\n"])
def test_job_that_has_just_begun(finished_job, folder, log):
    (folder / "log.lammps").write_text(log)
    assert live(finished_job, folder).fraction is None


def test_job_without_files_or_without_a_folder(finished_job, tmp_path):
    for place in (tmp_path, tmp_path / "gone", None):
        found = live(finished_job, place)
        assert (found.state, found.stage, found.fraction) == ("waiting", None, None)


def test_runs_that_have_ended_tell_how():
    chain = stored_chain()
    for label, results in {
        "seed_1_round_01": {"ended": True},
        "seed_2_round_01": {"halted": True},
        "seed_3_round_01": {"bulk_melted": True},
        "seed_4_round_01": {},
    }.items():
        end(add_run(chain, label), **results)
    states = {found.label: found.state for found in progress(chain)}
    assert states == {
        "seed_1_round_01": "done",
        "seed_2_round_01": "lost a phase",
        "seed_3_round_01": "lost a phase",
        "seed_4_round_01": "failed: the moon fell",
    }


def test_last_round_is_told():
    chain = stored_chain()
    for label in ("seed_1_round_09", "seed_2_round_10", "seed_3_round_10", "seed_4_round_08"):
        add_run(chain, label)
    assert [found.label for found in progress(chain)] == ["seed_2_round_10", "seed_3_round_10"]


def test_last_round_is_the_one_with_the_largest_number():
    chain = stored_chain()
    for label in ("seed_1_round_99", "seed_2_round_100"):
        add_run(chain, label)
    assert [found.label for found in progress(chain)] == ["seed_2_round_100"]


def test_last_job_of_a_run_is_told_whatever_the_storage_returns_first(finished_job, folder, tmp_path):
    chain = stored_chain()
    run = add_run(chain, "seed_1_round_01")
    first = add_job(run, finished_job, tmp_path / "first")
    cut(folder, "melt", 200)
    add_job(run, finished_job, folder)
    first.set_process_state(ProcessState.FINISHED)
    first.set_exit_status(400)
    assert progress(chain)[0].fraction > 0


def test_chain_without_runs_has_no_progress():
    assert progress(stored_chain()) == []


def test_running_chains_are_those_that_have_not_ended():
    old, ended, new = stored_chain(), stored_chain(ProcessState.FINISHED), stored_chain(ProcessState.CREATED)
    found = [node.pk for node in running()]
    assert [pk for pk in found if pk in {old.pk, ended.pk, new.pk}] == [new.pk, old.pk]
    for node in (old, new):
        node.set_process_state(ProcessState.KILLED)


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """Give the list of the connections that are opened to computers."""
    found: list[str] = []
    original = LocalTransport.open

    def count(self):
        found.append(self._machine)
        return original(self)

    monkeypatch.setattr(LocalTransport, "open", count)
    return found


@pytest.fixture
def four_jobs(finished_job, tmp_path) -> orm.WorkChainNode:
    """Give a work chain with four jobs in production."""
    chain = stored_chain()
    for index in range(4):
        folder = copied_folder(finished_job, tmp_path / str(index))
        cut(folder, "production", 510)
        add_job(add_run(chain, f"seed_{index}_round_01"), finished_job, folder)
    return chain


def test_files_of_this_machine_are_read_without_a_connection(four_jobs, opened):
    assert [run.stage for run in progress(four_jobs)] == ["production"] * 4
    assert opened == []


def test_another_computer_is_asked_for_all_of_its_jobs_in_one_connection_and_not_all_the_time(
    four_jobs, opened, monkeypatch
):
    here = progress(four_jobs)
    monkeypatch.setattr(live_files, "_LOCAL", "core.none")
    monkeypatch.setattr(LocalTransport, "get_safe_open_interval", lambda _: 30.0)
    clock = [1000.0]
    monkeypatch.setattr(live_files.time, "monotonic", lambda: clock[0])
    files = LiveFiles()
    for _ in range(6):  # as `--watch` asks, each 5 s
        assert [(run.stage, run.fraction) for run in progress(four_jobs, files)] == [
            (run.stage, run.fraction) for run in here
        ]
        clock[0] += 5.0
    assert len(opened) == 1
    progress(four_jobs, files)
    assert len(opened) == 2


def test_log_that_grows_is_read_on_from_where_it_was(finished_job, folder, monkeypatch):
    chain, files = stored_chain(), LiveFiles()
    whole = (folder / "log.lammps").read_bytes()
    add_job(add_run(chain, "seed_1_round_01"), finished_job, folder)
    for share in (0.3, 0.31, 0.6, 0.9, 0.95):
        (folder / "log.lammps").write_bytes(whole[: int(share * len(whole))])
        (known,), (anew,) = progress(chain, files), progress(chain)
        assert (known.stage, known.fraction) == (anew.stage, anew.fraction)
    assert known.stage == "production"


def test_number_of_questions_does_not_grow_with_the_runs(four_jobs, finished_job, folder):
    alone, files = stored_chain(), LiveFiles()
    add_job(add_run(alone, "seed_1_round_01"), finished_job, folder)
    numbers = []
    for chain in (alone, four_jobs):
        progress(chain, files)
        with counted_statements() as statements:
            progress(chain, files)
        numbers.append(len(statements))
    assert numbers[0] == numbers[1] < 10


def test_the_round_after_the_ninety_ninth_is_the_last():
    chain = stored_chain()
    for label in ("seed_1_round_99", "seed_2_round_100"):
        add_run(chain, label)
    assert [found.label for found in progress(chain)] == ["seed_2_round_100"]
