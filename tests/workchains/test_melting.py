from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk

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
