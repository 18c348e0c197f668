"""Read the labels that a job left, and say what became of each frame."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_dnpmelt.calculations.label_script import DUMP_FILE, STAGE
from aiida_dnpmelt.calculations.label_settings import LabelSettings
from aiida_dnpmelt.calculations.lammps_job import core_hours
from aiida_dnpmelt.calculations.lammps_label import Start, starts_of
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.parsers.label_files import Batch, read_labels
from aiida_dnpmelt.parsers.lammps_job import LammpsParser
from aiida_dnpmelt.physics.lammps_log import Log


class LammpsLabelParser(LammpsParser):
    """Parser of `LammpsLabelCalculation`: keeps what there is, whatever ended the job."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Store the outputs and return the exit code of how the job ended."""
        log = self.read_log()
        if log is None:
            return self.exit_codes.ERROR_LOG_MISSING
        broken = self.failure(log)
        if not any(block.stage.startswith(STAGE) for block in log.blocks):
            return broken or self.exit_codes.ERROR_LOG_UNREADABLE
        starts = starts_of(self.inputs.frames)
        settings = LabelSettings(**self.inputs.settings.get_dict())
        try:
            batches = _batches(log, Path(kwargs["retrieved_temporary_folder"]) / DUMP_FILE, starts, settings)
        except ValueError as exception:
            return broken or self.exit_codes.ERROR_FRAMES_UNREADABLE.format(reason=exception)
        for name, batch in batches.items():
            if batch.labels:
                self.out(f"frames.{name}", self._frames(name, batch, starts, log))
        self.out("results", orm.Dict(_results(log, batches, starts)))
        if broken is None and not log.complete:
            return self.exit_codes.ERROR_INTERRUPTED.format(stage=log.stage)
        if broken is None and not any(batch.labels for batch in batches.values()):
            return self.exit_codes.ERROR_NOTHING_LABELLED
        return broken

    def _frames(self, name: str, batch: Batch, starts: list[Start], log: Log) -> FramesData:
        inputs = self.inputs
        node = inputs.frames[name]
        potential = inputs.potential
        labeller = f"{potential.label} ({potential.pair_style}, sha256 {potential.sha256[:12]}), LAMMPS {log.version}"
        frames = batch.frames(tuple(node.symbols), [start.temperature_k for start in starts])
        melted = inputs.settings.get_dict().get("melt_ps", 0) > 0
        phase = "liquid" if melted else node.base.attributes.get("phase")
        return FramesData(frames, phase=phase, labeller=labeller)


def _batches(log: Log, dump: Path, starts: list[Start], settings: LabelSettings) -> dict[str, Batch]:
    """Return the labels by the name of the node that they started from."""
    numbers = Counter(start.name for start in starts)
    batches = {name: Batch(number * settings.frames_per_start) for name, number in numbers.items()}
    if not dump.exists():
        return batches
    with dump.open(encoding="utf-8", errors="replace") as lines:
        for label in read_labels(log, lines, [start.cell for start in starts]):
            if label.step > 0 or settings.steps == 0:
                batches[starts[label.start].name].add(label, settings.maximum_force_ev_per_angstrom)
    return batches


def _results(log: Log, batches: dict[str, Batch], starts: list[Start]) -> dict[str, Any]:
    """Return what became of the frames and what the job cost."""
    total: Counter[str] = Counter()
    for batch in batches.values():
        total.update(batch.counts)
    return {
        **total,
        "by_name": {name: batch.counts for name, batch in batches.items()},
        "starts": len(starts),
        "atom_steps": sum(block.loop.steps * block.loop.atoms for block in log.blocks if block.loop is not None),
        "core_hours": core_hours(log.blocks),
        "lammps_version": log.version,
        "warnings": list(log.warnings),
        "errors": list(log.errors),
    }
