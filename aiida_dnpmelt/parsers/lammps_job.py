"""What the parsers of the LAMMPS jobs have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from io import StringIO, TextIOWrapper
from typing import TextIO

from aiida.common.extendeddicts import AttributeDict
from aiida.engine import ExitCode
from aiida.parsers import Parser

from aiida_dnpmelt.calculations.coexistence_script import LOG_FILE
from aiida_dnpmelt.calculations.job_inputs import inputs_of
from aiida_dnpmelt.calculations.lammps_job import FAILURES
from aiida_dnpmelt.physics.lammps_log import Log, read_log


class LammpsParser(Parser):
    """Parser of a job with the exit codes of `aiida_dnpmelt.calculations.lammps_job.declare_failures`."""

    @cached_property
    def inputs(self) -> AttributeDict:
        """Return the inputs of the job, read once."""
        return inputs_of(self.node)

    def read_log(self) -> Log | None:
        """Return the content of the log, None without a log."""
        if LOG_FILE not in self.retrieved.base.repository.list_object_names():
            return None
        with self.text(LOG_FILE) as lines:
            return read_log(lines)

    @contextmanager
    def text(self, name: str) -> Iterator[TextIO]:
        """Open a retrieved file as text, whatever bytes a job that was cut left in it; empty if it is missing."""
        if name not in self.retrieved.base.repository.list_object_names():
            yield StringIO()
            return
        with (
            self.retrieved.base.repository.open(name, "rb") as handle,
            TextIOWrapper(handle, encoding="utf-8", errors="replace") as lines,
        ):
            yield lines

    def failure(self, log: Log, finite: bool = False) -> ExitCode | None:
        """Return the exit code of the error in the log, None if it holds none.

        :param finite: the last thermo row has to be finite too.
        """
        kind = log.failure()
        if kind is None or not (log.errors or finite):
            return None
        reason = log.errors[0] if log.errors else ""
        return getattr(self.exit_codes, FAILURES.get(kind, "ERROR_LAMMPS")).format(reason=reason)
