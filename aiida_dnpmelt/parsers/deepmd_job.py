"""What the parsers of the jobs of DeePMD-kit have in common."""

from __future__ import annotations

from functools import cached_property

from aiida.common.extendeddicts import AttributeDict
from aiida.engine import ExitCode
from aiida.parsers import Parser

from aiida_dnpmelt.calculations.job_inputs import inputs_of
from aiida_dnpmelt.parsers.training_files import MAX_REASON_LENGTH, first_exception


class DeepmdParser(Parser):
    """Parser of a job of `aiida_dnpmelt.calculations.deepmd_job.declare_job`."""

    @cached_property
    def inputs(self) -> AttributeDict:
        """Return the inputs of the job, read once."""
        return inputs_of(self.node)

    def read(self, name: str) -> str:
        """Return a retrieved file, whatever bytes a job that was cut left in it; empty if it is missing."""
        repository = self.retrieved.base.repository
        if name not in repository.list_object_names():
            return ""
        return repository.get_object_content(name, mode="rb").decode("utf-8", "replace")

    def no_output(self, errors: str) -> ExitCode:
        """Return the exit code of a job in which `dp` did not run, with the reason in its error stream."""
        last = next(reversed(errors.strip().splitlines()), "")[:MAX_REASON_LENGTH]
        code: ExitCode = self.exit_codes.ERROR_NO_OUTPUT.format(reason=first_exception(errors) or last)
        return code
