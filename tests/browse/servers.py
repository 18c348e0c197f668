"""The command as a user runs it: another process with the profile of the test."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from signals import start


@dataclass
class Server:
    """A running `aiida-dnpmelt browse`."""

    address: str
    process: subprocess.Popen[str]

    def end(self, number: int = signal.SIGINT, timeout: float = 30) -> tuple[int, str]:
        """End it, as Ctrl-C does unless told otherwise, and return its exit status and its last words."""
        self.process.send_signal(number)
        words, _ = self.process.communicate(timeout=timeout)
        return self.process.returncode, words


@contextmanager
def serving(profile: str, *options: str, ignored: Sequence[int] = ()) -> Iterator[Server]:
    """Run the server until the block ends.

    :param ignored: signals that are ignored when it starts.
    """
    command = [str(Path(sys.executable).with_name("aiida-dnpmelt")), "browse", "--no-open", "-p", profile, *options]
    process = start(command, ignored)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert f"profile {profile} (" in line, line + process.stdout.read()
        yield Server(line.split(" is at ")[1].split()[0].rstrip("/"), process)
    finally:
        process.kill()
        process.communicate()
