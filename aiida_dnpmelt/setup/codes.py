"""The localhost computer and the codes of this machine, made once and left alone afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from aiida.common.exceptions import NotExistent
from aiida.orm import Computer, InstalledCode

from aiida_dnpmelt.data.trust import own_code

from .engines import Engine, find_command

LOCALHOST = "localhost"
JOB_POLL_SECONDS = 2.0
"""Without a wait the daemon asks for its jobs all the time, and takes a sixth of a core from LAMMPS."""

LOW_PRIORITY = """renice -n 10 -p $$ > /dev/null
{ echo 10 > /proc/$$/autogroup; } 2> /dev/null || true"""
"""Jobs stand back behind whatever else wants a core: a daemon that waits for one at each of its hundreds of commits to
the database keeps jobs waiting, and somebody works at this machine. Where Linux groups processes by session
(`sched_autogroup_enabled`), the priority of a process counts only within its session, and each job is one: so that of
the session is set as well."""


class State(Enum):
    """What a step of the set-up did."""

    MADE = "made"
    KEPT = "kept"
    DIFFERS = "differs"
    MISSING = "missing"


@dataclass(frozen=True)
class Step:
    """A step of the set-up: what it did, and to what."""

    state: State
    message: str


def ensure_computer(workdir: Path, label: str = LOCALHOST) -> tuple[Computer, Step]:
    """Return the computer `label`; make it if there is none.

    Jobs start at once, in `workdir`, at a low priority: local transport, no scheduler, no login shell, no long wait for
    a look.

    :raises ValueError: if there is one of that label that nobody has configured, as those of archives.
    """
    try:
        known = Computer.collection.get(label=label)
    except NotExistent:
        known = None
    if known is not None:
        if not known.is_configured:
            raise ValueError(
                f"computer '{label}' is not configured: it came by an archive, or an earlier setup was ended; rename "
                f"it, `verdi computer relabel {label} {label}-{known.pk}`, and run setup again"
            )
        return known, Step(State.KEPT, f"computer '{label}' exists")
    computer = Computer(
        label=label,
        hostname="localhost",
        description="This machine, set up by aiida-dnpmelt",
        transport_type="core.local",
        scheduler_type="core.direct",
        workdir=str(workdir),
    )
    computer.set_mpirun_command([str(find_command("mpirun") or "mpirun"), "-np", "{tot_num_mpiprocs}"])
    computer.set_default_mpiprocs_per_machine(1)
    computer.set_minimum_job_poll_interval(JOB_POLL_SECONDS)
    computer.set_prepend_text(LOW_PRIORITY)
    computer.store()
    computer.configure(use_login_shell=False, safe_interval=0)
    return computer, Step(State.MADE, f"computer '{label}', jobs run in {workdir}")


def ensure_code(engine: Engine, computer: Computer) -> tuple[InstalledCode, Step]:
    """Return the code of `engine` on `computer`; make it if there is none.

    A code with that label that runs something else is kept, since results may depend on it: the step says so.
    """
    full_label = f"{engine.label}@{computer.label}"
    try:
        code = own_code(full_label)
    except NotExistent:
        code = InstalledCode(
            computer=computer,
            filepath_executable=str(engine.executable),
            label=engine.label,
            description="Found by aiida-dnpmelt setup",
            default_calc_job_plugin=engine.plugin,
            prepend_text=engine.prepend_text,
        ).store()
        return code, Step(State.MADE, f"code '{full_label}' runs {engine.executable}")
    return code, _compare(code, engine, full_label)


def _compare(code: InstalledCode, engine: Engine, full_label: str) -> Step:
    if str(code.filepath_executable) != str(engine.executable):
        difference = f"runs {code.filepath_executable}, but {engine.executable} was found"
    elif code.prepend_text != engine.prepend_text:
        difference = "has another prepend_text than this installation needs"
    else:
        return Step(State.KEPT, f"code '{full_label}' exists")
    rename = f"verdi code relabel {full_label} {engine.label}-{code.pk}"
    return Step(State.DIFFERS, f"code '{full_label}' {difference}: rename it, `{rename}`, and run setup again")
