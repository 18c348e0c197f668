"""Find and read labelled frames that others have left in files: runs of VASP, and data sets of DeePMD-kit."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import dpdata
import numpy as np
from numpy.typing import NDArray

from aiida_dnpmelt.physics.frames import LabelledFrames, finite_frames
from aiida_dnpmelt.physics.vasprun import VaspRun, read_vasprun

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


def find_sources(path: Path) -> Iterator[Source]:
    """Yield what a file or a folder and all below it hold, runs before data sets, each in the order of names.

    In one folder a `vasprun.xml` is taken rather than an `OUTCAR`, and `set.*` rather than the `.raw` files that it was
    made from. Files under other names, as the parts of runs that were put aside, are left alone.

    :raises ValueError: if there is nothing.
    """
    folders = [path] if path.is_dir() else []
    folders += sorted(each for each in path.rglob("*") if each.is_dir())
    runs = [run for folder in folders if (run := _run(folder))]
    sets = [each for folder in folders if (each := _set(folder))]
    if path.is_file():
        runs = [Source(path, "OUTCAR" if "OUTCAR" in path.name else "vasprun.xml")]
    if not runs and not sets:
        raise ValueError(
            f"'{path}' holds no vasprun.xml, no OUTCAR, and no data set of DeePMD-kit (type.raw with set.*)"
        )
    yield from runs
    yield from sets


def read_dataset(source: Source, symbol: str | None = None, temperature_k: float | None = None) -> Dataset:
    """Return the frames of a source.

    :param symbol: element of a data set that does not name it.
    :param temperature_k: temperature in K of frames whose source does not say it.
    :raises ValueError: if the source says another element, or neither it nor the parameters say what is needed.
    """
    if source.kind == "vasprun.xml":
        return _of_vasprun(read_vasprun(source.path), symbol, temperature_k)
    return _of_dpdata(source, symbol, temperature_k)


def _run(folder: Path) -> Source | None:
    if (folder / "vasprun.xml").is_file():
        return Source(folder / "vasprun.xml", "vasprun.xml")
    return Source(folder / "OUTCAR", "OUTCAR") if (folder / "OUTCAR").is_file() else None


def _set(folder: Path) -> Source | None:
    if not (folder / "type.raw").is_file():
        return None
    if any(folder.glob("set.*/coord.npy")):
        return Source(folder, "deepmd/npy")
    return Source(folder, "deepmd/raw") if (folder / "coord.raw").is_file() else None


def _of_vasprun(run: VaspRun, symbol: str | None, temperature_k: float | None) -> Dataset:
    details = {
        "program": f"VASP {run.version}".strip(),
        "incar": dict(run.incar),
        "potcars": list(run.potcars),
        "kpoints": run.kpoints,
        "lost_steps": run.lost,
    }
    if not run.steps:
        return Dataset(None, flaw=run.flaw or "no ionic step", details=details)
    _check_element(run.symbols, symbol)
    frames = {**run.arrays(), "temperatures_k": _temperatures(run.temperatures_k, temperature_k)}
    return _finite(run.symbols, frames, run.converged, run.flaw, details)


def _of_dpdata(source: Source, symbol: str | None, temperature_k: float | None) -> Dataset:
    converged = None
    if source.kind == "OUTCAR":
        data = _load(source, convergence_check=False)
        converged = np.isin(data["energies"], _load(source, convergence_check=True)["energies"])
    else:
        data = _load(source)
    names = [str(name) for name in data["atom_names"]]
    if any(name.startswith("Type_") for name in names):
        if symbol is None:
            raise ValueError(f"'{source.path}' does not say which element it holds (type_map.raw is missing): name it")
        names = [symbol] * len(names)
    symbols = tuple(names[kind] for kind in data["atom_types"])
    _check_element(symbols, symbol)
    if "virials" not in data:
        raise ValueError(f"'{source.path}' holds no virials, which training on pressures needs")
    number = len(data["energies"])
    frames = {
        "cells": data["cells"],
        "positions": data["coords"],
        "energies_ev": data["energies"],
        "forces_ev_per_angstrom": data["forces"],
        "virials_ev": data["virials"],
        "temperatures_k": _temperatures(np.full(number, np.nan), temperature_k),
    }
    arrays = {name: np.asarray(values, dtype=float) for name, values in frames.items()}
    return _finite(symbols, arrays, converged, None, {"program": "VASP"} if source.kind == "OUTCAR" else {})


def _load(source: Source, **options: Any) -> dict[str, Any]:
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


def _check_element(symbols: tuple[str, ...], symbol: str | None) -> None:
    if symbol is not None and set(symbols) != {symbol}:
        raise ValueError(f"element is {symbol}, the frames hold {', '.join(sorted(set(symbols)))}")


def _temperatures(known: NDArray[np.float64], given: float | None) -> NDArray[np.float64]:
    if np.isfinite(known).all():
        return known
    if given is None:
        raise ValueError("the frames do not say at which temperature they are: name it")
    return np.full(len(known), given)


def _finite(
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
