from __future__ import annotations

import io

import pytest
from aiida import orm
from aiida.common.links import LinkType
from provenance.stored_points import store
from report.stored_melting import HOSTILE, chain_node, end, potential

from aiida_dnpmelt.browse import node as module


def test_node_says_what_it_is_and_holds(visitor):
    node = orm.Dict({"answer": 42}, label="my label", description="my words").store()
    page = visitor.see(f"/node/{node.uuid}")
    facts = dict(row for row in page.rows if len(row) == 2)
    assert facts["PK"] == str(node.pk)
    assert facts["type"] == "data.core.dict.Dict."
    assert (facts["label"], facts["description"]) == ("my label", "my words")
    assert '"answer": 42' in page.text


def test_process_says_how_it_ended(visitor):
    chain = chain_node("tpc")
    end(chain, 401, "the solid is gone")
    facts = dict(row for row in visitor.see(f"/node/{chain.pk}").rows if len(row) == 2)
    assert facts["process"] == "aiida.workflows:dnpmelt.tpc"
    assert (facts["state"], facts["exit status"]) == ("finished", "401")
    assert facts["exit message"] == "the solid is gone"


def test_links_lead_in_and_out(visitor):
    protocol = orm.Str("fast")
    chain = chain_node("tpc", protocol=protocol)
    child = chain_node("coexistence", chain, "seed_101_round_01")
    page = visitor.see(f"/node/{chain.uuid}")
    assert page.links[str(protocol.pk)] == f"/node/{protocol.uuid}"
    assert page.links[str(child.pk)] == f"/node/{child.uuid}"
    assert ["protocol", "input work", str(protocol.pk), "Str", ""] in page.rows
    assert [
        "seed_101_round_01",
        "call work",
        str(child.pk),
        "WorkChainNode dnpmelt.coexistence",
        "seed_101_round_01",
    ] in page.rows
    assert "Nodes that it comes from or was called by: none." in visitor.see(f"/node/{protocol.pk}").text


def test_links_files_and_attributes_are_limited(visitor, monkeypatch):
    monkeypatch.setattr(module, "MOST_LINKS", 2)
    monkeypatch.setattr(module, "MOST_FILES", 2)
    monkeypatch.setattr(module, "MOST_CHARACTERS", 50)
    chain = chain_node("tpc", **{f"input_{index}": orm.Int(index) for index in range(5)})
    page = visitor.see(f"/node/{chain.pk}")
    assert page.column("link") == ["input_0", "input_1"]
    assert "the first 2 of 5" in page.text
    folder = orm.FolderData()
    for name in ("a.txt", "deep/b.txt", "c.txt"):
        folder.base.repository.put_object_from_filelike(io.BytesIO(b"x"), name)
    folder.base.attributes.set("long", "x" * 100)
    text = visitor.see(f"/node/{folder.store().pk}").text
    assert "a.txt" in text
    assert "The first 2; all of them: verdi node repo ls" in text
    assert "characters more" in text


@pytest.mark.parametrize("what", ["label", "description", "attribute", "file"])
def test_what_others_wrote_is_text(visitor, what):
    node = orm.FolderData()
    if what == "attribute":
        node.base.attributes.set(HOSTILE, HOSTILE)
    elif what == "file":
        node.base.repository.put_object_from_filelike(io.BytesIO(b"x"), "<script>alert(1)")
    else:
        setattr(node, what, HOSTILE)
    node.store()
    assert "<script>" not in visitor.ask(f"/node/{node.pk}").text
    assert "<script>alert(" in visitor.see(f"/node/{node.pk}").text


def test_frames_say_what_they_hold_and_what_came_of_them(visitor, learned, monkeypatch):
    monkeypatch.setattr(module, "MOST_FRAMES", 2)
    page = visitor.see(f"/node/{learned.frames.pk}")
    assert "3 frames of 4 atoms, liquid, at" in page.text
    assert "labelled by a teacher; the first 2 are listed." in page.text
    assert page.column("frame") == ["0", "1"]
    energy = learned.frames.get_array("energies")[0] / 4
    assert float(page.column("E/eV an atom")[0].replace("−", "-")) == pytest.approx(energy, abs=1e-4)
    assert page.links["1341(5)"] == f"/point/{learned.chain.uuid}"


def test_nodes_with_pages_of_their_own_lead_there(visitor):
    chain = store()
    page = visitor.see(f"/node/{chain.pk}")
    assert page.links["Melting temperature"] == f"/point/{chain.uuid}"
    assert page.links["Report"] == f"/report/{chain.uuid}"
    point = chain.outputs.melting_point
    assert visitor.see(f"/node/{point.pk}").links["Lineage"] == f"/lineage/{point.uuid}"
    assert "Report" not in visitor.see(f"/node/{potential('a model').pk}").links


def test_a_job_names_its_computer(visitor, localhost):
    job = orm.CalcJobNode(computer=localhost)
    job.base.links.add_incoming(orm.Int(1).store(), LinkType.INPUT_CALC, "number")
    job.store()
    facts = dict(row for row in visitor.see(f"/node/{job.pk}").rows if len(row) == 2)
    assert facts["computer"] == "localhost"
