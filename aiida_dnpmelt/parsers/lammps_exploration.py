"""Read what an exploration left: frames, their deviations, and how far each temperature came."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from aiida import orm
from aiida.engine import ExitCode

from aiida_dnpmelt.calculations.exploration_script import deviation_file, frames_file
from aiida_dnpmelt.calculations.exploration_settings import ExplorationSettings
from aiida_dnpmelt.calculations.lammps_exploration import repeated_cell
from aiida_dnpmelt.calculations.lammps_job import core_hours
from aiida_dnpmelt.data.trajectories import trajectory
from aiida_dnpmelt.parsers.exploration_files import Run, read_run
from aiida_dnpmelt.parsers.lammps_job import LammpsParser
from aiida_dnpmelt.physics.lammps_log import Log


class LammpsExplorationParser(LammpsParser):
    """Parser of `LammpsExplorationCalculation`: a run that explodes or is cut keeps what came before."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Store the outputs; an exit code says why there is no frame."""
        log = self.read_log()
        if log is None:
            return self.exit_codes.ERROR_LOG_MISSING
        broken = self.failure(log)
        if not log.blocks:
            return broken or self.exit_codes.ERROR_LOG_UNREADABLE
        settings = ExplorationSettings(**self.inputs.settings.get_dict())
        try:
            runs = self._runs(log, Path(kwargs["retrieved_temporary_folder"]), settings)
        except ValueError as exception:
            return broken or self.exit_codes.ERROR_FRAMES_UNREADABLE.format(reason=exception)
        temperatures = self.inputs.temperatures.get_list()
        self.out("results", orm.Dict(_results(log, runs, temperatures, settings)))
        if not any(len(run.steps) for run in runs):
            return self._nothing(log, broken, runs)
        self._store(runs, temperatures, settings)
        return None

    def _runs(self, log: Log, folder: Path, settings: ExplorationSettings) -> list[Run]:
        runs = []
        for number in range(1, len(self.inputs.temperatures.get_list()) + 1):
            with (
                _lines(folder / frames_file(number)) as frames,
                _lines(folder / deviation_file(number)) as deviations,
            ):
                runs.append(read_run(log, number, frames, deviations, settings.last_step))
        return runs

    def _nothing(self, log: Log, broken: ExitCode | None, runs: list[Run]) -> ExitCode:
        """Return why there is no frame."""
        if broken is not None:
            return broken
        if not log.complete:
            return self.exit_codes.ERROR_INTERRUPTED.format(stage=log.stage)
        reason = f"Runs ended by: {', '.join(sorted({run.ended for run in runs}))}."
        return self.exit_codes.ERROR_NO_FRAMES.format(reason=reason)

    def _store(self, runs: list[Run], temperatures: list[float], settings: ExplorationSettings) -> None:
        """Store the frames of all temperatures and their deviations, in the same order."""
        used = [(run, temperature) for run, temperature in zip(runs, temperatures, strict=True) if len(run.steps)]
        steps = np.concatenate([run.steps for run, _ in used])
        temperature_k = np.concatenate([np.full(len(run.steps), float(temperature)) for run, temperature in used])
        frames = trajectory(
            repeated_cell(self.node).get_chemical_symbols(),
            np.concatenate([run.cells for run, _ in used]),
            np.concatenate([run.positions for run, _ in used]),
            temperature_k,
            self.inputs.phase.value,
            steps,
        )
        values = {name: np.concatenate([run.values[name] for run, _ in used]) for name in used[0][0].values}
        time_ps = steps * settings.timestep_fs / 1000
        self.out("trajectory", frames)
        arrays = {"temperature_k": temperature_k, "step": steps, "time_ps": time_ps, **values}
        self.out("deviation", orm.ArrayData(arrays))


@contextmanager
def _lines(path: Path) -> Iterator[TextIO]:
    """Open a file as text, whatever bytes a job that was cut left in it; empty if it is missing."""
    if not path.exists():
        yield StringIO()
        return
    with path.open(encoding="utf-8", errors="replace") as handle:
        yield handle


def _results(log: Log, runs: list[Run], temperatures: list[float], settings: ExplorationSettings) -> dict[str, Any]:
    """Return how far each temperature came, and what the job cost."""
    by_temperature = [
        {
            "temperature_k": float(temperature),
            "frames": len(run.steps),
            "ended": run.ended,
            "last_step": run.last_step,
            "planned_step": settings.last_step,
            "largest_force_deviation_ev_per_angstrom": (
                float(run.values["max_force_ev_per_angstrom"].max()) if len(run.steps) else None
            ),
        }
        for run, temperature in zip(runs, temperatures, strict=True)
    ]
    loops = [block.loop for block in log.blocks if block.loop is not None]
    return {
        "complete": all(run.ended == "complete" for run in runs),
        "frames": sum(len(run.steps) for run in runs),
        "by_temperature": by_temperature,
        "atoms": loops[0].atoms if loops else None,
        "atom_steps": sum(loop.steps * loop.atoms for loop in loops),
        "core_hours": core_hours(log.blocks),
        "lammps_version": log.version,
        "warnings": list(log.warnings),
        "errors": list(log.errors),
    }
