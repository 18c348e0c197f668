"""How far a running work chain has come: what the graph knows, and what its running jobs have written."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from typing import Any

from aiida import orm
from aiida.engine import Process

from aiida_dnpmelt.calculations.coexistence_script import LOG_FILE, probe_file
from aiida_dnpmelt.calculations.job_inputs import inputs_of
from aiida_dnpmelt.calculations.lammps_coexistence import LammpsCoexistenceCalculation, stages
from aiida_dnpmelt.physics.ordering import by_number
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


def progress(node: orm.WorkChainNode) -> list[RunProgress]:
    """Return the state of the runs of a work chain, those of its last round."""
    children = _called(node, CoexistenceWorkChain)
    rounds = [child.label.rsplit("_", 1)[-1] for child in children]
    last = max(rounds, key=by_number, default="")
    return [_progress(child) for child, number in zip(children, rounds, strict=True) if number == last]


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


def _called(node: orm.WorkChainNode, process: type[Process]) -> list[Any]:
    """Return the nodes of a process that a work chain has called, in their order."""
    nodes = [child for child in node.called if child.process_type == process.build_process_type()]
    return sorted(nodes, key=lambda child: child.pk)


def _progress(run: orm.WorkChainNode) -> RunProgress:
    state = str(run.process_state.value) if run.process_state else "created"
    known = {"label": run.label, "guess_k": run.inputs.calc.temperature.value}
    if run.is_terminated:
        return RunProgress(**known, state=_ended(run))
    jobs = _called(run, LammpsCoexistenceCalculation)
    if not jobs or jobs[-1].is_terminated or not jobs[-1].get_remote_workdir():
        return RunProgress(**known, state=state)
    return RunProgress(**known, state=state, **_live(jobs[-1]))


def _ended(run: orm.WorkChainNode) -> str:
    """Return the outcome of a run that has ended, as its job saw it."""
    if not run.is_finished_ok:
        return f"failed: {run.exit_message or run.process_state.value}"
    results = run.outputs.results.get_dict()
    lost = results["halted"] or results["bulk_melted"]
    return "lost a phase" if lost else "done"


def _live(job: orm.CalcJobNode) -> dict[str, Any]:
    """Return what the files of a running job tell."""
    lines = _tail(job)
    stage = next((line.split()[2] for line in lines if line.startswith("dnpmelt stage ")), None)
    row = next((numbers for line in reversed(lines) if (numbers := _numbers(line)) and len(numbers) > 10), None)
    probe = next((numbers for line in reversed(lines) if len(numbers := _numbers(line)) == 3), None)
    if stage is None or row is None:
        return {"stage": stage}
    done, total = _steps(job, stage, int(row[0]))
    elapsed = (datetime.now(timezone.utc) - job.ctime).total_seconds()
    fraction = done / total if total else 0.0
    return {
        "stage": stage,
        "fraction": fraction,
        "temperature_k": row[1],
        "solid_fraction": probe[1] if probe else None,
        "remaining_s": elapsed * (1 - fraction) / fraction if fraction > 0 else None,
    }


def _tail(job: orm.CalcJobNode) -> list[str]:
    """Return the last stage line, the last thermo rows and the last probe of a running job."""
    folder = shlex.quote(job.get_remote_workdir())
    # The log may end within a line, and there may be no probe yet: without a file, `tail` would wait for its input.
    command = (
        f"cd {folder} && {{ grep '^dnpmelt stage' {LOG_FILE} | tail -n 1; tail -n 3 {LOG_FILE}; echo; "
        f"ls -t {probe_file('*')} | head -n 1 | xargs -r tail -n 1; }}"
    )
    with job.get_transport() as transport:
        _, output, _ = transport.exec_command_wait(command)
    return list(output.splitlines())


def _numbers(line: str) -> list[float]:
    try:
        return [float(word) for word in line.split()]
    except ValueError:
        return []


def _steps(job: orm.CalcJobNode, stage: str, step: int) -> tuple[int, int]:
    """Return the time steps that a job has done, and those that it has to do."""
    begin = job.inputs.restart.get_dict() if "restart" in job.inputs else None
    before, total = _starts(job.uuid)
    origin = before[begin["stage"]] + begin["step"] if begin else 0
    return before.get(stage, 0) + step - origin, total - origin


@cache
def _starts(uuid: str) -> tuple[dict[str, int], int]:
    """Return the number of time steps before each stage of a job, and of all."""
    before, total = {}, 0
    for stage in stages(inputs_of(orm.load_node(uuid))):
        before[stage.name] = total
        total += stage.steps
    return before, total
