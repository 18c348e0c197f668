"""Where labelled frames that others have left lie, and what is read there."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import dpdata
import numpy as np
from numpy.typing import NDArray

from aiida_dnpmelt.physics.frames import LabelledFrames, finite_frames

Kind = Literal["vasprun.xml", "OUTCAR", "deepmd/npy", "deepmd/raw"]

_ARRAYS: Final = ("coord", "box", "energy", "force", "virial")
_FILES: Final = {"deepmd/npy": "set.*/{}.npy", "deepmd/raw": "{}.raw"}
"""Files of a data set that are read, and of which its checksum is made."""


@dataclass(frozen=True)
class Source:
    """Where labelled frames lie: a file of VASP, or the folder of a data set."""

    path: Path
    kind: Kind

    @property
    def files(self) -> list[Path]:
        """Return the files that hold the frames."""
        if self.path.is_file():
            return [self.path]
        arrays = [each for name in _ARRAYS for each in self.path.glob(_FILES[self.kind].format(name))]
        return sorted([*arrays, *self.path.glob("type.raw"), *self.path.glob("type_map.raw")])

    @property
    def sha256(self) -> str:
        """Return a checksum of all that is read, and of the names in a data set."""
        digest = hashlib.sha256()
        for file in self.files:
            if self.path.is_dir():
                digest.update(file.relative_to(self.path).as_posix().encode())
            with file.open("rb") as handle:
                while block := handle.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()


@dataclass(frozen=True)
class Dataset:
    """The frames of a source.

    :param frames: those whose labels are numbers; None if there is none.
    :param converged: whether the electrons of each are self-consistent, None if the source does not say it.
    :param not_finite: number of frames left out since a label is no number.
    :param flaw: how the run came to an early end, in words.
    :param details: what else the source says of how the labels were made.
    """

    frames: LabelledFrames | None
    converged: NDArray[np.bool_] | None = None
    not_finite: int = 0
    flaw: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def load_with_dpdata(source: Source, **options: Any) -> dict[str, Any]:
    """Return what dpdata reads.

    :raises ValueError: if it cannot.
    """
    kind = {"OUTCAR": "vasp/outcar"}.get(source.kind, source.kind)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they say is in the result: frames that are unconverged, or missing
            data: dict[str, Any] = dpdata.LabeledSystem(str(source.path), fmt=kind, **options).data
    except (OSError, ValueError, IndexError, KeyError, AssertionError, RuntimeError) as error:
        raise ValueError(f"'{source.path}' cannot be read as {source.kind}: {error}") from error
    return data


def check_element(symbols: tuple[str, ...], symbol: str | None) -> None:
    """Refuse frames of another element than the one that was named.

    :raises ValueError: if they are.
    """
    if symbol is not None and set(symbols) != {symbol}:
        raise ValueError(f"element is {symbol}, the frames hold {', '.join(sorted(set(symbols)))}")


def temperatures_of(known: NDArray[np.float64], given: float | None) -> NDArray[np.float64]:
    """Return the temperatures in K of frames: what their source says, or what was given.

    :raises ValueError: if neither tells all.
    """
    if np.isfinite(known).all():
        return known
    if given is None:
        raise ValueError("the frames do not say at which temperature they are: name it")
    return np.full(len(known), given)


def finite_dataset(
    symbols: tuple[str, ...],
    arrays: dict[str, NDArray[np.float64]],
    converged: NDArray[np.bool_] | None,
    flaw: str | None,
    details: Mapping[str, Any],
) -> Dataset:
    """Return the frames of which all is finite."""
    good = finite_frames(arrays)
    frames = LabelledFrames(symbols, **{name: values[good] for name, values in arrays.items()}) if good.any() else None
    return Dataset(frames, None if converged is None else converged[good], int((~good).sum()), flaw, details)


def dataset_of(
    source: Source,
    data: Mapping[str, Any],
    symbol: str | None,
    temperature_k: float | None,
    converged: NDArray[np.bool_] | None = None,
    details: Mapping[str, Any] | None = None,
) -> Dataset:
    """Return the frames of what dpdata has read.

    :raises ValueError: if there are no virials, or it is of another element.
    """
    names = [str(name) for name in data["atom_names"]]
    if any(name.startswith("Type_") for name in names):
        if symbol is None:
            raise ValueError(f"'{source.path}' does not say which element it holds (type_map.raw is missing): name it")
        names = [symbol] * len(names)
    symbols = tuple(names[kind] for kind in data["atom_types"])
    check_element(symbols, symbol)
    if "virials" not in data:
        raise ValueError(f"'{source.path}' holds no virials, which training on pressures needs")
    number = len(data["energies"])
    frames = {
        "cells": data["cells"],
        "positions": data["coords"],
        "energies_ev": data["energies"],
        "forces_ev_per_angstrom": data["forces"],
        "virials_ev": data["virials"],
        "temperatures_k": temperatures_of(np.full(number, np.nan), temperature_k),
    }
    arrays = {name: np.asarray(values, dtype=float) for name, values in frames.items()}
    return finite_dataset(symbols, arrays, converged, None, details or {})
