"""Write data sets of DeePMD-kit, whole ones and such that something is wrong with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aiida_dnpmelt.physics.frames import LabelledFrames


def write_set(
    folder: Path,
    frames: LabelledFrames,
    parts: int = 1,
    type_map: Sequence[str] | None = None,
    without: Sequence[str] = (),
    **changes: Any,
) -> Path:
    """Write the frames as a data set of several `set.*`, and return its folder.

    :param type_map: names of the types; those of the frames if not given.
    :param without: arrays that the last part lacks.
    :param changes: arrays of the last part that are other than those of the frames.
    """
    names = list(type_map or dict.fromkeys(frames.symbols))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "type.raw").write_text("".join(f"{names.index(each)}\n" for each in frames.symbols))
    (folder / "type_map.raw").write_text("\n".join(names) + "\n")
    chosen = np.array_split(np.arange(len(frames)), parts)
    for number, indices in enumerate(chosen):
        arrays = arrays_of(frames.take(indices)) if len(indices) else arrays_of(frames.take([0]), 0)
        if number == parts - 1:
            arrays = {name: values for name, values in {**arrays, **changes}.items() if name not in without}
        (folder / f"set.{number:03d}").mkdir()
        for name, values in arrays.items():
            np.save(folder / f"set.{number:03d}" / f"{name}.npy", values)
    return folder


def write_mixed(folder: Path, frames: LabelledFrames, type_map: Sequence[str], types: np.ndarray) -> Path:
    """Write frames as `mixed_type`: all types are 0, and each frame has those that are meant.

    :param types: shape (f, n); -1 stands for an atom that is none, at the end of a frame.
    """
    folder = write_set(folder, frames, real_atom_types=types)
    (folder / "type.raw").write_text("0\n" * len(frames.symbols))
    (folder / "type_map.raw").write_text("\n".join(type_map) + "\n")
    return folder


def write_raw(folder: Path, frames: LabelledFrames, type_map: Sequence[str] | None = None, **changes: Any) -> Path:
    """Write the text files of a data set; without a type map as older tools left them."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(frames.symbols))
    (folder / "type.raw").write_text("".join(f"{names.index(each)}\n" for each in frames.symbols))
    if type_map is not None:
        (folder / "type_map.raw").write_text("\n".join(type_map) + "\n")
    for name, values in {**arrays_of(frames), **changes}.items():
        np.savetxt(folder / f"{name}.raw", values, fmt="%.10e")
    return folder


def arrays_of(frames: LabelledFrames, number: int | None = None) -> dict[str, np.ndarray]:
    """Return the arrays of the first frames under the names that DeePMD-kit gives them."""
    f, n = len(frames), len(frames.symbols)
    arrays = {
        "coord": frames.positions.reshape(f, 3 * n),
        "box": frames.cells.reshape(f, 9),
        "energy": frames.energies_ev,
        "force": frames.forces_ev_per_angstrom.reshape(f, 3 * n),
        "virial": frames.virials_ev.reshape(f, 9),
    }
    return {name: values[:number] for name, values in arrays.items()}
