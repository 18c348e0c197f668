"""How an exploration ends when one of its parts fails; a whole one is part of the loop of adaptive learning."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from coexistence_jobs import copper
from exploration_jobs import SETTINGS, committee

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
