"""Where labelled frames that others have left lie, and what is read there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_dnpmelt.data.elements import meant
from aiida_dnpmelt.physics.frames import LabelledFrames, finite_frames, right_handed

Kind = Literal["vasprun.xml", "OUTCAR", "deepmd/npy", "deepmd/raw", "link", "folder"]

# One word for one reason, whoever reads the file.
NO_FRAMES: Final = "no frames"
NOT_PERIODIC: Final = "not periodic"

_ARRAYS: Final = ("coord", "box", "energy", "force", "virial", "real_atom_types")
_FILES: Final = {"deepmd/npy": "set.*/{}.npy", "deepmd/raw": "{}.raw"}
"""Files of a data set that are read, and of which its checksum is made."""


def no_stress(where: str = "") -> str:
    """Return in words that the stress is missing, here or in a part of the source."""
    return f"no stress{f' in {where}' if where else ''}, which training on pressures needs"


@dataclass(frozen=True)
class Source:
    """Where labelled frames lie: a file of VASP, or the folder of a data set.

    :param kind: a `link` leads out of the folder that is looked through, a `folder` cannot be looked through.
    :param formula: of the frames that are meant, if the data set holds several; else empty.
    :param left: why it is not read, in words; empty if it can be tried.
    """

    path: Path
    kind: Kind
    formula: str = ""
    left: str = ""

    def inside(self, folder: Path) -> str:
        """Return where it lies in a folder, and which of its frames are meant."""
        name = self.path.relative_to(folder).as_posix() if folder.is_dir() else self.path.name
        place = os.fsencode(name).decode(errors="replace")  # any bytes can be the name of a file
        return f"{place} ({self.formula})" if self.formula else place

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
        digest = hashlib.sha256(self.formula.encode())  # empty but for what no checksum was made of before
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
    :param remarks: what else is to be known of the frames, in words.
    """

    frames: LabelledFrames | None
    converged: NDArray[np.bool_] | None = None
    not_finite: int = 0
    flaw: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def check_element(symbols: tuple[str, ...], symbol: str | None) -> None:
    """Refuse frames of what is no element, or of another element than the one that was named.

    :raises ValueError: if they are.
    """
    unknown = sorted({each for each in symbols if not atomic_numbers.get(each)})
    if unknown:
        raise ValueError(f"{', '.join(map(repr, unknown))}: no chemical element{meant(unknown[0])}")
    if symbol is not None and set(symbols) != {symbol}:
        raise ValueError(f"element is {symbol}, the frames hold {', '.join(sorted(set(symbols)))}")


class UnknownTemperatureError(ValueError):
    """Neither the source of frames nor who imports them says at which temperature they are."""


def temperatures_of(known: NDArray[np.float64], given: float | None) -> NDArray[np.float64]:
    """Return the temperatures in K of frames: what their source says, or what was given.

    :raises UnknownTemperatureError: if neither tells all.
    """
    if np.isfinite(known).all():
        return known
    if given is None:
        raise UnknownTemperatureError("the frames do not say at which temperature they are: name it")
    return np.full(len(known), given)


def finite_dataset(
    symbols: tuple[str, ...],
    arrays: Mapping[str, NDArray[np.float64]],
    converged: NDArray[np.bool_] | None,
    flaw: str | None,
    details: Mapping[str, Any],
    remarks: tuple[str, ...] = (),
) -> Dataset:
    """Return the frames of which all is finite, in right-handed cells.

    :param arrays: those of `LabelledFrames`, by name.
    :raises ValueError: if the arrays are not of one length, a cell has no volume, or no frame is finite.
    """
    lengths = {name: len(values) for name, values in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"numbers of frames differ: {', '.join(f'{n} {name}' for name, n in lengths.items())}")
    if not lengths["cells"]:
        return Dataset(None, flaw=flaw or NO_FRAMES, details=details)
    good = finite_frames(arrays)
    if not good.any():
        raise ValueError(f"none of {len(good)} frames has labels that are numbers")
    finite = {name: values[good] for name, values in arrays.items()}
    finite["cells"], turned = right_handed(finite["cells"])
    if turned:
        remarks = (*remarks, f"{turned} left-handed cells turned")
    bad = int((~good).sum())
    return Dataset(
        LabelledFrames(symbols, **finite), None if converged is None else converged[good], bad, flaw, details, remarks
    )
