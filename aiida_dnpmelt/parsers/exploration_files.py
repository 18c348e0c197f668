"""The files of an exploration as numbers, with no AiiDA in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_dnpmelt.calculations.exploration_script import BY_BOUNDS, BY_DEVIATION, SAMPLE
from aiida_dnpmelt.physics.lammps_dump import read_frames
from aiida_dnpmelt.physics.lammps_log import Log

Array = NDArray[np.float64]

DEVIATIONS = (
    "max_virial_ev_per_atom",
    "min_virial_ev_per_atom",
    "mean_virial_ev_per_atom",
    "max_force_ev_per_angstrom",
    "min_force_ev_per_angstrom",
    "mean_force_ev_per_angstrom",
)
"""Columns of the file of deviations after the step, in their order."""
THERMO = {
    "instantaneous_temperature_k": "Temp",
    "potential_energy_ev": "PotEng",
    "volume_angstrom3": "Volume",
}


@dataclass(frozen=True)
class Run:
    """What a run at one temperature left.

    :param steps: steps that have a frame, a deviation and a thermo row, all finite, shape (f,).
    :param cells: cell vectors as rows in Angstrom, lower triangular, shape (f, 3, 3).
    :param positions: in Angstrom, shape (f, n, 3).
    :param values: columns by the names of `DEVIATIONS` and `THERMO`, each of shape (f,).
    :param ended: ``complete``, ``bounds``, ``deviation``, ``exploded``, ``cut`` or ``not_started``.
    :param last_step: the last step that the log shows, -1 for none.
    """

    steps: NDArray[np.int64]
    cells: Array
    positions: Array
    values: dict[str, Array]
    ended: str
    last_step: int


def read_run(log: Log, number: int, frames: Iterable[str], deviations: Iterable[str], last_step: int) -> Run:
    """Return the run at a temperature, or what there is of it.

    :param number: number of the temperature, from 1.
    :param frames: lines of its dump.
    :param deviations: lines of its deviations.
    :param last_step: the step that it should reach.
    :raises ValueError: if the dump is none.
    """
    thermo = _thermo(log, number)
    devi = _deviations(deviations)
    steps, cells, positions, rows = [], [], [], []
    for frame in read_frames(frames, oblique=True):
        if frame.step not in thermo or frame.step not in devi:
            continue
        row = [*devi[frame.step], *thermo[frame.step]]
        if np.isfinite(row).all() and np.isfinite(frame.positions).all():
            steps.append(frame.step)
            cells.append(frame.cell)
            positions.append(frame.positions)
            rows.append(row)
    table = np.array(rows, dtype=float).reshape(len(rows), len(DEVIATIONS) + len(THERMO))
    reached = int(max((block["Step"][-1] for block in log.blocks if _number(block.stage) == number), default=-1))
    return Run(
        steps=np.array(steps, dtype=int),
        cells=np.array(cells, dtype=float).reshape(-1, 3, 3),
        positions=np.array(positions, dtype=float),
        values={name: table[:, index] for index, name in enumerate((*DEVIATIONS, *THERMO))},
        ended=_ended(log, number, reached, last_step),
        last_step=reached,
    )


def _number(stage: str) -> int | None:
    """Return the number of the temperature of a stage, None for the preparation."""
    _, _, number = stage.partition("_")
    return int(number) if number.isdecimal() else None


def _ended(log: Log, number: int, reached: int, last_step: int) -> str:
    if f"{BY_BOUNDS}{number}" in log.values:
        return "bounds"
    if reached < 0:
        return "not_started"
    if reached >= last_step:
        return "complete"
    if f"{BY_DEVIATION}{number}" in log.values:
        return "deviation"
    return "exploded" if log.errors else "cut"


def _thermo(log: Log, number: int) -> dict[int, list[float]]:
    """Return the thermo values of a run by step; the pieces of a run share a step."""
    return {
        int(block["Step"][row]): [float(block[name][row]) for name in THERMO.values()]
        for block in log.blocks
        if block.stage == f"{SAMPLE}{number}"
        for row in range(len(block.rows))
    }


def _deviations(lines: Iterable[str]) -> dict[int, list[float]]:
    """Return the deviations by step; where pieces of a run meet, the step is written twice."""
    found = {}
    for line in lines:
        words = line.split()
        if line.startswith("#") or not line.endswith("\n") or len(words) != 1 + len(DEVIATIONS):
            continue
        found[int(words[0])] = [float(word) for word in words[1:]]
    return found
