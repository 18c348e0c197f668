from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk
from learning_loops import PLAN, finished_loop, loop_inputs, plan_with
from physics.synthetic_frames import copper_frames
from training_jobs import settings_with

from aiida_dnpmelt.calculations.validators import unfit_frames
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.workchains.adaptive_learning import AdaptiveLearningWorkChain
from aiida_dnpmelt.workchains.labelling.vasp import VaspLabelWorkChain
from aiida_dnpmelt.workchains.protocols import load_protocols

CODES = AdaptiveLearningWorkChain.exit_codes


@pytest.fixture
def parts(dp_code, lmp_deepmd_code, lmp_code, potentials_folder) -> tuple[Any, ...]:
    teacher = PotentialData.get_or_create(potentials_folder / "Cu_mishin1.eam.alloy")
    return dp_code, lmp_deepmd_code, lmp_code, teacher


@pytest.fixture
def loop(parts) -> orm.WorkChainNode:
    return finished_loop(*parts)


def reports_of(chain: orm.WorkChainNode) -> str:
    return "\n".join(log.message for log in orm.Log.collection.get_logs_for(chain))


def called(chain: orm.WorkChainNode, label: str) -> list[orm.ProcessNode]:
    return sorted((node for node in chain.called if node.process_label == label), key=lambda node: node.pk)


def test_loop_from_nothing_ends_at_its_bound_with_all_that_it_made(loop):
    assert loop.exit_status == CODES.ERROR_NOT_CONVERGED.status, loop.exit_message
    assert "2 of 2 iterations are done" in loop.exit_message
    outputs = loop.outputs
    assert set(outputs.potentials) == set(outputs.uncompressed) == {"seed_1", "seed_2"}
    names = set(outputs.frames)
    assert {"first_crystals", "first_melts"} < names
    assert {name for name in names if name.startswith("iteration_01_candidates")} == {
        "iteration_01_candidates_liquid",
        "iteration_01_candidates_solid",
    }
    assert set(outputs.decisions) == {"iteration_01", "iteration_02"}
    summary = outputs.summary.get_dict()
    assert (summary["iterations"], summary["converged"]) == (2, False)
    assert summary["labels"] == sum(len(node.frames) for node in outputs.frames.values())


def test_each_decision_is_a_node_with_reasons_and_deviations(loop):
    first = loop.outputs.decisions.iteration_01
    assert first.creator.process_label == "decide_learning"
    assert first["action"] == "again"
    assert any("is above 0.000" in reason for reason in first["reasons"])
    assert {run: len(parts) for run, parts in first["deviations"].items()} == {"liquid": 2, "solid": 1}
    assert all(sum(part["histogram_counts"]) for parts in first["deviations"].values() for part in parts)


def test_second_training_begins_warm_on_all_frames_but_those_it_is_compared_with_later(loop):
    cold, warm = called(loop, "TrainingWorkChain")
    assert "parent_models" not in cold.inputs
    assert {name: node.uuid for name, node in warm.inputs.parent_models.items()} == {
        name: node.uuid for name, node in cold.outputs.uncompressed.items()
    }
    assert (cold.inputs.steps.value, warm.inputs.steps.value) == (400, 100)
    settings, begun = warm.inputs.settings.get_dict(), cold.outputs.settings.get_dict()
    assert settings["model"] == begun["model"]
    assert (settings["learning_rate"]["start_lr"], settings["loss"]["start_pref_e"]) == (1e-3, 1.0)
    assert warm.inputs.settings.creator.process_label == "warm_training"
    trained = set(warm.inputs.frames)
    assert trained == {name for name in loop.outputs.frames if not name.startswith("iteration_02")}


def test_unbiased_frames_tell_the_shift_of_the_melting_temperature(loop):
    report = loop.outputs.comparisons.iteration_01.get_dict()
    assert set(report["by_set"]) >= {"candidates_liquid", "candidates_solid", "check_solid"}
    errors = report["by_set"]["check_solid"]["by_model"]
    assert set(errors) == {"seed_1", "seed_2"}
    assert all(values["rmse_force_ev_per_angstrom"] > 0 for values in errors.values())
    decision = loop.outputs.decisions.iteration_01
    if report["offset"] is None:
        assert "the shift of T_m is not known" in "; ".join(decision["reasons"])
    else:
        assert set(decision["shift_k"]) == {"seed_1", "seed_2"}


