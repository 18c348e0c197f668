from __future__ import annotations

import csv

import pytest
from aiida import orm
from publication.stored_publications import LOG_BYTES, finished_point

from aiida_dnpmelt.publication.plan import make_plan
from aiida_dnpmelt.publication.slim import by_kind, write_left_out


@pytest.fixture(scope="module")
def chain(aiida_profile) -> orm.WorkChainNode:
    return finished_point()


def test_only_bulky_nodes_go_and_never_the_potential_of_a_melting_temperature(chain):
    (row,) = make_plan([str(chain.pk)], 100.0).gone
    assert (row.node.kind, row.size, row.role) == ("FolderData", LOG_BYTES, "retrieved")
    assert {row.node.kind for row in make_plan([str(chain.pk)], 0.0).gone} == {"FolderData"}
    assert make_plan([str(chain.pk)], LOG_BYTES / 1000).gone == []
    assert make_plan([str(chain.pk)]).gone == []


def test_each_is_written_with_its_maker(chain, tmp_path):
    rows = make_plan([str(chain.pk)], 0.0).gone
    write_left_out(rows, tmp_path / "left_out.csv")
    found = list(csv.DictReader((tmp_path / "left_out.csv").open()))
    job = orm.load_node(rows[0].maker)
    assert {row["uuid"] for row in found} == {job.outputs.retrieved.uuid, job.outputs.more.uuid}
    assert {row["as"] for row in found} == {"retrieved", "more"}
    assert by_kind(rows) == [("FolderData", 2, sum(row.size for row in rows))]
