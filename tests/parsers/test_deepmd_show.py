"""The texts are those of DeePMD-kit 3.2.0, shortened: `dp show --log-path show.log MODEL type-map descriptor`."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_dnpmelt.calculations.deepmd_show import DeepmdShowCalculation
from aiida_dnpmelt.parsers.deepmd_show import DeepmdShowParser, read_log

VERSION = "DeePMD-kit v3.2.0\n"
PREFIX = "[2026-11-22 17:45:51,770] DEEPMD INFO    deepmd.entrypoints.show                       "
SINGLE = f"{PREFIX}This is a singletask model\n"
TYPE_MAP = f"{PREFIX}The type_map is ['Al', 'Cu']\n"
DESCRIPTOR = (
    f"{PREFIX}The descriptor parameter is {{'type': 'se_e2_a', 'sel': [308], 'rcut_smth': 2.0, 'rcut': 9.0, "
    "'neuron': [25, 50, 100], 'resnet_dt': False, 'axis_neuron': 16}\n"
)
LOG = SINGLE + TYPE_MAP + DESCRIPTOR
NO_GPU = (
    "DeePMD-kit: Cannot find libcudart.so.12\n"
    "DeePMD-kit: Error message: libcudart.so.12: cannot open shared object file: No such file or directory\n"
    "implib-gen: libcudart.so.12: failed to load library 'libcudart.so.12' via callback 'DP_cudart_dlopen'\n"
)
NO_TORCH = (
    f"{NO_GPU}Traceback (most recent call last):\n"
    '  File "deepmd/pt/cxx_op.py", line 11, in <module>\n'
    "    import torch\n"
    "ModuleNotFoundError: No module named 'torch'\n"
    f"{NO_GPU}"
)
NOT_A_GRAPH = (
    f"{NO_GPU}Traceback (most recent call last):\n"
    "    graph_def.ParseFromString(f.read())\n"
    "google.protobuf.message.DecodeError: Error parsing message with type 'tensorflow.GraphDef'\n"
    f"{NO_GPU}"
)
MULTITASK = f"{PREFIX}This is a multitask model\n{PREFIX}The type_map of branch a is ['Al']\n"
NO_DESCRIPTOR = f"{PREFIX}Descriptor parameters not available (model was not frozen with training config).\n"


@pytest.fixture
def parse(localhost):
    """Give a function that parses what a job left, and returns its outputs and its exit code."""

    def run(version: str | None, log: str | None, errors: str | None):
        node = orm.CalcJobNode(computer=localhost, process_type="aiida.calculations:dnpmelt.deepmd_show")
        model = orm.SinglefileData.from_string("model", filename="graph.pb").store()
        node.base.links.add_incoming(model, LinkType.INPUT_CALC, "model")
        node.store()
        retrieved = orm.FolderData()
        for name, text in {"version.txt": version, "show.log": log, "show.err": errors}.items():
            if text is not None:
                retrieved.base.repository.put_object_from_bytes(text.encode(), name)
        retrieved.base.links.add_incoming(node, LinkType.CREATE, "retrieved")
        retrieved.store()
        outputs, process = DeepmdShowParser.parse_from_node(node, store_provenance=False)
        return outputs, process.exit_status, process.exit_message

    return run


def status(name: str) -> int:
    return DeepmdShowCalculation.exit_codes[name].status


def test_harmless_words_on_stderr_are_no_failure(parse):
    outputs, exit_status, _ = parse(VERSION, LOG, NO_GPU)
    assert exit_status == 0
    assert outputs["potential"].type_map == ["Al", "Cu"]
    assert outputs["information"].get_dict() == {
        "deepmd_version": "3.2.0",
        "type_map": ["Al", "Cu"],
        "cutoff": 9.0,
        "descriptor_type": "se_e2_a",
        "descriptor": DESCRIPTOR.split(" is ")[1].strip(),
    }


@pytest.mark.parametrize(
    ("version", "log", "errors", "code", "message"),
    [
        (None, None, None, "ERROR_NO_OUTPUT", "aiida-dnpmelt doctor"),
        ("", None, "bash: dp: command not found\n", "ERROR_NO_OUTPUT", "dp: command not found"),
        (VERSION, None, NO_GPU, "ERROR_OUTPUT_INCOMPLETE", "run it again"),
        (VERSION, SINGLE, NO_GPU, "ERROR_OUTPUT_INCOMPLETE", "run it again"),
        (VERSION, SINGLE + TYPE_MAP, NO_GPU, "ERROR_OUTPUT_INCOMPLETE", "run it again"),
        (VERSION, "", NO_TORCH, "ERROR_BACKEND_MISSING", "No module named 'torch'"),
        (VERSION, "", NOT_A_GRAPH, "ERROR_NOT_A_MODEL", "DecodeError: Error parsing message"),
        (VERSION, MULTITASK, NO_GPU, "ERROR_MULTITASK_MODEL", "dp freeze --head"),
        (VERSION, SINGLE + TYPE_MAP + NO_DESCRIPTOR, NO_GPU, "ERROR_NO_CUTOFF", "freeze its checkpoint again"),
        (VERSION, LOG.replace("'Cu'", "'Xy'"), NO_GPU, "ERROR_NOT_A_POTENTIAL", "type_map is ['Al', 'Xy']"),
        (VERSION, LOG.replace("'rcut': 9.0", "'rcut': 0.0"), NO_GPU, "ERROR_NOT_A_POTENTIAL", "cutoff is 0.0"),
        (VERSION, LOG.replace("['Al', 'Cu']", "[]"), NO_GPU, "ERROR_NOT_A_POTENTIAL", "type_map is []"),
    ],
)
def test_each_failure_has_its_exit_code_and_its_reason(parse, version, log, errors, code, message):
    outputs, exit_status, exit_message = parse(version, log, errors)
    assert exit_status == status(code)
    assert message in exit_message
    assert "potential" not in outputs


def test_log_cut_anywhere_never_raises(parse):
    for length in range(0, len(LOG), 97):
        _, exit_status, _ = parse(VERSION, LOG[:length], NO_GPU)
        assert exit_status == status("ERROR_OUTPUT_INCOMPLETE")


@pytest.mark.parametrize(
    ("descriptor", "kind", "cutoff"),
    [
        (
            "{'type': 'hybrid', 'list': [{'type': 'se_e2_a', 'rcut': 6.0}, {'type': 'se_e3', 'rcut': 4.5}]}",
            "hybrid",
            6.0,
        ),
        ("{'type': 'dpa2', 'repinit': {'rcut': 9.0, 'three_body_rcut': 4}, 'repformer': {'rcut': 4.0}}", "dpa2", 9.0),
        ("{'type': 'dpa3', 'repflow': {'e_rcut': 6.0, 'e_rcut_smth': 5.3, 'a_rcut': 4.0}}", "dpa3", 6.0),
        ("{'type': 'se_e2_a', 'rcut': 6, 'rcut_smth': 0.5}", "se_e2_a", 6.0),
        ("{'type': 'se_e2_a', 'rcut_smth': 8.5}", "se_e2_a", None),
    ],
)
def test_cutoff_is_the_largest_of_the_descriptor(descriptor, kind, cutoff):
    description = read_log(f"{TYPE_MAP}{PREFIX}The descriptor parameter is {descriptor}\n")
    assert (description.descriptor_type, description.cutoff) == (kind, cutoff)
