from __future__ import annotations

import re

from aiida import orm
from provenance.stored_points import invalid, store, store_chain
from report.stored_melting import HOSTILE


def test_point_has_its_number_verdict_and_facts(visitor):
    chain = store(reasons=["both phases live in 4 of 4 runs", HOSTILE])
    page = visitor.see(f"/point/{chain.uuid}")
    assert "1326(5) K" in page.text
    assert "95 % interval 1317 to 1336 K" in page.text
    assert "Verdict: valid" in page.text
    assert "both phases live in 4 of 4 runs" in page.text
    facts = dict(row for row in page.rows if len(row) == 2)
    assert facts["melting_temperature_k"] == "1326.4"
    assert facts["seeds_used"] == "101; 102; 103; 104"
    assert facts["bracket_low_k"] == "–"
    assert "<script>alert" not in visitor.ask(f"/point/{chain.uuid}").text


def test_point_is_found_by_the_dictionary_that_holds_it(visitor):
    chain = store()
    by_chain = visitor.see(f"/point/{chain.pk}")
    assert visitor.see(f"/point/{chain.outputs.melting_point.uuid}").text == by_chain.text


def test_point_of_a_learned_model_leads_to_all_that_it_stands_on(visitor, learned):
    page = visitor.see(f"/point/{learned.chain.uuid}")
    assert "3 labelled frames that the models behind it were trained on." in page.text
    wanted = {
        "Report": f"/report/{learned.chain.uuid}",
        "Lineage": f"/lineage/{learned.point.uuid}",
        f"Node {learned.point.pk}": f"/node/{learned.point.uuid}",
        f"work chain {learned.chain.pk}": f"/node/{learned.chain.uuid}",
        "a model": f"/node/{learned.model.uuid}",
        learned.frames.uuid[:8]: f"/node/{learned.frames.uuid}",
    }
    assert wanted.items() <= page.links.items()
    for url in wanted.values():
        assert visitor.ask(url).status_code == 200, url


def test_point_of_a_given_potential_has_no_frames(visitor):
    page = visitor.see(f"/point/{store().uuid}")
    assert "no model behind it was trained in this profile" in page.text
    assert "Cu_mishin1.eam.alloy" not in page.links


def test_superseded_and_invalid_points_say_so(visitor):
    old, bad = store(), store(**invalid(pressure_gpa=3.0))
    store()
    assert re.search(r"Verdict:\s+valid,\s+superseded", visitor.see(f"/point/{old.pk}").text)
    text = visitor.see(f"/point/{bad.pk}").text
    assert re.search(r"Verdict:\s+invalid\n", text)
    assert "none" in text


def test_whole_chain_has_its_parts(visitor):
    chain = store_chain()
    page = visitor.see(f"/point/{chain.uuid}")
    assert "1340(7) K" in page.text
    assert "1335(5) K" in page.text
    assert page.column("part") == ["seed_1", "seed_2", "teacher"]
    part = visitor.see(page.links["1326(5)"])
    assert part.links["a chain of learning and melting"] == f"/point/{chain.uuid}"
    assert visitor.see(f"/point/{chain.outputs.melting.pk}").text == page.text


def test_parts_of_an_earlier_version_have_the_verdict_that_holds_today(visitor):
    chain = store_chain(parts={"found_lattice": "bcc", "found_lattice_share": 1.0})
    assert visitor.see(f"/point/{chain.uuid}").column("verdict") == ["invalid"] * 3


def test_other_nodes_have_no_point(visitor):
    node = orm.Int(1).store()
    assert f"node {node.pk} gives no melting temperature" in visitor.refused(f"/point/{node.pk}", 404)
