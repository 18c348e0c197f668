from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessState
from provenance.stored_points import POINT, invalid

from aiida_dnpmelt.campaign.cells import Cell
from aiida_dnpmelt.campaign.states import campaigns, group_label, states, work_chains
from aiida_dnpmelt.provenance.query import MELTING_TYPE, PROCESS_TYPE

SUM = "ab" * 32


def cell(element: str = "Cu", pressure: float = 0.0, campaign: str = "metals") -> Cell:
    return Cell(campaign, element, pressure, "Cu.eam", SUM)


def chain(
    key: str, state: ProcessState | None, status: int | None = None, kind: str = PROCESS_TYPE
) -> orm.WorkChainNode:
    """Store a work chain as a submission under a key does, and bring it to a state."""
    node = orm.WorkChainNode(process_type=kind, label=key)
    node.set_metadata_inputs({"metadata": {"label": key}})
    node.store()
    node.set_process_state(state)
    if status is not None:
        node.set_exit_status(status)
        node.set_exit_message("" if status == 0 else "No run held both phases")
    return node


def add_result(node: orm.WorkChainNode, name: str = "melting_point", **changes: Any) -> None:
    result = orm.Dict({**POINT, **changes}).store()
    result.base.links.add_incoming(node, link_type=LinkType.RETURN, link_label=name)


def add_call(node: orm.WorkChainNode, label: str) -> orm.WorkChainNode:
    called = orm.WorkChainNode()
    called.base.links.add_incoming(node, link_type=LinkType.CALL_WORK, link_label=label)
    return called.store()


@pytest.fixture(autouse=True)
def clean(aiida_profile_clean) -> None:
    """Begin without work chains."""


def test_every_state_is_told():
    cells = [cell(pressure=float(pressure)) for pressure in range(6)]
    made = {
        1: chain(cells[1].key, ProcessState.CREATED),
        2: chain(cells[2].key, ProcessState.WAITING),
        3: chain(cells[3].key, ProcessState.FINISHED, 0),
        4: chain(cells[4].key, ProcessState.FINISHED, 501),
        5: chain(cells[5].key, ProcessState.KILLED),
    }
    add_result(made[3])
    add_result(made[4], **invalid())
    found = states("metals", cells)
    assert [each.state for each in found] == ["missing", "submitted", "running", "done", "failed", "failed"]
    assert [each.node and each.node.pk for each in found] == [None, *(node.pk for node in made.values())]
    assert [each.reason for each in found] == ["", "", "", "", "No run held both phases", "killed"]
    assert found[3].result == POINT
    assert found[4].result is not None
    assert found[4].result["verdict"] == "invalid"
    assert found[5].result is None


def test_result_of_an_earlier_version_has_the_verdict_that_holds_today():
    add_result(chain(cell().key, ProcessState.FINISHED, 0), found_lattice="bcc", found_lattice_share=1.0)
    result = states("metals", [cell()])[0].result
    assert result is not None
    assert result["verdict"] == "invalid"
    assert result["reasons"][-1] == "100% of the solid is bcc at the end, it is to be fcc"


def test_rounds_and_iterations_are_counted():
    point = chain(cell().key, ProcessState.WAITING)
    for label in ("seed_1_round_01", "assessment_01", "assessment_02"):
        add_call(point, label)
    learned = chain(cell("Al").key, ProcessState.WAITING, kind=MELTING_TYPE)
    learning = add_call(learned, "learning")
    for label in ("training_01", "decision_01", "decision_02", "decision_03"):
        add_call(learning, label)
    begun = chain(cell("Ni").key, ProcessState.WAITING, kind=MELTING_TYPE)
    found = states("metals", [cell(), cell("Al"), cell("Ni")])
    assert [each.rounds for each in found] == [2, 3, 0]
    add_result(learned, "melting", verdict="unfinished")
    assert states("metals", [cell("Al")])[0].result == {**POINT, "verdict": "unfinished"}
    assert begun.pk == found[2].node.pk


def test_the_latest_of_several_tries_counts():
    chain(cell().key, ProcessState.FINISHED, 501)
    last = chain(cell().key, ProcessState.FINISHED, 0)
    (found,) = states("metals", [cell()])
    assert (found.state, found.tries, found.node.pk) == ("done", 2, last.pk)


def test_campaigns_do_not_see_each_other():
    for name in ("my_metals", "my.metals", "myxmetals", "my_metals2"):
        chain(cell(campaign=name).key, ProcessState.WAITING)
    assert list(work_chains("my_metals")) == [cell(campaign="my_metals").key]


def test_a_work_chain_is_found_under_another_label():
    """A user may call it something else; what it was launched under stays."""
    node = chain(cell().key, ProcessState.WAITING)
    node.label = "my favourite"
    assert states("metals", [cell()])[0].node.pk == node.pk


def test_cells_of_a_name_are_those_that_were_submitted_in_the_order_of_the_pressure():
    for element, pressure in (("Cu", 5.0), ("Al", 0.0), ("Cu", 0.0)):
        chain(cell(element, pressure).key, ProcessState.WAITING)
    found = states("metals")
    assert [(each.cell.pressure_gpa, each.cell.element) for each in found] == [(0, "Al"), (0, "Cu"), (5, "Cu")]
    assert found[0].cell.potential == SUM[:12], "no potential of this file is stored"


def test_a_name_without_a_campaign_is_told():
    with pytest.raises(ValueError, match="there is no campaign 'metals'"):
        states("metals")


def test_names_of_campaigns_are_those_of_their_groups():
    for name in ("metals", "gases"):
        orm.Group.collection.get_or_create(label=group_label(name))
    orm.Group.collection.get_or_create(label="metals")
    assert campaigns() == ["gases", "metals"]
