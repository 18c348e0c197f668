from __future__ import annotations

import pytest

from aiida_dnpmelt.physics.reference_errors import mean_errors


def test_signed_errors_cancel_and_absolute_ones_do_not():
    found = mean_errors([1100.0, 1800.0], [1000.0, 2000.0])
    assert (found.number, found.mean_k, found.mean_absolute_k) == (2, -50.0, 150.0)
    assert (found.mean_percent, found.mean_absolute_percent) == pytest.approx((0.0, 10.0))


@pytest.mark.parametrize(
    ("calculated", "reference", "message"),
    [
        ([], [], "0 calculated and 0 reference temperatures given"),
        ([1.0, 2.0], [1.0], "2 calculated and 1 reference temperatures given"),
        ([1.0, 2.0], [1.0, 0.0], "a reference temperature is 0 K, it must be positive"),
    ],
)
def test_what_cannot_be_compared_is_refused(calculated, reference, message):
    with pytest.raises(ValueError, match=message):
        mean_errors(calculated, reference)
