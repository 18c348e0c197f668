"""Work chains that a daemon runs, and what becomes of them when it dies."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any


def kill_worker(daemon: Any) -> None:
    """End the worker of a daemon as a crash does; the daemon starts another one."""
    workers = daemon.get_worker_info()["info"]
    os.kill(int(next(iter(workers))), signal.SIGKILL)


def wait_for(condition: Any, seconds: float = 400, log: Path | None = None) -> None:
    """Wait until a condition holds; show the end of a log if it does not."""
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, f"it did not happen in time; the daemon says: {log and log.read_text()[-4000:]}"
        time.sleep(0.5)
