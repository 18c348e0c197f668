from __future__ import annotations

import pytest
from aiida import orm
from provenance.stored_points import POINT

from aiida_dnpmelt.calculations.first_guess import guess_from_points


def point(**changes) -> orm.Dict:
    return orm.Dict({**POINT, **changes})


def test_guess_comes_from_the_best_points_and_has_links_to_them(aiida_profile):
    points = {
        "point_1": point(melting_temperature_k=1300.0),
        "point_2": point(pressure_gpa=5.0, melting_temperature_k=1600.0, verdict="unfinished"),
        "point_3": point(pressure_gpa=5.0, melting_temperature_k=1500.0),
        "point_4": point(pressure_gpa=5.0, melting_temperature_k=1400.0, standard_uncertainty_k=50.0),
    }
    guess = guess_from_points(orm.Float(10.0), **points)
    assert guess.value == pytest.approx(1700.0)
    inputs = guess.creator.base.links.get_incoming().all_nodes()
    assert {node.pk for node in points.values()} < {node.pk for node in inputs}
