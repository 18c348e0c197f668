from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from ase.build import bulk
from physics.synthetic_frames import copper_frames
from provenance.stored_points import POINT
from report.stored_melting import give

from aiida_dnpmelt.calculations.melting_point import tabulated_melting_temperature
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.workchains.forecasts import forecast_learning, forecast_melting
from aiida_dnpmelt.workchains.melting import MeltingWorkChain
from aiida_dnpmelt.workchains.protocols import load_protocols
from aiida_dnpmelt.workchains.tpc import TPCWorkChain

CODES = MeltingWorkChain.exit_codes


@pytest.fixture
def labelling(lmp_code, potentials_folder) -> dict[str, Any]:
    return {
        "code": lmp_code,
        "potential": PotentialData.get_or_create(potentials_folder / "Cu_mishin1.eam.alloy"),
    }


@pytest.fixture
def builder_of(dp_code, lmp_deepmd_code, labelling):
    """Give a function that returns a builder for copper."""
    structure = orm.StructureData(ase=bulk("Cu", "fcc", a=3.615))

    def make(protocol: str = "fast", overrides: dict[str, Any] | None = None, **changes: Any) -> Any:
        return MeltingWorkChain.get_builder_from_protocol(
            changes.pop("training_code", dp_code), lmp_deepmd_code, structure, labelling, protocol, overrides, **changes
        )

    return make


@pytest.mark.parametrize("protocol", list(load_protocols("melting")["protocols"]))
@pytest.mark.parametrize("teacher", [True, False])
def test_builder_is_whole_and_says_what_it_would_run(builder_of, protocol, teacher):
    builder = builder_of(protocol, {"tpc": {"plan": {"target_uncertainty_k": 7.0}}}, teacher=teacher)
    assert MeltingWorkChain.spec().inputs.validate(builder._inputs(prune=True)) is None
    assert builder.tpc.plan["target_uncertainty_k"] == 7.0
    assert builder.learning.protocol.value == builder.protocol.value == protocol
    learning = forecast_learning(builder.structure, builder.learning)
    assert learning.models == 3
    assert 0 < learning.first_labels < learning.labels
    models, own = forecast_melting(builder)
    assert models.atom_steps > 0
    assert (own is not None) == teacher


def test_unknown_section_and_half_a_teacher_are_refused(builder_of, labelling):
    with pytest.raises(ValueError, match="overrides: tpcs unknown, there are learning, tpc"):
        builder_of(overrides={"tpcs": {}})
    with pytest.raises(ValueError, match="overrides: plans unknown, there are run, plan, size, seeds"):
        builder_of(overrides={"tpc": {"plans": {}}})
    builder = builder_of()
    builder.teacher = labelling["potential"]
    with pytest.raises(ValueError, match="teacher and teacher_tpc: give both"):
        run_get_node(builder)


@pytest.fixture
def melting_chain(builder_of):
    """Give a function that returns the process of a chain whose learning and teacher have ended, as `melt` finds it."""

    def make(teacher_point: dict[str, Any] | None, shifts: dict[str, float], temperature: float | None = None) -> Any:
        builder = builder_of(teacher=True)
        if temperature is not None:
            builder.temperature = orm.Float(temperature)
        process = instantiate_process(get_manager().get_runner(), builder)
        process.setup()
        given = builder.temperature or tabulated_melting_temperature(builder.structure)
        process.ctx.temperature = given
        learned = orm.WorkChainNode().store()
        by_model = {name: {"predicted_shift_k": shift} for name, shift in shifts.items()}
        for iteration, factor in ((99, 9.0), (100, 1.0)):  # the last one counts
            offset = {name: {"predicted_shift_k": factor * shift} for name, shift in shifts.items()}
            values = {"offset": {"by_model": offset} if by_model else None}
            give(learned, **{f"comparisons__iteration_{iteration}": orm.Dict(values)})
        process.ctx.learned = learned
        process.ctx.teacher_point = None if teacher_point is None else orm.Dict({**POINT, **teacher_point}).store()
        return process

    return make


