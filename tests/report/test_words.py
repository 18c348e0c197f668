from __future__ import annotations

import pytest

from aiida_dnpmelt.report import words


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [
        (1331.2, 4.2, "1331(4) K"),
        (926.71, 0.43, "926.7(4) K"),
        (1331.2, None, "1331 K"),
        (None, 4.2, "–"),
        (float("nan"), 1.0, "–"),
        (-0.2, 4.0, "0(4) K"),
        (-12.3, 5.0, "−12(5) K"),
    ],
)
def test_temperatures(value, uncertainty, text):
    assert words.kelvin(value, uncertainty) == text


@pytest.mark.parametrize(("value", "text"), [(3.4, "+3(5)"), (-3.4, "−3(5)"), (None, "–")])
def test_differences_have_a_sign(value, text):
    assert words.signed(value, 5.0) == text


def test_other_numbers():
    assert words.decimals(-0.004, 2) == "0.00"
    assert words.decimals(-0.04, 2) == "−0.04"
    assert words.decimals(None, 2) == "–"
    assert words.interval(1317.0, 1336.4) == "1317 to 1336 K"
    assert words.interval(None, 1336.0) == "–"
    assert [words.millions(value) for value in (2.4e5, 4.0e7, 1.724e8)] == ["0.2", "40.0", "172"]
    assert [words.hours(value) for value in (0.0, 0.00123, 0.0456, 1.234)] == ["0", "0.0012", "0.046", "1.23"]


@pytest.mark.parametrize(
    ("jobs", "unknown", "known", "text"),
    [
        (0, 0, 0.0, "–"),
        (2, 0, 0.0, "0"),
        (2, 0, 1.234, "1.23"),
        (2, 1, 1.234, "at least 1.23"),
        (2, 1, 0.0, "at least 0"),
        (2, 2, 0.0, "not known"),
    ],
)
def test_core_hours_that_are_not_known_are_not_zero(jobs, unknown, known, text):
    assert words.core_hours(jobs, unknown, known) == text
