"""Commands that are sent signals: they start as from a terminal, though the tests may run in the background."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from functools import partial

from aiida_dnpmelt.interrupts import SIGNALS


def start(command: Sequence[str], ignored: Sequence[int] = ()) -> subprocess.Popen[str]:
    """Start a command, its output and errors in one pipe.

    :param ignored: signals that it finds ignored: `nohup` and the shell do that to a job in the background.
    """
    return subprocess.Popen(
        list(command),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=partial(_set, tuple(ignored)),  # noqa: PLW1509 (it takes no lock)
    )


def _set(ignored: Sequence[int]) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
