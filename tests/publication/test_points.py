from __future__ import annotations

from dataclasses import replace

import pytest
from aiida.manage import get_manager
from publication.stored_publications import finished_point

from aiida_dnpmelt.publication.points import check_points
from aiida_dnpmelt.publication.selection import select
from aiida_dnpmelt.publication.tables import points_in
from aiida_dnpmelt.publication.traces import Names


def test_other_values_are_found(aiida_profile):
    backend = get_manager().get_profile_storage()
    points = points_in(select([str(finished_point().pk)]).pks)
    check_points(backend, points, None)
    for key, value in (("melting_temperature_k", 1326.5), ("reasons", [])):
        changed = [replace(point, details={**point.details, key: value}) for point in points]
        with pytest.raises(ValueError, match=f"melting point {points[0].node_pk} is not in the archive as it is"):
            check_points(backend, changed, None)


def test_words_that_were_taken_out_are_no_difference(aiida_profile):
    backend = get_manager().get_profile_storage()
    (point,) = points_in(select([str(finished_point().pk)]).pks)
    named = [replace(point, details={**point.details, "potential_label": "of hades.example.org"})]
    with pytest.raises(ValueError, match="not in the archive"):
        check_points(backend, named, None)
    same = [replace(point, details={**point.details, "protocol": "balanced"})]
    check_points(backend, same, Names({"hades.example.org": "host name of a computer"}, {}))
