"""What jobs ask the scheduler of their computer for, in the words that it takes.

Slurm, PBS and no scheduler at all count machines and processes on each. SGE and LSF know no machines: they take the
number of all processes, and SGE the name of a parallel environment, which its administrator has chosen.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.common.exceptions import ConfigurationError

ONE_PROCESS: Mapping[str, int] = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
"""What a job asks for by default, in the words of most schedulers."""
USUAL_CORES = 16
"""Processes on one machine that nobody is surprised at."""


def counts_machines(computer: orm.Computer) -> bool:
    """Return whether the scheduler of a computer counts machines, and processes on each."""
    return bool(computer.get_scheduler().job_resource_class.accepts_default_mpiprocs_per_machine())


def resources_of(
    computer: orm.Computer, processes: int = 1, machines: int = 1, parallel_env: str | None = None
) -> dict[str, Any]:
    """Return the resources of a job with so many processes on so many machines, as its scheduler takes them."""
    if counts_machines(computer):
        return {"num_machines": machines, "num_mpiprocs_per_machine": processes}
    named = {} if parallel_env is None else {"parallel_env": parallel_env}
    return {"tot_num_mpiprocs": processes * machines, **named}


def fitted_options(code: orm.AbstractCode, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a job with resources that are put into the words of the scheduler of its code."""
    computer = code.computer
    given = dict(options.get("resources") or {})
    if computer is not None and is_this_machine(computer) and given.pop("parallel_env", None) is not None:
        return {**options, "resources": {**ONE_PROCESS, **given}}  # it is meant for the jobs on other computers
    if computer is None or counts_machines(computer):
        return dict(options)
    if "tot_num_mpiprocs" not in given:
        machines, processes = given.pop("num_machines", 1), given.pop("num_mpiprocs_per_machine", 1)
        given = {**given, **resources_of(computer, processes, machines)}
    return {**options, "resources": given}


def vasp_options(code: orm.AbstractCode, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a job of VASP: with MPI, on one machine with as many processes as are usual there."""
    return {"withmpi": True, **fitted_options(code, {"resources": {"num_machines": 1}, **options})}


def refused_resources(computer: orm.Computer, resources: Mapping[str, Any]) -> str | None:
    """Return why the scheduler of a computer does not take resources, None if it does."""
    scheduler, given = computer.get_scheduler(), dict(resources)
    try:
        scheduler.preprocess_resources(given, computer.get_default_mpiprocs_per_machine())
        scheduler.validate_resources(**given)
    except (ValueError, TypeError, ConfigurationError) as exception:
        keys = ", ".join(scheduler.job_resource_class.get_valid_keys())
        hint = "" if counts_machines(computer) else ": give --parallel-env, or these in `options`"
        return (
            f"resources: {dict(resources)} are not what the scheduler of computer '{computer.label}' takes "
            f"({computer.scheduler_type}, with {keys}): {exception}{hint}"
        )
    return None


def takes_resources(inputs: Mapping[str, Any], port: Any) -> str | None:
    """Check that the scheduler of the code of a job takes its resources.

    A validator of all inputs of a job, and of work chains that have its code, and its options in ``job``.
    """
    code = inputs.get("code")
    if code is None or code.computer is None:
        return None
    if _has_port(port, "metadata.options"):
        metadata = inputs.get("metadata", {})
    elif _has_port(port, "job.metadata.options"):
        metadata = inputs.get("job", {}).get("metadata", {})
    else:
        return None
    return refused_resources(code.computer, metadata.get("options", {}).get("resources") or ONE_PROCESS)


def _has_port(port: Any, name: str) -> bool:
    try:
        port.get_port(name)
    except ValueError:
        return False
    return True


def processes_of(resources: Mapping[str, Any]) -> int:
    """Return the number of processes that resources ask for, in the words of any scheduler."""
    if resources.get("tot_num_mpiprocs"):
        return int(resources["tot_num_mpiprocs"])
    return int(resources.get("num_machines", 1)) * int(resources.get("num_mpiprocs_per_machine", 1))


def is_this_machine(computer: orm.Computer) -> bool:
    """Return whether jobs of a computer run at once on this machine, and not where a scheduler sends them."""
    return bool(computer.transport_type == "core.local" and computer.scheduler_type == "core.direct")


def cores() -> int:
    """Return the number of cores that jobs on this machine can have."""
    return len(os.sched_getaffinity(0))


def too_many_processes(computer: orm.Computer, resources: Mapping[str, Any]) -> str | None:
    """Return in words that a job would have more processes than this machine has cores, None if it would not."""
    wanted, there = processes_of(resources), cores()
    if not is_this_machine(computer) or wanted <= there:
        return None
    return (
        f"resources: {wanted} MPI processes of a job on computer '{computer.label}', which is this machine and has "
        f"{there} cores, are outside the allowed range 1 to {there}"
    )


def many_processes(computer: orm.Computer, resources: Mapping[str, Any]) -> str | None:
    """Return in words that a job would have more processes on a machine than is usual there, None if it would not."""
    if is_this_machine(computer):
        return None
    usual = computer.get_default_mpiprocs_per_machine() or 1
    on_each = int(resources.get("num_mpiprocs_per_machine") or processes_of(resources))
    if on_each <= max(usual, 1 if usual > 1 else USUAL_CORES):
        return None
    known = f"where {usual} are usual" if usual > 1 else "whose number of cores is not known here"
    return f"resources: {on_each} MPI processes on a machine of computer '{computer.label}', {known}"
