from __future__ import annotations

import socket
from uuid import uuid4

import pytest
from aiida import orm
from provenance.stored_points import store

from aiida_dnpmelt.browse import policies
from aiida_dnpmelt.browse.html import PLOTLY_URL
from aiida_dnpmelt.browse.server import HOST, listen

from .pages import Page

PAGES = ("/", "/pressure", "/experiment", "/nowhere", "/point/1", "/static/browse.css")


@pytest.mark.parametrize("path", ["/", "/node/1", "/nowhere"])
def test_only_questions_are_answered(guest, path):
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "NONSENSE"):
        answer = guest.ask(path, method)
        assert answer.status_code == 405, method
        assert answer.headers["allow"] == "GET, HEAD"
        assert answer.headers["content-security-policy"] == policies.PLAIN


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_says_what_a_browser_may_do(guest, path):
    headers = guest.ask(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; base-uri 'none'; frame-ancestors 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_scripts_are_allowed_where_there_are_charts_and_none_in_the_page(visitor):
    store()
    for path in ("/pressure", "/experiment"):
        answer = visitor.ask(path)
        assert "script-src 'self';" in answer.headers["content-security-policy"]
        scripts = [attributes for tag, attributes in Page(answer.text).tags if tag == "script"]
        assert [attributes["src"] for attributes in scripts] == [PLOTLY_URL, "/static/charts.js"]
    assert "script-src" not in visitor.ask("/").headers["content-security-policy"]
    assert "<script" not in visitor.ask("/").text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "0.0.0.0", ""])
def test_other_names_of_this_machine_are_refused(guest, host):
    answer = guest.ask("/", Host=host)
    assert answer.status_code == 400
    assert "content-security-policy" in answer.headers
    assert "Melting" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:4711", "localhost", "localhost:4711"])
def test_its_own_names_are_answered(guest, host):
    assert guest.ask("/", Host=host).status_code == 200


def test_head_has_no_body(guest):
    answer = guest.ask("/", "HEAD")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/static/../server.py",
        "/static/..%2fserver.py",
        "/static/%2e%2e/server.py",
        "/static//etc/passwd",
        "/static/",
        "/point/",
        "/node/1/2",
        "/point/..%2f..%2fetc%2fpasswd",
    ],
)
def test_nothing_else_is_there(guest, path):
    answer = guest.ask(path)
    assert answer.status_code in (400, 404)
    assert "import" not in answer.text
    assert "root:" not in answer.text


def test_missing_page_is_named_and_escaped(guest):
    answer = guest.ask("/<script>alert(1)</script>")
    assert answer.status_code == 404
    assert "<script>" not in answer.text
    assert "there is no page /<script>alert(1)</script>" in Page(answer.text).text


def test_failure_is_told_without_a_traceback(visitor, monkeypatch):
    def fail(*_):
        raise RuntimeError("the secret of the server")

    monkeypatch.setattr("aiida_dnpmelt.browse.points.in_order", fail)
    answer = visitor.ask("/")
    assert answer.status_code == 500
    assert answer.headers["content-security-policy"] == policies.PLAIN
    assert "secret" not in answer.text
    assert "could not be made" in Page(answer.text).text


def test_library_for_charts_comes_from_here_and_is_kept(guest):
    answer = guest.ask(PLOTLY_URL)
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert len(answer.content) > 1_000_000
    assert "plotly.js v" in answer.text[:200]


def test_styles_and_scripts_have_their_types(guest):
    for name, kind in (("style.css", "text/css"), ("browse.css", "text/css"), ("charts.js", "text/javascript")):
        answer = guest.ask(f"/static/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["cache-control"] == "no-cache"


def test_server_listens_on_this_machine_alone():
    with listen(0) as free:
        host, port = free.getsockname()
        assert host == HOST == "127.0.0.1"
        with pytest.raises(OSError, match="in use"):
            listen(port)
        with socket.create_connection((HOST, port), timeout=5):
            pass


def test_each_answer_sees_what_others_have_stored(visitor):
    assert "No melting temperature" in visitor.see("/").text
    chain = store()
    assert visitor.see("/").links["1326(5)"] == f"/point/{chain.uuid}"
    visitor.refused(f"/point/{uuid4()}", 404)


def test_nothing_is_stored_by_looking(visitor, learned):
    def nodes() -> set[tuple[object, ...]]:
        return set(map(tuple, orm.QueryBuilder().append(orm.Node, project=["id", "mtime"]).all()))

    before = nodes()
    of_node = [f"/{kind}/{learned.chain.pk}" for kind in ("point", "report", "lineage", "node")]
    for page in ("/", "/pressure", "/experiment", *of_node, f"/node/{learned.frames.pk}"):
        assert visitor.ask(page).status_code == 200
    assert nodes() == before
