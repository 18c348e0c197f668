from __future__ import annotations

from aiida import orm
from provenance.stored_points import store_chain
from report.stored_melting import chain_node

from aiida_dnpmelt.browse import lineage, policies
from aiida_dnpmelt.provenance.trace import trace


def test_stages_are_listed_and_drawn_with_links(visitor, learned):
    page = visitor.see(f"/lineage/{learned.chain.uuid}")
    stages = trace(learned.chain.pk).stages
    assert page.column("stage") == [stage.title for stage in stages]
    assert page.column("nodes") == [str(len(stage.nodes)) for stage in stages]
    drawn = {attributes.get("xlink:href") for tag, attributes in page.tags if tag == "a"} - {None}
    assert drawn == {f"/lineage/{learned.chain.uuid}/{key}" for key in ("coexistence-1", "training-1")}
    assert all(visitor.ask(f"/lineage/{learned.chain.uuid}/{stage.key}").status_code == 200 for stage in stages)


def test_picture_may_bring_its_style_and_no_script(visitor, learned):
    answer = visitor.ask(f"/lineage/{learned.chain.uuid}")
    assert answer.headers["content-security-policy"] == policies.PICTURE
    assert "script-src" not in policies.PICTURE
    assert "<script" not in answer.text


def test_one_clicks_down_to_the_frames(visitor, learned):
    page = visitor.see(f"/lineage/{learned.point.uuid}")
    given = visitor.see(page.links["given"])
    assert given.column("type")[0] == "FramesData"
    frames = visitor.see(given.links[given.column("node")[0]])
    assert "3 frames of 4 atoms, liquid" in frames.text


def test_lineage_of_a_whole_chain_is_shown(visitor):
    chain = store_chain()
    page = visitor.see(f"/lineage/{chain.uuid}")
    assert "1340(7) K: Cu (fcc) at 0 GPa, learned models, valid" in page.text


def test_stages_with_many_nodes_come_in_pages(visitor, learned, monkeypatch):
    monkeypatch.setattr(lineage, "ROWS", 3)
    stage = max(trace(learned.chain.pk).stages, key=lambda each: len(each.nodes))
    page, seen = visitor.see(f"/lineage/{learned.chain.uuid}/{stage.key}"), []
    while True:
        seen += page.column("node")
        if "after →" not in page.links:
            break
        page = visitor.see(page.links["after →"])
    assert sorted(map(int, seen)) == sorted(stage.nodes)
    assert "there is no page 99" in visitor.refused(f"/lineage/{learned.chain.uuid}/{stage.key}?page=99", 404)


def test_unknown_stage_is_refused(visitor, learned):
    assert "the stage is none of" in visitor.refused(f"/lineage/{learned.chain.uuid}/nothing", 404)


def test_what_gives_no_melting_temperature_has_none(visitor):
    for node in (orm.Int(1).store(), chain_node("tpc")):
        assert "gives no melting temperature" in visitor.refused(f"/lineage/{node.pk}", 404)
