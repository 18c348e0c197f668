from __future__ import annotations

import pytest

from aiida_dnpmelt.physics.first_guess import guess_temperature_k


@pytest.mark.parametrize(
    ("pressure", "points", "expected"),
    [
        (10.0, [(0.0, 1300.0)], 1300.0),
        (0.0, [(0.0, 1300.0), (5.0, 1500.0)], 1300.0),
        (10.0, [(0.0, 1300.0), (5.0, 1500.0)], 1700.0),
        (10.0, [(5.0, 1500.0), (0.0, 1300.0)], 1700.0),
        (2.5, [(0.0, 1300.0), (5.0, 1500.0)], 1400.0),
        (10.0, [(0.0, 1300.0), (5.0, 1500.0), (20.0, 1900.0)], 1700.0),
        (10.0, [(0.0, 1300.0), (5.0, 1500.0), (5.0, 9999.0)], 1700.0),
        (20.0, [(0.0, 454.0), (10.0, 400.0)], 346.0),
        (1000.0, [(0.0, 1300.0), (5.0, 1500.0)], 1500.0 * 1.3),
        (1000.0, [(0.0, 1500.0), (5.0, 1300.0)], 1300.0 * 0.7),
    ],
    ids=[
        "one point",
        "same pressure",
        "line",
        "any order",
        "between",
        "two nearest, the lower first",
        "first of a pressure",
        "maximum",
        "bound above",
        "bound below",
    ],
)
def test_guess_follows_the_points_that_are_near(pressure, points, expected):
    assert guess_temperature_k(pressure, points) == pytest.approx(expected)


def test_nothing_gives_no_guess():
    with pytest.raises(ValueError, match="no melting temperature is given"):
        guess_temperature_k(5.0, [])
