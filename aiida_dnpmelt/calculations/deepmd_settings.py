"""Settings of a DeePMD training: what a user may set, and what DeePMD-kit and the frames say about it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from typing import Any

from aiida_dnpmelt.physics.neighbours import TOTAL

SECTIONS = ("model", "learning_rate", "loss", "training")
RESERVED = {
    "model.descriptor": ("seed",),
    "model.fitting_net": ("seed",),
    "training": (
        "seed",
        "numb_steps",
        "disp_file",
        "save_ckpt",
        "stat_file",
        "profiling_file",
        "tensorboard",
        "tensorboard_log_dir",
    ),
    "training.training_data": ("systems",),
    "training.validation_data": ("systems",),
}
"""Keys that the job fills by its other inputs, or that would write outside of its folder."""
SEL_MULTIPLE = 4
"""What DeePMD-kit rounds its own `auto` up to."""
PER_SPECIES = ("se_e2_a", "se_a", "se_e2_r", "se_r", "se_e3", "se_at", "se_a_3be", "se_e3_tebd")
"""Descriptors with a number of neighbours for each species; the others have one for all of them."""


def refusal(settings: Mapping[str, Any]) -> str | None:
    """Return what is wrong with settings by themselves, None if nothing is.

    The schema of DeePMD-kit is asked if it is installed here; if it is not, the job itself will find what is left.
    """
    return _structure_refusal(settings) or _model_refusal(settings) or _schema_refusal(settings)


def descriptors(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the descriptor, or the parts of a hybrid one."""
    descriptor = settings["model"].get("descriptor")
    if not isinstance(descriptor, dict):
        return []
    parts = descriptor.get("list", []) if descriptor.get("type") == "hybrid" else [descriptor]
    return [part for part in parts if isinstance(part, dict)]


def cutoff_of(settings: Mapping[str, Any]) -> float:
    """Return the largest cutoff of the descriptor in Angstrom."""
    return max(_cutoffs(settings["model"]["descriptor"]))


def sel_refusal(settings: Mapping[str, Any], most: Mapping[float, Mapping[str, int]]) -> str | None:
    """Return which descriptor has no room for the neighbours that were counted, None if all have.

    :param most: for each cutoff in Angstrom the largest numbers of neighbours, by species and in all.
    """
    type_map = settings["model"]["type_map"]
    for descriptor in descriptors(settings):
        if not _is_counted(descriptor) or "sel" not in descriptor:
            continue
        sel, rcut, counted = descriptor["sel"], descriptor["rcut"], most[descriptor["rcut"]]
        if _per_species(descriptor) and isinstance(sel, list):
            if len(sel) != len(type_map):
                return f"settings.model.descriptor.sel: {sel} has {len(sel)} numbers, type_map {len(type_map)} species"
            rooms = dict(zip(type_map, sel, strict=True))
        elif isinstance(sel, int | list):
            rooms = {TOTAL: sel if isinstance(sel, int) else sum(sel)}
        else:
            continue
        for name, room in rooms.items():
            if counted.get(name, 0) > room:
                return (
                    f"settings.model.descriptor.sel: {room} for {name}, but an atom of the frames has "
                    f"{counted[name]} neighbours ({name}) within rcut = {rcut:g} Angstrom: at least so many are needed"
                )
    return None


def counted_cutoffs(settings: Mapping[str, Any]) -> list[float]:
    """Return the cutoffs in Angstrom within which neighbours have to be counted."""
    return sorted({part["rcut"] for part in descriptors(settings) if _is_counted(part)})


def with_sel(settings: Mapping[str, Any], most: Mapping[float, Mapping[str, int]], margin: float) -> dict[str, Any]:
    """Return the settings with room for the neighbours that were counted, wherever no `sel` is given.

    :param most: as for `sel_refusal`.
    :param margin: factor over the counted number; the result is rounded up to a multiple of 4.
    """
    result = copy.deepcopy(dict(settings))
    for descriptor in descriptors(result):
        if "sel" in descriptor or not _is_counted(descriptor):
            continue
        counted = most[descriptor["rcut"]]
        if _per_species(descriptor):
            descriptor["sel"] = [_room(counted.get(symbol, 0), margin) for symbol in result["model"]["type_map"]]
        else:
            descriptor["sel"] = _room(counted[TOTAL], margin)
    return result


def _structure_refusal(settings: Mapping[str, Any]) -> str | None:
    unknown = sorted(set(settings) - set(SECTIONS))
    if unknown:
        return f"settings.{unknown[0]}: unknown, the sections are {', '.join(SECTIONS)}"
    missing = [name for name in SECTIONS if not isinstance(settings.get(name), Mapping)]
    if missing:
        return f"settings.{missing[0]}: this section is needed, as a dictionary"
    for path, key in _reserved_keys(settings):
        return f"settings.{path}.{key}: the job sets this key itself, leave it out"
    return None


def _model_refusal(settings: Mapping[str, Any]) -> str | None:
    symbols = settings["model"].get("type_map")
    if not symbols or not isinstance(symbols, list):
        return f"settings.model.type_map: {symbols!r} must be a list of chemical symbols"
    found = descriptors(settings)
    if not found or not all(isinstance(descriptor.get("type"), str) for descriptor in found):
        return "settings.model.descriptor.type: the name of a descriptor is needed, as 'se_e2_a'"
    if not _cutoffs(settings["model"]["descriptor"]):
        return "settings.model.descriptor.rcut: the cutoff in Angstrom is needed"
    return None


def _room(counted: int, margin: float) -> int:
    return max(1, math.ceil(counted * margin / SEL_MULTIPLE)) * SEL_MULTIPLE


def _is_counted(descriptor: Mapping[str, Any]) -> bool:
    rcut = descriptor.get("rcut")
    return isinstance(rcut, int | float) and rcut > 0


def _per_species(descriptor: Mapping[str, Any]) -> bool:
    return descriptor.get("type") in PER_SPECIES


def _cutoffs(descriptor: Any) -> list[float]:
    """Return all cutoffs inside of a descriptor, whose parts have them under names as `e_rcut`."""
    if isinstance(descriptor, list):
        return [value for part in descriptor for value in _cutoffs(part)]
    if not isinstance(descriptor, Mapping):
        return []
    found = [
        float(value)
        for key, value in descriptor.items()
        if (key == "rcut" or key.endswith("_rcut")) and isinstance(value, int | float)
    ]
    return found + [value for part in descriptor.values() for value in _cutoffs(part)]


def _reserved_keys(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, keys in RESERVED.items():
        places = descriptors(settings) if path == "model.descriptor" else [_section(settings, path)]
        for place in places:
            yield from ((path, key) for key in keys if key in place)


def _section(settings: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    found: Any = settings
    for name in path.split("."):
        found = found.get(name, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def _schema_refusal(settings: Mapping[str, Any]) -> str | None:
    try:
        from dargs.dargs import ArgumentError
        from deepmd.utils.argcheck import normalize
    except ImportError:
        return None
    filled = copy.deepcopy(dict(settings))
    filled["training"].setdefault("training_data", {})
    for part in ("training_data", "validation_data"):
        if isinstance(filled["training"].get(part), dict):
            filled["training"][part]["systems"] = ["system"]
    filled["training"]["numb_steps"] = 1
    try:
        normalize(filled)
    except ArgumentError as error:
        return f"settings: refused by DeePMD-kit: {' '.join(str(error).split())}"
    return None
