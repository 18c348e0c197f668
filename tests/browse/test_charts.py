from __future__ import annotations

import pytest

from aiida_dnpmelt.browse.charts import Spot, band, figure, line, spots
from aiida_dnpmelt.report.figures import COLOURS


def spot(**changes) -> Spot:
    known = {"x": 0.0, "y": 1326.0, "interval": (1312.0, 1336.0), "text": "Cu", "url": "/point/1", "good": True}
    return Spot(**{**known, **changes})


def test_spots_have_95_percent_intervals_and_addresses():
    trace = spots("copper", [spot(), spot(x=5.0, good=False, url="/point/2")], 0)
    assert trace["x"] == [0.0, 5.0]
    assert trace["error_y"]["array"] == pytest.approx([10.0, 10.0])
    assert trace["error_y"]["arrayminus"] == pytest.approx([14.0, 14.0])
    assert trace["error_y"]["symmetric"] is False
    assert trace["customdata"] == ["/point/1", "/point/2"]
    assert trace["marker"]["symbol"] == ["circle", "circle-open"]


def test_spots_without_an_interval_have_no_bar():
    bars = spots("copper", [spot(interval=None), spot()], 0)["error_y"]
    assert (bars["array"], bars["arrayminus"]) == (["none", 10.0], ["none", 14.0])


def test_kinds_differ_by_colour_or_symbol():
    looks = {(trace["marker"]["color"], trace["marker"]["symbol"][0]) for trace in _many(36)}
    assert len(looks) == 36


def _many(number: int) -> list[dict]:
    return [spots(str(index), [spot()], index) for index in range(number)]


def test_bands_are_closed_and_lines_are_named_or_not():
    area = band([0.0, 1.0], [1.0, 2.0], [3.0, 4.0], COLOURS[0])
    assert (area["x"], area["y"]) == ([0.0, 1.0, 1.0, 0.0], [3.0, 4.0, 2.0, 1.0])
    assert area["fillcolor"] == "rgba(0,114,178,0.15)"
    assert line([0.0], [1.0], "#000000")["showlegend"] is False
    assert line([0.0], [1.0], "#000000", "equal")["name"] == "equal"


def test_figure_names_its_axes():
    layout = figure([], "pressure in GPa", "T in K")["layout"]
    assert layout["xaxis"]["title"]["text"] == "pressure in GPa"
    assert layout["yaxis"]["title"]["text"] == "T in K"
