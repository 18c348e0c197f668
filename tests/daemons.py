"""Work chains that a daemon runs, and what becomes of them when it dies."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from aiida_dnpmelt.setup.recovery import lives, wake_broker


def kill_worker(daemon: Any) -> None:
    """End the worker of a daemon as a crash does; the daemon starts another one, and the broker misses the dead one."""
    pid = int(next(iter(daemon.get_worker_info()["info"])))
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not lives(pid), 30)
    wake_broker(daemon.profile)


def wait_for(condition: Any, seconds: float = 400, log: Path | None = None) -> None:
    """Wait until a condition holds; show the end of a log if it does not."""
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, f"it did not happen in time; the daemon says: {log and log.read_text()[-4000:]}"
        time.sleep(0.5)
