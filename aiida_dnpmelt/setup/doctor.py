"""Check all that a run needs: what is wrong, and what to do about it. No check changes anything."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from aiida import __version__ as aiida_version
from aiida.common.exceptions import AiidaException
from aiida.manage import get_manager
from aiida.manage.configuration import Profile, get_config, load_profile
from aiida.orm import Group, InstalledCode, QueryBuilder
from sqlalchemy.exc import SQLAlchemyError

from .check import Check
from .install import LABELS
from .messages import sentence
from .profile import ARCHIVE
from .services import check_broker, check_daemon, check_postgres
from .trouble import trouble_of_profile

LAMMPS_PLUGIN = "dnpmelt.coexistence"
DEEPMD_PLUGIN = "dnpmelt.deepmd_show"
VASP_PLUGIN = "vasp.vasp"
POTCAR_GROUP = "vasp.potcar"
EAM_STYLES = frozenset({"eam", "eam/alloy", "eam/fs"})
DEEPMD_STYLE = "deepmd"
MINIMUM_FREE_GB = 2.0
CODE_TIMEOUT = 120
"""Seconds that a code may take to tell its version."""

SETUP = "run `aiida-dnpmelt setup`"
INSTALL = f"install it, `pip install aiida-dnpmelt[engines]`, and {SETUP}"


def examine(profile: Profile) -> Iterator[Check]:
    """Yield the result of every check of a profile."""
    yield Check("profile", True, f"'{profile.name}' of {get_config().dirpath}")
    if profile.storage_backend == ARCHIVE:
        yield check_storage(profile)  # nothing runs in an archive that was opened
        return
    yield from check_postgres(profile)
    storage = check_storage(profile)
    yield storage
    yield check_broker(profile)
    yield check_daemon(profile)
    if storage.ok:
        yield from check_codes()
        yield from check_vasp()
    yield from check_disk(profile)


def check_storage(profile: Profile) -> Check:
    """Load the profile: its storage opens only if it has the version that the installed AiiDA needs."""
    try:
        load_profile(profile.name, allow_switch=True)
        storage = get_manager().get_profile_storage()
    except (AiidaException, SQLAlchemyError, OSError, ValueError) as exception:
        return Check("storage", False, *trouble_of_profile(profile, exception))
    version = storage.version_profile(profile)
    message = f"{profile.storage_backend}, schema {version}, AiiDA {aiida_version}"
    return Check("storage", True, message)


def check_codes() -> Iterator[Check]:
    """Check the codes of the set-up, and any others that run our calculations."""
    codes = [code for code in _codes(LAMMPS_PLUGIN, DEEPMD_PLUGIN) if not code.is_hidden]
    for label in LABELS:
        if label not in {code.label for code in codes}:
            yield Check(f"code {label}", False, "there is none", INSTALL)
    for code in codes:
        yield check_code(code)


def check_code(code: InstalledCode) -> Check:
    """Run a code on its computer and check its version, and for LAMMPS its pair styles."""
    name = f"code {code.full_label}"
    if not code.computer.is_configured:
        remedy = f"run `verdi computer configure {code.computer.transport_type} {code.computer.label}`"
        return Check(name, False, f"computer '{code.computer.label}' is not configured", remedy)
    is_lammps = code.default_calc_job_plugin == LAMMPS_PLUGIN
    program = f"timeout {CODE_TIMEOUT} {shlex.quote(str(code.filepath_executable))}"
    # The shell feeds LAMMPS: one that does not start would break a pipe of ours before its status is known.
    command = f"echo info styles pair | {program} -log none" if is_lammps else f"{program} --version < /dev/null"
    try:
        with code.computer.get_transport() as transport:
            if not transport.isfile(str(code.filepath_executable)):
                return Check(name, False, f"there is no file {code.filepath_executable}", INSTALL)
            status, output, errors = transport.exec_command_wait(f"{code.prepend_text}\n{command}", workdir="/")
    except (AiidaException, OSError) as exception:
        remedy = f"run `verdi computer test {code.computer.label}`"
        return Check(name, False, f"computer '{code.computer.label}' cannot be reached: {sentence(exception)}", remedy)
    if status != 0:
        last = (errors.strip() or output.strip() or "no output").splitlines()[-1]
        remedy = f"mend the installation, or the code's prepend_text (`verdi code show {code.full_label}`)"
        return Check(name, False, f"it ends with status {status}: {last}", remedy)
    return _judge_lammps(code, output) if is_lammps else Check(name, True, output.strip().splitlines()[-1])


def _judge_lammps(code: InstalledCode, output: str) -> Check:
    name = f"code {code.full_label}"
    version = next((line.strip() for line in output.splitlines() if line.startswith("LAMMPS (")), "LAMMPS")
    styles = set(output.split())
    wanted = EAM_STYLES | ({DEEPMD_STYLE} if code.label == "lmp-deepmd" else frozenset())
    missing = sorted(wanted - styles)
    if missing:
        remedy = "use a LAMMPS with the package MANYBODY and, for deepmd, the plugin of DeePMD-kit: "
        return Check(name, False, f"{version} lacks the pair styles {', '.join(missing)}", remedy + INSTALL)
    present = sorted((EAM_STYLES | {DEEPMD_STYLE}) & styles)
    return Check(name, True, f"{version} with pair styles {', '.join(present)}")


def check_vasp() -> Iterator[Check]:
    """Check that each VASP code has its program, and that there are POTCAR files; no VASP is fine, too."""
    codes = [code for code in _codes(VASP_PLUGIN) if not code.is_hidden]
    if not codes:
        yield Check("vasp", True, "not configured (needed only to label frames with VASP)", applies=False)
        return
    for code in codes:
        yield _check_vasp_code(code)
    query = QueryBuilder().append(Group, filters={"type_string": POTCAR_GROUP}, project="label")
    families = query.all(flat=True)
    if families:
        yield Check("potcar", True, f"families {', '.join(sorted(families))}")
    else:
        remedy = "run `aiida-vasp potcar uploadfamily --path PATH --name NAME --description TEXT`"
        yield Check("potcar", False, "there is no POTCAR family", remedy)


def _check_vasp_code(code: InstalledCode) -> Check:
    name = f"code {code.full_label}"
    try:
        with code.computer.get_transport() as transport:
            there = transport.isfile(str(code.filepath_executable))
    except (AiidaException, OSError) as exception:
        remedy = f"run `verdi computer test {code.computer.label}`"
        return Check(name, False, f"computer '{code.computer.label}' cannot be reached: {sentence(exception)}", remedy)
    if there:
        return Check(name, True, f"{code.filepath_executable} (not run)")
    return Check(name, False, f"there is no file {code.filepath_executable}", "create the code again")


def check_disk(profile: Profile) -> Iterator[Check]:
    """Check the free space where AiiDA stores results, and where the jobs of this machine run."""
    folder = Path(get_config().dirpath)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Check("disk", False, f"'{folder}' cannot be written", "make it yours again, or set AIIDA_PATH to another")
        return
    free = shutil.disk_usage(folder).free / 1e9
    message = f"{free:.1f} GB free for '{folder}'"
    if free >= MINIMUM_FREE_GB:
        yield Check("disk", True, message)
    else:
        remedy = f"free {MINIMUM_FREE_GB:.0f} GB or more, or move the folder and set AIIDA_PATH"
        yield Check("disk", False, message, remedy)


def _codes(*plugins: str) -> list[InstalledCode]:
    filters = {"attributes.input_plugin": {"in": list(plugins)}}
    query = QueryBuilder().append(InstalledCode, filters=filters, tag="code")
    return query.order_by({"code": "id"}).all(flat=True)
