"""Read what a DeePMD model says of labelled frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode
from numpy.typing import NDArray

from aiida_dnpmelt.calculations.deepmd_job import VERSION_FILE
from aiida_dnpmelt.calculations.deepmd_test import DETAIL_FILES, ERROR_FILE, system_of
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.parsers.deepmd_job import DeepmdParser
from aiida_dnpmelt.parsers.training_files import first_exception, memory_failure, read_version
from aiida_dnpmelt.physics.frames import LabelledFrames
from aiida_dnpmelt.physics.label_errors import label_errors

Array = NDArray[np.float64]
_SINGLE = 1e-5
"""DeePMD-kit reads labels with single precision: rounding of these is less than that."""


class DeepmdTestParser(DeepmdParser):
    """Parser of `DeepmdTestCalculation`."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Store the labels of the model and its errors, of the sets that are there."""
        errors, version = self.read(ERROR_FILE), read_version(self.read(VERSION_FILE))
        if version is None:
            return self.no_output(errors)
        inputs = {name: self.inputs.frames[name] for name in sorted(self.inputs.frames)}
        frames = {name: node.frames for name, node in inputs.items()}
        found = predictions(
            {system_of(name): labels for name, labels in frames.items()}, Path(kwargs["retrieved_temporary_folder"])
        )
        pairs = {name: (labels, found[system_of(name)]) for name, labels in frames.items() if system_of(name) in found}
        labeller = self._labeller(version)
        for name, (_, labels) in pairs.items():
            self.out(f"frames.{name}", FramesData(labels, phase=inputs[name].phase, labeller=labeller))
        if pairs:
            sets = {name: {"phase": inputs[name].phase, **label_errors([pair])} for name, pair in pairs.items()}
            results = {**label_errors(list(pairs.values())), "sets": sets, "deepmd_version": version}
            self.out("results", orm.Dict(results))
        return None if len(pairs) == len(inputs) else self._failure(errors, len(pairs), len(inputs))

    def _labeller(self, version: str) -> str:
        potential = self.inputs.potential
        return f"{potential.label} ({potential.pair_style}, sha256 {potential.sha256[:12]}), DeePMD-kit {version}"

    def _failure(self, errors: str, done: int, planned: int) -> ExitCode:
        if (reason := memory_failure(errors + (self.node.get_scheduler_stderr() or ""))) is not None:
            return self.exit_codes.ERROR_OUT_OF_MEMORY.format(reason=reason)
        if (reason := first_exception(errors)) is not None:
            return self.exit_codes.ERROR_DEEPMD.format(reason=reason)
        return self.exit_codes.ERROR_OUTPUT_INCOMPLETE.format(done=done, planned=planned)


def predictions(sets: dict[str, LabelledFrames], folder: Path) -> dict[str, LabelledFrames]:
    """Return the frames of each set with the labels of the model; sets that are not whole are left out.

    A row of the files has the label, then what the model says. The labels tell that the rows are those of the set:
    DeePMD-kit keeps the order of the sets, and names but the first of them.

    :param sets: frames in the order in which the model labelled them.
    :param folder: where the files with the details of the test are.
    """
    energies, forces, virials = (_rows(folder / name) for name in DETAIL_FILES.values())
    found = {}
    for name, frames in sets.items():
        number, atoms = len(frames), len(frames.symbols)
        wanted = (
            (energies, frames.energies_ev.reshape(number, 1)),
            (forces, frames.forces_ev_per_angstrom.reshape(number * atoms, 3)),
            (virials, frames.virials_ev.reshape(number, 9)),
        )
        energy, force, virial = (_said(list(islice(rows, len(labels))), labels) for rows, labels in wanted)
        if energy is not None and force is not None and virial is not None:
            found[name] = replace(
                frames,
                energies_ev=energy[:, 0],
                forces_ev_per_angstrom=force.reshape(number, atoms, 3),
                virials_ev=virial.reshape(number, 3, 3),
            )
    return found


def _said(rows: list[list[float]], labels: Array) -> Array | None:
    """Return what the model said for some labels, None if a row is missing, or is not that of the label."""
    number, width = labels.shape
    if len(rows) < number or any(len(row) != 2 * width for row in rows):
        return None
    table = np.array(rows)
    own = np.allclose(table[:, :width], labels, rtol=_SINGLE, atol=_SINGLE)
    return table[:, width:] if own and np.isfinite(table).all() else None


def _rows(path: Path) -> Iterator[list[float]]:
    """Yield the rows of a file of details up to where it is cut; nothing without a file."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.endswith("\n"):
                return
            if not line.startswith("#"):
                yield [_number(word) for word in line.split()]


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")
