from __future__ import annotations

import json

import pytest

from aiida_dnpmelt.cli.tables import echo_rows

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
