from __future__ import annotations

import json

import pytest

from aiida_dnpmelt.cli.setup import echo_checks
from aiida_dnpmelt.cli.tables import echo_note, echo_rows, latex
from aiida_dnpmelt.setup.check import Check

ROWS = [{"pk": 1, "name": "a,b", "elements": ["Al", "Cu"], "hidden": 0}, {"pk": 20, "name": "c", "elements": []}]
COLUMNS = ("pk", "name", "elements")


@pytest.mark.parametrize(
    ("output_format", "expected"),
    [
        ("table", "pk  name  elements\n1   a,b   Al Cu\n20  c\n"),
        ("csv", 'pk,name,elements\n1,"a,b",Al Cu\n20,c,\n'),
    ],
)
def test_rows_as_text(capsys, output_format, expected):
    echo_rows(ROWS, COLUMNS, output_format)
    assert capsys.readouterr().out == expected


def test_rows_as_json_keep_their_types(capsys):
    echo_rows(ROWS, COLUMNS, "json")
    assert json.loads(capsys.readouterr().out) == [{name: row[name] for name in COLUMNS} for row in ROWS]


@pytest.mark.parametrize(("output_format", "dash"), [("table", "-"), ("csv", '""'), ("latex", r"-- \\")])
def test_what_is_not_known_is_no_word(capsys, output_format, dash):
    echo_rows([{"T_m/K": None}], ("T_m/K",), output_format)
    text = capsys.readouterr().out
    assert "None" not in text
    assert dash in text.splitlines()


def test_what_is_not_known_is_null_in_json(capsys):
    echo_rows([{"T_m/K": None}], ("T_m/K",), "json")
    assert json.loads(capsys.readouterr().out) == [{"T_m/K": None}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-", "--"),
        ("–", "--"),
        ("-13(30)", "$-$13(30)"),
        ("−11(2)", "$-$11(2)"),
        ("+3.1", "+3.1"),
        ("Cu-A_1 & B", r"Cu-A\_1 \& B"),
        ("|error|/K", r"\textbar{}error\textbar{}/K"),
        ("E_coh/(eV/atom)", r"$E_\mathrm{coh}$/(eV/atom)"),
        ("T_m(exp)/K", r"$T_\mathrm{m}$(exp)/K"),
        (r"a\b{c}~^", r"a\textbackslash{}b\{c\}\textasciitilde{}\textasciicircum{}"),
    ],
)
def test_cells_are_written_as_latex_takes_them(text, expected):
    assert latex([text], [[text]]).splitlines()[2] == rf"{expected} \\"


def test_a_check_that_does_not_apply_is_not_called_ok(capsys):
    echo_checks([Check("a", True, "fine"), Check("b", True, "not configured", applies=False)], "table")
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["OK", "n/a"]


def test_notes_are_comments_of_latex_and_apart_from_data(capsys):
    for output_format in ("table", "latex", "csv", "json"):
        echo_note("a note", output_format)
    captured = capsys.readouterr()
    assert captured.out == "a note\n% a note\n"
    assert captured.err == "a note\na note\n"
