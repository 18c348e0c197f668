from __future__ import annotations

import pytest
from aiida import orm
from provenance.stored_traces import coexistence, lineage

from aiida_dnpmelt.provenance.compare import compare
from aiida_dnpmelt.report.comparison_text import comparison_lines


@pytest.fixture
def clean(aiida_profile_clean, aiida_localhost):
    """Give the computer of a clean profile."""
    return aiida_localhost


def test_one_result_is_the_same_as_itself(clean):
    chain = lineage(clean).chain
    found = compare(chain.pk, chain.outputs.melting_point.pk)
    assert (found.difference_k, found.sigma, found.settings, found.differences) == (0.0, 0.0, {}, ())
    assert found.frames["both"]["frames"] == 14
    assert list(comparison_lines(found))[-1] == "nothing that they stand on differs"


def test_another_seed_of_the_last_training_is_the_first_ancestor_that_differs(clean):
    one = lineage(clean)
    two = lineage(clean, training_seed=8, melting_temperature_k=1346.4, standard_uncertainty_k=3.0)
    found = compare(one.chain.pk, two.chain.pk)
    (difference,) = (each for each in found.differences if each.kind == "given")
    assert difference.path == "assess_runs.potential < deepmd_train.seed"
    assert (difference.first, difference.second) == ({"value": 7}, {"value": 8})
    assert found.difference_k == pytest.approx(20.0)
    assert found.sigma == pytest.approx(20.0 / (4.6**2 + 3.0**2 - 2 * 0.5**2) ** 0.5)
    assert {name: each["frames"] for name, each in found.frames.items()} == {
        "only_first": 0,
        "only_second": 0,
        "both": 14,
    }
    assert "do not agree" in " ".join(comparison_lines(found))


def test_the_same_input_and_two_versions_are_told_as_such(clean):
    one = lineage(clean)
    chain = coexistence(clean, one.codes["lmp"], one.model, lammps="2 Aug 2023", melting_temperature_k=1204.0)
    again = coexistence(clean, one.codes["lmp"], one.model, melting_temperature_k=985.0)
    found = compare(again.pk, chain.pk)
    assert found.settings["lammps_version"] == ("22 Jul 2025", "2 Aug 2023")
    run = next(each for each in found.differences if each.path.endswith("coexistence") and each.kind == "process")
    assert (run.first["lammps_version"], run.second["lammps_version"]) == ("22 Jul 2025", "2 Aug 2023")


def test_costs_alone_are_no_difference(clean):
    one = lineage(clean)
    two = coexistence(clean, one.codes["lmp"], one.model)
    results = [link.node for link in two.called[0].called[0].base.links.get_outgoing(orm.Dict).all()]
    assert results[0]["core_hours"] == 2.0
    assert compare(one.chain.pk, two.pk).differences == ()


def test_frames_behind_one_alone_are_counted(clean):
    one = lineage(clean)
    two = coexistence(clean, one.codes["lmp"], one.parent)
    frames = compare(one.chain.pk, two.pk).frames
    assert {name: each["frames"] for name, each in frames.items()} == {"only_first": 8, "only_second": 0, "both": 6}


def test_a_node_that_is_none_is_refused(clean):
    with pytest.raises(ValueError, match="no melting temperature"):
        compare(lineage(clean).chain.pk, orm.Int(1).store().pk)
