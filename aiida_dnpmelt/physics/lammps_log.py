"""Read a LAMMPS log as a stream: thermo tables, stages, printed values, errors, how the run ended.

A log may be cut at any byte, and may hold binary junk: what stands in whole lines is kept, nothing is raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_MESSAGES = 50
"""Distinct errors, and distinct warnings, that are kept."""

MAX_MESSAGE_LENGTH = 500
"""Characters of a message that are kept."""

_CHUNK = 8192  # thermo rows that are held as text before they become numbers
_ROW_START = frozenset(" -0123456789")

_LOOP = re.compile(
    r"Loop time of (\d{1,15}(?:\.\d{1,15})?(?:e[+-]?\d{1,3})?) on (\d{1,9}) procs"
    r" for (\d{1,15}) steps with (\d{1,15}) atoms"
)
_CPU_USE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)% CPU use with \d{1,9} MPI tasks")
_WALL_TIME = re.compile(r"Total wall time: (\d{1,9}):(\d\d):(\d\d)\s")
_TIME_LIMIT = "Wall time limit reached"
_HALT = re.compile(r"Fix halt condition for fix-id (\S+) met")
_VERSION = re.compile(r"LAMMPS \(([^)]+)\)")

# From LAMMPS 22Jul2025 and DeePMD-kit 3.2, in order of precedence. A complaint about the content of a
# potential file is known by the source file of the pair style that made it.
_FAILURES = (
    ("lost_atoms", re.compile(r"Lost atoms")),
    (
        "non_finite",
        re.compile(
            r"Non-numeric|simulation unstable|(?:Too many|too large for) neighbor bins"
            r"|Neighbor list overflow"  # of a collapsed box
        ),
    ),
    ("unknown_pair_style", re.compile(r"Unrecognized pair style")),
    (
        "missing_element",
        re.compile(r"not found in the model|No matching element|missing an entry for|Did not find all elements"),
    ),
    (
        "syntax",
        re.compile(
            r"Unknown command|Illegal |Unrecognized |Expected \w+ |illegal variable|Invalid syntax"
            r"|Incorrect args|pair coeffs are not set"
        ),
    ),
    ("bad_potential", re.compile(r"potential file|DeePMD-kit|\bpair_\w+\.cpp")),
)


class Loop(NamedTuple):
    """What LAMMPS says at the end of a run: wall time in s, MPI processes, time steps, atoms, CPU time a process.

    The last one is a share of the wall time, None if it does not say; a process that had to share its core has less
    than 1, one of several threads more.
    """

    seconds: float
    processes: int
    steps: int
    atoms: int
    cpu_share: float | None = None


@dataclass(frozen=True, eq=False)
class ThermoBlock:
    """Thermo table of one ``run`` or ``minimize``.

    :param stage: name that the input script printed last before it (``dnpmelt stage NAME``), or ``""``.
    :param columns: headings, the first is ``Step``.
    :param rows: the table, shape (rows, columns), in the units of the run; at least one row.
    :param loop: the line at its end, ``None`` if the run did not get there.
    """

    stage: str
    columns: tuple[str, ...]
    rows: NDArray[np.float64]
    loop: Loop | None

    @property
    def complete(self) -> bool:
        """Tell whether the run came to its end: its last step, a halt, or its time limit."""
        return self.loop is not None

    def __getitem__(self, column: str) -> NDArray[np.float64]:
        """Return the values of a column, shape (rows,).

        :raises KeyError: if there is no such column.
        """
        if column not in self.columns:
            raise KeyError(f"no thermo column {column!r} in stage {self.stage!r}, there are {self.columns}")
        return self.rows[:, self.columns.index(column)]


@dataclass(frozen=True, eq=False)
class Log:
    """Content of a log.

    :param blocks: thermo tables in their order; a table without a row is left out.
    :param values: numbers that the input script printed (``dnpmelt value KEY NUMBER``), the last of each key.
    :param stage: the last stage that was announced (one word), ``""`` if none was.
    :param errors: distinct lines of errors, see `MAX_MESSAGES`.
    :param warnings: distinct lines of warnings, see `MAX_MESSAGES`.
    :param version: version of LAMMPS as it states it, such as ``22 Jul 2025 - Update 2``.
    :param wall_time_s: total wall time in s, which LAMMPS writes at the end of an input script.
    :param halted_by: names of the ``fix halt`` whose condition was met, in their order.
    :param timed_out: whether a run was stopped by LAMMPS's own limit of wall time (``timer timeout``).
    :param quit: whether the input script ended itself by ``quit``, after which no wall time is written.
    """

    blocks: tuple[ThermoBlock, ...]
    values: Mapping[str, float]
    stage: str
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    version: str | None
    wall_time_s: float | None
    halted_by: tuple[str, ...]
    timed_out: bool
    quit: bool

    @property
    def complete(self) -> bool:
        """Tell whether LAMMPS came to the end of its input script."""
        return self.wall_time_s is not None

    @property
    def halted(self) -> bool:
        """Tell whether the condition of a ``fix halt`` was met."""
        return bool(self.halted_by)

    def failure(self) -> str | None:
        """Return why the run failed, ``None`` if the log shows no failure (a killed run leaves none).

        :return: ``lost_atoms``, ``non_finite`` (also without an error, when the last thermo row is not
            finite), ``unknown_pair_style``, ``missing_element``, ``syntax``, ``bad_potential`` or
            ``other_error``.
        """
        for name, pattern in _FAILURES:
            if any(pattern.search(error) for error in self.errors):
                return name
        if self.blocks and not np.isfinite(self.blocks[-1].rows[-1]).all():
            return "non_finite"
        return "other_error" if self.errors else None


def read_log(lines: Iterable[str]) -> Log:
    """Read a log.

    :param lines: the lines with their newlines, as an open text file gives them (open it with
        ``errors="replace"``). A last line without newline was cut and is left out.
    """
    reader = _Reader()
    for line in _whole_lines(lines):
        reader.feed(line)
    return reader.finish()


def _whole_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield all lines but a last one that lacks its newline."""
    previous = ""
    for line in lines:
        if previous:
            yield previous
        previous = line
    if previous.endswith("\n"):
        yield previous