def test_every_label_leads_back_to_its_job_and_on_to_the_models(loop):
    frames = loop.outputs.frames.first_melts
    assert isinstance(frames, FramesData)
    assert frames.creator.process_label == "LammpsLabelCalculation"
    query = orm.QueryBuilder().append(orm.Node, filters={"uuid": frames.uuid}, tag="frames")
    query.append(PotentialData, with_ancestors="frames", filters={"uuid": loop.outputs.potentials.seed_1.uuid})
    assert query.count() > 0


def test_finished_loop_goes_on_from_its_outputs_and_ends_when_it_is_good_enough(loop, parts):
    generous = {"unit": "ev_per_angstrom", "lower": 0.0, "upper": 1000.0, "converged": 1000.0}
    inputs = loop_inputs(
        *parts,
        plan=plan_with(thresholds=generous, target_shift_k=None, maximum_iterations=1),
        frames=dict(loop.outputs.frames),
        potentials=dict(loop.outputs.potentials),
        uncompressed=dict(loop.outputs.uncompressed),
        seed=2,
    )
    inputs["training"]["settings"] = loop.outputs.settings
    chain = run_get_node(AdaptiveLearningWorkChain, **inputs).node
    assert chain.is_finished_ok, chain.exit_message
    assert not called(chain, "TrainingWorkChain")
    assert not called(chain, "ReferenceLabelWorkChain")  # no first frames
    assert chain.outputs.summary["converged"] is True
    assert {node.uuid for node in chain.outputs.potentials.values()} == {
        node.uuid for node in loop.outputs.potentials.values()
    }
    assert "stopping after 1 iterations: every deviation is below 1000.000" in reports_of(chain)
    inputs |= {"frames": dict(chain.outputs.frames), "seed": 3}
    again = run_get_node(AdaptiveLearningWorkChain, **inputs).node
    assert again.is_finished_ok, again.exit_message
    assert_nothing_is_lost(loop, chain, "loop_2_iteration_01_")
    assert_nothing_is_lost(chain, again, "loop_3_iteration_01_")


def assert_nothing_is_lost(before: orm.WorkChainNode, after: orm.WorkChainNode, prefix: str) -> None:
    """Check that a loop that goes on keeps all frames that it was given, and gives its own names of their own."""
    given = {name: node.uuid for name, node in before.outputs.frames.items()}
    kept = {name: node.uuid for name, node in after.outputs.frames.items()}
    assert given.items() < kept.items()
    made = set(kept) - set(given)
    assert {name for name in made if not name.startswith(prefix)} == set()
    assert len(set(kept.values())) == len(kept)
    decision = after.outputs.decisions.iteration_01
    assert decision["labels"] == sum(len(node.frames) for node in after.outputs.frames.values())
    assert decision["labels_given"] == sum(len(node.frames) for node in before.outputs.frames.values())
    assert after.outputs.summary["labels"] == decision["labels"]


def test_failed_labels_end_it_with_the_reason(parts, localhost):
    false = orm.InstalledCode(computer=localhost, filepath_executable="/bin/false", label="no-lmp").store()
    inputs = loop_inputs(*parts)
    inputs["labelling"]["code"] = false
    chain = run_get_node(AdaptiveLearningWorkChain, **inputs).node
    assert chain.exit_status == CODES.ERROR_NO_FIRST_FRAMES.status
    assert "crystals: " in chain.exit_message


def test_failed_training_keeps_the_labels(parts, localhost):
    false = orm.InstalledCode(computer=localhost, filepath_executable="/bin/false", label="no-dp").store()
    inputs = loop_inputs(*parts)
    inputs["training"]["training"]["calc"]["code"] = false
    chain = run_get_node(AdaptiveLearningWorkChain, **inputs).node
    assert chain.exit_status == CODES.ERROR_TRAINING_FAILED.status
    assert set(chain.outputs.frames) == {"first_crystals", "first_melts"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": -3.0}, r"temperature: -3 K is outside the allowed range"),
        ({"seed": 0}, r"seed: 0 is outside the allowed range 1 to 899999999"),
        ({"warm": {"steps": 0}}, r"warm.steps: Input should be greater than or equal to 1"),
        ({"plan": plan_with(check_frames=0)}, r"plan.*check_frames = 0: target_shift_k needs at least 2"),
        ({"plan": plan_with(first_frames={})}, r"frames, potentials, plan.first_frames: one of them is needed"),
        ({"labeller": "dnpmelt.nobody"}, r"labeller: 'dnpmelt.nobody' is no work chain that can be loaded"),
        ({"labeller": "dnpmelt.tpc"}, r"labeller: 'dnpmelt.tpc' is no labeller, it lacks input frames, input seed, "),
    ],
)
def test_bad_input_is_refused_before_anything_is_submitted(parts, change, message):
    before = orm.QueryBuilder().append(orm.ProcessNode).count()
    with pytest.raises(ValueError, match=message):
        run_get_node(AdaptiveLearningWorkChain, **loop_inputs(*parts, **change))
    assert orm.QueryBuilder().append(orm.ProcessNode).count() == before


