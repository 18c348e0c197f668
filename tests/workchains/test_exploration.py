"""How an exploration ends when one of its parts fails; a whole one is part of the loop of adaptive learning."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from coexistence_jobs import copper
from exploration_jobs import COLLAPSING, SETTINGS, as_deepmd, committee

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.workchains.exploration import ExplorationWorkChain

CODES = ExplorationWorkChain.exit_codes


@pytest.fixture
def inputs(lmp_code, lmp_deepmd_code, tiny_model, other_model, potentials_folder) -> dict[str, Any]:
    """Give the inputs of one short run whose frames are all candidates."""
    teacher = PotentialData.get_or_create(potentials_folder / "Cu_mishin1.eam.alloy")
    run = {"phase": "solid", "temperature_factors": [1.0], "minimum_atoms": 32}
    return {
        "structure": copper(),
        "potentials": committee(tiny_model, other_model),
        "temperature": orm.Float(300.0),
        "seed": orm.Int(3),
        "runs": orm.Dict({"runs": {"solid": run}}),
        "exploration_settings": orm.Dict(SETTINGS),
        "selection": orm.Dict({"lower_ev_per_angstrom": 0.0, "upper_ev_per_angstrom": 1000.0}),
        "exploration": {"code": lmp_deepmd_code},
        "labelling": {"code": lmp_code, "potential": teacher},
    }


def test_without_a_frame_there_is_nothing_to_label(inputs):
    # No crystal at a temperature keeps its volume to one part in ten thousand.
    settings = {**SETTINGS, "maximum_volume_factor": 1.0001, "equilibrate_ps": 0.2}
    node = run_get_node(ExplorationWorkChain, **{**inputs, "exploration_settings": orm.Dict(settings)}).node
    assert node.exit_status == CODES.ERROR_NO_EXPLORATION.status, node.exit_message
    assert "solid: No frame was reached within the bounds" in node.exit_message
    assert set(node.outputs) == set()


def test_frames_that_nobody_can_label_are_told_and_deviations_kept(inputs):
    # A thousandth of the force that an atom feels is asked for: every label is dropped.
    changed = {**inputs, "label_settings": orm.Dict({"maximum_force_ev_per_angstrom": 1e-4})}
    node = run_get_node(ExplorationWorkChain, **changed).node
    assert node.exit_status == CODES.ERROR_NO_LABELS.status, node.exit_message
    assert "label_candidates: No frame got a label that can be used" in node.exit_message
    assert "solid" in node.outputs.deviations
    assert node.outputs.selection.solid["taken"] > 0


def test_a_model_that_cannot_be_tested_ends_it_and_labels_are_kept(inputs, lmp_deepmd_code):
    # This LAMMPS dies in whatever is no exploration.
    code = orm.InstalledCode(
        computer=lmp_deepmd_code.computer,
        filepath_executable=str(lmp_deepmd_code.filepath_executable),
        label="lmp-explores-only",
        default_calc_job_plugin=lmp_deepmd_code.default_calc_job_plugin,
        prepend_text=f"{lmp_deepmd_code.prepend_text}\ngrep -q out_freq input.in || exit 1",
    ).store()
    node = run_get_node(ExplorationWorkChain, **{**inputs, "exploration": {"code": code}}).node
    assert node.exit_status == CODES.ERROR_TEST_FAILED.status, node.exit_message
    assert "model_0: Two jobs came to no end" in node.exit_message
    assert len(node.outputs.frames.candidates_solid.frames) == node.outputs.selection.solid["taken"]
    assert "comparison" not in node.outputs


def test_temperatures_that_were_not_explored_to_the_end_are_told(inputs, code_that, lmp_deepmd_code):
    # LAMMPS dies at the beginning of the second of three temperatures.
    code = as_deepmd(code_that(COLLAPSING.format(before="print .dnpmelt stage sample_", run=2)), lmp_deepmd_code)
    run = {"phase": "solid", "temperature_factors": [0.1, 0.2, 0.3], "minimum_atoms": 32}
    # Nothing is labelled: the work chain ends after the selection.
    nothing = orm.Dict({"lower_ev_per_angstrom": 999.0, "upper_ev_per_angstrom": 1000.0})
    changed = {"runs": orm.Dict({"runs": {"solid": run}}), "selection": nothing, "exploration": {"code": code}}
    node = run_get_node(ExplorationWorkChain, **{**inputs, **changed}).node
    assert node.is_finished_ok, node.exit_message
    parts = node.outputs.selection.solid["by_temperature"]
    assert [(part["temperature_k"], part["ended"]) for part in parts] == [
        (30.0, "complete"),
        (60.0, "exploded"),
        (90.0, "not_started"),
    ]
    assert (parts[0]["frames_seen"], parts[2]["frames_seen"]) == (11, 0)
    reports = "\n".join(log.message for log in orm.Log.collection.get_logs_for(node))
    assert "of 11 frames: it exploded" in reports or "solid at 60 K left no frame: it exploded" in reports
    assert "solid at 90 K left no frame: it was not begun" in reports


def test_models_and_labeller_must_know_the_element(inputs, tiny_model, potentials_folder):
    nickel = {name: PotentialData(tiny_model, pair_style="deepmd", type_map=["Ni"], cutoff=3.5) for name in "ab"}
    with pytest.raises(ValueError, match=r"potentials.a: it has no Cu, it knows Ni"):
        run_get_node(ExplorationWorkChain, **{**inputs, "potentials": nickel})
    aluminium = PotentialData.get_or_create(potentials_folder / "Al_mm.eam.fs")
    labelling = {**inputs["labelling"], "potential": aluminium}
    with pytest.raises(ValueError, match=r"labelling: potential: it has no Cu, it knows Al"):
        run_get_node(ExplorationWorkChain, **{**inputs, "labelling": labelling})
