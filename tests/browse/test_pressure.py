from __future__ import annotations

import pytest
from aiida import orm
from provenance.stored_points import invalid, store
from report.stored_melting import HOSTILE

from aiida_dnpmelt.browse import pressure
from aiida_dnpmelt.provenance.query import melting_curve_of, melting_points

CURVE = {0.0: 1326.0, 5.0: 1510.0, 10.0: 1680.0, 20.0: 1980.0}


@pytest.fixture
def curve(visitor) -> orm.Dict:
    """Give a stored melting curve of copper through four points, beside a point of aluminium and an invalid one."""
    for pressure_gpa, temperature in CURVE.items():
        store(pressure_gpa=pressure_gpa, melting_temperature_k=temperature)
    found = melting_curve_of(melting_points())
    store(element="Al", potential_label="mm", verdict="unfinished")
    store(**invalid(pressure_gpa=30.0))
    return found


def traces(page) -> dict[str, dict]:
    (figure,) = page.charts
    return {trace["name"]: trace for trace in figure["data"] if "name" in trace}


def test_points_are_drawn_by_element_and_potential_with_their_intervals(visitor, curve):
    page = visitor.see("/pressure")
    found = traces(page)
    assert list(found) == ["Al, mm", "Cu, Cu_mishin1.eam.alloy"]
    copper = found["Cu, Cu_mishin1.eam.alloy"]
    assert sorted(zip(copper["x"], copper["y"], strict=True)) == sorted(CURVE.items())
    assert copper["error_y"]["array"] == pytest.approx([max(1336.0 - value, 0.0) for value in copper["y"]])
    assert copper["error_y"]["arrayminus"] == pytest.approx([max(value - 1317.0, 0.0) for value in copper["y"]])
    assert {symbol.endswith("-open") for symbol in copper["marker"]["symbol"]} == {False}
    assert found["Al, mm"]["marker"]["symbol"][0].endswith("-open")
    assert all(visitor.ask(url).status_code == 200 for url in copper["customdata"])


def test_table_has_what_the_chart_has(visitor, curve):
    page = visitor.see("/pressure")
    assert page.column("element") == ["Al", "Cu", "Cu", "Cu", "Cu"]
    assert page.column("P/GPa") == ["0", "0", "5", "10", "20"]


def test_stored_curves_are_drawn_with_their_bands(visitor, curve):
    page = visitor.see("/pressure")
    band, line = (trace for trace in page.charts[0]["data"] if trace["mode"] == "lines")
    assert (line["x"][0], line["x"][-1]) == (0.0, 20.0)
    assert line["y"][0] == pytest.approx(1326, abs=10)
    assert line["y"][-1] == pytest.approx(1980, abs=10)
    number = len(line["x"])
    assert all(high > middle for high, middle in zip(band["y"][:number], line["y"], strict=True))
    assert band["fill"] == "toself"
    assert page.links[curve.uuid[:8]] == f"/node/{curve.uuid}"


def test_filters_choose_points_and_curves(visitor, curve):
    page = visitor.see("/pressure?element=Al")
    assert page.column("element") == ["Al"]
    assert [trace["mode"] for trace in page.charts[0]["data"]] == ["markers+text"]
    assert visitor.see("/pressure?from=4&to=11").column("P/GPa") == ["5", "10"]


def test_no_curve_is_made_by_looking(visitor, curve):
    store(pressure_gpa=40.0, melting_temperature_k=2300.0)
    before = orm.QueryBuilder().append(orm.Node).count()
    visitor.see("/pressure")
    assert orm.QueryBuilder().append(orm.Node).count() == before


def test_too_many_points_are_not_drawn(visitor, curve, monkeypatch):
    monkeypatch.setattr(pressure, "MOST", 3)
    page = visitor.see("/pressure")
    assert "The latest 3 of 5 points" in page.text
    assert len(page.column("element")) == 3


def test_labels_in_charts_are_text(visitor):
    store(potential_label=HOSTILE)
    answer = visitor.ask("/pressure")
    assert "<script>alert" not in answer.text
    assert f"Cu, {HOSTILE}" in traces(visitor.see("/pressure"))


def test_empty_profile_says_what_to_do(visitor):
    page = visitor.see("/pressure")
    assert page.charts == []
    assert "aiida-dnpmelt launch sweep" in page.text
