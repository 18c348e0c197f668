from __future__ import annotations

import json

import pytest

from aiida_dnpmelt.browse.html import Cell, Chart, link, node_cell


def test_addresses_leave_out_what_has_no_value():
    assert link("/") == "/"
    assert link("/", element="", sort=None, all=False) == "/"
    assert link("/", potential="a b&c=<d>", page=2) == "/?potential=a+b%26c%3D%3Cd%3E&page=2"


def test_nodes_are_named_by_the_begin_of_their_uuid():
    uuid = "0123456789ab-4"
    assert node_cell(uuid) == Cell("01234567", f"/node/{uuid}")
    assert node_cell(uuid, "12") == Cell("12", f"/node/{uuid}")


def test_charts_are_plain_json():
    assert json.loads(Chart({"data": [1.5]}, "", "").json) == {"data": [1.5]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        _ = Chart({"data": [float("nan")]}, "", "").json
