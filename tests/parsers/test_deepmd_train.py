"""A real training is parsed as it is, and again with what failures leave; their texts are those of DeePMD-kit 3.2.0."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.orm.nodes.links import NodeLinks
from training_jobs import STEPS

from aiida_dnpmelt.calculations.deepmd_train import DeepmdTrainCalculation, splits_of_job
from aiida_dnpmelt.parsers.deepmd_train import DeepmdTrainParser

NO_GPU = "DeePMD-kit: Error message: libcudart.so.12: cannot open shared object file: No such file or directory\n"
NO_CHECKPOINT = (
    f"{NO_GPU}Traceback (most recent call last):\n"
    "AttributeError: 'NoneType' object has no attribute 'model_checkpoint_path'\n"
)
NO_GRAPH = (
    f"{NO_GPU}Traceback (most recent call last):\n"
    "google.protobuf.message.DecodeError: Error parsing message with type 'tensorflow.GraphDef'\n"
)
OUT_OF_MEMORY = "slurmstepd: error: Detected 1 oom_kill event in StepId=4.batch.\n"
NOTHING_LATER = {"freeze.err": None, "compress.err": None, "test.err": None, "test.log": None}


@pytest.fixture
def parse(finished_training, tmp_path):
    """Give a function that parses the finished training with some files changed, as a failure would leave them.

    Files are given by name, None for none; `models` names those that the job still had.
    """

    def run(files, models=("model.pb", "compressed.pb"), status=None):
        node = orm.CalcJobNode(computer=finished_training.computer, process_type=finished_training.process_type)
        for link in finished_training.base.links.get_incoming(link_type=LinkType.INPUT_CALC).all():
            node.base.links.add_incoming(link.node, LinkType.INPUT_CALC, link.link_label)
        node.set_option("scheduler_stderr", "_scheduler-stderr.txt")
        node.store()
        if status is not None:
            node.set_exit_status(status)
        source = finished_training.outputs.retrieved.base.repository
        contents = {name: source.get_object_content(name, mode="rb") for name in source.list_object_names()}
        contents |= {name: text if text is None else text.encode() for name, text in files.items()}
        retrieved = orm.FolderData()
        for name, content in contents.items():
            if content is not None:
                retrieved.base.repository.put_object_from_bytes(content, name)
        retrieved.base.links.add_incoming(node, LinkType.CREATE, "retrieved")
        retrieved.store()
        nodes = {"model.pb": "uncompressed", "compressed.pb": "potential"}
        for name in models:
            (tmp_path / name).write_bytes(finished_training.outputs[nodes[name]].content)
        outputs, process = DeepmdTrainParser.parse_from_node(
            node, store_provenance=False, retrieved_temporary_folder=str(tmp_path)
        )
        return outputs, process.exit_status, process.exit_message

    return run


def status(name: str) -> int:
    return DeepmdTrainCalculation.exit_codes[name].status


def test_results_of_a_finished_training(finished_training):
    assert finished_training.is_finished_ok, finished_training.exit_message
    results = finished_training.outputs.results.get_dict()
    expected = {
        "finished": True,
        "steps": STEPS,
        "last_step": STEPS,
        "checkpoint_step": STEPS,
        "learning_rate": 1e-4,
        "frames_training": 9,
        "frames_validation": 3,
        "warnings": [],
    }
    assert {key: results[key] for key in expected} == expected
    assert results["wall_time_s"] > 0
    assert results["core_hours"] > 0
    assert results["seconds_per_step"] > 0
    assert results["deepmd_version"].startswith("3.")


def test_errors_are_those_of_the_model_on_each_set(finished_training):
    results = finished_training.outputs.results.get_dict()
    sets = results["sets"]
    assert {(name, part): values["frames"] for name, parts in sets.items() for part, values in parts.items()} == {
        ("cold", "training"): 6,
        ("cold", "validation"): 2,
        ("hot", "training"): 3,
        ("hot", "validation"): 1,
    }
    assert (
        sets["cold"]["training"]["rmse_force_ev_per_angstrom"] < sets["hot"]["training"]["rmse_force_ev_per_angstrom"]
    )
    for part, weights in (("training", (6, 3)), ("validation", (2, 1))):
        squares = [sets[name][part]["rmse_force_ev_per_angstrom"] ** 2 for name in ("cold", "hot")]
        mean = np.sqrt(np.average(squares, weights=weights))
        assert results[f"rmse_force_{part}_ev_per_angstrom"] == pytest.approx(mean)
    # Of one frame, the error is the offset.
    single = sets["hot"]["validation"]
    assert abs(single["energy_offset_mev_per_atom"]) == pytest.approx(single["rmse_energy_mev_per_atom"], rel=1e-4)
    assert 0 < results["rmse_energy_training_mev_per_atom"] < 1000


def test_learning_curve_has_all_rows(finished_training):
    curve = finished_training.outputs.learning_curve
    np.testing.assert_array_equal(curve.get_array("step"), [0, 50, 100, 150, 200])
    assert curve.get_array("learning_rate")[-1] == pytest.approx(1e-4)
    assert np.isfinite(curve.get_array("rmse_force_validation_ev_per_angstrom")).all()


@pytest.mark.parametrize(
    ("files", "models", "scheduler", "code", "message"),
    [
        ({"version.txt": None, "version.err": "dp: command not found\n"}, (), None, "ERROR_NO_OUTPUT", "not found"),
        ({"lcurve.out": ""}, ("model.pb", "compressed.pb"), None, "ERROR_LEARNING_CURVE_MISSING", "train again"),
        ({"freeze.err": NO_CHECKPOINT}, (), None, "ERROR_FREEZE_FAILED", "model_checkpoint_path"),
        ({"freeze.err": NO_GPU}, (), None, "ERROR_INTERRUPTED", f"at step {STEPS}"),
        ({"freeze.err": NO_GPU}, (), 120, "ERROR_OUT_OF_WALLTIME", f"at step {STEPS}"),
        ({"compress.err": NO_GRAPH}, ("model.pb",), None, "ERROR_COMPRESS_FAILED", "DecodeError"),
        ({"test.log": "", "test.err": NO_GRAPH}, ("model.pb", "compressed.pb"), None, "ERROR_TEST_FAILED", "Decode"),
        (
            {"test.log": "", "test.err": "Killed\n"},
            ("model.pb", "compressed.pb"),
            110,
            "ERROR_OUT_OF_MEMORY",
            "scheduler",
        ),
        ({"train.log": "", "train.err": NO_GPU, **NOTHING_LATER}, (), None, "ERROR_INTERRUPTED", "cut at step 200"),
        ({"train.log": "", **NOTHING_LATER}, (), 120, "ERROR_OUT_OF_WALLTIME", "at step 200"),
        (
            {"train.log": "", "_scheduler-stderr.txt": OUT_OF_MEMORY, **NOTHING_LATER},
            (),
            None,
            "ERROR_OUT_OF_MEMORY",
            "oom",
        ),
        ({"train.log": "", "train.err": NO_GRAPH, **NOTHING_LATER}, (), None, "ERROR_SETTINGS_REFUSED", "DecodeError"),
        (
            {"train.log": "start training at lr 1.0", "train.err": NO_GRAPH, **NOTHING_LATER},
            (),
            None,
            "ERROR_DEEPMD",
            "DecodeError",
        ),
    ],
)
def test_each_failure_has_its_exit_code_and_its_reason(parse, files, models, scheduler, code, message):
    outputs, exit_status, exit_message = parse(files, models, scheduler)
    assert exit_status == status(code), exit_message
    assert message in exit_message
    assert ("potential" in outputs) == ("compressed.pb" in models)
    if "version.txt" not in files:
        assert "results" in outputs
        assert ("learning_curve" in outputs) == ("lcurve.out" not in files)


def test_codes_of_the_machine_invalidate_the_cache():
    codes = DeepmdTrainCalculation.exit_codes
    machine = [code for code in codes.values() if 300 < code.status < 310 or code.status in (401, 402)]
    assert len(machine) == 7
    assert all(code.invalidates_cache for code in machine)


def test_log_and_tests_cut_anywhere_never_raise(parse, finished_training):
    source = finished_training.outputs.retrieved.base.repository
    for name in ("train.log", "test.log"):
        text = source.get_object_content(name)
        for length in (len(text) // 3, len(text) - 200):
            _, exit_status, _ = parse({name: text[:length]})
            assert exit_status in (0, status("ERROR_INTERRUPTED"))


def test_inputs_are_read_once_however_many_sets_there_are(parse, finished_training, monkeypatch):
    asked = []
    read = NodeLinks.get_stored_link_triples

    def counting(self, *arguments, **keywords):
        found = read(self, *arguments, **keywords)
        if any(triple.link_label.startswith("frames__") for triple in found):
            asked.append(len(found))
        return found

    monkeypatch.setattr(NodeLinks, "get_stored_link_triples", counting)
    splits_of_job(finished_training)
    assert len(asked) == 1
    asked.clear()
    outputs, status, message = parse({})
    assert len(asked) == 3  # by the fixture, by AiiDA, and by the parser
    assert status == 0, message
    assert set(outputs["results"]["sets"]) == set(finished_training.inputs.frames)
