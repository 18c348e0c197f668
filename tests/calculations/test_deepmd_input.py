from __future__ import annotations

from pathlib import Path

import pytest
from training_jobs import SETTINGS, settings_with

from aiida_dnpmelt.calculations.deepmd_input import build_input, derive_seeds, to_json
from aiida_dnpmelt.workchains.protocols import load_protocol

FILES = Path(__file__).parent / "files" / "deepmd_input"


def input_of(protocol: str) -> str:
    settings = load_protocol("training", protocol)["settings"]
    settings["model"]["type_map"] = ["Cu"]
    settings["model"]["descriptor"]["sel"] = [100]
    systems = {"training": ["data/training/a", "data/training/b"], "validation": ["data/validation/a"]}
    if protocol == "paper":
        systems["validation"] = []
    return to_json(build_input(settings, **systems, seed=1, steps=1000))


@pytest.mark.parametrize("protocol", ["fast", "balanced", "paper"])
def test_input_is_that_of_the_file(protocol):
    assert input_of(protocol) == (FILES / f"{protocol}.json").read_text()


def test_seeds_differ_and_are_always_the_same():
    seeds = derive_seeds(7)
    assert seeds == derive_seeds(7)
    assert len({*seeds.by_name.values(), *derive_seeds(8).by_name.values()}) == 6


def test_parts_of_a_hybrid_descriptor_have_the_seed_and_the_settings_are_left_alone():
    hybrid = {"type": "hybrid", "list": [{"type": "se_e2_a", "rcut": 6.0}, {"type": "se_e3", "rcut": 4.0}]}
    settings = settings_with(model__descriptor=hybrid)
    found = build_input(settings, training=["a"], validation=[], seed=7, steps=1)
    assert [part["seed"] for part in found["model"]["descriptor"]["list"]] == [derive_seeds(7).descriptor] * 2
    assert "seed" not in hybrid["list"][0]


def test_without_validation_frames_there_is_no_validation_section():
    found = build_input(SETTINGS, training=["a"], validation=[], seed=7, steps=1)
    assert "validation_data" not in found["training"]
    assert "validation_data" in SETTINGS["training"]


if __name__ == "__main__":
    for name in ("fast", "balanced", "paper"):
        (FILES / f"{name}.json").write_text(input_of(name))
