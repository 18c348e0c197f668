"""The files of a labelling job as numbers, with no AiiDA in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aiida_dnpmelt.calculations.label_script import PRESSURE_COLUMNS, STAGE
from aiida_dnpmelt.physics.frames import LabelledFrames
from aiida_dnpmelt.physics.lammps_cell import rotation_from_lammps
from aiida_dnpmelt.physics.lammps_dump import Frame, read_frames
from aiida_dnpmelt.physics.lammps_log import Log, ThermoBlock
from aiida_dnpmelt.physics.units import bar_to_gpa, gpa_a3_to_ev

Array = NDArray[np.float64]
_TENSOR = [[0, 3, 4], [3, 1, 5], [4, 5, 2]]  # of xx, yy, zz, xy, xz, yz


@dataclass(frozen=True)
class Label:
    """One labelled frame in the axes of its starting frame, units as in `LabelledFrames`."""

    start: int
    step: int
    cell: Array
    positions: Array
    energy_ev: float
    forces_ev_per_angstrom: Array
    virial_ev: Array

    @property
    def finite(self) -> bool:
        """Tell whether all that was read is finite."""
        arrays = (self.cell, self.positions, self.energy_ev, self.forces_ev_per_angstrom, self.virial_ev)
        return all(bool(np.isfinite(values).all()) for values in arrays)

    @property
    def largest_force(self) -> float:
        """Return the largest force on an atom in eV/Angstrom."""
        return float(np.linalg.norm(self.forces_ev_per_angstrom, axis=1).max())


@dataclass
class Batch:
    """Labels of one list of atoms, and what became of the frames that were expected."""

    expected: int
    labels: list[Label] = field(default_factory=list)
    not_finite: int = 0
    large_force: int = 0

    def add(self, label: Label, maximum_force: float) -> None:
        """Take a label in, or count why it is dropped."""
        if not label.finite:
            self.not_finite += 1
        elif label.largest_force > maximum_force:
            self.large_force += 1
        else:
            self.labels.append(label)

    @property
    def counts(self) -> dict[str, int]:
        """Return the numbers of frames by what became of them."""
        labelled = len(self.labels)
        missing = self.expected - labelled - self.not_finite - self.large_force
        return {
            "expected": self.expected,
            "labelled": labelled,
            "not_finite": self.not_finite,
            "large_force": self.large_force,
            "missing": missing,
        }

    def frames(self, symbols: tuple[str, ...], temperatures_k: list[float]) -> LabelledFrames:
        """Return the labelled frames.

        :param temperatures_k: temperature of each starting frame of the job in K.
        :raises ValueError: if there is none.
        """
        return LabelledFrames(
            symbols=symbols,
            cells=np.array([label.cell for label in self.labels]),
            positions=np.array([label.positions for label in self.labels]),
            energies_ev=np.array([label.energy_ev for label in self.labels]),
            forces_ev_per_angstrom=np.array([label.forces_ev_per_angstrom for label in self.labels]),
            virials_ev=np.array([label.virial_ev for label in self.labels]),
            temperatures_k=np.array([temperatures_k[label.start] for label in self.labels], dtype=float),
        )


def read_labels(log: Log, dump: Iterable[str], cells: list[Array]) -> Iterator[Label]:
    """Yield the labels that a job left, also if it was cut.

    :param dump: lines of the dump; one frame at a time is in memory.
    :param cells: cell of each starting frame in its own axes.
    :raises ValueError: if the dump is none, or does not go with the log.
    """
    frames = read_frames(dump, oblique=True)
    for block in log.blocks:
        if not block.stage.startswith(STAGE):
            continue
        start = int(block.stage.removeprefix(STAGE)) - 1
        for row, frame in zip(range(len(block.rows)), frames, strict=False):
            if frame.step != block["Step"][row]:
                raise ValueError(f"stage {block.stage}: step {frame.step} of the dump is not that of the log")
            yield _label(start, block, row, frame, rotation_from_lammps(cells[start]))


def _label(start: int, block: ThermoBlock, row: int, frame: Frame, rotation: Array) -> Label:
    pressures_bar = np.array([block[name][row] for name in PRESSURE_COLUMNS])
    virial = gpa_a3_to_ev(bar_to_gpa(1.0) * pressures_bar[_TENSOR] * block["Volume"][row])
    return Label(
        start=start,
        step=frame.step,
        cell=frame.cell @ rotation,
        positions=frame.positions @ rotation,
        energy_ev=float(block["PotEng"][row]),
        forces_ev_per_angstrom=frame.vectors(("fx", "fy", "fz")) @ rotation,
        virial_ev=rotation.T @ virial @ rotation,
    )
