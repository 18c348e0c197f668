"""Start, stop and look at what a profile needs to run: the daemon, and PostgreSQL if it is in our cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from aiida.brokers import ZeromqBroker
from aiida.engine.daemon.client import (
    DaemonClient,
    DaemonException,
    DaemonNotRunningException,
    DaemonStalePidException,
    get_daemon_client,
)
from aiida.manage.configuration import Profile
from aiida.orm import ProcessNode
from aiida.plugins import BrokerFactory

from .check import UP, Check
from .messages import sentence
from .postgres_programs import PostgresError
from .profile import cluster_of
from .recovery import end_leftovers, lives, lost_processes, take_up, wake_broker

TIMEOUT = 60
"""Seconds to wait for an answer of the daemon; AiiDA's default of 2 is too short on a busy machine."""


def up(profile: Profile, workers: int | None = None) -> Iterator[str]:
    """Start PostgreSQL, then the daemon; yield what was done, a sentence each.

    What a daemon that was killed has left is cleared up, and processes whose tasks got lost are taken up again.

    :param workers: of the daemon; by default one, or as many as one that runs has.
    :raises PostgresError: if PostgreSQL does not start.
    :raises aiida.engine.daemon.client.DaemonException: if the daemon does not start.
    """
    cluster = cluster_of(profile)
    if cluster is not None:
        yield cluster.start()
    client = get_daemon_client(profile.name)
    if _answers(client):
        yield f"the daemon runs (PID {client.get_daemon_pid()})"
        wake_broker(profile)
        if workers is not None:
            yield from _set_workers(client, workers)
        return
    yield from _ended(profile)
    awaited, others = lost_processes(profile)
    client.start_daemon(number_workers=workers or 1, timeout=TIMEOUT)
    _await_broker(profile)
    yield f"the daemon started (PID {client.get_daemon_pid()})"
    if awaited:
        take_up(awaited)
        yield f"processes that had lost their tasks go on: {_numbers(awaited)}"
    if others:
        yield (
            f"processes without a task: {_numbers(others)}. Unless a Python of yours runs them, they stand still until "
            "`aiida-dnpmelt services down`, `verdi process repair` and `aiida-dnpmelt services up`"
        )


def down(profile: Profile) -> Iterator[str]:
    """Stop the daemon, then PostgreSQL; yield what was done, a sentence each."""
    client = get_daemon_client(profile.name)
    if _answers(client):
        client.stop_daemon(wait=True, timeout=TIMEOUT)
        yield "the daemon stopped"
    else:
        yield "the daemon does not run"
        yield from _ended(profile)
    cluster = cluster_of(profile)
    if cluster is not None:
        yield cluster.stop()


def _set_workers(client: DaemonClient, wanted: int) -> Iterator[str]:
    """Start or stop workers of a daemon that runs; those that are stopped hand their tasks to the others."""
    there = client.get_number_of_workers(TIMEOUT)
    if wanted > there:
        client.increase_workers(wanted - there, TIMEOUT)
    elif wanted < there:
        client.decrease_workers(there - wanted, TIMEOUT)
    yield f"it has {wanted} worker{'s' * (wanted > 1)}" + (f" now instead of {there}" if wanted != there else "")


def _ended(profile: Profile) -> Iterator[str]:
    """End what a daemon that was killed has left, and say so."""
    number = end_leftovers(profile)
    if number:
        yield f"ended {number} processes that an earlier daemon had left"


def _await_broker(profile: Profile) -> None:
    """Wait until tasks can be sent: with ZeroMQ the daemon starts the broker, and does not wait for it.

    :raises aiida.engine.daemon.client.DaemonException: if the broker is not there after :data:`TIMEOUT`.
    """
    end = time.monotonic() + TIMEOUT
    while not (broker := check_broker(profile)).ok:
        if time.monotonic() > end:
            raise DaemonException(f"{broker.message}, {TIMEOUT} s after the start of the daemon")
        time.sleep(0.2)


def _numbers(nodes: Sequence[ProcessNode]) -> str:
    return ", ".join(str(node.pk) for node in sorted(nodes, key=lambda node: node.pk))


def status(profile: Profile) -> list[Check]:
    """Return whether each service runs, and what is wrong with those that do not."""
    return [*check_postgres(profile), check_broker(profile), check_daemon(profile)]


def check_postgres(profile: Profile) -> list[Check]:
    """Check the cluster of a profile, if it has one of ours."""
    try:
        cluster = cluster_of(profile)
    except PostgresError as exception:
        return [Check("postgres", False, "the cluster is not there", str(exception))]
    if cluster is None:
        return []
    problem = cluster.problem()
    if problem is None:
        return [Check("postgres", True, f"port {cluster.state.port}, version {cluster.state.major}")]
    return [Check("postgres", False, *problem)]


def check_broker(profile: Profile) -> Check:
    """Check that the broker is there: with ZeroMQ, that its process lives, which the daemon starts."""
    backend = profile.process_control_backend
    if backend is None:
        remedy = "run `verdi profile configure-broker core.zeromq`"
        return Check("broker", False, "the profile has none, so that nothing can be submitted", remedy)
    broker = BrokerFactory(backend)(profile)
    try:
        if not isinstance(broker, ZeromqBroker):
            broker.get_communicator()
        elif not broker.check_service_reachable():
            return Check("broker", False, "ZeroMQ does not run", UP)
        return Check("broker", True, str(broker))
    except ConnectionError as exception:
        return Check("broker", False, f"{broker}: {sentence(exception)}", "start the broker")
    finally:
        broker.close()


def check_daemon(profile: Profile) -> Check:
    """Check that the daemon answers."""
    client = get_daemon_client(profile.name)
    try:
        if not _answers(client):
            return Check("daemon", False, "it does not run", UP)
        workers = client.get_number_of_workers(TIMEOUT)
    except DaemonException as exception:
        remedy = f"look at '{client.daemon_log_file}', then run `verdi daemon restart`"
        return Check("daemon", False, str(exception), remedy)
    if workers == 0:
        return Check("daemon", False, "it runs without workers", "run `verdi daemon incr`")
    return Check("daemon", True, f"PID {client.get_daemon_pid()}, {workers} worker{'s' * (workers > 1)}")


def _answers(client: DaemonClient) -> bool:
    """Return whether the daemon runs; what a killed one left does not count.

    :raises aiida.engine.daemon.client.DaemonException: if there is one that does not answer.
    """
    pid = client.get_daemon_pid()
    if pid is None or not lives(pid):
        return False
    try:
        client.get_status(TIMEOUT)
    except (DaemonNotRunningException, DaemonStalePidException):
        return False
    return True
