from __future__ import annotations

import pytest
from aiida import orm
from publication.stored_publications import finished_point, seal
from report.stored_melting import chain_node, end

from aiida_dnpmelt.publication.selection import select


@pytest.fixture(scope="module")
def chain(aiida_profile) -> orm.WorkChainNode:
    return finished_point()


def test_work_chain_is_found_by_itself_its_result_and_its_group(chain):
    group = orm.Group("mine").store()
    group.add_nodes([chain])
    for name in (str(chain.pk), chain.uuid, str(chain.outputs.melting_point.pk), "mine"):
        assert select([name]).roots == [chain]
    assert select(["mine"]).entities == [chain, group]
    assert select(["mine", str(chain.pk)]).roots == [chain]


def test_what_else_a_group_holds_is_told_and_the_group_stays_out(chain):
    other = orm.Int(3).store()
    group = orm.Group("mixed").store()
    group.add_nodes([chain, other])
    found = select(["mixed"])
    assert (found.roots, found.groups, found.ignored) == ([chain], [], [(other.pk, "Int")])


def test_all_that_a_work_chain_came_from_belongs_to_it(chain):
    pks = select([str(chain.pk)]).pks
    links = chain.base.links.get_incoming().all() + chain.base.links.get_outgoing().all()
    assert {link.node.pk for link in links} <= pks
    assert {node.pk for node in chain.called_descendants} <= pks


def test_what_is_nothing_to_publish_is_refused(chain):
    number = orm.Int(1).store()
    empty = orm.Group("of numbers").store()
    empty.add_nodes([number])
    with pytest.raises(ValueError, match=f"node {number.pk} is a Int: it can be a TPCWorkChain"):
        select([str(number.pk)])
    with pytest.raises(ValueError, match="group 'of numbers' holds no melting temperature"):
        select(["of numbers"])
    with pytest.raises(ValueError, match="no node and no group 'nothing'"):
        select(["nothing"])
    with pytest.raises(ValueError, match="nothing to publish"):
        select([])


def test_what_still_runs_is_refused(aiida_profile):
    chain = chain_node("tpc")
    with pytest.raises(ValueError, match=rf"1 processes have not ended.*{chain.pk} \(tpc, waiting\)"):
        select([str(chain.pk)])


def test_caller_that_still_runs_is_left_out(aiida_profile):
    sweep = chain_node("pressure_sweep")
    chain = chain_node("tpc", sweep, "point_001")
    end(chain)
    seal(chain)
    found = select([str(chain.pk)])
    assert sweep.pk not in found.pks
    assert found.running == [sweep.pk]
    assert found.rules == {"call_calc_backward": False, "call_work_backward": False}
