from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from physics.synthetic_frames import copper_frames
from training_jobs import frames_nodes, settings_with

from aiida_dnpmelt.calculations.deepmd_input import derive_seeds
from aiida_dnpmelt.calculations.deepmd_settings import refusal
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.workchains.deepmd_training import DeepmdTrainingWorkChain
from aiida_dnpmelt.workchains.protocols import load_protocols
from aiida_dnpmelt.workchains.training import TrainingWorkChain

CODES = TrainingWorkChain.exit_codes
STEPS = 100


def open_settings(**changes: Any) -> dict[str, Any]:
    """Return the settings without what the work chain fills from the frames."""
    settings = settings_with(**changes)
    del settings["model"]["type_map"], settings["model"]["descriptor"]["sel"]
    return settings


def chain_inputs(code: orm.InstalledCode, **changes: Any) -> dict[str, Any]:
    inputs = {
        "frames": frames_nodes(),
        "settings": open_settings(),
        "seeds": [1, 2, 3],
        "quorum": 2,
        "sel_margin": 1.5,
        "steps": STEPS,
        "validation_share": 0.25,
        "split_seed": 3,
        "training": {"calc": {"code": code}},
    }
    return {**inputs, **changes}


def trainings_of(chain: orm.WorkChainNode) -> dict[str, orm.WorkChainNode]:
    return {node.label: node for node in chain.called if node.process_class is DeepmdTrainingWorkChain}


def first_error(training: orm.WorkChainNode) -> float:
    return float(training.outputs.learning_curve.get_array("rmse_energy_training_ev_per_atom")[0])


def test_models_differ_by_their_seeds_one_begins_warm_and_one_may_fail(dp_that, finished_training):
    """The third training fails for its seed: DeePMD-kit is not run. The second begins with a trained model."""
    seed = derive_seeds(3).training
    code = dp_that(f'grep -q {seed} input.json && exit 1\nexec "$DP" "$@"')
    parent = finished_training.outputs.uncompressed
    chain = run_get_node(TrainingWorkChain, **chain_inputs(code, parent_models={"seed_2": parent})).node
    assert chain.is_finished_ok, chain.exit_message
    outputs = chain.outputs
    assert set(outputs.potentials) == set(outputs.uncompressed) == {"seed_1", "seed_2"}
    assert outputs.potentials.seed_1.sha256 != outputs.potentials.seed_2.sha256
    assert outputs.uncompressed.seed_1.uuid == outputs.potentials.seed_1.uuid

    settings = outputs.settings
    assert settings["model"]["type_map"] == ["Cu"]
    assert settings["model"]["descriptor"]["sel"] == [60]
    assert settings.creator.process_label == "complete_settings"
    trainings = trainings_of(chain)
    assert set(trainings) == {"seed_1", "seed_2", "seed_3"}
    assert all(node.inputs.calc.settings.uuid == settings.uuid for node in trainings.values())
    assert "parent_model" not in trainings["seed_1"].inputs.calc
    assert trainings["seed_2"].inputs.calc.parent_model.uuid == parent.uuid
    assert first_error(trainings["seed_2"]) < 0.5 * first_error(trainings["seed_1"])

    results = outputs.results.get_dict()
    assert results["number_of_potentials"] == 2
    assert results["trainings"]["seed_2"]["seeds"] == derive_seeds(2).by_name
    errors = [values["rmse_force_validation_ev_per_angstrom"] for values in results["trainings"].values()]
    assert results["largest_rmse_force_validation_ev_per_angstrom"] == max(errors)
    assert results["core_hours"] == pytest.approx(sum(v["core_hours"] for v in results["trainings"].values()))
    assert (results["frames_training"], results["frames_validation"]) == (9, 3)
    reports = "\n".join(log.message for log in orm.Log.collection.get_logs_for(chain))
    assert f"seed_3 ({trainings['seed_3'].pk}) failed" in reports
    assert "2 models, largest force error on validation" in reports


def test_too_few_models_are_a_failure_with_the_reason_of_each(localhost):
    code = orm.InstalledCode(computer=localhost, filepath_executable="/bin/false", label="false").store()
    chain = run_get_node(TrainingWorkChain, **chain_inputs(code, seeds=[4, 5], quorum=1)).node
    assert chain.exit_status == CODES.ERROR_BELOW_QUORUM.status
    assert "0 of 2 trainings came to their end, 1 are needed. seed_4: " in chain.exit_message
    assert "seed_5: " in chain.exit_message
    assert "results" not in chain.outputs


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": []}, r"seeds: \[\] must be whole numbers from 1 to 899999999, at least one"),
        ({"seeds": [1, 1]}, r"seeds: \[1, 1\] must all be different"),
        ({"quorum": 4}, r"quorum: 4 is outside the allowed range 1 to 3"),
        ({"quorum": 0}, r"quorum: 0 is outside"),
        ({"sel_margin": 0.0}, r"sel_margin: 0  is outside the allowed range 0 < sel_margin <= 10"),
        ({"steps": 0}, r"steps: 0 is outside the allowed range"),
        ({"frames": {}}, r"frames: no node given"),
        ({"settings": {"model": {}}}, r"settings\.learning_rate: this section is needed"),
    ],
)
def test_bad_input_is_refused_with_key_value_and_range(dp_code, change, message):
    with pytest.raises(ValueError, match=message):
        run_get_node(TrainingWorkChain, **chain_inputs(dp_code, **change))


