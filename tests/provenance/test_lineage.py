from __future__ import annotations

import pytest
from aiida import orm
from aiida.common.links import LinkType
from physics.labelled import labelled
from provenance.stored_lineage import melt, trained
from report.stored_melting import potential

from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.provenance.lineage import frames_behind, points_from


def stored_frames(seed: int) -> FramesData:
    return FramesData(labelled(2, 8, seed=seed), phase="solid", labeller="teacher").store()


def test_every_frame_behind_a_melting_temperature_and_every_one_from_a_frame(aiida_profile_clean, aiida_localhost):
    first, second, third, check = (stored_frames(seed) for seed in range(4))
    parent = trained(aiida_localhost, "parent", first, second)
    child = trained(aiida_localhost, "child", third, parent)
    other = trained(aiida_localhost, "other", second)
    of_parent, of_child, of_other = (melt(aiida_localhost, model) for model in (parent, child, other))
    of_teacher = melt(aiida_localhost, potential("teacher"))

    def behind(node: orm.Node) -> list[int]:
        return [frames.pk for frames in frames_behind(node.pk)]

    assert behind(of_child) == [first.pk, second.pk, third.pk]
    assert behind(of_child.outputs.melting_point) == behind(of_child)
    assert behind(of_other) == [second.pk]
    assert behind(of_teacher) == []
    assert points_from(first.pk) == [of_parent.pk, of_child.pk]
    assert points_from(second.pk) == [of_parent.pk, of_child.pk, of_other.pk]
    assert points_from(third.pk) == [of_child.pk]
    assert points_from(check.pk) == []


def test_a_graph_with_more_paths_than_can_be_counted_is_no_trouble(aiida_profile_clean, aiida_localhost):
    # As in a learning loop: each step takes two nodes and gives two, so that 40 steps have 2^40 paths.
    first = stored_frames(1)
    pair: list[orm.Data] = [trained(aiida_localhost, "first", first), first]
    for _ in range(40):
        step = orm.CalcFunctionNode()
        for index, node in enumerate(pair):
            step.base.links.add_incoming(node, LinkType.INPUT_CALC, f"input_{index}")
        step.store()
        pair = [orm.Int(0), orm.Int(1)]
        for index, node in enumerate(pair):
            node.base.links.add_incoming(step, LinkType.CREATE, f"output_{index}")
            node.store()
    chain = melt(aiida_localhost, trained(aiida_localhost, "last", *pair))
    assert [node.pk for node in frames_behind(chain.pk)] == [first.pk]
    assert points_from(first.pk) == [chain.pk]


def test_what_holds_no_melting_temperature_or_no_frames_is_refused(aiida_profile_clean):
    node = orm.Int(1).store()
    with pytest.raises(ValueError, match=f"no melting temperature with the pk {node.pk}"):
        frames_behind(node.pk)
    with pytest.raises(ValueError, match=f"node {node.pk} holds no labelled frames"):
        points_from(node.pk)
