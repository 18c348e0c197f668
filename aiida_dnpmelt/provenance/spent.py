"""What jobs have cost: as their programs counted it, else as the scheduler did, else what is known of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiida import orm

from aiida_dnpmelt.provenance.ancestry import batches
from aiida_dnpmelt.provenance.programs import VERSION_KEYS

_RESULTS = ("results", "misc")
"""Labels of the outputs that say what a job has cost, and which version of a program ran."""
_ENDED = ("finished", "excepted", "killed")


@dataclass(frozen=True)
class Spent:
    """What one job has cost.

    :param core_hours: None if nobody knows.
    :param atom_steps: that it told of; of a job that left nothing, zero.
    :param by_scheduler: whether the core-hours are those of the scheduler's accounting.
    :param at_most: if they are not known, what they cannot exceed: the time from its submission until the scheduler was
        last asked for it, on the cores that it asked for; None without that.
    """

    core_hours: float | None = None
    atom_steps: float = 0.0
    by_scheduler: bool = False
    at_most: float | None = None


def spent_by(jobs: Collection[int]) -> dict[int, Spent]:
    """Return what jobs have cost by PK, in a few queries.

    A job that ended badly and told no time, since its program was cut before it wrote one, cost what is not known.
    """
    told = results_of(jobs)
    facts = _facts(pk for pk in jobs if not told.get(pk, {}).get("core_hours"))
    return {pk: _spent(told.get(pk, {}), facts.get(pk, {})) for pk in jobs}


def results_of(jobs: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return what jobs say of their cost and of the version of the program, by PK."""
    names = ("core_hours", "atom_steps", "finished", *VERSION_KEYS)
    found = {}
    for batch in batches(jobs):
        query = orm.QueryBuilder().append(orm.CalcJobNode, filters={"id": {"in": batch}}, tag="job", project="id")
        query.append(
            orm.Dict,
            with_incoming="job",
            edge_filters={"label": {"in": list(_RESULTS)}},
            project=[f"attributes.{name}" for name in names],
        )
        for pk, *values in query.all():
            found[pk] = dict(zip(names, values, strict=True))
    return found


def _facts(jobs: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return what AiiDA and the scheduler know of jobs, by PK."""
    keys = ("exit_status", "process_state", "job_id", "detailed_job_info", "scheduler_lastchecktime", "resources")
    found = {}
    for batch in batches(jobs):
        columns = ["id", "ctime", *(f"attributes.{key}" for key in keys)]
        query = orm.QueryBuilder().append(orm.CalcJobNode, filters={"id": {"in": batch}}, project=columns)
        for pk, begun, *values in query.all():
            found[pk] = {"begun": begun, **dict(zip(keys, values, strict=True))}
    return found


def _spent(told: Mapping[str, Any], facts: Mapping[str, Any]) -> Spent:
    hours, steps = told.get("core_hours"), float(told.get("atom_steps") or 0)
    cut = hours is not None and not hours and bool(facts.get("exit_status"))
    if hours is not None and not cut:
        return Spent(float(hours), steps)
    counted = _accounted(facts.get("detailed_job_info"))
    if counted is not None:
        return Spent(counted, steps, by_scheduler=True)
    return Spent(None, steps, at_most=_at_most(facts))


def _accounted(info: Any) -> float | None:
    """Return the core-hours of a job in the accounting of Slurm (`sacct`), None if it does not tell them."""
    lines = str((info or {}).get("stdout") or "").splitlines() if isinstance(info, Mapping) else []
    if len(lines) < 2:
        return None
    row = dict(zip(lines[0].split("|"), lines[1].split("|"), strict=False))
    if row.get("CPUTimeRAW", "").isdigit():
        return int(row["CPUTimeRAW"]) / 3600
    return None


def _at_most(facts: Mapping[str, Any]) -> float | None:
    """Return what core-hours a job cannot exceed by the time between its start and its end, None without these."""
    if facts.get("job_id") is None:
        return 0.0 if facts.get("process_state") in ("excepted", "killed") else None
    last = facts.get("scheduler_lastchecktime")
    if last is None or facts.get("process_state") not in _ENDED:
        return None
    seconds = (datetime.fromisoformat(last) - facts["begun"]).total_seconds()
    return max(seconds, 0.0) * _cores(facts.get("resources") or {}) / 3600


def _cores(resources: Mapping[str, Any]) -> int:
    """Return the cores that a job asked for; the lowest number that its options can mean."""
    machines = resources.get("num_machines") or 1
    processes = resources.get("tot_num_mpiprocs") or machines * (resources.get("num_mpiprocs_per_machine") or 1)
    by_process = processes * (resources.get("num_cores_per_mpiproc") or 1)
    return int(max(by_process, machines * (resources.get("num_cores_per_machine") or 1)))