def test_frames_that_the_type_map_or_a_parent_does_not_know_are_refused(dp_code, finished_training):
    nickel = FramesData(replace(copper_frames(2), symbols=("Ni",) * len(copper_frames(2).symbols)), labeller="EMT")
    frames = {**frames_nodes(), "other": nickel}
    with pytest.raises(ValueError, match=r"frames\.other: it holds Ni, settings\.model\.type_map has Cu"):
        run_get_node(TrainingWorkChain, **chain_inputs(dp_code, frames=frames, settings=settings_with()))
    parents = {"seed_1": finished_training.outputs.uncompressed}
    with pytest.raises(ValueError, match=r"frames\.other: it holds Ni, parent_models\.seed_1 has Cu"):
        run_get_node(TrainingWorkChain, **chain_inputs(dp_code, frames=frames, parent_models=parents))


def test_frames_without_labels_are_refused(dp_code):
    lacking = FramesData(copper_frames(2), labeller="EMT")
    lacking.delete_array("forces")
    with pytest.raises(ValueError, match=r"frames\.a: it cannot be trained on: it lacks forces"):
        run_get_node(TrainingWorkChain, **chain_inputs(dp_code, frames={"a": lacking}))


def test_parent_of_no_seed_is_refused(dp_code, finished_training):
    parents = {"seed_9": finished_training.outputs.uncompressed}
    with pytest.raises(ValueError, match=r"parent_models\.seed_9: there is no such seed, the names are seed_1, seed_2"):
        run_get_node(TrainingWorkChain, **chain_inputs(dp_code, parent_models=parents))


@pytest.mark.parametrize("protocol", list(load_protocols("training")["protocols"]))
def test_builder_has_the_settings_of_the_protocol_and_deepmd_takes_them(dp_code, protocol):
    builder = TrainingWorkChain.get_builder_from_protocol(dp_code, frames_nodes(), protocol)
    assert builder.protocol.value == protocol
    assert (builder.seeds.get_list(), builder.quorum.value) == ([1, 2, 3], 3)
    settings = builder.settings.get_dict()
    settings["model"]["type_map"] = ["Cu"]
    assert refusal(settings) is None
    assert set(builder.frames) == set(frames_nodes())


def test_paper_protocol_has_the_numbers_of_the_paper(dp_code):
    builder = TrainingWorkChain.get_builder_from_protocol(dp_code, frames_nodes(), "paper")
    descriptor = builder.settings["model"]["descriptor"]
    assert (descriptor["neuron"], descriptor["axis_neuron"], descriptor["rcut"]) == ([25, 50, 100], 16, 9.0)
    assert builder.settings["model"]["fitting_net"]["neuron"] == [240, 240, 240]
    assert builder.settings["learning_rate"]["stop_lr"] == 3.51e-8
    assert (builder.steps.value, builder.compress.value, builder.validation_share.value) == (3_000_000, True, 0.0)


def test_overrides_go_over_the_protocol_and_unknown_sections_are_refused(dp_code):
    overrides = {"steps": 5, "settings": {"model": {"descriptor": {"rcut": 4.0}}}, "seeds": [8, 9]}
    builder = TrainingWorkChain.get_builder_from_protocol(
        dp_code, frames_nodes(), "fast", overrides, {"max_wallclock_seconds": 60}
    )
    assert (builder.steps.value, builder.seeds.get_list()) == (5, [8, 9])
    descriptor = builder.settings["model"]["descriptor"]
    assert (descriptor["rcut"], descriptor["neuron"]) == (4.0, [10, 20, 40])
    assert builder.training.calc.metadata.options["max_wallclock_seconds"] == 60
    with pytest.raises(ValueError, match="overrides: step unknown, there are settings, steps"):
        TrainingWorkChain.get_builder_from_protocol(dp_code, frames_nodes(), "fast", {"step": 5})
    with pytest.raises(ValueError, match="protocol: 'slow' is not one of"):
        TrainingWorkChain.get_builder_from_protocol(dp_code, frames_nodes(), "slow")
