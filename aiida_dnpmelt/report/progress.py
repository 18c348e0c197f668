"""How far a running work chain has come: what the graph knows, and what its running jobs have written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from typing import Any

from aiida import orm

from aiida_dnpmelt.calculations.job_inputs import inputs_of
from aiida_dnpmelt.calculations.lammps_coexistence import LammpsCoexistenceCalculation, stages
from aiida_dnpmelt.physics.ordering import by_number
from aiida_dnpmelt.report.live_files import LiveFiles, LiveJob
from aiida_dnpmelt.workchains.coexistence import CoexistenceWorkChain


@dataclass(frozen=True)
class RunProgress:
    """State of one run; what is not known (yet) is ``None``.

    :param label: of the run.
    :param guess_k: its guess in K.
    :param state: of its process.
    :param stage: stage under way.
    :param fraction: share of the time steps of the job that are done.
    :param temperature_k: latest temperature in K.
    :param solid_fraction: latest in-run solid fraction.
    :param remaining_s: time to go in s, at the speed so far.
    """

    label: str
    guess_k: float
    state: str
    stage: str | None = None
    fraction: float | None = None
    temperature_k: float | None = None
    solid_fraction: float | None = None
    remaining_s: float | None = None


_HOUSEKEEPING = "|on_terminated]"  # what the restart work chains of AiiDA say of remote folders

REPORTING = (
    "aiida.workflows:dnpmelt.melting",
    "aiida.workflows:dnpmelt.adaptive_learning",
    "aiida.workflows:dnpmelt.finite_size",
    "aiida.workflows:dnpmelt.pressure_sweep",
    "aiida.workflows:dnpmelt.potential_benchmark",
    "aiida.workflows:dnpmelt.cohesive_energy",
)
"""Types of the work chains whose progress is what they report."""
_ENDED = ("finished", "excepted", "killed")


def running() -> list[orm.WorkChainNode]:
    """Return the coexistence work chains that have not ended, the latest first, and after them those of `REPORTING`.

    A work chain that another one of these called is not returned if that one is.
    """
    from aiida_dnpmelt.provenance.query import PROCESS_TYPE

    query = orm.QueryBuilder()
    filters = {
        "process_type": {"in": [PROCESS_TYPE, *REPORTING]},
        "attributes.process_state": {"in": ["created", "waiting", "running"]},
    }
    query.append(orm.WorkChainNode, filters=filters, tag="chain")
    nodes = list(query.order_by({"chain": {"id": "desc"}}).all(flat=True))
    shown = [node for node in nodes if node.process_type == PROCESS_TYPE or node.caller not in nodes]
    return sorted(shown, key=lambda node: node.process_type != PROCESS_TYPE)


def progress(node: orm.WorkChainNode, files: LiveFiles | None = None) -> list[RunProgress]:
    """Return the state of the runs of a work chain, those of its last round, in their order.

    :param files: of who asks again and again, so that what was read is not read anew.
    """
    runs = _runs(node)
    jobs = _running_jobs([run.pk for run in runs if run.state not in _ENDED])
    lines = (files or LiveFiles()).read(list(jobs.values()))
    return [_progress(run, jobs.get(run.pk), lines) for run in runs]


@dataclass(frozen=True)
class _Run:
    pk: int
    uuid: str
    label: str
    state: str
    guess_k: float

    @property
    def round(self) -> tuple[list[str | int], str]:
        """Return the round by the label, so that rounds can be compared."""
        return by_number(self.label.rsplit("_", 1)[-1])


def _runs(node: orm.WorkChainNode) -> list[_Run]:
    """Return the runs of the last round; values are asked for and not nodes, which ask anew for each value."""
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={"id": node.pk}, tag="chain")
    filters = {"process_type": CoexistenceWorkChain.build_process_type()}
    values = ["id", "uuid", "label", "attributes.process_state"]
    query.append(orm.WorkChainNode, with_incoming="chain", filters=filters, tag="run", project=values)
    links = {"label": "calc__temperature"}
    query.append(orm.Float, with_outgoing="run", edge_filters=links, project="attributes.value")
    rows = query.order_by({"run": {"id": "asc"}}).all()
    runs = [_Run(pk, str(uuid), label, state or "created", guess) for pk, uuid, label, state, guess in rows]
    last = max((run.round for run in runs), default=None)
    return [run for run in runs if run.round == last]


def _running_jobs(runs: Sequence[int]) -> dict[int, LiveJob]:
    """Return the last job of each run by the PK of the run, if it has files and has not ended."""
    if not runs:
        return {}
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={"id": {"in": runs}}, tag="run", project="id")
    filters = {"process_type": LammpsCoexistenceCalculation.build_process_type()}
    values = ["id", "uuid", "ctime", "attributes.remote_workdir", "attributes.process_state"]
    query.append(orm.CalcJobNode, with_incoming="run", filters=filters, tag="job", project=values)
    query.append(orm.Computer, with_node="job", project=["id", "transport_type"])
    found: dict[int, LiveJob] = {}
    for run, pk, uuid, created, folder, state, computer, transport in query.order_by({"job": {"id": "asc"}}).all():
        found.pop(run, None)
        if folder and state not in _ENDED:
            found[run] = LiveJob(pk, str(uuid), created, folder, computer, transport)
    return found


def reports_after(node: orm.WorkChainNode, last: int) -> list[tuple[int, str]]:
    """Return what a work chain and the work chains that it called, and so on, reported after a report.

    :param last: number of the last report that is known, 0 for none.
    :return: number and text of each, the text with its time and the label of its work chain.
    """
    chains = {child.pk: child for child in [node, *node.called_descendants] if isinstance(child, orm.WorkChainNode)}
    query = orm.QueryBuilder().append(
        orm.Log,
        filters={"id": {">": last}, "dbnode_id": {"in": list(chains)}},
        project=["id", "time", "dbnode_id", "message"],
    )
    return [
        (number, f"{time.astimezone():%H:%M:%S} {_name(chains[pk])}: {_text(message)}")
        for number, time, pk, message in sorted(query.iterall(), key=lambda row: row[0])
        if _HOUSEKEEPING not in message
    ]


def _name(node: orm.WorkChainNode) -> str:
    return str(node.label or node.process_label)


def _text(message: str) -> str:
    """Return a report without the name of the step that AiiDA puts before it."""
    return message.partition("]: ")[2] or message


def _progress(run: _Run, job: LiveJob | None, lines: Mapping[int, Sequence[str]]) -> RunProgress:
    if run.state in _ENDED:
        return RunProgress(run.label, run.guess_k, state=_ended(run.uuid))
    live = {} if job is None else _live(job, lines.get(job.pk, ()))
    return RunProgress(run.label, run.guess_k, state=run.state, **live)


@cache
def _ended(uuid: str) -> str:
    """Return the outcome of a run that has ended, as its job saw it."""
    run = orm.load_node(uuid)
    if not run.is_finished_ok:
        return f"failed: {run.exit_message or run.process_state.value}"
    results = run.outputs.results.get_dict()
    lost = results["halted"] or results["bulk_melted"]
    return "lost a phase" if lost else "done"


def _live(job: LiveJob, lines: Sequence[str]) -> dict[str, Any]:
    """Return what the last lines of the files of a running job tell."""
    stage = next((line.split()[2] for line in lines if line.startswith("dnpmelt stage ")), None)
    row = next((numbers for line in reversed(lines) if (numbers := _numbers(line)) and len(numbers) > 10), None)
    probe = next((numbers for line in reversed(lines) if len(numbers := _numbers(line)) == 3), None)
    if stage is None or row is None:
        return {"stage": stage}
    done, total = _steps(job, stage, int(row[0]))
    elapsed = (datetime.now(timezone.utc) - job.created).total_seconds()
    fraction = done / total if total else 0.0
    return {
        "stage": stage,
        "fraction": fraction,
        "temperature_k": row[1],
        "solid_fraction": probe[1] if probe else None,
        "remaining_s": elapsed * (1 - fraction) / fraction if fraction > 0 else None,
    }


def _numbers(line: str) -> list[float]:
    try:
        return [float(word) for word in line.split()]
    except ValueError:
        return []


def _steps(job: LiveJob, stage: str, step: int) -> tuple[int, int]:
    """Return the time steps that a job has done, and those that it has to do."""
    before, total, origin = _starts(job.uuid)
    return before.get(stage, 0) + step - origin, total - origin


@cache
def _starts(uuid: str) -> tuple[dict[str, int], int, int]:
    """Return the number of time steps before each stage of a job, of all, and before the one that it begins with."""
    inputs = inputs_of(orm.load_node(uuid))
    before, total = {}, 0
    for stage in stages(inputs):
        before[stage.name] = total
        total += stage.steps
    begin = inputs["restart"].get_dict() if "restart" in inputs else None
    return before, total, before[begin["stage"]] + begin["step"] if begin else 0
