from __future__ import annotations

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessState

from aiida_dnpmelt.setup import recovery


def process(kind: type[orm.ProcessNode], caller: orm.ProcessNode | None = None, checkpoint: str = "state") -> int:
    """Store an active process and return its PK."""
    node = kind()
    node.set_process_state(ProcessState.WAITING)
    if caller is not None:
        link = LinkType.CALL_WORK if kind is orm.WorkChainNode else LinkType.CALL_CALC
        node.base.links.add_incoming(caller, link, f"call_{caller.pk}_{kind.__name__}")
    node.store()
    if checkpoint:
        node.set_checkpoint(checkpoint)
    return node.pk


@pytest.fixture
def tasks(monkeypatch) -> set[int]:
    """Give the PKs that have a task, as the broker would tell them."""
    found: set[int] = set()
    monkeypatch.setattr(recovery, "get_process_tasks", lambda broker: list(found))
    return found


def test_processes_without_a_task_that_others_wait_for_are_found(aiida_profile_clean, tasks):
    chain = process(orm.WorkChainNode)
    child = process(orm.WorkChainNode, orm.load_node(chain))
    process(orm.CalcFunctionNode, orm.load_node(child), checkpoint="")
    alone = process(orm.WorkChainNode)
    process(orm.WorkChainNode, orm.load_node(alone))
    tasks.add(chain)
    awaited, others = recovery.lost_processes(aiida_profile_clean)
    assert [node.pk for node in awaited] == [child]
    assert [node.pk for node in others] == [alone]


def test_nothing_is_lost_while_all_have_tasks(aiida_profile_clean, tasks):
    tasks.add(process(orm.WorkChainNode))
    assert recovery.lost_processes(aiida_profile_clean) == ([], [])