class _Reader:
    """What was read so far, and the table under way: its columns, its rows as text and as numbers."""

    def __init__(self) -> None:
        self._blocks: list[ThermoBlock] = []
        self._values: dict[str, float] = {}
        self._stage = ""
        self._errors: dict[str, None] = {}  # an ordered set, as are the next two
        self._warnings: dict[str, None] = {}
        self._halts: dict[str, None] = {}
        self._version: str | None = None
        self._wall_time_s: float | None = None
        self._timed_out = False
        self._quit = False
        self._table_stage = ""
        self._columns: tuple[str, ...] = ()
        self._text: list[str] = []
        self._rows: list[NDArray[np.float64]] = []
        self._handlers: dict[str, Callable[[str], None]] = {
            "Step": self._header,
            "Loop": self._loop,
            "WARNING:": self._warning,
            "WARNING": self._warning,
            "ERROR:": self._error,
            "ERROR": self._error,
            "Fix": self._halt,
            "dnpmelt": self._own_line,
            "LAMMPS": self._banner,
            "Total": self._total,
            "quit": self._quit_command,
        }

    def feed(self, line: str) -> None:
        """Take in one whole line."""
        if self._columns and line[0] in _ROW_START and "Step" not in line and not line.isspace():
            self._text.append(line)
            if len(self._text) == _CHUNK:
                self._convert()
            return
        words = line.split(maxsplit=1)
        if words and words[0] in self._handlers:
            self._handlers[words[0]](line)
        elif words and words[0].endswith("%"):
            self._cpu_use(line)

    def finish(self) -> Log:
        """Close the table under way and return what was read."""
        self._close(None)
        return Log(
            blocks=tuple(self._blocks),
            values=self._values,
            stage=self._stage,
            errors=tuple(self._errors),
            warnings=tuple(self._warnings),
            version=self._version,
            wall_time_s=self._wall_time_s,
            halted_by=tuple(self._halts),
            timed_out=self._timed_out,
            quit=self._quit,
        )

    def _header(self, line: str) -> None:
        self._close(None)
        self._table_stage = self._stage
        self._columns = tuple(line.split())

    def _loop(self, line: str) -> None:
        if found := _LOOP.match(line):
            seconds, *counts = found.groups()
            self._close(Loop(float(seconds), *map(int, counts)))

    def _cpu_use(self, line: str) -> None:
        last = self._blocks[-1] if self._blocks else None
        found = _CPU_USE.match(line)
        if found and last is not None and last.loop is not None and last.loop.cpu_share is None:
            self._blocks[-1] = replace(last, loop=last.loop._replace(cpu_share=round(float(found[1]) / 100, 6)))

    def _convert(self) -> None:
        if self._text:
            self._rows.append(_table(self._text, len(self._columns)))
            self._text = []

    def _close(self, loop: Loop | None) -> None:
        self._convert()
        rows = np.concatenate(self._rows) if self._rows else np.empty((0, 0))
        if len(rows):
            self._blocks.append(ThermoBlock(self._table_stage, self._columns, rows, loop))
        self._columns, self._rows = (), []

    def _own_line(self, line: str) -> None:
        match line.split():
            case ["dnpmelt", "stage", name]:
                self._stage = name
            case ["dnpmelt", "value", key, number] if found := _numbers(number):
                self._values[key] = found[0]

    def _warning(self, line: str) -> None:
        _remember(self._warnings, line)
        self._timed_out |= _TIME_LIMIT in line

    def _error(self, line: str) -> None:
        _remember(self._errors, line)
        if found := _HALT.search(line):
            _remember(self._halts, found[1])

    def _halt(self, line: str) -> None:
        if found := _HALT.match(line):
            _remember(self._halts, found[1])

    def _banner(self, line: str) -> None:
        if found := _VERSION.match(line):
            self._version = found[1]

    def _total(self, line: str) -> None:
        if found := _WALL_TIME.match(line):
            hours, minutes, seconds = map(int, found.groups())
            self._wall_time_s = 3600.0 * hours + 60.0 * minutes + seconds

    def _quit_command(self, line: str) -> None:
        self._quit = True


def _remember(messages: dict[str, None], line: str) -> None:
    if len(messages) < MAX_MESSAGES:
        messages[line.strip()[:MAX_MESSAGE_LENGTH]] = None


def _numbers(line: str) -> list[float]:
    """Return the numbers of a line, an empty list if it holds anything else."""
    try:
        return [float(word) for word in line.split()]
    except ValueError:
        return []


def _table(lines: list[str], width: int) -> NDArray[np.float64]:
    """Return those lines that are rows of ``width`` numbers, shape (rows, width)."""
    try:
        rows = np.loadtxt(lines, ndmin=2, comments=None)
        if rows.shape == (len(lines), width):
            return rows
    except ValueError:
        pass  # something else stands between the rows
    candidates = map(_numbers, lines)
    return np.array([numbers for numbers in candidates if len(numbers) == width]).reshape(-1, width)
