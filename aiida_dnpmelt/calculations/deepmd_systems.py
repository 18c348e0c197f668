"""Labelled frames as the folders that DeePMD-kit reads (its format `deepmd/npy`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from aiida_dnpmelt.physics.frames import LabelledFrames
from aiida_dnpmelt.physics.splitting import Split, split

TRAINING = "training"
VALIDATION = "validation"
DATA_FOLDER = "data"


def splits_of(numbers: Mapping[str, int], share: float, seed: int) -> dict[str, Split]:
    """Return the split of each set of frames, by the name of the set.

    :param numbers: number of frames of each set.
    """
    return {name: split(numbers[name], share, seed, name) for name in sorted(numbers)}


def system_path(part: str, name: str) -> str:
    """Return the folder of a system inside of the folder of the job; ``part`` is training or validation."""
    return f"{DATA_FOLDER}/{part}/{name}"


def write_systems(
    folder: Path, parts: Mapping[str, LabelledFrames], splits: Mapping[str, Split], type_map: Sequence[str]
) -> None:
    """Write a system for the training frames of each set, and one for its validation frames, if there are any."""
    for name, frames in parts.items():
        for part, indices in ((TRAINING, splits[name].training), (VALIDATION, splits[name].validation)):
            if indices:
                write_system(folder / system_path(part, name), frames.take(indices), type_map)


def write_system(folder: Path, frames: LabelledFrames, type_map: Sequence[str]) -> None:
    """Write frames as one system.

    Shapes (f, 3n), (f, 9), (f,), (f, 3n), (f, 9) in Angstrom, eV and eV/Angstrom, 64 bit; the virial is +P V, as
    that of the frames.

    :raises ValueError: if the type map lacks a species.
    """
    missing = sorted(set(frames.symbols) - set(type_map))
    if missing:
        raise ValueError(f"type_map: {', '.join(missing)} missing, it has {', '.join(type_map)}")
    number = len(frames)
    arrays = {
        "coord": frames.positions.reshape(number, -1),
        "box": frames.cells.reshape(number, 9),
        "energy": frames.energies_ev,
        "force": frames.forces_ev_per_angstrom.reshape(number, -1),
        "virial": frames.virials_ev.reshape(number, 9),
    }
    (folder / "set.000").mkdir(parents=True)
    types = [str(type_map.index(symbol)) for symbol in frames.symbols]
    (folder / "type.raw").write_text("\n".join(types) + "\n", encoding="ascii")
    (folder / "type_map.raw").write_text("\n".join(type_map) + "\n", encoding="ascii")
    for name, values in arrays.items():
        np.save(folder / "set.000" / f"{name}.npy", np.ascontiguousarray(values, dtype=np.float64))
