from __future__ import annotations

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import run_get_node
from deepmd_model import CUTOFF, TYPE_MAP

from aiida_dnpmelt.calculations.deepmd_show import DeepmdShowCalculation


def test_model_becomes_a_potential_linked_to_its_file(tiny_model, dp_code):
    model = orm.SinglefileData(str(tiny_model), label="tiny")
    outputs, job = run_get_node(
        DeepmdShowCalculation, code=dp_code, model=model, origin="doi:10.1/x", licence="CC-BY-4.0"
    )
    assert job.is_finished_ok, job.exit_message
    potential = outputs["potential"]
    assert (potential.pair_style, potential.type_map, potential.cutoff) == ("deepmd", TYPE_MAP, CUTOFF)
    assert (potential.origin, potential.licence, potential.label) == ("doi:10.1/x", "CC-BY-4.0", "tiny")
    assert (potential.filename, potential.format) == ("tiny.pb", "pb")
    assert potential.content == tiny_model.read_bytes()
    assert potential.base.links.get_incoming(link_type=LinkType.CREATE).one().node.uuid == job.uuid
    assert job.inputs.model.uuid == model.uuid
    information = outputs["information"].get_dict()
    assert information["descriptor_type"] == "se_e2_a"
    assert (information["type_map"], information["cutoff"]) == (TYPE_MAP, CUTOFF)
    assert information["deepmd_version"][0].isdigit()
    assert "'neuron': [2, 4]" in information["descriptor"]


def test_published_model_becomes_a_potential(shared_data, dp_code):
    model = orm.SinglefileData(str(shared_data / "dnp" / "Al" / "Al-0.pb"))
    outputs, job = run_get_node(DeepmdShowCalculation, code=dp_code, model=model)
    assert job.is_finished_ok, job.exit_message
    potential = outputs["potential"]
    assert (potential.type_map, potential.cutoff, potential.origin) == (["Al"], 9.0, "")
    assert potential.label == "Al-0.pb"


def test_file_that_is_no_model_ends_with_the_reason(dp_code):
    model = orm.SinglefileData.from_string("I am a graph, trust me", filename="graph.pb")
    outputs, job = run_get_node(DeepmdShowCalculation, code=dp_code, model=model)
    assert job.exit_status == DeepmdShowCalculation.exit_codes.ERROR_NOT_A_MODEL.status
    assert "DecodeError" in job.exit_message
    assert "potential" not in outputs


def test_code_that_is_not_deepmd_ends_with_the_remedy(localhost):
    code = orm.InstalledCode(computer=localhost, filepath_executable="/bin/false", label="false").store()
    model = orm.SinglefileData.from_string("any", filename="graph.pb")
    _, job = run_get_node(DeepmdShowCalculation, code=code, model=model)
    assert job.exit_status == DeepmdShowCalculation.exit_codes.ERROR_NO_OUTPUT.status
    assert "aiida-dnpmelt doctor" in job.exit_message


@pytest.mark.parametrize("name", ["graph.txt", "Cu_u3.eam", "model"])
def test_file_without_a_suffix_of_a_backend_is_refused(dp_code, name):
    model = orm.SinglefileData.from_string("any", filename=name)
    with pytest.raises(ValueError, match=rf"the file is '{name}', a DeePMD model in it ends in \.pb, \.pth, \.pt2"):
        run_get_node(DeepmdShowCalculation, code=dp_code, model=model)
