from __future__ import annotations

import pytest
from provenance.stored_points import invalid, store
from report.stored_melting import HOSTILE

from aiida_dnpmelt.browse import points


@pytest.fixture
def chains(visitor):
    """Give the work chains of a small profile by a name, the oldest first."""
    other = {"potential_label": "Al_mm.eam.fs", "potential_sha256": "cd" * 32}
    return {
        "old": store(melting_temperature_k=1310.0),
        "copper": store(),
        "negative": store(pressure_gpa=-1.0, melting_temperature_k=1290.0, protocol="fast"),
        "aluminium": store(element="Al", melting_temperature_k=930.2, verdict="unfinished", **other),
        "bad": store(**invalid(pressure_gpa=3.0)),
    }


def test_table_shows_what_counts_the_latest_first(visitor, chains):
    page = visitor.see("/")
    assert page.column("Tm/K") == ["930(5)", "1290(5)", "1326(5)"]
    assert page.column("P/GPa") == ["0", "−1", "0"]
    assert page.column("verdict") == ["unfinished", "valid", "valid"]
    assert page.links["930(5)"] == f"/point/{chains['aluminium'].uuid}"
    assert "3 melting temperatures." in page.text


def test_superseded_and_invalid_ones_are_marked(visitor, chains):
    page = visitor.see("/?all=1")
    assert page.column("verdict") == ["invalid", "unfinished", "valid", "valid", "valid, superseded"]
    assert page.column("Tm/K")[0] == "none"
    assert page.links["none"] == f"/point/{chains['bad'].uuid}"
    assert [attributes.get("class") for tag, attributes in page.tags if tag == "tr"].count("faded") == 2


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("element=Al", ["930(5)"]),
        ("from=-2&to=-0.5", ["1290(5)"]),
        ("from=0", ["930(5)", "1326(5)"]),
        ("to=-1", ["1290(5)"]),
        ("potential=mm.eam", ["930(5)"]),
        ("potential=abab", ["1290(5)", "1326(5)"]),
        ("protocol=fast", ["1290(5)"]),
        ("verdict=valid", ["1290(5)", "1326(5)"]),
        ("verdict=invalid", ["none"]),
        ("element=Cu&all=1&verdict=valid", ["1290(5)", "1326(5)", "1310(5)"]),
    ],
)
def test_filters(visitor, chains, question, expected):
    assert visitor.see(f"/?{question}").column("Tm/K") == expected


def test_form_keeps_what_was_asked_for(visitor, chains):
    page = visitor.see("/?element=Cu&from=-1&potential=mishin&all=1&verdict=valid&sort=pressure")
    fields = {attributes["name"]: attributes for tag, attributes in page.tags if tag == "input"}
    assert {name: fields[name].get("value") for name in ("element", "from", "to", "potential", "sort")} == {
        "element": "Cu",
        "from": "-1",
        "to": "",
        "potential": "mishin",
        "sort": "pressure",
    }
    assert "checked" in fields["all"]
    assert page.links["These over pressure"] == "/pressure?element=Cu&from=-1&potential=mishin&verdict=valid&all=1"


def test_columns_sort_in_both_directions(visitor, chains):
    page = visitor.see("/?all=1")
    assert page.links["Tm/K"] == "/?all=1&sort=temperature"
    up = visitor.see(page.links["Tm/K"])
    assert up.column("Tm/K") == ["930(5)", "1290(5)", "1310(5)", "1326(5)", "none"]
    down = visitor.see(up.links["Tm/K"])
    assert down.column("Tm/K") == ["1326(5)", "1310(5)", "1290(5)", "930(5)", "none"]
    heads = [attributes.get("aria-sort") for tag, attributes in down.tags if tag == "th"]
    assert heads.count("descending") == 1
    for column in points.COLUMNS:
        assert len(visitor.see(f"/?sort=-{column}&all=1").column("element")) == 5


def test_long_tables_come_in_pages(visitor, chains, monkeypatch):
    monkeypatch.setattr(points, "ROWS", 2)
    first = visitor.see("/?all=1&sort=temperature")
    assert "5 melting temperatures, page 1 of 3." in first.text
    second = visitor.see(first.links["after →"])
    assert second.column("Tm/K") == ["1310(5)", "1326(5)"]
    last = visitor.see(second.links["after →"])
    assert last.column("Tm/K") == ["none"]
    assert "after →" not in last.links
    assert visitor.see(visitor.see(last.links["← before"]).links["← before"]).column("Tm/K") == first.column("Tm/K")
    assert "there is no page 4: the last one is 3" in visitor.refused("/?all=1&page=4", 404)


def test_labels_are_text(visitor):
    store(potential_label=HOSTILE, protocol="<img src=x onerror=alert(1)>")
    answer = visitor.ask("/")
    assert "<script" not in answer.text
    assert "<img" not in answer.text
    page = visitor.see("/")
    assert page.column("potential") == [HOSTILE.replace("T_m", "Tm")]


def test_nothing_found_says_what_to_do(visitor):
    text = visitor.see("/?element=Al").text
    assert "No melting temperature found." in text
    assert "aiida-dnpmelt launch tpc" in text
