from __future__ import annotations

import math
import re

import pytest

from aiida_dnpmelt.physics.notation import UNKNOWN, notation


@pytest.mark.parametrize(
    ("value", "uncertainty", "expected"),
    [
        (1333.4, 5.2, "1333(5)"),
        (926.72, 0.41, "926.7(4)"),
        (1321.3, 20.9, "1321(21)"),
        (1333.4, 12.3, "1333(12)"),
        (923.04, 1.0, "923(1)"),
        (923.04, 0.12, "923.04(12)"),
        (923.04, 0.16, "923.04(16)"),
        (923.04, 0.194, "923.04(19)"),
        (923.04, 0.097, "923.04(10)"),
        (923.04, 0.96, "923.0(10)"),
        (0.51234, 0.0042, "0.512(4)"),
        (1290.0, 9.96, "1290(10)"),
        (1290.0, 99.96, "1290(100)"),
        (0.0123, 1.5e-7, "0.01230000(15)"),
        (1321.3, 1.3e6, "1321(1300000)"),
        (-0.3, 2.0, "0(2)"),
        (-0.004, 0.04, "0.00(4)"),
        (-11.2, 2.0, "-11(2)"),
    ],
)
def test_uncertainty_stands_behind_the_last_digits(value, uncertainty, expected):
    assert notation(value, uncertainty) == expected


@pytest.mark.parametrize("uncertainty", [None, 0.0, -1.0, math.nan, math.inf, 1e-300])
@pytest.mark.parametrize(
    ("value", "expected"),
    [(1300.0, "1300"), (926.72, "927"), (12345.6, "12346"), (36.26, "36.3"), (0.0512, "0.0512"), (-0.0, "0")],
)
def test_without_an_uncertainty_the_value_stands_alone(value, uncertainty, expected):
    assert notation(value, uncertainty) == expected


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
@pytest.mark.parametrize("uncertainty", [None, 4.0])
def test_what_is_not_known_is_a_dash(value, uncertainty):
    assert notation(value, uncertainty) == UNKNOWN == "-"


@pytest.mark.parametrize("exponent", range(-9, 7))
@pytest.mark.parametrize("mantissa", [1.0, 1.04, 1.5, 1.96, 2.0, 4.949, 9.49, 9.51, 9.96])
def test_what_is_printed_is_the_uncertainty_to_a_quarter(mantissa, exponent):
    uncertainty = mantissa * 10.0**exponent
    value, decimals, digits = re.fullmatch(r"(\d+(?:\.(\d+))?)\((\d+)\)", notation(1234.5, uncertainty)).groups()
    printed = int(digits) * 10.0 ** -len(decimals or "")
    # Units of K are not divided: 1.5 K is told as 2 K.
    allowed = 0.35 if 1 <= uncertainty < 2 else 0.25
    assert abs(printed / uncertainty - 1) <= allowed
    assert abs(float(value) - 1234.5) <= max(0.51 * 10.0 ** -len(decimals or ""), 1e-9)
