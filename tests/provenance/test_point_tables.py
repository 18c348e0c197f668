from __future__ import annotations

import pytest
from provenance.stored_points import invalid, store

from aiida_dnpmelt.provenance.point_tables import group_points, record, sort_points, table
from aiida_dnpmelt.provenance.query import melting_points


@pytest.fixture
def points(aiida_profile_clean):
    """Give four melting points, two of them at one pressure, one without a number."""
    store(melting_temperature_k=1300.0, standard_uncertainty_k=3.0, protocol="fast", timestep_uncertainty_k=0.0)
    store(melting_temperature_k=1310.0, standard_uncertainty_k=4.0, timestep_uncertainty_k=0.0)
    store(melting_temperature_k=1500.0, standard_uncertainty_k=5.0, pressure_gpa=5.0)
    store(**invalid(pressure_gpa=10.0))
    return melting_points(everything=True)


def test_groups_have_the_weighted_mean_and_what_tells_whether_it_is_one(points):
    first, second, third = group_points(points, ["element", "pressure"])
    assert (first.verdicts, third.verdicts) == ({"valid": 2}, {"invalid": 1})
    assert first.values == {"element": "Cu", "pressure_gpa": 0.0}
    assert first.mean_k == pytest.approx((1300 / 9 + 1310 / 16) / (1 / 9 + 1 / 16))
    assert first.standard_uncertainty_k == pytest.approx((1 / 9 + 1 / 16) ** -0.5)
    assert first.chi2 == pytest.approx(100 / 25)
    assert first.spread_k == pytest.approx(50**0.5)
    assert (second.notation, second.spread_k, second.chi2) == ("1500(5)", None, pytest.approx(0))
    assert (third.mean_k, third.notation, len(third.pks)) == (None, "-", 1)


def test_the_time_step_of_a_group_is_not_averaged_out(aiida_profile_clean):
    """Three points of 2 K of their own and 3 K in common: sqrt(4/3 + 9) = 3.21 K."""
    for value in (1300.0, 1302.0, 1304.0):
        store(melting_temperature_k=value, standard_uncertainty_k=13**0.5, timestep_uncertainty_k=3.0)
    (found,) = group_points(melting_points(everything=True), ["element"])
    assert (found.mean_k, found.standard_uncertainty_k) == (pytest.approx(1302.0), pytest.approx(3.2146, abs=1e-4))
    assert found.chi2 == pytest.approx(8 / 4)


def test_points_are_sorted_both_ways_and_those_without_a_value_come_last(points):
    def values(*names: str) -> list[float | None]:
        return [point.melting_temperature_k for point in sort_points(points, names)]

    assert values("temperature") == [1300.0, 1310.0, 1500.0, None]
    assert values("-melting_temperature_k") == [1500.0, 1310.0, 1300.0, None]
    assert values("-pressure", "protocol") == [None, 1500.0, 1310.0, 1300.0]


def test_an_unknown_key_is_refused(points):
    for call in (lambda: sort_points(points, ["size"]), lambda: group_points(points, ["size"])):
        with pytest.raises(ValueError, match="'size' is no key of a melting point"):
            call()


def test_the_table_has_a_row_for_each_record(points):
    found = table(points)
    assert list(found["pk"]) == [point.pk for point in points]
    assert set(found.columns) == {key for point in points for key in record(point)}
    assert found["melting_temperature_k"].max() == 1500.0
    assert str(found["created"].dt.tz) == "UTC"
    assert len(table([])) == 0
