from __future__ import annotations

from xml.etree import ElementTree

import pytest
from aiida import orm
from aiida.common.links import LinkType
from provenance.stored_points import store
from publication.stored_publications import finished_point
from report.stored_melting import chain_node, end, give

from aiida_dnpmelt.provenance.query import OUTPUT
from aiida_dnpmelt.publication.pages import write_pages, write_pictures
from aiida_dnpmelt.publication.selection import select


@pytest.fixture
def pages(aiida_profile, tmp_path):
    """Give a function that writes the pages and pictures of work chains, and returns their names."""

    def write(*chains: orm.WorkChainNode) -> list[str]:
        for chain in chains:
            for node in (chain, *chain.called_descendants):
                node.seal()
        selection = select([str(chain.pk) for chain in chains])
        return [*write_pages(selection, tmp_path), *write_pictures(selection, tmp_path)]

    return write


def test_coexistence_has_a_page_and_a_picture(pages, tmp_path):
    chain = store()
    name = f"tpc_{chain.uuid[:8]}"
    assert pages(chain) == [f"{name}.html", f"{name}.svg"]
    assert "1326(5) K" in (tmp_path / f"{name}.html").read_text()
    assert ElementTree.parse(tmp_path / f"{name}.svg").getroot().tag.endswith("svg")


def test_learning_has_a_page_and_no_picture(pages):
    chain = chain_node("adaptive_learning")
    end(chain, 400, "no frames")
    assert pages(chain) == [f"adaptive_learning_{chain.uuid[:8]}.html"]


def test_sweep_has_the_pages_of_its_points_also_of_those_that_it_took_over(pages):
    known = finished_point()
    sweep = orm.WorkChainNode(process_type="aiida.workflows:dnpmelt.pressure_sweep")
    sweep.base.links.add_incoming(known.outputs[OUTPUT], LinkType.INPUT_WORK, "known__node_1")
    sweep.store()
    own = chain_node("tpc", sweep, "point_002")
    end(own)
    assert pages(sweep) == [f"tpc_{node.uuid[:8]}.html" for node in (known, own)]


def test_empty_study_has_no_picture(pages):
    study = chain_node("finite_size")
    give(study, finite_size=orm.Dict({"atoms": []}))
    end(study)
    assert pages(study) == []