def guesses(process: Any, *names: str) -> tuple[list[float], str]:
    """Return the guesses for the models, and where they are from."""
    start, origin = process._start()
    return [process._guess(name, start).value for name in names], origin


@pytest.mark.parametrize("verdict", ["valid", "unfinished"])
def test_models_start_from_the_melting_temperature_of_their_teacher_and_their_shift(melting_chain, verdict):
    process = melting_chain({"melting_temperature_k": 1320.0, "verdict": verdict}, {"seed_1": -11.0, "seed_2": 4.0})
    found, origin = guesses(process, "seed_1", "seed_2")
    assert found == [1309.0, 1324.0]
    assert origin == f"T_m of the teacher, 1320 K ({verdict})"
    guess = process._guess("seed_1", process._start()[0])
    assert guess.creator.process_label == "guess_of_model"
    start = guess.creator.inputs.temperature
    assert start.creator.process_label == "temperature_of_teacher"
    assert start.creator.inputs.melting_point.uuid == process.ctx.teacher_point.uuid


def test_without_a_melting_temperature_of_the_teacher_models_start_from_what_was_given(melting_chain):
    lost = {"melting_temperature_k": 1320.0, "verdict": "invalid"}
    for point in (None, lost):
        found, origin = guesses(melting_chain(point, {"seed_1": -11.0}), "seed_1")
        assert (found, origin) == ([1357.77 - 11.0], "the experimental T_m, 1358 K")
        found, origin = guesses(melting_chain(point, {"seed_1": -11.0}, 1300.0), "seed_1")
        assert (found, origin) == ([1289.0], "the guess that was given, 1300 K")
    found, _ = guesses(melting_chain({"melting_temperature_k": 1320.0}, {}, 1300.0), "seed_1")
    assert found == [1320.0]  # no shift is known


def test_the_teacher_is_taken_over_with_the_learning_and_kept_if_that_left_no_models(melting_chain):
    process = melting_chain(None, {})
    process.ctx.learned.set_exit_status(401)
    process.ctx.learned.set_process_state("finished")
    process.ctx.teacher = orm.WorkChainNode().store()
    give(process.ctx.teacher, melting_point=orm.Dict(POINT))
    ended = process.inspect_learning()
    assert ended.status == CODES.ERROR_LEARNING_FAILED.status
    assert process.ctx.teacher_point["melting_temperature_k"] == POINT["melting_temperature_k"]
    assert process.outputs["teacher_melting_point"].uuid == process.ctx.teacher_point.uuid


def test_frames_of_another_element_and_a_single_model_are_refused(builder_of):
    builder = builder_of()
    nickel = replace(copper_frames(2), symbols=("Ni",) * len(copper_frames(2).symbols))
    builder.learning.frames = {"other": FramesData(nickel, labeller="EMT of ase")}
    with pytest.raises(ValueError, match=r"frames\.other: it holds Ni, the structure has no Ni"):
        run_get_node(builder)
    builder = builder_of(overrides={"learning": {"training": {"seeds": [1], "quorum": 1}}})
    with pytest.raises(ValueError, match=r"training\.seeds: \[1\] is 1 model"):
        run_get_node(builder)


def test_learning_without_models_ends_the_chain_with_its_reason(builder_of, localhost):
    false = orm.InstalledCode(computer=localhost, filepath_executable="/bin/false", label="false-dp").store()
    first = {
        "crystals": {
            "number": 2,
            "minimum_atoms": 4,
            "temperature_factors": [0.5],
            "label": {"steps": 10},
        }
    }
    builder = builder_of(overrides={"learning": {"plan": {"first_frames": first}}}, training_code=false)
    builder.learning.plan = orm.Dict({**builder.learning.plan.get_dict(), "first_frames": first})
    chain = run_get_node(builder).node
    assert chain.exit_status == CODES.ERROR_LEARNING_FAILED.status
    assert "The training failed" in chain.exit_message
    assert "potentials" not in chain.outputs
    assert not [node for node in chain.called if node.process_class is TPCWorkChain]
