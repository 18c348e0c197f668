"""Jobs that a command runs itself and waits for, without a daemon."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from types import FrameType
from typing import Any

import plumpy
from aiida.engine import Process, is_process_function
from aiida.manage import get_manager
from aiida.orm import ProcessNode

from aiida_dnpmelt.interrupts import Interrupted, handled_by


def run_here(what: Any, **inputs: Any) -> tuple[dict[str, Any], ProcessNode]:
    """Run a job or a calcfunction, wait for it, and return its outputs and its node.

    A signal that asks the program to end kills it between two of its steps. `run` of AiiDA does that wherever the
    program just is: within a commit to the database, which then stands still and leaves a job that nobody ends.

    :param what: class of the job, or calcfunction.
    :raises Interrupted: after such a signal, once the job is killed or has ended; the text says which.
    """
    asked: list[int] = []
    running: list[Process] = []

    def ask(number: int, _: FrameType | None) -> None:
        asked.append(number)
        logging.disable()  # AiiDA reports each step that it cuts as an error
        for process in running:
            _kill(process)

    level = logging.root.manager.disable
    with handled_by(ask):
        process = _made(what, inputs)
        running.append(process)
        if asked:
            _kill(process)
        with suppress(plumpy.KilledError):
            process.execute()
        if asked:
            _clear(process.loop)
            logging.disable(level)
            raise Interrupted(asked[0], _fate(process.node))
    return process.outputs, process.node


def _made(what: Any, inputs: dict[str, Any]) -> Process:
    runner = get_manager().create_runner(communicator=None)
    if is_process_function(what):
        return runner.instantiate_process(what.process_class, **what.process_class.create_inputs(**inputs))
    return runner.instantiate_process(what, **inputs)


def _kill(process: Process) -> None:
    """Ask a process to end itself, as `verdi process kill` does; what it cuts for that is no error to report."""
    process.loop.set_exception_handler(lambda *_: None)
    process.message_receive(None, plumpy.MessageBuilder.kill("the command that ran it was ended"))


def _clear(loop: asyncio.AbstractEventLoop) -> None:
    """End what a killed job leaves in the loop: Python would stumble over it when it ends."""

    async def end() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    loop.run_until_complete(end())


def _fate(node: ProcessNode) -> str:
    name = f"{node.process_label} {node.pk}"
    return f"{name} was killed" if node.is_killed else f"{name} had ended before"
