"""Find and read data sets of DeePMD-kit: `type.raw` with `set.*`, or with the `.raw` files that those were made from.

The arrays are read here and by no other library, since nobody vouches for them: files of numpy are mapped, so that
nothing in them is ever unpickled, and what does not fit is named by file and shape. In a data set of `mixed_type`
(`real_atom_types.npy`) each frame has its own elements: each composition is a source of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .sources import NO_FRAMES, NOT_PERIODIC, Dataset, Source, check_element, finite_dataset, no_stress, temperatures_of

_WHOLE: Final = ("coord", "box", "energy", "force")
_REAL_TYPES: Final = "real_atom_types"
_NO_ATOM: Final = -1
"""Type by which frames of a data set of `mixed_type` are filled up to the same number of atoms."""


def sets_of(folder: Path) -> list[Source]:
    """Return the data set that a folder is, one source for each composition: `set.*` are taken rather than `.raw`."""
    typed, source = (folder / "type.raw").is_file(), Source(folder, "deepmd/npy")
    if not any(_parts(source)) and not any(each.is_dir() for each in folder.glob("set.*") if typed):
        if not typed:
            return []
        source = Source(folder, "deepmd/raw")
    if not _is_mixed(source):
        return [source]
    try:
        types = _real_types(source, _types(source).size)
        formulas = sorted(set(_formulas(types, _checked_names(source, types))))
    except (ValueError, OSError):
        return [source]  # reading it says why not
    return [Source(folder, source.kind, formula) for formula in formulas] if len(formulas) > 1 else [source]


def read_set(source: Source, symbol: str | None, temperature_k: float | None) -> Dataset:
    """Return the frames of a data set; see `aiida_dnpmelt.provenance.datasets.read_dataset`."""
    if (source.path / "nopbc").exists():
        raise ValueError(NOT_PERIODIC)
    alike = _types(source)
    arrays = _arrays(source, alike.size)
    number = len(arrays["coord"])
    if not number:
        return Dataset(None, flaw=NO_FRAMES)
    types = _real_types(source, alike.size) if _is_mixed(source) else np.tile(alike, (number, 1))
    names = _checked_names(source, types)
    if names is None and symbol is None:
        raise ValueError("does not say which element it holds (type_map.raw is missing): name it")
    if not arrays["box"].any():
        raise ValueError(NOT_PERIODIC)
    if not arrays["virial"].any():  # it was written, and not computed
        raise ValueError(no_stress())
    chosen = [not source.formula or formula == source.formula for formula in _formulas(types, names)]
    arrays = {name: values[chosen] for name, values in arrays.items()}
    return _dataset(types[chosen], arrays, names, symbol, temperature_k)


def _dataset(
    types: NDArray[np.int64],
    arrays: dict[str, NDArray[np.float64]],
    names: Sequence[str] | None,
    symbol: str | None,
    temperature_k: float | None,
) -> Dataset:
    """Return frames of one composition, the atoms of each in the order of their types."""
    number = len(types)
    order = np.argsort(types, axis=1, kind="stable")
    order = order[:, (types[0] == _NO_ATOM).sum() :]
    if not order.shape[1]:
        raise ValueError("no atoms")
    kinds = np.take_along_axis(types, order, axis=1)[0]
    symbols = tuple((names[kind] if names else symbol or "") for kind in kinds)
    check_element(symbols, symbol)
    coordinates = {
        name: np.take_along_axis(arrays[name].reshape(number, -1, 3), order[:, :, None], axis=1)
        for name in ("coord", "force")
    }
    return finite_dataset(
        symbols,
        {
            "cells": arrays["box"].reshape(number, 3, 3),
            "positions": coordinates["coord"],
            "energies_ev": arrays["energy"].reshape(number),
            "forces_ev_per_angstrom": coordinates["force"],
            "virials_ev": arrays["virial"].reshape(number, 3, 3),
            "temperatures_k": temperatures_of(np.full(number, np.nan), temperature_k),
        },
        None,
        None,
        {},
    )


class _Part(NamedTuple):
    """A folder of arrays: a `set.*`, or that of the `.raw` files."""

    folder: Path
    suffix: str
    name: str

    def has(self, name: str) -> bool:
        return (self.folder / f"{name}{self.suffix}").is_file()

    def shown(self, name: str) -> str:
        return f"{self.name}/{name}{self.suffix}" if self.name else f"{name}{self.suffix}"

    def read(self, name: str, columns: int) -> NDArray[Any]:
        """Return an array, shape (f, columns).

        :raises ValueError: if it is not there, or is no such array.
        """
        if not self.has(name):
            raise ValueError(f"{f'{self.name}: ' if self.name else ''}{name}{self.suffix} is missing")
        values = (_mapped if self.suffix == ".npy" else _text)(self.folder / f"{name}{self.suffix}", self.shown(name))
        if not values.ndim:
            raise ValueError(f"{self.shown(name)} is one number, {columns} a frame are needed")
        if values.size != len(values) * columns:
            given = values.size / len(values) if len(values) else 0
            raise ValueError(f"{self.shown(name)}: {given:g} numbers a frame, {columns} are needed")
        return values.reshape(len(values), columns)

    def read_all(self, columns: Mapping[str, int]) -> dict[str, NDArray[Any]]:
        """Return arrays by name, the positions among them, all of the same number of frames."""
        found = {name: self.read(name, number) for name, number in columns.items()}
        frames = len(found["coord"])
        for name, values in found.items():
            if len(values) != frames:
                raise ValueError(f"{self.shown(name)}: {len(values)} frames, {self.shown('coord')} has {frames}")
        return found


def _parts(source: Source) -> Iterator[_Part]:
    """Yield the parts that hold something."""
    if source.kind == "deepmd/raw":
        parts = [_Part(source.path, ".raw", "")]
    else:
        parts = [_Part(each, ".npy", each.name) for each in sorted(source.path.glob("set.*")) if each.is_dir()]
    yield from (part for part in parts if any(part.has(name) for name in (*_WHOLE, "virial", _REAL_TYPES)))


def _arrays(source: Source, atoms: int) -> dict[str, NDArray[np.float64]]:
    """Return the arrays of all parts, each as one of shape (f, columns)."""
    columns = {"coord": 3 * atoms, "box": 9, "energy": 1, "force": 3 * atoms, "virial": 9}
    parts = list(_parts(source))
    lacking = [part.name for part in parts if not part.has("virial")]
    if len(lacking) == len(parts) > 0:
        raise ValueError(no_stress())
    if lacking:
        raise ValueError(no_stress(f"{len(lacking)} of {len(parts)} parts ({', '.join(lacking[:3])})"))
    found = {name: [np.empty((0, number))] for name, number in columns.items()}
    for part in parts:
        for name, values in part.read_all(columns).items():
            found[name].append(np.asarray(values, dtype=float))
    return {name: np.concatenate(values) for name, values in found.items()}


def _types(source: Source) -> NDArray[np.int64]:
    """Return the types of the atoms that `type.raw` tells, shape (n,)."""
    path = source.path / "type.raw"
    if not path.is_file():
        raise ValueError("type.raw is missing")
    types = _whole(_text(path, "type.raw").ravel(), "type.raw")
    if not types.size:
        raise ValueError("no atoms: type.raw is empty")
    return types


def _is_mixed(source: Source) -> bool:
    return any(part.has(_REAL_TYPES) for part in _parts(source))


def _real_types(source: Source, atoms: int) -> NDArray[np.int64]:
    """Return the types of the atoms of each frame, shape (f, n)."""
    found = []
    for part in _parts(source):
        types = part.read_all({"coord": 3 * atoms, _REAL_TYPES: atoms})[_REAL_TYPES]
        found.append(_whole(types, part.shown(_REAL_TYPES)))
    return np.concatenate(found)


def _checked_names(source: Source, types: NDArray[np.int64]) -> list[str] | None:
    """Return the names of the types, None if there are none: then they have to be one type.

    :raises ValueError: if a type has no name.
    """
    name, least = ("type.raw", 0) if not _is_mixed(source) else (_REAL_TYPES, _NO_ATOM)
    kinds, names = np.unique(types), _names(source.path)
    if kinds[0] < least:
        raise ValueError(f"{name}: type {kinds[0]}, types are counted from 0")
    if names is None and (kinds >= 0).sum() > 1:
        raise ValueError(f"{(kinds >= 0).sum()} types of atoms, and type_map.raw is missing: it has to name them")
    if names is not None and kinds[-1] >= len(names):
        raise ValueError(f"{name}: type {kinds[-1]}, and type_map.raw names {len(names)}, counted from 0")
    return names


def _names(folder: Path) -> list[str] | None:
    path = folder / "type_map.raw"
    if not path.is_file():
        return None
    try:
        return path.read_text(encoding="utf-8-sig").split() or None
    except UnicodeDecodeError as error:
        raise ValueError("type_map.raw is no text") from error


def _formulas(types: NDArray[np.int64], names: Sequence[str] | None) -> list[str]:
    """Return the composition of each frame, as `AlCu3`."""
    known = [kind for kind in np.unique(types) if kind != _NO_ATOM]
    counts = np.array([(types == kind).sum(axis=1) for kind in known], dtype=int).reshape(len(known), len(types)).T
    rows, inverse = np.unique(counts, axis=0, return_inverse=True)
    words = [
        "".join(
            f"{names[kind] if names else ''}{number if number > 1 else ''}"
            for kind, number in zip(known, row, strict=True)
            if number
        )
        for row in rows
    ]
    return [words[index] for index in inverse.ravel()]


def _mapped(path: Path, name: str) -> NDArray[Any]:
    """Return an array of numpy, which stays in its file. Only this reader of numpy cannot unpickle."""
    try:
        values = np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # the head of what is no array may say anything
        raise ValueError(f"{name} is no array of numbers, or cut") from error
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{name} holds no numbers")
    return values


def _text(path: Path, name: str) -> NDArray[Any]:
    """Return the numbers of a text file, a row a line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an empty file holds no frames
            values = np.loadtxt(path, ndmin=2, encoding="utf-8")
    except ValueError as error:
        raise ValueError(f"{name} holds what is no number, or lines of different lengths") from error
    return values if values.size else values.reshape(0, 1)


def _whole(values: NDArray[Any], name: str) -> NDArray[np.int64]:
    if not np.array_equal(values, np.round(values)):
        raise ValueError(f"{name} holds what is no whole number")
    return values.astype(np.int64)