def nickel_among(parts: tuple[Any, ...], *symbols: str) -> dict[str, Any]:
    """Return inputs of a loop for copper with frames of copper, and others that hold these elements."""
    copper_alone = FramesData(copper_frames(2), labeller="EMT of ase")
    other = FramesData(replace(copper_frames(2), symbols=spread(symbols)), labeller="EMT of ase")
    return loop_inputs(*parts, frames={"good": copper_alone, "other": other})


def spread(symbols: tuple[str, ...]) -> tuple[str, ...]:
    number = len(copper_frames(2).symbols)
    return tuple(symbols[index % len(symbols)] for index in range(number))


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        (("Ni",), "frames.other: it holds Ni, the structure has no Ni"),
        (("Cu", "Ni"), "frames.other: it holds Cu, Ni, the structure has no Ni"),
    ],
)
def test_frames_of_other_elements_than_the_structure_are_refused(parts, symbols, message):
    with pytest.raises(ValueError, match=message):
        run_get_node(AdaptiveLearningWorkChain, **nickel_among(parts, *symbols))


def test_frames_of_an_element_of_an_alloy_can_be_begun_with(parts):
    inputs = nickel_among(parts, "Ni")
    assert unfit_frames(inputs["frames"], ["Cu", "Ni"]) is None


def test_frames_without_what_a_training_needs_are_refused(parts):
    lacking = FramesData(copper_frames(2), labeller="EMT of ase")
    lacking.delete_array("virials")
    lacking.delete_array("forces")
    with pytest.raises(ValueError, match=r"frames.given: it cannot be trained on: it lacks forces, virials"):
        run_get_node(AdaptiveLearningWorkChain, **loop_inputs(*parts, frames={"given": lacking}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": [1], "quorum": 1}, r"training.seeds: \[1\] is 1 model, .* at least 2 seeds, all different"),
        ({"seeds": [1, 2, 3], "quorum": 1}, r"training.quorum: 1 is outside the allowed range 2 to 3"),
        ({"seeds": [1, 1]}, r"seeds: \[1, 1\] must all be different"),
    ],
)
def test_one_model_is_no_committee(parts, changes, message):
    inputs = loop_inputs(*parts)
    inputs["training"] |= changes
    with pytest.raises(ValueError, match=message):
        run_get_node(AdaptiveLearningWorkChain, **inputs)


def test_models_that_lack_the_element_or_another_type_map_are_refused(parts, tiny_model, other_model):
    models = {
        name: PotentialData(path, pair_style="deepmd", type_map=["Cu", "Ni"], cutoff=3.5)
        for name, path in (("seed_1", tiny_model), ("seed_2", other_model))
    }
    aluminium = orm.StructureData(ase=bulk("Al", cubic=True))
    with pytest.raises(ValueError, match=r"potentials.seed_1: it has no Al, it knows Cu, Ni"):
        run_get_node(AdaptiveLearningWorkChain, **loop_inputs(*parts, structure=aluminium, potentials=models))
    inputs = loop_inputs(*parts, potentials=models, uncompressed=models)
    inputs["training"]["settings"] = settings_with()
    with pytest.raises(ValueError, match=r"uncompressed.seed_1: its type map is \['Cu', 'Ni'\], that of training"):
        run_get_node(AdaptiveLearningWorkChain, **inputs)


def test_teacher_that_lacks_the_element_is_told_by_the_labeller(parts):
    aluminium = orm.StructureData(ase=bulk("Al", cubic=True))
    with pytest.raises(ValueError, match=r"labelling: potential: it has no Al, it knows Cu"):
        run_get_node(AdaptiveLearningWorkChain, **loop_inputs(*parts, structure=aluminium))


def test_models_without_labels_need_absolute_thresholds(parts, loop):
    relative = {"unit": "rms_force", "lower": 0.1, "upper": 1.0, "converged": 0.2}
    plan = plan_with(first_frames={}, thresholds=relative)
    with pytest.raises(ValueError, match=r"thresholds in units of the rms force need labelled frames"):
        run_get_node(
            AdaptiveLearningWorkChain, **loop_inputs(*parts, plan=plan, potentials=dict(loop.outputs.potentials))
        )


