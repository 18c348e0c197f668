"""Read what a job of properties left, and say which parts are whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode
from ase import Atoms

from aiida_dnpmelt.calculations.lammps_job import core_hours
from aiida_dnpmelt.calculations.properties_script import RELAX, RELAXED, RELEASED_FILE
from aiida_dnpmelt.calculations.properties_settings import PropertiesSettings
from aiida_dnpmelt.parsers.lammps_job import LammpsParser
from aiida_dnpmelt.parsers.properties_files import (
    Stages,
    equation_arrays,
    finished_stages,
    parts_done,
    states,
    strain_arrays,
)
from aiida_dnpmelt.physics.crystals import lattice_name
from aiida_dnpmelt.physics.lammps_dump import read_frames
from aiida_dnpmelt.physics.lammps_log import Log


class LammpsPropertiesParser(LammpsParser):
    """Parser of `LammpsPropertiesCalculation`: keeps the parts that are whole, whatever ended the job."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Store the outputs and return the exit code of how the job ended."""
        log = self.read_log()
        if log is None:
            return self.exit_codes.ERROR_LOG_MISSING
        broken = self.failure(log, finite=True)
        stages = finished_stages(log)
        if RELAX not in stages:
            return broken or self.exit_codes.ERROR_LOG_UNREADABLE
        settings = PropertiesSettings(**self.inputs.settings.get_dict())
        lattice = lattice_name(self.inputs.structure.get_ase())
        shape = len(settings.volume_factors()), len(settings.axial_factors(lattice))
        done = parts_done(stages, settings, shape[0] * shape[1])
        if "release" in done:
            try:
                self.out("released", self._released(Path(kwargs["retrieved_temporary_folder"]) / RELEASED_FILE))
            except (OSError, ValueError) as exception:
                done.remove("release")
                broken = broken or self.exit_codes.ERROR_FRAMES_UNREADABLE.format(reason=exception)
        arrays: dict[str, Any] = {}
        if "equation_of_state" in done:
            arrays |= equation_arrays(stages, shape, lattice == "hcp")
        if "elastic" in done:
            arrays |= strain_arrays(stages, settings)
        if arrays:
            self.out("series", orm.ArrayData(arrays))
        lost = log.quit and RELAXED not in stages
        self.out("results", orm.Dict(_results(log, stages, done, settings, lost)))
        if broken is None and not log.complete and not lost:
            return self.exit_codes.ERROR_INTERRUPTED.format(stage=log.stage)
        return broken

    def _released(self, path: Path) -> orm.StructureData:
        with path.open(encoding="utf-8", errors="replace") as lines:
            frame = next(read_frames(lines, oblique=True), None)
        if frame is None:
            raise ValueError(f"{RELEASED_FILE} holds no whole frame")
        symbol = self.inputs.structure.get_ase().get_chemical_symbols()[0]
        atoms = Atoms([symbol] * len(frame.positions), positions=frame.positions, cell=frame.cell, pbc=True)
        return orm.StructureData(ase=atoms)


def _results(log: Log, stages: Stages, done: list[str], settings: PropertiesSettings, lost: bool) -> dict[str, Any]:
    """Return the numbers of the parts with one state, and what the job cost.

    :param lost: the relaxation went so far that the script ended.
    """
    return {
        "crystal_lost": lost,
        "done": done,
        "missing": [part for part in settings.parts if part not in done],
        **states(stages),
        "core_hours": core_hours(log.blocks),
        "lammps_version": log.version,
        "warnings": list(log.warnings),
        "errors": list(log.errors),
    }
