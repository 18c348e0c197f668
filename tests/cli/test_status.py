from __future__ import annotations

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessState
from click.testing import CliRunner, Result
from provenance.stored_points import invalid, store
from report.stored_chains import add_job, add_run, copied_folder, cut, stored_chain

from aiida_dnpmelt.cli import main
from aiida_dnpmelt.report.progress import reports_after


@pytest.fixture
def status(aiida_profile, monkeypatch):
    """Give a function that runs `aiida-dnpmelt status` on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["status", *arguments, "--profile", aiida_profile.name])

    return run


@pytest.fixture
def running_chain(finished_job, tmp_path):
    """Give a work chain with one job in production, and one run that waits; it is no longer running after the test."""
    chain, folder = stored_chain(), copied_folder(finished_job, tmp_path)
    cut(folder, "production", 510)
    add_job(add_run(chain, "shown_seed_1_round_01", guess=1250.0), finished_job, folder)
    add_run(chain, "shown_seed_2_round_01", guess=1300.0, state=ProcessState.CREATED)
    chain.description = "T_m = 1290.0 K so far"
    yield chain
    chain.set_process_state(ProcessState.KILLED)


def cells(output: str, label: str) -> list[str]:
    """Return the words of the row of a run in the table."""
    (line,) = [line for line in output.splitlines() if label in line]
    return line.replace("│", " ").replace("┃", " ").split()


@pytest.fixture
def daemon_runs(monkeypatch):
    monkeypatch.setattr("aiida_dnpmelt.cli.watch.daemon_runs", lambda: True)


@pytest.mark.usefixtures("daemon_runs")
def test_table_of_what_runs_has_stage_temperature_solid_fraction_and_time_to_go(status, running_chain):
    result = status()
    assert result.exit_code == 0, result.output
    assert f"TPC <{running_chain.pk}>: T_m = 1290.0 K so far" in result.output
    assert "daemon" not in result.output
    row = cells(result.output, "shown_seed_1_round_01")
    assert row[:4] == ["shown_seed_1_round_01", "1250", "production", "79%"]
    assert 100 < int(row[4]) < 5000
    assert 0 <= float(row[5]) <= 1
    assert row[7:9] == ["min", row[8]]
    assert cells(result.output, "shown_seed_2_round_01") == ["shown_seed_2_round_01", "1300", "created"]


def test_without_a_daemon_nothing_goes_on_and_no_time_is_told(status, running_chain):
    for output in (status().output, status(str(running_chain.pk)).output):
        assert "the daemon does not run, nothing goes on: start it by `aiida-dnpmelt services up`" in output
        assert cells(output, "shown_seed_1_round_01")[2:4] == ["production", "79%"]
        assert " min " not in output


def test_status_of_one_chain_is_that_table(status, running_chain):
    output = status(str(running_chain.pk)).output
    assert cells(output, "shown_seed_1_round_01")[2] == "production"


def test_status_of_a_finished_chain_is_its_result(status):
    chain = store()
    chain.set_exit_status(0)
    result = status(str(chain.pk))
    assert result.exit_code == 0, result.output
    assert "T_m = 1326(5) K" in result.output
    assert f"aiida-dnpmelt tm show {chain.pk}" in result.output


def test_status_of_a_failed_chain_is_its_result_and_fails(status):
    chain = store(**invalid(reasons=["seed_1 froze"], paper_mean_k=None))
    chain.set_exit_status(501)
    chain.set_exit_message("No run held both phases")
    result = status(str(chain.pk))
    assert result.exit_code == 1
    assert "no T_m" in result.output
    assert f"work chain {chain.pk} did not succeed: No run held both phases" in result.output


def test_status_of_a_killed_chain_without_result_fails(status):
    chain = stored_chain(ProcessState.KILLED)
    result = status(str(chain.pk))
    assert result.exit_code == 1
    assert f"work chain {chain.pk} did not succeed: killed" in result.output


def test_status_of_a_node_that_is_not_there(status):
    result = status("999999")
    assert result.exit_code == 1
    assert "there is no node 999999" in result.output


def test_status_of_a_node_that_is_no_such_chain(status):
    node = orm.WorkChainNode(process_type="aiida.workflows:other").store()
    result = status(str(node.pk))
    assert result.exit_code == 1
    assert f"node {node.pk} is no work chain whose progress can be shown: see `verdi process list -a`" in result.output


@pytest.fixture
def learning_chain(aiida_profile):
    """Give a work chain that learns and has called one that trains, each with a report; it ends after the test."""
    chain = orm.WorkChainNode(process_type="aiida.workflows:dnpmelt.adaptive_learning", label="loop").store()
    chain.set_process_label("AdaptiveLearningWorkChain")
    chain.set_process_state(ProcessState.WAITING)
    child = orm.WorkChainNode(process_type="aiida.workflows:dnpmelt.training", label="training_01")
    child.base.links.add_incoming(chain, link_type=LinkType.CALL_WORK, link_label="training_01")
    child.store()
    chain.logger.report("[1|AdaptiveLearningWorkChain|train]: iteration 1: training anew on 204 frames")
    child.logger.report("[2|TrainingWorkChain|on_terminated]: remote folders will not be cleaned")
    child.logger.report("[2|TrainingWorkChain|results]: 3 models")
    yield chain
    chain.set_process_state(ProcessState.KILLED)


def test_status_of_a_learning_chain_is_what_it_and_its_parts_report(status, learning_chain):
    for output in (status().output, status(str(learning_chain.pk)).output):
        assert f"loop <{learning_chain.pk}>" in output
        assert "loop: iteration 1: training anew on 204 frames" in output
        assert "training_01: 3 models" in output
        assert "remote folders" not in output


def test_reports_are_told_once(learning_chain):
    first = reports_after(learning_chain, 0)
    assert len(first) == 2
    assert reports_after(learning_chain, first[0][0]) == first[1:]
    assert reports_after(learning_chain, first[1][0]) == []
