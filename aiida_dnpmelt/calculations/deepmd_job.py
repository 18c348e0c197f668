"""What the jobs of DeePMD-kit have in common: options, the call of `dp`, and the exit code of one that does not run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiida.common.datastructures import CodeInfo
from aiida.engine import CalcJobProcessSpec
from aiida.orm import AbstractCode

from aiida_dnpmelt.calculations.job_resources import ONE_PROCESS, takes_resources
from aiida_dnpmelt.calculations.validators import both, guard_job

VERSION_FILE = "version.txt"


def declare_job(spec: CalcJobProcessSpec, parser_name: str, *validators: Any) -> None:
    """Set the defaults of the options of a job that runs `dp` in one process, and declare what ends it at once."""
    guard_job(spec, "DeePMD-kit")
    spec.inputs.validator = both(takes_resources, *validators)
    options = spec.inputs["metadata"]["options"]
    options["parser_name"].default = parser_name
    options["resources"].default = lambda: dict(ONE_PROCESS)
    options["withmpi"].default = False
    spec.exit_code(
        301,
        "ERROR_NO_OUTPUT",
        message="DeePMD-kit did not run: check the code by `aiida-dnpmelt doctor`. {reason}",
        invalidates_cache=True,
    )


def dp_call(code: AbstractCode, arguments: Sequence[str], error_file: str | None) -> CodeInfo:
    """Return a call of `dp` with its error stream in a file, if one is named."""
    codeinfo = CodeInfo()
    codeinfo.code_uuid = code.uuid
    codeinfo.cmdline_params = list(arguments)
    if error_file is not None:
        codeinfo.stderr_name = error_file
    return codeinfo


def version_call(code: AbstractCode, error_file: str | None = None) -> CodeInfo:
    """Return the call that takes no time and tells that DeePMD-kit runs."""
    codeinfo = dp_call(code, ["--version"], error_file)
    codeinfo.stdout_name = VERSION_FILE
    return codeinfo
