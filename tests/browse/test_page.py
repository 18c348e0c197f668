from __future__ import annotations

import pytest
from aiida import orm
from provenance.stored_points import store
from report.stored_chains import stored_chain

from aiida_dnpmelt.browse import page, policies
from aiida_dnpmelt.report.page import write_html


@pytest.fixture
def written(monkeypatch) -> list[int]:
    """Give the PKs of the work chains whose page was made."""
    pks = []

    def write(node: orm.Node) -> str:
        pks.append(node.pk)
        return write_html(node)

    monkeypatch.setattr(page, "write_html", write)
    return pks


def test_report_is_that_of_the_command(visitor):
    chain = store()
    answer = visitor.ask(f"/report/{chain.uuid}")
    assert answer.text == write_html(chain)
    assert answer.headers["content-security-policy"] == policies.REPORT
    assert "script-src" not in policies.REPORT


def test_report_of_what_has_ended_is_made_once(visitor, written):
    chain = store()
    chain.seal()
    first = visitor.ask(f"/report/{chain.uuid}").text
    assert visitor.ask(f"/report/{chain.pk}").text == first
    assert written == [chain.pk]


def test_report_of_what_runs_is_made_anew(visitor, written):
    chain = stored_chain()
    for _ in range(2):
        assert "This page shows what there is so far" in visitor.ask(f"/report/{chain.uuid}").text
    assert written == [chain.pk, chain.pk]


def test_other_nodes_have_no_report(visitor):
    node = orm.Int(1).store()
    assert f"node {node.pk} is no work chain that has a page" in visitor.refused(f"/report/{node.uuid}", 404)
