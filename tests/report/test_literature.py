from __future__ import annotations

import pytest

from aiida_dnpmelt.report.literature import read_literature

HEAD = "pressure_gpa,temperature_k,uncertainty_k,source\n"


@pytest.fixture
def written(tmp_path):
    """Give a function that writes a file and returns its path."""

    def write(text: str | bytes):
        path = tmp_path / "points.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def test_points_come_by_source_and_pressure(written):
    path = written(f"# mine\n\n{HEAD}# by X-rays\n\n10, 1800, , Brown\n5,1600,30,Brown\n0,1358,1,Adams\n")
    points = [
        (point.source, point.pressure_gpa, point.temperature_k, point.uncertainty_k) for point in read_literature(path)
    ]
    assert points == [("Adams", 0, 1358, 1), ("Brown", 5, 1600, 30), ("Brown", 10, 1800, None)]


def test_uncertainties_may_be_left_out_and_a_spreadsheet_may_have_written_it(written):
    (point,) = read_literature(written("\ufeffsource,temperature_k,pressure_gpa\r\nAdams,1358,0\r\n"))
    assert point.uncertainty_k is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the columns must be pressure_gpa, temperature_k, source and, if known, uncertainty_k; it has none"),
        ("pressure_gpa,temperature_k\n0,1358\n", "it has pressure_gpa, temperature_k"),
        ("pressure_gpa,temperature_k,source,colour\n", "it has pressure_gpa, temperature_k, source, colour"),
        ("pressure_gpa,source,temperature_k,source\n", "it has pressure_gpa, source, temperature_k, source"),
        (HEAD, "has no points"),
        (f"{HEAD}# none\n0,1358,Adams\n", "line 3: it must have 4 values, as the first line has"),
        (f"{HEAD}0,1358,1,Adams,Brown\n", "line 2: it must have 4 values, as the first line has"),
        (
            f"{HEAD}0,1358,1,Adams\n\nx,1358,1,Adams\n",
            "line 4, pressure_gpa: Input should be a valid number.* it is 'x'",
        ),
        (
            f"{HEAD}5000,1358,1,Adams\n",
            "line 2, pressure_gpa: Input should be less than or equal to 1000, it is '5000'",
        ),
        (f"{HEAD}0,-1,1,Adams\n", "line 2, temperature_k: Input should be greater than 0, it is '-1'"),
        (f"{HEAD}0,nan,1,Adams\n", "line 2, temperature_k: Input should be"),
        (f"{HEAD}0,1358,-1,Adams\n", "line 2, uncertainty_k: Input should be greater than or equal to 0, it is '-1'"),
        (f"{HEAD}0,1358,1,\n", "line 2, source: String should have at least 1 character"),
        (b"\xff\xfe\x00", "points.csv cannot be read: "),
    ],
)
def test_what_is_wrong_is_told_with_its_line(written, text, message):
    with pytest.raises(ValueError, match=message):
        read_literature(written(text))
