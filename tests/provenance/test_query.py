from __future__ import annotations

import pytest
from aiida import orm
from aiida.common.links import LinkType
from provenance.stored_points import POINT, counted_statements, invalid, store, store_chain
from report.stored_melting import chain_node

from aiida_dnpmelt.provenance.ambient import ambient_points
from aiida_dnpmelt.provenance.query import OUTPUT, melting_point, melting_points, whole_result


@pytest.fixture
def points(aiida_profile_clean) -> dict[str, int]:
    """Give the work chains of a small profile by a name."""
    return {
        "old": store(melting_temperature_k=1310.0).pk,
        "copper": store().pk,
        "pressure": store(pressure_gpa=5.0, melting_temperature_k=1500.0).pk,
        "aluminium": store(element="Al", potential_label="Al_mm.eam.fs", potential_sha256="cd" * 32).pk,
        "fast": store(protocol="fast", verdict="unfinished").pk,
        "lost": store(**invalid(pressure_gpa=10.0)).pk,
    }


def found(**filters) -> list[int]:
    return [point.pk for point in melting_points(**filters)]


def test_points_of_a_size_study_are_marked(points):
    study = chain_node("finite_size")
    inner = chain_node("tpc", study, "atoms_512")
    point = orm.Dict({**POINT, "atoms": 512, "protocol": "fast-size"}).store()
    point.base.links.add_incoming(inner, link_type=LinkType.RETURN, link_label=OUTPUT)
    assert {each.pk: each.of_study for each in melting_points()}[inner.pk] is True
    assert [each.pk for each in melting_points() if not each.of_study] == found()[1:]
    assert inner.pk not in [each.pk for each in ambient_points()]


def test_invalid_and_superseded_ones_are_left_out_unless_asked_for(points):
    assert found() == [points[name] for name in ("fast", "aluminium", "pressure", "copper")]
    assert found(everything=True) == [
        points[name] for name in ("lost", "fast", "aluminium", "pressure", "copper", "old")
    ]
    superseded = {point.pk: point.superseded for point in melting_points(everything=True)}
    assert superseded == {pk: name == "old" for name, pk in points.items()}


def test_a_failed_one_supersedes_nothing(points):
    store(**invalid())
    assert points["copper"] in found()


def test_a_worse_one_supersedes_nothing_better(aiida_profile_clean):
    valid, unfinished = store().pk, store(verdict="unfinished").pk
    assert found() == [unfinished, valid]
    better = store().pk
    assert found() == [better]
    assert found(verdict="unfinished") == []
    assert found(verdict="unfinished", everything=True) == [unfinished]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"element": "Al"}, ["aluminium"]),
        ({"element": "Xe"}, []),
        ({"pressure_gpa": 5.0}, ["pressure"]),
        ({"pressure_gpa": (4.0, 20.0)}, ["pressure"]),
        ({"pressure_gpa": (4.0, 20.0), "everything": True}, ["lost", "pressure"]),
        ({"potential": "mm.eam"}, ["aluminium"]),
        ({"potential": "cdcd"}, ["aluminium"]),
        ({"protocol": "fast"}, ["fast"]),
        ({"verdict": "unfinished"}, ["fast"]),
        ({"verdict": "invalid"}, ["lost"]),
        ({"element": "Cu", "protocol": "balanced", "pressure_gpa": 0.0}, ["copper"]),
    ],
)
def test_filters(points, filters, names):
    assert found(**filters) == [points[name] for name in names]


def test_one_point_by_the_chain_or_its_output(points):
    point = melting_point(points["copper"])
    assert melting_point(point.node_pk) == point
    assert (point.element, point.notation, point.verdict) == ("Cu", "1326(5)", "valid")
    assert point.details["seeds_used"] == [101, 102, 103, 104]
    with pytest.raises(ValueError, match="no melting point with the pk 999999"):
        melting_point(999999)


def test_a_result_is_read_alone_however_many_there_are(aiida_profile_clean):
    chains = [store_chain() for _ in range(3)]
    read: list[dict] = []
    for pk in (chains[1].pk, chains[1].outputs.melting.pk):
        with counted_statements() as statements:
            found = whole_result(pk)
        assert found is not None
        assert found[0] == chains[1].pk
        read.append(found[1])
        assert len(statements) <= 4
        assert all(" LIMIT " in each or "SELECT" not in each for each in statements)
    assert read[0] == read[1]
    assert whole_result(chains[0].pk - 1) is None
