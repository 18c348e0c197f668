"""The last lines that running jobs have written: read where they lie, or asked of their computer in one connection."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aiida import orm

from aiida_dnpmelt.calculations.coexistence_script import LOG_FILE, probe_file

_LOCAL = "core.local"
_STAGE = re.compile(rb"^dnpmelt stage \S+(?=\n)", re.MULTILINE)
_TAIL_BYTES = 4096
_ROWS = 3


@dataclass(frozen=True)
class LiveJob:
    """What is to be known of a running job to read its files.

    :param created: when its node was made.
    :param folder: in which it runs.
    :param computer: PK of its computer.
    :param transport: entry point of the transport of that.
    """

    pk: int
    uuid: str
    created: datetime
    folder: str
    computer: int
    transport: str


class LiveFiles:
    """What running jobs have written so far; made once by who asks again and again.

    Files of this machine are read where they lie, each from where it was left. Another computer is asked for all of its
    jobs in one connection, and no more often than AiiDA itself opens one: see `safe_interval` of its transport. Between
    these, what it said last stands.
    """

    def __init__(self) -> None:
        """Begin without having read anything."""
        self._logs: dict[int, _Log] = {}
        self._said: dict[int, list[str]] = {}
        self._next: dict[int, float] = {}

    def read(self, jobs: Sequence[LiveJob]) -> dict[int, list[str]]:
        """Return by the PK of each job its last stage line, its last thermo rows, and its last probe."""
        by_computer: dict[int, list[LiveJob]] = {}
        for job in jobs:
            if job.transport == _LOCAL:
                log = self._logs.setdefault(job.pk, _Log(Path(job.folder)))
                self._said[job.pk] = log.lines()
            else:
                by_computer.setdefault(job.computer, []).append(job)
        for computer, there in by_computer.items():
            if time.monotonic() >= self._next.get(computer, 0.0):
                self._ask(computer, there)
        return {job.pk: self._said.get(job.pk, []) for job in jobs}

    def _ask(self, computer: int, jobs: Sequence[LiveJob]) -> None:
        transport = orm.load_node(jobs[0].pk).get_transport()
        with transport:
            for job in jobs:
                _, output, _ = transport.exec_command_wait(_command(job.folder))
                self._said[job.pk] = list(output.splitlines())
        self._next[computer] = time.monotonic() + transport.get_safe_open_interval()


class _Log:
    """The log and the probes of a job in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offset = 0
        self._stage = ""
        self._tail = b""

    def lines(self) -> list[str]:
        """Return the last lines as `_command` does; what cannot be read is not there."""
        try:
            with (self._folder / LOG_FILE).open("rb") as handle:
                handle.seek(self._offset)
                new = handle.read()
        except OSError:
            return []
        self._offset += len(new)
        text = self._tail + new
        stages = _STAGE.findall(text)
        self._stage = stages[-1].decode(errors="replace") if stages else self._stage
        self._tail = text[-_TAIL_BYTES:]
        rows = self._tail.decode(errors="replace").splitlines()[-_ROWS:]
        return [*([self._stage] if self._stage else []), *rows, "", *self._probe()]

    def _probe(self) -> list[str]:
        try:
            latest = max(self._folder.glob(probe_file("*")), key=lambda path: path.stat().st_mtime, default=None)
            if latest is None:
                return []
            with latest.open("rb") as handle:
                handle.seek(max(0, latest.stat().st_size - _TAIL_BYTES))
                return handle.read().decode(errors="replace").splitlines()[-1:]
        except OSError:
            return []


def _command(folder: str) -> str:
    """Return the command that prints the last lines of the files of a job."""
    # The log may end within a line, and there may be no probe yet: without a file, `tail` would wait for its input.
    return (
        f"cd {shlex.quote(folder)} && {{ grep '^dnpmelt stage' {LOG_FILE} | tail -n 1; tail -n {_ROWS} {LOG_FILE}; "
        f"echo; ls -t {probe_file('*')} | head -n 1 | xargs -r tail -n 1; }}"
    )
