from __future__ import annotations

import pytest
from provenance.stored_points import store, store_chain


def test_melting_temperatures_stand_beside_experiment(visitor):
    chain = store()
    store(element="Al", potential_label="mm", potential_sha256="cd" * 32, melting_temperature_k=940.0)
    page = visitor.see("/experiment")
    assert page.column("element") == ["Al", "Cu"]
    assert page.column("Tm/K") == ["940(5)", "1326(5)"]
    assert page.column("Tm(exp)/K") == ["933.47", "1357.77"]
    assert page.column("error/K") == ["+7", "−31"]
    assert page.column("error/%") == ["+0.7", "−2.3"]
    assert page.links["1326(5)"] == f"/point/{chain.pk}"
    equal, fcc = page.charts[0]["data"]
    assert equal["x"] == equal["y"]
    assert fcc["x"] == pytest.approx([933.47, 1357.77])
    assert fcc["text"] == ["Al", "Cu"]


def test_means_are_those_of_the_lattices(visitor):
    store(melting_temperature_k=1357.77 + 10)
    page = visitor.see("/experiment")
    assert page.column("lattice", 1) == ["fcc", "all"]
    assert page.column("|error|/K") == ["10", "10"]


def test_whole_chains_stand_for_their_models(visitor):
    chain = store_chain()
    page = visitor.see("/experiment")
    assert page.column("potential") == ["teacher", "2 models, corrected, the teacher"]
    assert page.links["1335(5)"] == f"/point/{chain.pk}"


def test_unfinished_ones_are_left_out_unless_asked_for(visitor):
    store(verdict="unfinished")
    page = visitor.see("/experiment")
    assert page.charts == []
    assert "1 unfinished left out" in page.text
    page = visitor.see("/experiment?unfinished=1")
    assert page.column("verdict") == ["unfinished"]
    assert page.charts[0]["data"][1]["marker"]["symbol"][0].endswith("-open")


def test_what_is_odd_is_noted(visitor):
    store(lattice="bcc")
    assert "Cu: bcc is not what melts in reality, which is fcc." in visitor.see("/experiment").text
