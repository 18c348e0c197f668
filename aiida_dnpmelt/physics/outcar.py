"""Read the ionic steps of an `OUTCAR`, as far as it goes: one that was cut gives the whole steps that it holds.

The file is read as a stream, compressed or not. Positions have five decimals there and forces six, so that a
`vasprun.xml` is the better source. Written for the files of VASP 5.4 and 6, with NWRITE of 0 to 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .packed import lines_of, open_packed
from .vasp_run import IonicStep, Value, VaspRun, potential_energy, virial_ev, work_ev
from .vasp_symbols import other_composition, symbols_of

Array = NDArray[np.float64]

_NUMBER: Final = re.compile(r"[-+]?\d*\.\d+(?:[EeDd][-+]?\d+)?|[-+]?\d+|\*+")
"""Numbers of a fixed width touch each other where they are large, and are stars where they are too large."""
_SETTING: Final = re.compile(r"\b([A-Z][A-Z_0-9]+)\s*=\s*([^\s;]+)")
_ITERATION: Final = re.compile(r"Iteration\s+(\d+)\(\s*(\d+)\)")
_VERSION: Final = re.compile(r"\s*vasp\.(\S+)")
_INTEGERS: Final = frozenset(
    {"NELM", "NSW", "IBRION", "ISIF", "NBLOCK", "MDALGO", "NWRITE", "ISPIN", "ISMEAR", "IVDW", "LDAUTYPE"}
)
_REALS: Final = frozenset(
    {"EDIFF", "PSTRESS", "POTIM", "TEBEG", "TEEND", "SMASS", "ENCUT", "SIGMA", "AEXX", "HFSCREEN"}
)
_WORDS: Final = frozenset({"GGA", "METAGGA", "PREC"})
_LOGICALS: Final = frozenset({"LHFCALC", "LUSE_VDW", "ML_LMLFF"})
_LISTS: Final = {"LDAUL": int, "LDAUU": float, "LDAUJ": float}
_TITLE, _RANGE, _POSCAR, _TYPES = "TITEL", "VRHFIN", "POSCAR", "ions per type"
_STRESS, _FORCES, _LATTICE = "in kB", "TOTAL-FORCE (eV/Angst)", "direct lattice vectors"
_ENERGY, _CYCLE, _ENTHALPY = "free  energy   TOTEN", "free energy    TOTEN", "enthalpy is  TOTEN"
_REACHED, _KINETIC = "EDIFF is reached", "kinetic energy EKIN "
_ML_BLOCK, _ML_ENERGY = "ML FORCE", "free  energy ML TOTEN"
_ORDER: Final = ((0, 3, 5), (3, 1, 4), (5, 4, 2))
"""Places in a tensor of XX, YY, ZZ, XY, YZ, ZX."""
_FIXED_CELL: Final = (0, 1, 2)
"""Values of ISIF with which the cell stays: it need not be repeated."""


def read_outcar(path: Path) -> VaspRun:
    """Return what an `OUTCAR` says, as far as it goes.

    :raises OSError: if the file cannot be read. What it holds raises nothing.
    """
    with open_packed(path) as handle:
        run = read_lines(lines_of(handle))
        return run if handle.flaw is None else replace(run, cut=handle.flaw)


def read_lines(lines: Iterable[str]) -> VaspRun:
    """Return what the lines of an `OUTCAR` say."""
    reader = _Reader(iter(lines))
    reader.read()
    return reader.run()


class _Step:
    """What has been read of an ionic step."""

    def __init__(self, index: int) -> None:
        """Start with nothing but the number of the step, from 0."""
        self.index = index
        self.cell: Array | None = None
        self.rows: Array | None = None
        self.stress_kb: Array | None = None
        self.energy = self.kinetic = self.enthalpy = self.work = np.nan
        self.cycle: list[float] = []
        self.iterations = 0
        self.reached = self.has_table = False


class _Reader:
    """Collects a run from the lines of a file."""

    def __init__(self, lines: Iterator[str]) -> None:
        """Start with nothing."""
        self._lines = lines
        self._version = ""
        self._settings: dict[str, Value] = {}
        self._incar: dict[str, Value] = {}
        self._titles: list[str] = []
        self._repeated: list[str] = []
        self._elements: list[str] = []
        self._numbers: list[int] = []
        self._comment = ""
        self._kpoints = 0
        self._cell: Array | None = None
        self._step: _Step | None = None
        self._steps: list[IonicStep] = []
        self._started = self._force_field = self._bare = 0
        self._in_force_field = False

    def read(self) -> None:
        """Read all lines."""
        while (line := next(self._lines, None)) is not None:
            if self._started == 0:
                self._take_head(line)
            self._take(line)
        self._close()

    def _take_head(self, line: str) -> None:
        """Take a line before the first step."""
        if not self._version and (found := _VERSION.match(line)):
            self._version = found[1]
        elif _TITLE in line:
            self._titles.append(line.partition("=")[2].strip())
        elif line.startswith(" POTCAR:"):
            self._repeated.append(line.partition(":")[2].strip())
        elif _RANGE in line:
            self._elements.append(line.partition("=")[2].partition(":")[0].strip())
        elif line.strip().startswith(_POSCAR):
            self._comment = self._comment or line.strip()[len(_POSCAR) :].lstrip(" :=")
        elif _TYPES in line:
            self._numbers = [int(word) for word in line.partition("=")[2].split() if word.isdigit()]
        elif "NKPTS" in line and (found := re.search(r"NKPTS\s*=\s*(\d+)", line)):
            self._kpoints = int(found[1])
        else:
            self._take_settings(line)

    def _take_settings(self, line: str) -> None:
        for name, text in _SETTING.findall(line):
            convert = _LISTS.get(name)
            with suppress(ValueError):
                if convert is not None:
                    self._settings[name] = [convert(word) for word in line.partition("=")[2].split()]
                elif (value := _converted(name, text)) is not None:
                    self._settings[name] = value
        if "LDA+U is selected" in line:
            self._settings["LDAU"] = True

    def _take(self, line: str) -> None:
        """Take a line that may belong to a step."""
        if found := _ITERATION.search(line):
            self._iterate(int(found[1]), int(found[2]))
        elif _ML_ENERGY in line:
            self._force_field += 1
            self._in_force_field = False
        elif self._in_force_field or _ML_BLOCK in line:
            self._in_force_field = True
        elif _FORCES in line:
            next(self._lines, None)
            step = self._open("rows")
            step.has_table, step.rows = True, self._table(sum(self._numbers), 6)
        elif _LATTICE in line:
            self._take_cell(self._table(3, 3))
        elif line.strip().startswith(_STRESS):
            self._open("stress_kb").stress_kb = _tensor(_numbers(line)[:6])
        elif self._step is not None:
            self._take_energies(self._step, line)

    def _table(self, rows: int, columns: int) -> Array | None:
        """Return the numbers of the next lines, shape (rows, columns), None if they are not all there."""
        found = []
        for line in islice(self._lines, rows):
            numbers = _numbers(line)[:columns]
            if len(numbers) < columns:
                self._lines = chain([line], self._lines)  # the next thing, after a table that was cut
                break
            found.append(numbers)
        return np.array(found) if rows and len(found) == rows else None

    def _take_cell(self, cell: Array | None) -> None:
        self._cell = cell if cell is not None else self._cell
        if self._started:
            self._open("cell").cell = cell

    def _take_energies(self, step: _Step, line: str) -> None:
        if _ENERGY in line:
            step.energy = _after(line)
        elif _CYCLE in line:
            step.cycle.append(_after(line))
        elif _ENTHALPY in line:
            values = _numbers(line)
            step.enthalpy, step.work = values[:2] if len(values) > 1 else (np.nan, np.nan)
        elif _KINETIC in line:
            step.kinetic = _after(line)
        elif _REACHED in line:
            step.reached = True

    def _iterate(self, ionic: int, number: int) -> None:
        """Begin an electronic step, and an ionic one with the first of them."""
        self._in_force_field = False
        if self._step is None or number <= self._step.iterations or np.isfinite(self._step.energy):
            self._begin()
        assert self._step is not None
        self._step.index, self._step.iterations = ionic - 1, number

    def _open(self, part: str) -> _Step:
        """Return the step that a part belongs to: the next one if this one has it and an energy, as with NWRITE = 0."""
        if self._step is None or (np.isfinite(self._step.energy) and getattr(self._step, part) is not None):
            self._begin()
        assert self._step is not None
        return self._step

    def _begin(self) -> None:
        self._close()
        self._step = _Step(self._started + self._force_field)
        self._started += 1

    def _close(self) -> None:
        """Keep a step if it is whole."""
        step, self._step = self._step, None
        if step is None:
            return
        cell = step.cell if step.cell is not None else self._last_cell()
        rows = step.rows
        if np.isfinite(step.energy) and not step.has_table:
            self._bare += 1
        if rows is None or cell is None or not np.isfinite(step.energy):
            return
        self._steps.append(_ionic(step, cell, rows, self._settings))

    def _last_cell(self) -> Array | None:
        return self._cell if self._settings.get("ISIF", _FIXED_CELL[0]) in _FIXED_CELL else None

    def run(self) -> VaspRun:
        """Return what has been read."""
        titles = tuple(self._titles or self._repeated)
        if len(titles) == 2 * len(self._numbers) and titles[: len(self._numbers)] == titles[len(self._numbers) :]:
            titles = titles[: len(self._numbers)]
        types = [kind for kind, number in enumerate(self._numbers, 1) for _ in range(number)]
        names = self._elements if len(self._elements) >= len(self._numbers) else [""] * len(self._numbers)
        symbols, notes, contradiction = _symbols(names, types, titles, self._comment)
        if self._bare:
            nwrite = self._settings.get("NWRITE", "not known")
            notes = (*notes, f"{self._bare} steps without forces left out, NWRITE is {nwrite}")
        return VaspRun(
            version=self._version,
            incar=self._settings,
            symbols=symbols,
            potcars=titles,
            parameters=self._settings,
            kpoints=self._kpoints,
            steps=tuple(self._steps),
            started=self._started - self._bare,
            force_field_steps=self._force_field,
            contradiction=contradiction,
            notes=notes,
        )


def _symbols(
    names: list[str], types: list[int], titles: tuple[str, ...], comment: str
) -> tuple[tuple[str, ...], tuple[str, ...], str | None]:
    """Return symbols, remarks, and why the symbols cannot be told."""
    if types and len(titles) != max(types):
        return (), (), f"there are {len(titles)} titles of POTCAR files for {max(types)} types of atoms"
    said = [names[kind - 1] or "?" for kind in types]
    try:
        symbols, notes = symbols_of(said, types, titles)
    except ValueError as error:
        return tuple(said), (), str(error)
    notes = tuple(note for note in notes if "'?'" not in note)  # files of small NWRITE do not name the elements
    other = other_composition(comment, symbols)
    return symbols, (*notes, other) if other else notes, None


def _ionic(step: _Step, cell: Array, rows: Array, settings: dict[str, Value]) -> IonicStep:
    last = step.enthalpy - step.work if np.isfinite(step.enthalpy) else (step.cycle or [np.nan])[-1]
    work = work_ev(settings.get("PSTRESS"), cell)
    energy, taken, checked = potential_energy(step.energy, last, work, contained=False)
    return IonicStep(
        cell=cell,
        positions=rows[:, :3],
        energy_ev=energy,
        forces_ev_per_angstrom=rows[:, 3:],
        virial_ev=None if step.stress_kb is None else virial_ev(step.stress_kb, cell),
        electronic_steps=step.iterations,
        last_change_ev=_last_change(step, settings.get("NELM", 60)),
        index=step.index,
        kinetic_ev=step.kinetic,
        work_ev=taken,
        work_checked=checked,
    )


def _last_change(step: _Step, most: Any) -> float:
    """Return the last change of the free energy in eV, or 0 if the cycle ended before NELM steps."""
    if step.reached or step.iterations < most:
        return 0.0
    return abs(step.cycle[-1] - step.cycle[-2]) if len(step.cycle) > 1 else np.inf


def _converted(name: str, text: str) -> Value | None:
    if name in _INTEGERS:
        return int(text)
    if name in _REALS:
        return float(text.upper().replace("D", "E"))
    if name in _LOGICALS:
        return text.strip(".").upper().startswith("T")
    return text if name in _WORDS else None


def _numbers(line: str) -> list[float]:
    return [np.nan if "*" in word else float(word.upper().replace("D", "E")) for word in _NUMBER.findall(line)]


def _after(line: str) -> float:
    """Return the first number after the sign of equality."""
    return next(iter(_numbers(line.partition("=")[2])), np.nan)


def _tensor(values: list[float]) -> Array:
    """Return a tensor in the order of VASP, NaN if a component is missing."""
    six = values if len(values) == 6 else [np.nan] * 6
    return np.array([[six[place] for place in row] for row in _ORDER])
