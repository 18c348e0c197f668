"""What a code runs: told by the jobs that it is meant for, and by the name of its program."""

from __future__ import annotations

import re
from typing import Literal

from aiida.orm import AbstractCode

Program = Literal["LAMMPS", "DeePMD-kit", "VASP"]

_PLUGINS: dict[str, Program] = {
    "dnpmelt.deepmd_": "DeePMD-kit",
    "dnpmelt.vasp_": "VASP",
    "dnpmelt.": "LAMMPS",
    "lammps.": "LAMMPS",
    "vasp.": "VASP",
}
"""By the beginning of the entry point of the default job of a code; the first that fits counts."""
_WORDS: dict[str, Program] = {
    "lmp": "LAMMPS",
    "lammps": "LAMMPS",
    "dp": "DeePMD-kit",
    "deepmd": "DeePMD-kit",
    "vasp": "VASP",
}
"""By a word of the name of a program, such as that of `lmp_mpi` or `vasp_std`; the first that fits counts."""


def program_of(code: AbstractCode) -> str | None:
    """Return what a code runs, None where nothing tells; the name of its program goes before its default job.

    It is a `Program`, or of a job that is none of theirs, its entry point.
    """
    name = str(getattr(code, "filepath_executable", "")).rpartition("/")[2].lower()
    words = re.split(r"[^a-z]+", name)
    for word, program in _WORDS.items():
        if word in words:
            return program
    plugin = code.default_calc_job_plugin or ""
    for beginning, program in _PLUGINS.items():
        if plugin.startswith(beginning):
            return program
    return None if not plugin or plugin.startswith("core.") else f"jobs of {plugin}"


def wrong_program(code: AbstractCode, wanted: Program) -> str | None:
    """Return in words that a code runs something else than is wanted, None if it does not or nothing tells."""
    found = program_of(code)
    if found in (None, wanted):
        return None
    program = getattr(code, "filepath_executable", None)
    return f"'{code.full_label}' runs {found}{f' ({program})' if program else ''}, {wanted} is needed"
