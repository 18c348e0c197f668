from __future__ import annotations

import pytest
from aiida import orm
from aiida.tools import delete_nodes
from provenance.stored_points import invalid, store

from aiida_dnpmelt.browse import shelf as module
from aiida_dnpmelt.browse.shelf import Shelf
from aiida_dnpmelt.provenance.query import melting_points


@pytest.fixture
def shelf(aiida_profile_clean) -> Shelf:
    """Give a shelf that has read two melting points."""
    store(), store(element="Al")
    found = Shelf()
    assert found.points() == melting_points(everything=True)
    return found


@pytest.fixture
def read(monkeypatch) -> list[tuple[str, ...]]:
    """Give the arguments of all calls that read melting points."""
    calls = []

    def melting_points_(*arguments, **options):
        calls.append(arguments)
        return melting_points(*arguments, **options)

    monkeypatch.setattr(module, "melting_points", melting_points_)
    return calls


def test_points_are_read_once(shelf, read):
    orm.Int(1).store()
    assert len(shelf.points()) == 2
    assert read == []


def test_an_element_is_read_again_when_it_has_another_point(shelf, read):
    later = store()
    found = shelf.points()
    assert read == [("Cu",)]
    assert found == melting_points(everything=True)
    assert found[0].pk == later.pk
    assert [point.superseded for point in found if point.element == "Cu"] == [False, True]


def test_an_element_is_read_again_when_it_has_a_point_less(shelf):
    gone = store(element="Al").pk
    assert len(shelf.points()) == 3
    delete_nodes([gone], dry_run=False)
    assert shelf.points() == melting_points(everything=True)
    assert shelf.find(gone) is None


def test_points_are_found_by_work_chain_and_by_dictionary(shelf):
    chain = store(**invalid())
    point = shelf.find(chain.pk)
    assert point is not None
    assert point is shelf.find(chain.outputs.melting_point.pk)
    assert shelf.of_chains([chain.pk, 10**6]) == [point]
