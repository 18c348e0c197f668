from __future__ import annotations

import json

import pytest
from aiida import orm
from provenance.stored_traces import LAMMPS, coexistence, function, lineage, made
from report.stored_melting import potential

from aiida_dnpmelt.provenance.trace import trace


@pytest.fixture
def found(aiida_profile_clean, aiida_localhost):
    """Give a stored lineage."""
    return lineage(aiida_localhost)


def stages(found) -> dict[str, object]:
    return {stage.key: stage for stage in trace(found.chain.pk).stages}


def test_stages_stand_in_their_generations_from_the_result_back(found):
    assert list(stages(found)) == [
        "coexistence-2",
        "training-2",
        "training-1",
        "labels-1",
        "selection-1",
        "exploration-1",
        "labels-0",
        "given-0",
    ]


def test_each_stage_knows_what_it_takes_data_from(found):
    parents = {key: stage.parents for key, stage in stages(found).items()}
    assert parents["training-2"] == ("training-1", "labels-1", "labels-0", "given-0")
    assert parents["labels-1"] == ("selection-1", "given-0")
    assert parents["given-0"] == ()


def test_facts_are_those_of_the_nodes(found):
    by_key = stages(found)
    labels = by_key["labels-1"].facts
    assert labels["incar"] == {"encut": 400, "ismear": 1}
    assert labels["frames"]["by_phase"] == {"liquid": 8}
    assert labels["frames"]["labellers"] == ["VASP 6.4.2, PAW_PBE Cu 22Jun2005"]
    assert labels["programs"]["VASP"] == ["6.4.2"]
    assert by_key["training-2"].facts["seeds"] == [7]
    assert by_key["training-2"].facts["programs"]["DeePMD-kit"] == ["3.2.0"]
    assert by_key["training-2"].facts["potentials"][0]["sha256"] == found.model.sha256
    coexistence = by_key["coexistence-2"].facts
    assert coexistence["settings"] == {"method": "bulk", "timestep_fs": 2.0}
    assert (coexistence["seeds"], coexistence["codes"], coexistence["computers"]) == (
        [101],
        ["stored-lmp"],
        ["localhost"],
    )
    assert coexistence["programs"]["LAMMPS"] == [LAMMPS]


def test_cost_is_summed_by_stage_and_in_all(found):
    by_key = stages(found)
    assert by_key["coexistence-2"].cost.core_hours == 2.0
    assert by_key["labels-0"].cost.unknown == by_key["labels-0"].cost.jobs == 1
    total = trace(found.chain.pk).cost
    assert (total.jobs, total.core_hours, total.atom_steps) == (6, 2 * 1.5 + 0.25 + 2.0, 7e6)


def test_the_dictionary_gives_the_same_as_its_work_chain_and_all_can_be_written(found):
    whole = trace(found.chain.pk).as_dict()
    assert trace(found.chain.outputs.melting_point.pk).as_dict() == whole
    again = json.loads(json.dumps(whole))
    uuids = {node["uuid"] for node in again["nodes"]}
    assert {str(found.first.uuid), str(found.second.uuid), str(found.incar.uuid)} <= uuids
    assert {uuid for link in again["links"] for uuid in link[:2]} == uuids
    assert sorted(uuid for stage in again["stages"] for uuid in stage["nodes"]) == sorted(uuids)


def test_runs_that_gave_a_first_guess_are_a_stage_apart(aiida_profile_clean, aiida_localhost):
    code = orm.InstalledCode(computer=aiida_localhost, filepath_executable="/bin/lmp", label="stored-lmp").store()
    model = potential("given")
    first = coexistence(aiida_localhost, code, model)
    guess = made(function("first_guess.guess_from_points", point=first.outputs.melting_point), "result", orm.Float(1.0))
    second = coexistence(aiida_localhost, code, model, guess=guess, pressure_gpa=5.0)
    jobs = {stage.kind: stage.cost.jobs for stage in trace(second.pk).stages}
    assert jobs == {"coexistence": 1, "earlier coexistence": 1, "given": 0}


def test_what_holds_no_melting_temperature_is_refused(aiida_profile_clean):
    with pytest.raises(ValueError, match="no melting temperature with the pk"):
        trace(orm.Int(1).store().pk)
