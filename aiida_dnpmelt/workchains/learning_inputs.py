"""What a loop of adaptive learning is given: what of it is refused, and how its own frames are named beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ase import Atoms

from aiida_dnpmelt.calculations.deepmd_settings import descriptors
from aiida_dnpmelt.calculations.deepmd_train import validate_parent_model
from aiida_dnpmelt.calculations.lammps_exploration import validate_committee
from aiida_dnpmelt.calculations.validators import unfit_frames, unfit_models
from aiida_dnpmelt.physics.ordering import by_number
from aiida_dnpmelt.workchains.exploration import labelling_refusal
from aiida_dnpmelt.workchains.training import model_name

ITERATION = "iteration_"
FEWEST_MODELS = 2
_OF_A_LOOP = re.compile(rf"(?:loop_([0-9]+)_)?{ITERATION}")


def prefix_beside(names: Iterable[str]) -> str:
    """Return what the names of a loop's frames begin with so that none is taken: nothing, or ``loop_2_`` and so on."""
    loops = [int(found[1] or 1) for found in map(_OF_A_LOOP.match, names) if found]
    return f"loop_{max(loops) + 1}_" if loops else ""


def refusal(inputs: Mapping[str, Any], cell: Atoms) -> str | None:
    """Return what is wrong with inputs of a loop that are right one by one, None if nothing is.

    :param cell: of the crystal.
    """
    species = sorted(set(cell.get_chemical_symbols()))
    return (
        committee_refusal(inputs["training"])
        or unfit_frames(inputs.get("frames", {}), species)
        or _models_refusal(inputs, species)
        or labelling_refusal(inputs, cell)
    )


def committee_refusal(training: Mapping[str, Any]) -> str | None:
    """Return why a training leaves no models that can be compared with each other, None if it does."""
    seeds = training["seeds"].get_list()
    if len(seeds) < FEWEST_MODELS:
        return (
            f"training.seeds: {seeds} is {len(seeds)} model, and deviations need a committee: give at least "
            f"{FEWEST_MODELS} seeds, all different"
        )
    quorum = training["quorum"].value
    if quorum < FEWEST_MODELS:
        return f"training.quorum: {quorum} is outside the allowed range {FEWEST_MODELS} to {len(seeds)}, the seeds"
    return None


def _models_refusal(inputs: Mapping[str, Any], species: list[str]) -> str | None:
    """Return what is wrong with models that are given."""
    number = len(inputs.get("potentials", {}))
    if 0 < number < FEWEST_MODELS:
        return f"potentials: {number} given, a committee has at least {FEWEST_MODELS}"
    names = sorted({model_name(seed) for seed in inputs["training"]["seeds"].get_list()}, key=by_number)
    for namespace in ("potentials", "uncompressed"):
        given = inputs.get(namespace, {})
        unknown = sorted(set(given) - set(names), key=by_number)
        if unknown:
            return f"{namespace}.{unknown[0]}: there is no such seed in training.seeds, the names are {names}"
        if (problem := unfit_models(namespace, given, species)) is not None:
            return problem
    if inputs.get("potentials") and (problem := validate_committee(inputs["potentials"], None)) is not None:
        return problem
    return _warm_refusal(inputs, species)


def _warm_refusal(inputs: Mapping[str, Any], species: list[str]) -> str | None:
    """Return why a training cannot begin with the models that are given for it."""
    model = inputs["training"]["settings"].get_dict()["model"]
    found = descriptors(inputs["training"]["settings"].get_dict())
    for name, parent in inputs.get("uncompressed", {}).items():
        if not any("sel" in descriptor for descriptor in found):
            return "training.settings: models to begin with need the settings they were trained with, `sel` among them"
        if (problem := validate_parent_model(parent, None)) is not None:
            return problem.replace("parent_model", f"uncompressed.{name}", 1)
        wanted = model.get("type_map", species)
        if list(parent.type_map) != wanted:
            return (
                f"uncompressed.{name}: its type map is {list(parent.type_map)}, that of training.settings is {wanted}"
            )
    return None
