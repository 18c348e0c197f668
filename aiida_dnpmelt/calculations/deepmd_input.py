"""Input of `dp train`: settings, systems, seeds and steps as one dictionary."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aiida_dnpmelt.calculations.coexistence_stages import random_seeds
from aiida_dnpmelt.calculations.deepmd_settings import descriptors

LEARNING_CURVE_FILE = "lcurve.out"
CHECKPOINT_FOLDER = "checkpoints"
CHECKPOINT_PREFIX = f"{CHECKPOINT_FOLDER}/model.ckpt"


@dataclass(frozen=True)
class Seeds:
    """Seeds of one training: first weights of both networks, and the order of the batches."""

    descriptor: int
    fitting_net: int
    training: int

    @property
    def by_name(self) -> dict[str, int]:
        """Return the seeds by their names."""
        return asdict(self)


def derive_seeds(seed: int) -> Seeds:
    """Return the seeds that a single one stands for."""
    return Seeds(*random_seeds(seed, 3))


def build_input(
    settings: Mapping[str, Any], *, training: Sequence[str], validation: Sequence[str], seed: int, steps: int
) -> dict[str, Any]:
    """Return the input of `dp train`.

    :param settings: what a user sets, see `aiida_dnpmelt.calculations.deepmd_settings`.
    :param training: folders of the systems to train on.
    :param validation: folders of those that are only tested on; may be empty.
    """
    seeds = derive_seeds(seed)
    result = copy.deepcopy(dict(settings))
    for descriptor in descriptors(result):
        descriptor["seed"] = seeds.descriptor
    result["model"].setdefault("fitting_net", {})["seed"] = seeds.fitting_net
    section = result["training"]
    section["training_data"] = {**section.get("training_data", {}), "systems": list(training)}
    tested = section.pop("validation_data", {})
    if validation:
        section["validation_data"] = {**tested, "systems": list(validation)}
    section |= {
        "numb_steps": steps,
        "seed": seeds.training,
        "disp_file": LEARNING_CURVE_FILE,
        "save_ckpt": CHECKPOINT_PREFIX,
    }
    return result


def to_json(content: Mapping[str, Any]) -> str:
    """Return a dictionary as text, always the same for the same content."""
    return json.dumps(content, indent=2, sort_keys=True) + "\n"
