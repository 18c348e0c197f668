from __future__ import annotations

from aiida_dnpmelt.browse.facts import fact_table
from aiida_dnpmelt.browse.html import Cell


def test_values_are_words():
    values = {"t_k": 1326.4321987, "low": None, "seeds": [1, 2], "none": [], "deep": {"a": {"b": -1.5}}, "flag": True}
    rows = [[cell.text for cell in row.cells] for row in fact_table("facts", values).rows]
    assert rows == [
        ["t_k", "1326.432"],
        ["low", "–"],
        ["seeds", "1; 2"],
        ["none", "none"],
        ["deep.a.b", "−1.5"],
        ["flag", "True"],
    ]


def test_long_values_are_cut():
    ((_, cell),) = (row.cells for row in fact_table("facts", {"text": "x" * 5000}).rows)
    assert len(cell.text) < 550
    assert cell.text.endswith("… (5000 characters)")


def test_values_lead_to_pages():
    (row,) = fact_table("facts", {"uuid": "abc"}, {"uuid": "/node/abc"}).rows
    assert row.cells[1] == Cell("abc", "/node/abc")
