from __future__ import annotations

import pytest
from aiida import orm
from provenance.stored_points import store

from aiida_dnpmelt.calculations.melting_curve import melting_curve
from aiida_dnpmelt.provenance.intervals import HIGHS, LOWS, interval_in, interval_of, intervals_in, with_intervals


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"interval_low_k": 1297.0, "interval_high_k": 1337.0}, (1297.0, 1337.0)),
        ({"interval_low_k": None, "interval_high_k": 1337.0}, None),
        ({"interval_low_k": float("nan"), "interval_high_k": 1337.0}, None),
        ({}, None),
    ],
)
def test_intervals_are_those_on_record(values, expected):
    assert interval_of(values) == expected
    assert interval_of({f"corrected_{key}": value for key, value in values.items()}, "corrected_") == expected


def test_intervals_that_are_pairs_are_read():
    assert interval_in({"predicted_shift_95_k": [-3, 5]}, "predicted_shift_95_k") == (-3.0, 5.0)
    assert interval_in({"predicted_shift_95_k": None}, "predicted_shift_95_k") is None
    assert interval_in({}, "predicted_shift_95_k") is None


def test_points_of_a_curve_have_the_intervals_of_what_it_was_made_of(aiida_profile_clean):
    chains = [
        store(pressure_gpa=pressure, melting_temperature_k=value, interval_low_k=value - 12, interval_high_k=high)
        for pressure, value, high in ((0.0, 1326.0, 1344.0), (10.0, 1650.0, 1660.0), (5.0, 1495.0, None))
    ]
    curve = melting_curve(**{f"point_{chain.pk}": chain.outputs.melting_point for chain in chains})
    found = with_intervals(curve)
    assert found["pressures_gpa"] == [0.0, 5.0, 10.0]
    assert (found[LOWS], found[HIGHS]) == ([1314.0, None, 1638.0], [1344.0, None, 1660.0])
    assert intervals_in(found) == [(1314.0, 1344.0), None, (1638.0, 1660.0)]
    assert {key: value for key, value in found.items() if key not in (LOWS, HIGHS)} == curve.get_dict()


def test_without_the_points_no_interval_is_known(aiida_profile_clean):
    alone = orm.Dict({"melting_temperatures_k": [1326.0], "standard_uncertainties_k": [4.6]})
    assert intervals_in(with_intervals(alone.store())) == [None]
    assert intervals_in(alone.get_dict()) == [None]
