"""What the LAMMPS jobs have in common: options, command line, exit codes of LAMMPS itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm
from aiida.common.datastructures import CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec, ExitCode

from aiida_dnpmelt.calculations.coexistence_script import LOG_FILE
from aiida_dnpmelt.calculations.job_resources import ONE_PROCESS, takes_resources
from aiida_dnpmelt.calculations.validators import both, guard_job
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.lammps_log import ThermoBlock

INPUT_FILE = "input.in"
OUTPUT_FILE = "lammps.out"

FAILURES: Mapping[str, str] = {
    "lost_atoms": "ERROR_LOST_ATOMS",
    "non_finite": "ERROR_NOT_FINITE",
    "unknown_pair_style": "ERROR_UNKNOWN_PAIR_STYLE",
    "bad_potential": "ERROR_BAD_POTENTIAL",
    "missing_element": "ERROR_MISSING_ELEMENT",
}
"""Exit codes by what the log shows, see `aiida_dnpmelt.physics.lammps_log.Log.failure`; all else is ERROR_LAMMPS."""


REFUSED = ("ERROR_UNKNOWN_PAIR_STYLE", "ERROR_BAD_POTENTIAL", "ERROR_MISSING_ELEMENT", "ERROR_LAMMPS")
"""Exit codes of input that would be refused again."""
EXPLODED = ("ERROR_LOST_ATOMS", "ERROR_NOT_FINITE")
"""Exit codes of dynamics, or of a relaxation, that exploded."""
NO_OUTPUT = ("ERROR_LOG_MISSING", "ERROR_LOG_UNREADABLE", "ERROR_FRAMES_UNREADABLE")
"""Exit codes of a job that left nothing that can be read."""


def exit_codes_of(process: type[CalcJob], names: Sequence[str]) -> list[ExitCode]:
    """Return exit codes of a LAMMPS job by their names, for the handlers of work chains."""
    return [getattr(process.exit_codes, name) for name in names]


def declare_options(spec: CalcJobProcessSpec, parser_name: str, *validators: Any) -> None:
    """Set the defaults of the options of a job that runs LAMMPS in one process, and the validators of its inputs."""
    guard_job(spec, "LAMMPS")
    spec.inputs.validator = both(takes_resources, *validators)
    options = spec.inputs["metadata"]["options"]
    options["parser_name"].default = parser_name
    options["input_filename"].default = INPUT_FILE
    options["output_filename"].default = OUTPUT_FILE
    options["resources"].default = lambda: dict(ONE_PROCESS)
    options["withmpi"].default = False


def declare_failures(spec: CalcJobProcessSpec) -> None:
    """Declare the exit codes of what can go wrong with LAMMPS, whatever it runs."""
    for status, label, message in (
        (302, "ERROR_LOG_MISSING", "LAMMPS left no log: see the scheduler's output and the file lammps.out."),
        (303, "ERROR_LOG_UNREADABLE", "The log holds no thermo row: see log.lammps and the scheduler's output."),
        (304, "ERROR_FRAMES_UNREADABLE", "The frames cannot be read: {reason}"),
        (401, "ERROR_INTERRUPTED", "The job was cut in stage {stage}: run it again, with a longer wall time."),
    ):
        spec.exit_code(status, label, message=message, invalidates_cache=True)
    spec.exit_code(410, "ERROR_LOST_ATOMS", message="Atoms were lost: use a shorter time step. {reason}")
    spec.exit_code(
        411, "ERROR_NOT_FINITE", message="The run exploded: use a shorter time step, or check the potential. {reason}"
    )
    spec.exit_code(
        412,
        "ERROR_UNKNOWN_PAIR_STYLE",
        message="This LAMMPS does not know the pair style of the potential: use another code. {reason}",
    )
    spec.exit_code(413, "ERROR_BAD_POTENTIAL", message="LAMMPS cannot use the potential file. {reason}")
    spec.exit_code(414, "ERROR_MISSING_ELEMENT", message="The potential lacks an element. {reason}")
    spec.exit_code(415, "ERROR_LAMMPS", message="LAMMPS ended with an error. {reason}")


def write_potential(folder: Folder, potential: PotentialData, name: str) -> None:
    """Write the file of a potential into the folder of a job; it is to be excluded from the provenance."""
    with folder.open(name, "wb") as target:
        target.write(potential.get_content(mode="rb"))


def lammps_call(code: orm.AbstractCode, more: Sequence[str] = ()) -> CodeInfo:
    """Return the call of LAMMPS with the input file of a job."""
    codeinfo = CodeInfo()
    codeinfo.code_uuid = code.uuid
    codeinfo.stdout_name = OUTPUT_FILE
    codeinfo.cmdline_params = ["-in", INPUT_FILE, "-log", LOG_FILE, "-screen", "none", *more]
    return codeinfo


def missing_species(potential: PotentialData, species: Sequence[str]) -> str | None:
    """Return a sentence on the species that a potential lacks, None if it knows all."""
    missing = sorted(set(species) - set(potential.type_map))
    if not missing:
        return None
    return f"potential: it has no {', '.join(missing)}, it knows {', '.join(potential.type_map)}"


def core_hours(blocks: Sequence[ThermoBlock]) -> float:
    """Return what the runs of a job cost, from the lines at their ends.

    A run that was cut counts at the speed of those before it; the first one of a job counts nothing.
    """
    loops = [block.loop for block in blocks if block.loop is not None]
    whole = sum(loop.seconds * loop.processes for loop in loops)
    steps = sum(loop.steps for loop in loops)
    cut = sum(float(block["Step"][-1] - block["Step"][0]) for block in blocks if block.loop is None)
    return whole * (1 + cut / steps if steps else 1) / 3600


def cpu_hours(blocks: Sequence[ThermoBlock]) -> float | None:
    """Return the CPU time of the runs of a job, which other work on its cores lengthens less than their wall time.

    :return: None if the log does not tell it of each run that came to its end.
    """
    loops = [block.loop for block in blocks if block.loop is not None]
    times = [loop.seconds * loop.processes * loop.cpu_share for loop in loops if loop.cpu_share is not None]
    return sum(times) / 3600 if loops and len(times) == len(loops) else None
