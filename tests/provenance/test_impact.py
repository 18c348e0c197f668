from __future__ import annotations

import pytest
from aiida import orm
from provenance.stored_traces import LAMMPS, coexistence, function, lineage, made
from report.stored_melting import potential

from aiida_dnpmelt.provenance.impact import impact, impact_of_version


@pytest.fixture
def found(aiida_profile_clean, aiida_localhost):
    """Give a stored lineage, and beside it a melting temperature of another potential."""
    stored = lineage(aiida_localhost)
    other = coexistence(aiida_localhost, stored.codes["lmp"], potential("another"), lammps="2 Aug 2023")
    return stored, other


def test_each_ancestor_is_answered_by_what_stands_on_it(found):
    stored, other = found
    for node in (stored.first, stored.second, stored.parent, stored.model, stored.incar, stored.codes["vasp"]):
        assert impact(str(node.pk)).chains == (stored.chain.pk,)
        assert impact(str(node.uuid)).chains == (stored.chain.pk,)
    assert impact(str(stored.codes["lmp"].pk)).chains == (stored.chain.pk, other.pk)
    for name in ("label_first", "training_01", "coexistence"):
        assert impact(str(stored.jobs[name].pk)).chains == (stored.chain.pk,)


def test_nothing_stands_on_a_node_beside_the_way(found):
    stored, _ = found
    check = made(function("vasp_frames.take_labels", run=stored.incar), "frames", orm.Dict({}))
    assert impact(str(check.pk)).chains == ()


def test_a_work_chain_stands_for_all_that_it_called(found, aiida_localhost):
    stored, other = found
    guess = made(function("first_guess.guess_from_points", point=other.outputs.melting_point), "result", orm.Float(1.0))
    third = coexistence(aiida_localhost, stored.codes["lmp"], potential("third"), guess=guess)
    assert impact(str(other.pk)).chains == (other.pk, third.pk)
    assert impact(str(third.pk)).chains == (third.pk,)


def test_a_group_stands_for_its_nodes(found):
    stored, other = found
    group = orm.Group(label="import/set").store()
    with pytest.raises(ValueError, match="group 'import/set' is empty"):
        impact("import/set")
    group.add_nodes([stored.first, other.inputs.potential])
    assert impact("import/set").chains == (stored.chain.pk, other.pk)


def test_a_version_stands_for_the_jobs_that_it_ran(found):
    stored, other = found
    assert impact_of_version("LAMMPS", "2 Aug 2023").chains == (other.pk,)
    assert impact_of_version("LAMMPS", LAMMPS).chains == (stored.chain.pk,)
    assert impact_of_version("VASP", "6.4.2").chains == (stored.chain.pk,)
    assert impact_of_version("DeePMD-kit", "3.2.0").chains == (stored.chain.pk,)
    with pytest.raises(ValueError, match="no job was run by VASP 5"):
        impact_of_version("VASP", "5")


def test_the_result_of_a_whole_chain_stands_on_what_its_points_do(found):
    stored, _ = found
    from report.stored_melting import chain_node, end, give

    whole = chain_node("melting")
    result = function("melting.melting_result", whole, point_seed_1=stored.chain.outputs.melting_point)
    give(whole, melting=made(result, "result", orm.Dict({"melting_temperature_k": 1.0})))
    end(whole)
    assert impact(str(stored.first.pk)).wholes == (whole.pk,)


def test_what_is_not_there_is_refused(aiida_profile_clean):
    with pytest.raises(ValueError, match="no node and no group 'nothing'"):
        impact("nothing")
