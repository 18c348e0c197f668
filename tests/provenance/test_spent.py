from __future__ import annotations

from datetime import timedelta

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessState
from provenance.stored_traces import made
from report.stored_melting import chain_node

from aiida_dnpmelt.provenance.spent import Spent, spent_by
from aiida_dnpmelt.report.ledger import ledger, summed

SACCT = "AllocCPUS|CPUTimeRAW|Elapsed|JobID|State|\n4|7200|00:30:00|17|TIMEOUT|\n4|7100|00:29:55|17.batch|CANCELLED|\n"
RESOURCES = {"num_machines": 2, "num_mpiprocs_per_machine": 4}


@pytest.fixture
def job(aiida_profile_clean, aiida_localhost):
    """Return a job that ended in a way, with attributes of AiiDA and results."""

    def store(
        state: str = "finished", exit_status: int | None = 0, results=None, seen_after_s=None, caller=None, **attributes
    ) -> int:
        node = orm.CalcJobNode(computer=aiida_localhost)
        node.set_option("resources", RESOURCES)
        if caller is not None:
            node.base.links.add_incoming(caller, LinkType.CALL_CALC, "seed_1")
        node.set_process_state(ProcessState(state))
        if exit_status is not None:
            node.set_exit_status(exit_status)
        node.store()
        if seen_after_s is not None:
            seen = node.ctime + timedelta(seconds=seen_after_s)
            attributes |= {"job_id": "17", "scheduler_lastchecktime": seen.isoformat()}
        for key, value in attributes.items():
            node.base.attributes.set(key, value)
        if results is not None:
            made(node, "results", orm.Dict(results))
        return node.pk

    return store


def test_what_the_program_counted_goes_first(job):
    pk = job(results={"core_hours": 0.5, "atom_steps": 3e6}, detailed_job_info={"stdout": SACCT})
    assert spent_by({pk})[pk] == Spent(0.5, 3e6)


def test_a_job_that_really_took_no_time_is_known(job):
    pk = job(results={"core_hours": 0.0, "atom_steps": 0})
    assert spent_by({pk})[pk] == Spent(0.0)


@pytest.mark.parametrize("results", [None, {"core_hours": None}, {"core_hours": 0.0, "atom_steps": 2e6}])
def test_a_cut_job_costs_what_the_scheduler_counted(job, results):
    pk = job(exit_status=400, results=results, detailed_job_info={"retval": 0, "stdout": SACCT, "stderr": ""})
    steps = 0.0 if results is None else float(results.get("atom_steps", 0))
    assert spent_by({pk})[pk] == Spent(2.0, steps, by_scheduler=True)


@pytest.mark.parametrize("info", [None, {}, {"stdout": None}, {"stdout": "sacct: error"}, {"stdout": "JobID|\n17|\n"}])
def test_without_accounting_the_time_on_the_cores_is_a_bound(job, info):
    pk = job("killed", None, seen_after_s=1800.0, detailed_job_info=info)
    found = spent_by({pk})[pk]
    assert found.core_hours is None
    assert found.at_most == pytest.approx(0.5 * 8)


def test_of_a_running_job_nothing_is_known(job):
    pk = job("waiting", None, seen_after_s=1800.0)
    assert spent_by({pk})[pk] == Spent()


def test_a_job_that_was_killed_before_its_submission_cost_nothing_at_most(job):
    pk = job("killed", None)
    assert spent_by({pk})[pk] == Spent(at_most=0.0)


def test_sums_say_that_they_are_incomplete(job):
    chain = chain_node("tpc")
    job(results={"core_hours": 1.5}, caller=chain)
    job("killed", None, seen_after_s=450.0, caller=chain)
    ((_, cost, _),) = summed(ledger(), [])
    assert (cost.jobs, cost.unknown, cost.core_hours, cost.bounded) == (2, 1, 1.5, 1)
    (remark,) = cost.remarks
    assert remark.startswith("The cost of 1 job is not known: they run, were killed, or left no output; all of them")
    assert "at most 1.00 core-hours" in remark
