from __future__ import annotations

import csv

import pytest
from aiida import orm
from provenance.stored_points import POINT, store, store_chain
from report.stored_melting import chain_node, end, give

from aiida_dnpmelt.publication.selection import select
from aiida_dnpmelt.publication.tables import by_point, write_tables


@pytest.fixture
def rows(tmp_path):
    """Give a function that writes the tables of work chains, and returns the rows of each."""

    def write(*chains):
        for chain in chains:
            for node in (chain, *chain.called_descendants):
                node.seal()
        names = write_tables(select([str(chain.pk) for chain in chains]), tmp_path)
        return {name: list(csv.DictReader((tmp_path / name).open())) for name in names}

    return write


def test_points_have_all_keys(rows):
    chain = store(pressure_gpa=5.0)
    (table,) = (found := rows(chain)).values()
    assert list(found) == ["melting_points.csv"]
    (row,) = table
    assert set(POINT) < set(row)
    assert (row["work_chain"], row["pressure_gpa"], row["bracket_low_k"]) == (chain.uuid, "5.0", "")
    assert row["seeds_used"] == "[101, 102, 103, 104]"


def test_whole_chains_have_a_table_beside_those_of_their_models(rows):
    found = rows(store_chain())
    assert len(found["melting_points.csv"]) == 3
    (row,) = found["melting.csv"]
    assert row["corrected_melting_temperature_k"] == "1335.0"


def test_sweep_has_a_row_for_each_pressure(rows, aiida_profile):
    chain = chain_node("pressure_sweep")
    lists = {"pressures_gpa": [0.0, 5.0], "melting_temperatures_k": [1330.0, None], "gaps": ["point_002: lost"]}
    give(chain, sweep=orm.Dict({"element": "Cu", **lists}))
    end(chain)
    (name,) = (found := rows(chain))
    assert name == f"sweep_{chain.uuid[:8]}.csv"
    assert [tuple(row.values()) for row in found[name]] == [("0.0", "1330.0"), ("5.0", "")]


def test_lists_of_other_lengths_are_no_columns():
    assert by_point({"a": [1, 2], "b": [3, 4], "note": ["x"], "c": 5}) == [{"a": 1, "b": 3}, {"a": 2, "b": 4}]
    assert by_point({"c": 5}) == []
