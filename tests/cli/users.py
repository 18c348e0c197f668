"""Somebody who runs the commands in processes of their own, with a home of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COMMAND = Path(sys.executable).parent / "aiida-dnpmelt"


@dataclass
class User:
    """Somebody with a home of their own, and nothing on PATH but the system."""

    home: Path

    def run(self, *arguments: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run the command.

        :param before: words before it that change how it is run, as `env` does.
        """
        environment = {
            "HOME": str(self.home),
            "AIIDA_PATH": str(self.home),
            "PATH": os.defpath,
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "PYTHONWARNINGS": "ignore",
        }
        command = [*before, str(COMMAND), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def must(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, *arguments: str, before: Sequence[str] = ()) -> str:
        done = self.run(*arguments, before=before)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stderr
        return done.stderr

    def checks(self, *arguments: str) -> tuple[int, dict[str, dict]]:
        done = self.run(*arguments, "--format", "json")
        return done.returncode, {check["name"]: check for check in json.loads(done.stdout)}

    @property
    def configuration(self) -> dict:
        return json.loads((self.home / ".aiida" / "config.json").read_text())


@contextmanager
def make_user() -> Iterator[User]:
    home = Path(tempfile.mkdtemp(prefix="dnpmelt-home-"))
    home.chmod(0o711)
    user = User(home)
    try:
        yield user
    finally:
        user.run("services", "down")
        shutil.rmtree(home)
