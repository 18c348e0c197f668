"""What the parsers of the LAMMPS jobs of the learning loop have in common."""

from __future__ import annotations

from io import TextIOWrapper

from aiida.engine import ExitCode
from aiida.parsers import Parser

from aiida_dnpmelt.calculations.coexistence_script import LOG_FILE
from aiida_dnpmelt.calculations.lammps_job import FAILURES
from aiida_dnpmelt.physics.lammps_log import Log, read_log


class LammpsParser(Parser):
    """Parser of a job with the exit codes of `aiida_dnpmelt.calculations.lammps_job.declare_failures`."""

    def read_log(self) -> Log | None:
        """Return the content of the log, whatever bytes a job that was cut left in it; None without a log."""
        if LOG_FILE not in self.retrieved.base.repository.list_object_names():
            return None
        with (
            self.retrieved.base.repository.open(LOG_FILE, "rb") as handle,
            TextIOWrapper(handle, encoding="utf-8", errors="replace") as lines,
        ):
            return read_log(lines)

    def failure(self, log: Log) -> ExitCode | None:
        """Return the exit code of the error in the log, None if it holds none."""
        if not log.errors:
            return None
        return getattr(self.exit_codes, FAILURES.get(log.failure() or "", "ERROR_LAMMPS")).format(reason=log.errors[0])
