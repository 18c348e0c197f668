"""Read what a coexistence job left: its log, its probes and its frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode

from aiida_dnpmelt.calculations.coexistence_script import End, Resume, last_state, probe_file
from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.calculations.coexistence_stages import FRAMES_FILE, PRODUCTION
from aiida_dnpmelt.calculations.lammps_coexistence import stages
from aiida_dnpmelt.calculations.lammps_job import core_hours, cpu_hours
from aiida_dnpmelt.data.runs import to_node
from aiida_dnpmelt.parsers.coexistence_files import RunFacts, dynamics, read_run
from aiida_dnpmelt.parsers.lammps_job import LammpsParser
from aiida_dnpmelt.physics.lammps_log import Log, ThermoBlock
from aiida_dnpmelt.physics.run import CoexistenceRun


class LammpsCoexistenceParser(LammpsParser):
    """Parser of `LammpsCoexistenceCalculation`: keeps what there is, whatever ended the job."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Store the outputs and return the exit code of how the job ended."""
        log = self.read_log()
        if log is None:
            return self.exit_codes.ERROR_LOG_MISSING
        inputs = self.inputs
        settings = CoexistenceSettings(**inputs.parameters.get_dict())
        facts = _facts(inputs, settings)
        tables = dynamics(log, facts)
        broken = self.failure(log, finite=True)
        if not tables:
            return broken or self.exit_codes.ERROR_LOG_UNREADABLE
        try:
            run = self._run(log, facts, Path(kwargs["retrieved_temporary_folder"]) / FRAMES_FILE)
        except ValueError as exception:
            return broken or self.exit_codes.ERROR_FRAMES_UNREADABLE.format(reason=exception)
        target = settings.steps(inputs.production_time.value)
        reached = log.stage == PRODUCTION and self._last_step(log, tables) >= target
        ended = run.bulk_melted or run.halted or reached
        begin = Resume(**inputs.restart.get_dict()) if "restart" in inputs else None
        end = End(
            log.stage,
            self._last_step(log, tables),
            script_ended=log.complete and not log.halted,
            timed_out=log.timed_out,
        )
        state = last_state(settings, [stage.name for stage in facts.stages], begin, end)
        self.out("run", to_node(run))
        self.out("results", orm.Dict(_results(log, tables, run, ended)))
        if state is not None and not run.bulk_melted:
            self.out("restart", orm.Dict({"stage": state.stage, "step": state.step, "file": state.file}))
        if broken is not None:
            return broken
        if ended:
            return None
        code = self.exit_codes.ERROR_OUT_OF_WALLTIME if log.timed_out else self.exit_codes.ERROR_INTERRUPTED
        return code.format(stage=log.stage)

    def _run(self, log: Log, facts: RunFacts, frames: Path) -> CoexistenceRun:
        with self.text(probe_file(PRODUCTION)) as probes:
            if not frames.exists():
                return read_run(log, probes, (), facts)
            with frames.open(encoding="utf-8", errors="replace") as lines:
                return read_run(log, probes, lines, facts)

    def _last_step(self, log: Log, tables: list[ThermoBlock]) -> int:
        """Return the last step of the stage that the log announced last, 0 if it shows none of it."""
        return int(tables[-1]["Step"][-1]) if tables[-1].stage == log.stage else 0


def _facts(inputs: Mapping[str, Any], settings: CoexistenceSettings) -> RunFacts:
    atoms, repetitions = inputs["structure"].get_ase(), inputs["repetitions"].get_list()
    return RunFacts(
        seed=inputs["seed"].value,
        n_atoms=len(atoms) * int(np.prod(repetitions)),
        mass_amu=float(atoms.get_masses().mean()),
        length_angstrom=float(atoms.cell.lengths()[2]) * repetitions[2],
        guess_k=inputs["temperature"].value,
        pressure_gpa=inputs["pressure"].value,
        timestep_fs=settings.timestep_fs,
        sample_steps=settings.sample_steps,
        stages=tuple(stages(inputs)),
    )


def _results(log: Log, tables: list[ThermoBlock], run: CoexistenceRun, ended: bool) -> dict[str, Any]:
    """Return how the job ended and what it cost."""
    steps = sum(int(block["Step"][-1] - block["Step"][0]) for block in tables)
    return {
        "ended": ended,
        "halted": run.halted,
        "bulk_melted": run.bulk_melted,
        "stage": log.stage,
        "production_time_ps": run.length_ps,
        "atoms": run.n_atoms,
        "steps": steps,
        "atom_steps": steps * run.n_atoms,
        "core_hours": core_hours(tables),
        "cpu_hours": cpu_hours(tables),
        "lammps_version": log.version,
        "warnings": list(log.warnings),
        "errors": list(log.errors),
    }