def test_models_of_unknown_seeds_or_without_their_settings_are_refused(parts, loop):
    potentials = dict(loop.outputs.potentials)
    with pytest.raises(ValueError, match=r"potentials.seed_9: there is no such seed in training.seeds"):
        run_get_node(
            AdaptiveLearningWorkChain, **loop_inputs(*parts, potentials={"seed_9": potentials["seed_1"], **potentials})
        )
    with pytest.raises(ValueError, match=r"potentials: 1 given, a committee has at least 2"):
        run_get_node(AdaptiveLearningWorkChain, **loop_inputs(*parts, potentials={"seed_1": potentials["seed_1"]}))
    with pytest.raises(ValueError, match=r"training.settings: models to begin with need the settings"):
        run_get_node(AdaptiveLearningWorkChain, **loop_inputs(*parts, uncompressed=potentials))


@pytest.mark.parametrize("protocol", list(load_protocols("adaptive_learning")["protocols"]))
def test_builder_has_the_settings_of_the_protocol(parts, protocol):
    dp, lmp_deepmd, lmp, teacher = parts
    structure = orm.StructureData(ase=bulk("Cu", "fcc", a=3.615))
    builder = AdaptiveLearningWorkChain.get_builder_from_protocol(
        dp,
        lmp_deepmd,
        structure,
        {"code": lmp, "potential": teacher},
        protocol,
        {"plan": {"maximum_iterations": 3}, "seed": 9, "training": {"seeds": [4, 5], "quorum": 2}},
    )
    assert (builder.protocol.value, builder.seed.value, builder.plan["maximum_iterations"]) == (protocol, 9, 3)
    assert builder.training.seeds.get_list() == [4, 5]
    assert builder.training.protocol.value == protocol
    assert AdaptiveLearningWorkChain.spec().inputs.validate(builder._inputs(prune=True)) is None
    with pytest.raises(ValueError, match="overrides: plans unknown"):
        AdaptiveLearningWorkChain.get_builder_from_protocol(dp, lmp_deepmd, structure, {}, protocol, {"plans": PLAN})


@pytest.mark.slow
def test_loop_taught_by_vasp(parts, make_vasp, potcar_family):
    """Jobs of VASP are cut after three ionic steps and leave every fourth frame unconverged: the loop goes on."""
    dp, lmp_deepmd, _, _ = parts
    labelling = VaspLabelWorkChain.get_labelling_from_protocol(
        make_vasp(steps=3, unconverged=[4]), potcar_family, "paper", {"kpoints_spacing_per_angstrom": 2.0}
    )
    # Models of eight frames lead to cells that nobody would train on; here they only have to come through.
    labelling["screening"] = orm.Dict({"maximum_energy_ev_per_atom": 1e4, "maximum_force_ev_per_angstrom": 1e5})
    crystals = {**PLAN["first_frames"]["crystals"], "number": 3, "label": {"steps": 4, "frames_per_start": 2}}
    melt = {"steps": 2, "frames_per_start": 2, "melt_ps": 0.004, "relax_ps": 0.004, "timestep_fs": 2.0}
    melts = {**PLAN["first_frames"]["melts"], "number": 1, "label": melt}
    plan = plan_with(
        first_frames={"crystals": crystals, "melts": melts}, maximum_iterations=1, check_frames=2, target_shift_k=None
    )
    inputs = loop_inputs(dp, lmp_deepmd, None, None, plan=plan, labelling=labelling, labeller="dnpmelt.label_vasp")
    options = orm.Dict({"resources": {"num_machines": 1}, "withmpi": False})
    node = run_get_node(AdaptiveLearningWorkChain, **inputs, labelling_options=options).node
    assert node.exit_status == CODES.ERROR_NOT_CONVERGED.status, node.exit_message
    frames = node.outputs.frames
    assert {name: len(each.frames) for name, each in frames.items() if name.startswith("first")} == {
        "first_crystals": 6,
        "first_melts": 2,
    }
    assert any(name.startswith("iteration_01_candidates") for name in frames)
    assert {each.labeller for each in frames.values()} == {"VASP 5.4.1, PAW_PBE Cu 22Jun2005"}
    told = node.outputs.comparisons.iteration_01.get_dict()
    assert told["models"] == ["seed_1", "seed_2"]
    behind = [each for each in node.called_descendants if each.process_label == "VaspMdCalculation"]
    assert len(behind) > len(frames)
    assert all(job.inputs.potential["Cu"].sha512 for job in behind)
