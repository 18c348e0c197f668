from __future__ import annotations

from provenance.stored_points import store, store_chain

from aiida_dnpmelt.browse import chains

TITLE = "Whole chains of learning and melting"


def test_whole_chains_stand_below_the_table(visitor):
    chain = store_chain()
    page = visitor.see("/")
    assert TITLE in page.text
    _, row = page.tables[1]
    assert row[:6] == ["Cu", "fcc", "0", "1335(5)", "2", "valid"]
    assert page.links["1335(5)"] == f"/point/{chain.uuid}"


def test_without_a_correction_it_is_the_mean(visitor):
    store_chain(corrected_melting_temperature_k=None, corrected_uncertainty_k=None)
    assert visitor.see("/").tables[1][1][3] == "1340(7)"


def test_the_latest_of_an_element_are_shown(visitor, monkeypatch):
    monkeypatch.setattr(chains, "MOST", 1)
    store_chain()
    store_chain(pressure_gpa=-2.0)
    assert [row[2] for row in visitor.see("/").tables[1][1:]] == ["−2"]
    assert TITLE not in visitor.see("/?element=Al").text


def test_there_is_no_table_without_any(visitor):
    store()
    assert TITLE not in visitor.see("/").text
