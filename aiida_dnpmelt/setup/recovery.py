"""Clear up after a daemon that was killed: end what it left running, and find processes that nobody goes on with."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

import psutil
from aiida import load_profile, orm
from aiida.brokers import ZeromqBroker
from aiida.brokers.zeromq.service import ZeromqBrokerService
from aiida.engine.processes.control import get_active_processes, get_process_tasks
from aiida.manage import get_manager
from aiida.manage.configuration import Profile, get_config
from aiida.plugins import BrokerFactory

_ORDER = ("start-circus", "stats", "worker", "broker")
"""What a daemon consists of, in the order in which it is ended: workers hand their tasks back to the broker."""
_PATIENCE = 20
"""Seconds that a process has to hand back its tasks before it is killed."""


def end_leftovers(profile: Profile) -> int:
    """End what is left of a daemon that is gone, and return how many processes that were.

    Beside those of a new daemon they would go on unseen: nobody counts them, and nobody stops them.
    """
    left = sorted(_left(profile.name), key=lambda each: _ORDER.index(each[0]))
    for _, process in left:
        with suppress(psutil.NoSuchProcess):  # the one before may have ended it
            process.terminate()
            end = time.monotonic() + _PATIENCE
            while lives(process.pid) and time.monotonic() < end:
                time.sleep(0.1)
            process.kill()
    _forget_dead_broker(profile)
    return len(left)


def lives(pid: int) -> bool:
    """Tell whether a process is there and not a zombie, which an orphan is until somebody asks for its exit status."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def lost_processes(profile: Profile) -> tuple[list[orm.ProcessNode], list[orm.ProcessNode]]:
    """Return active processes that no worker would take up, while neither daemon nor broker run.

    :return: those that a process with a task waits for, and others: Python may run them without a daemon, so that
        taking them up might run them twice.
    """
    load_profile(profile.name, allow_switch=True)
    broker = get_manager().get_broker()
    if broker is None:
        return [], []
    tasks = set(get_process_tasks(broker))
    lost = [node for node in get_active_processes() if node.pk not in tasks and _can_go_on(node)]
    awaited = [node for node in lost if any(caller.pk in tasks for caller in _callers(node))]
    return awaited, [node for node in lost if node not in awaited and not any(_callers(node))]


def wake_broker(profile: Profile) -> None:
    """Let the broker look for workers that died, and give their tasks to others.

    That of ZeroMQ looks only when a connection ends, and may take a worker for alive that died a moment before: it then
    waits until another connection ends, such as this one.
    """
    broker = BrokerFactory(profile.process_control_backend)(profile) if profile.process_control_backend else None
    if isinstance(broker, ZeromqBroker) and broker.check_service_reachable():
        with broker, suppress(ConnectionError):  # it has ended meanwhile
            broker.get_communicator()


def take_up(nodes: Sequence[orm.ProcessNode]) -> None:
    """Send a task for each process, as their submission did, while the daemon runs."""
    controller = get_manager().get_process_controller()
    for node in nodes:
        controller.continue_process(node.pk, nowait=False, no_reply=True)


def _left(profile: str) -> Iterator[tuple[str, psutil.Process]]:
    """Yield the parts of daemons of a profile in the folder of AiiDA that is used here, and which part each is."""
    folder = str(get_config().dirpath)
    for process in psutil.process_iter():
        try:
            part = _part(process.cmdline(), profile)
            if part in _ORDER and process.environ().get("AIIDA_PATH") == folder:
                yield part, process
        except psutil.Error:  # it has ended, or is somebody else's
            continue


def _forget_dead_broker(profile: Profile) -> None:
    """Remove the files in which a broker that was killed says where it can be reached.

    A new worker may read them before the new broker writes its own, and would then wait for tasks at a place where
    nobody is, for ever.
    """
    if profile.process_control_backend != "core.zeromq":
        return
    with ZeromqBroker(profile) as broker:
        if not broker.check_service_reachable():
            ZeromqBrokerService(get_config().filepaths(profile)["broker_service"]["dir"]).stop()


def _part(line: list[str], profile: str) -> str | None:
    """Return which part of the daemon of a profile a command line starts, None if it starts none."""
    if line[2:5] == ["-p", profile, "daemon"] and len(line) > 5:
        return line[5]
    return "stats" if line and line[-1].endswith(f"circus-{profile}.log") else None


def _can_go_on(node: orm.ProcessNode) -> bool:
    """Tell whether a process can be taken up by a worker: functions cannot."""
    return isinstance(node, orm.WorkChainNode | orm.CalcJobNode) and node.checkpoint is not None


def _callers(node: orm.ProcessNode) -> Iterator[orm.ProcessNode]:
    """Yield what has called a process, and what has called that."""
    while node.caller is not None:
        node = node.caller
        yield node
