"""Read LAMMPS trajectories (``dump custom``, text) one frame at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

_ORTHOGONAL = "pp pp pp"
_OBLIQUE = "xy xz yz pp pp pp"
_POSITIONS = (("x", "y", "z"), ("xu", "yu", "zu"))  # preferred first


@dataclass(frozen=True, eq=False)
class Frame:
    """Atoms of one time step, in the units of the run.

    :param step: time step.
    :param bounds: lower and upper bound of the box along x, y, z, shape (3, 2).
    :param columns: what LAMMPS wrote of each atom, such as ``("id", "x", "y", "z")``.
    :param data: one row an atom, in the order of ``id``, shape (atoms, columns).
    :param tilts: xy, xz, yz of an oblique box, shape (3,); the bounds are those of its edges along x, y, z.
    """

    step: int
    bounds: NDArray[np.float64]
    columns: tuple[str, ...]
    data: NDArray[np.float64]
    tilts: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))

    def __getitem__(self, column: str) -> NDArray[np.float64]:
        """Return one column, shape (atoms,).

        :raises KeyError: if the dump has no such column.
        """
        if column not in self.columns:
            raise KeyError(f"no column {column!r} in the dump, there are {self.columns}")
        return self.data[:, self.columns.index(column)]

    @property
    def lengths(self) -> NDArray[np.float64]:
        """Return the lengths of the box, shape (3,)."""
        return self.bounds[:, 1] - self.bounds[:, 0]

    @property
    def cell(self) -> NDArray[np.float64]:
        """Return the cell vectors as rows, lower triangular as LAMMPS has them, shape (3, 3)."""
        cell = np.diag(self.lengths)
        cell[[1, 2, 2], [0, 0, 1]] = self.tilts
        return cell

    def vectors(self, names: tuple[str, str, str]) -> NDArray[np.float64]:
        """Return three columns as one vector an atom, shape (atoms, 3).

        :raises KeyError: if the dump lacks one of them.
        """
        return np.column_stack([self[name] for name in names])

    @property
    def positions(self) -> NDArray[np.float64]:
        """Return the positions from the lower corner of the box, as written (not wrapped), shape (atoms, 3).

        :raises KeyError: if the dump has neither x, y, z nor xu, yu, zu.
        """
        for names in _POSITIONS:
            if set(names) <= set(self.columns):
                columns = [self.columns.index(name) for name in names]
                return self.data[:, columns] - self.bounds[:, 0]
        raise KeyError(f"no positions in the dump: x, y, z or xu, yu, zu are needed, there are {self.columns}")


def read_frames(lines: Iterable[str], *, oblique: bool = False) -> Iterator[Frame]:
    """Yield the frames of a dump, with one of them in memory.

    A last frame that was cut is left out.

    :param lines: the lines with their newlines, as an open text file gives them.
    :param oblique: whether the box may be oblique, too.
    :raises ValueError: for what is no dump of an orthogonal, periodic box with atom ids; names the line.
    """
    reader = _Reader(lines, oblique)
    try:
        while True:
            yield reader.frame()
    except _CutError:
        return


class _CutError(Exception):
    """The file ends within a frame, or between two."""


class _Reader:
    """The lines, and the number of the last one that was taken."""

    def __init__(self, lines: Iterable[str], oblique: bool) -> None:
        self._lines = iter(lines)
        self._oblique = oblique
        self._number = 0

    def frame(self) -> Frame:
        """Return the next frame."""
        self._item("ITEM: TIMESTEP")
        step = self._integer(minimum=0)
        self._item("ITEM: NUMBER OF ATOMS")
        atoms = self._integer(minimum=1)
        bounds, tilts = self._box()
        if not (bounds[:, 0] < bounds[:, 1]).all():
            self._fail("box bounds with lower < upper", bounds.tolist())
        columns = tuple(self._item("ITEM: ATOMS").split())
        if "id" not in columns:
            self._fail("a column 'id'", columns)
        data = self._table(atoms, len(columns))
        data = data[np.argsort(data[:, columns.index("id")])]
        if not (np.diff(data[:, columns.index("id")]) > 0).all():
            self._fail("each atom id once in this frame", "one that is repeated")
        return Frame(step, bounds, columns, data, tilts)

    def _box(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Take the box and return the bounds of its edges, and its tilts.

        Of an oblique box LAMMPS writes the bounds of the orthogonal one around it (manual, Howto_triclinic).
        """
        boundaries = self._item("ITEM: BOX BOUNDS")
        if self._oblique and boundaries == _OBLIQUE:
            table = self._table(3, 3)
            xy, xz, yz = table[:, 2]
            beyond_x, beyond_y = (0.0, xy, xz, xy + xz), (0.0, yz)
            outside = [[min(beyond_x), max(beyond_x)], [min(beyond_y), max(beyond_y)], [0.0, 0.0]]
            return table[:, :2] - np.array(outside), table[:, 2]
        if boundaries != _ORTHOGONAL:
            self._fail(f"an orthogonal, periodic box ('{_ORTHOGONAL}')", boundaries)
        return self._table(3, 2), np.zeros(3)

    def _take(self, count: int) -> list[str]:
        taken = list(islice(self._lines, count))
        self._number += len(taken)
        if len(taken) < count or not taken[-1].endswith("\n"):
            raise _CutError
        return taken

    def _item(self, name: str) -> str:
        """Take a line that starts with ``name`` and return what follows it."""
        (line,) = self._take(1)
        if not line.startswith(name):
            self._fail(f"'{name}'", line)
        return line.removeprefix(name).strip()

    def _integer(self, minimum: int) -> int:
        (line,) = self._take(1)
        if not (line.strip().isdecimal() and int(line) >= minimum):
            self._fail(f"an integer of at least {minimum}", line)
        return int(line)

    def _table(self, height: int, width: int) -> NDArray[np.float64]:
        """Take ``height`` rows of ``width`` numbers each."""
        lines = self._take(height)
        table = _numbers(lines)
        if table.shape != (height, width):
            row = next(row for row, line in enumerate(lines) if _numbers([line]).shape != (1, width))
            self._number += row + 1 - height
            self._fail(f"{width} numbers", lines[row])
        return table

    def _fail(self, expected: str, found: object) -> NoReturn:
        text = found.strip() if isinstance(found, str) else found
        raise ValueError(f"line {self._number} of the dump: expected {expected}, found {text!r:.200}")


def _numbers(lines: list[str]) -> NDArray[np.float64]:
    """Return the table that the lines are, shape (0, 0) if they are none."""
    if any(map(str.isspace, lines)):
        return np.empty((0, 0))
    try:
        return np.loadtxt(lines, ndmin=2, comments=None)
    except ValueError:
        return np.empty((0, 0))
