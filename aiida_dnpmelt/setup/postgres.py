"""A PostgreSQL cluster of one's own: a data folder, a password and a fixed port on 127.0.0.1.

The folder of a cluster holds `state.json` (all that is needed to start and to connect, for its owner only),
`data` (the data folder, with `server.log`), and `programs` where the programs had to be copied.
"""

from __future__ import annotations

import json
import os
import pwd
import random
import secrets
import shutil
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from .messages import sentence
from .postgres_programs import PostgresError, find_programs, run_as, server_account

HOST = "127.0.0.1"
ROLE = "aiida"
PORTS = range(20000, 32000)
"""Below the ports that Linux gives to outgoing connections, one of which could take ours in a pause."""

START_TIMEOUT = 60
LOG_LINES = 10
STATE_FILE = "state.json"


@dataclass(frozen=True)
class State:
    """What is stored about a cluster; `programs` is the folder of the programs that made it."""

    port: int
    password: str
    major: int
    programs: str


@dataclass(frozen=True)
class Cluster:
    """A cluster in `folder`. Make one with :meth:`create`, come back to it with :meth:`load`."""

    folder: Path
    state: State
    account: pwd.struct_passwd | None

    @property
    def data(self) -> Path:
        """Return the data folder."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """Return the log file of the server."""
        return self.data / "server.log"

    @staticmethod
    def exists(folder: Path) -> bool:
        """Return whether there is a cluster in `folder`; one that cannot be seen does not count."""
        return os.access(folder / STATE_FILE, os.F_OK)

    @classmethod
    def create(cls, folder: Path, durable: bool = True) -> Cluster:
        """Make a cluster, which is not started.

        :param durable: false trades safety against a crash of the machine for speed, for tests.
        :raises PostgresError: if there are no programs, or the account that runs them cannot enter `folder`.
        """
        folder = folder.absolute()
        account = server_account()
        made = _make_folder(folder, account)
        try:
            programs = find_programs(account, folder / "programs")
            state = State(_free_port(), secrets.token_urlsafe(24), programs.major, str(programs.folder))
            cluster = cls(folder, state, account)
            cluster._initialise(durable)
            cluster._store()
        except BaseException:
            _remove(folder, made)
            raise
        return cluster

    @classmethod
    def load(cls, folder: Path) -> Cluster:
        """Return the cluster in `folder`.

        :raises PostgresError: if there is none, or its state file cannot be read.
        """
        file = folder.absolute() / STATE_FILE
        try:
            state = State(**json.loads(file.read_text()))
        except FileNotFoundError as exception:
            raise PostgresError(
                f"there is no cluster in '{folder}': `aiida-dnpmelt setup --postgres` makes one"
            ) from exception
        except (OSError, TypeError, ValueError) as exception:
            raise PostgresError(f"'{file}' cannot be read: {exception}; restore it from a backup") from exception
        return cls(folder.absolute(), state, server_account())

    def start(self) -> str:
        """Start the server unless it runs; return what was done, as a sentence.

        :raises PostgresError: if it cannot start: the message says why and what to do about it.
        """
        if self.process() is not None:
            return f"PostgreSQL runs on port {self.state.port}"
        programs = self._programs()
        removed = self._remove_stale_pid_file()
        holder = port_holder(self.state.port)
        if holder is not None:
            raise PostgresError(
                f"port {self.state.port} of the cluster '{self.folder}' is taken by {holder}: stop that "
                "program, then run `aiida-dnpmelt services up`"
            )
        command = [str(programs / "pg_ctl"), "start", "--wait", f"--timeout={START_TIMEOUT}"]
        done = run_as(self.account, [*command, f"--pgdata={self.data}", f"--log={self.log}"], START_TIMEOUT + 30)
        if done.returncode != 0:
            raise PostgresError(f"PostgreSQL did not start. The end of '{self.log}':\n{self.log_tail()}")
        return f"PostgreSQL started on port {self.state.port}{removed}"

    def stop(self) -> str:
        """Stop the server if it runs; return what was done, as a sentence."""
        if self.process() is None:
            return "PostgreSQL does not run"
        pg_ctl = str(self._programs() / "pg_ctl")
        done = run_as(self.account, [pg_ctl, "stop", "--mode=fast", "--wait", f"--pgdata={self.data}"])
        if done.returncode != 0:
            raise PostgresError(f"PostgreSQL did not stop: {done.stdout.strip()}\n{self.log_tail()}")
        return "PostgreSQL stopped"

    def process(self) -> psutil.Process | None:
        """Return the running server of this cluster, if there is one."""
        pid = self._pid()
        if pid is None:
            return None
        try:
            process = psutil.Process(pid)
            # The PID may have been given to another program since, but that does not name our data folder.
            return process if str(self.data) in process.cmdline() else None
        except psutil.Error:
            return None

    def problem(self) -> tuple[str, str] | None:
        """Return why the cluster cannot be used now, and the remedy; `None` if it can."""
        if self.process() is None:
            try:
                self._programs()
            except PostgresError as exception:
                return "PostgreSQL cannot start", str(exception)
            holder = port_holder(self.state.port)
            if holder is not None:
                return f"PostgreSQL does not run, its port {self.state.port} is taken by {holder}", "stop that program"
            return "PostgreSQL does not run", "run `aiida-dnpmelt services up`"
        try:
            self._connect("postgres").close()
        except PostgresError as exception:
            return str(exception), f"look at '{self.log}', then run `aiida-dnpmelt services down` and `up`"
        return None

    def create_database(self, name: str) -> dict[str, Any]:
        """Create a database and return the storage configuration of AiiDA for it, without the repository."""
        with self._connect("postgres") as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0").format(
                    sql.Identifier(name)
                )
            )
        return {
            "database_engine": "postgresql_psycopg",
            "database_hostname": HOST,
            "database_port": self.state.port,
            "database_username": ROLE,
            "database_password": self.state.password,
            "database_name": name,
        }

    def drop_database(self, name: str) -> None:
        """Delete a database with all that is in it."""
        with self._connect("postgres") as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def log_tail(self) -> str:
        """Return the last lines of the server's log."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError as exception:
            return f"  ({exception})"
        return "\n".join(f"  {line}" for line in lines[-LOG_LINES:])

    def _connect(self, database: str) -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(
                host=HOST,
                port=self.state.port,
                user=ROLE,
                password=self.state.password,
                dbname=database,
                connect_timeout=10,
                autocommit=True,
            )
        except psycopg.Error as exception:
            raise PostgresError(
                f"PostgreSQL does not answer on port {self.state.port}: {sentence(exception)}\n{self.log_tail()}"
            ) from exception

    def _initialise(self, durable: bool) -> None:
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(self.state.password)
        self.data.mkdir(mode=0o700)
        try:
            for path in (password, self.data):
                self._give(path)
            done = run_as(
                self.account,
                [
                    str(Path(self.state.programs) / "initdb"),
                    f"--pgdata={self.data}",
                    f"--username={ROLE}",
                    f"--pwfile={password}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--no-locale",
                    *([] if durable else ["--no-sync"]),
                ],
            )
        finally:
            password.unlink()
        if done.returncode != 0:
            raise PostgresError(f"`initdb` failed: {done.stdout.strip()}")
        settings = {"port": self.state.port, "listen_addresses": f"'{HOST}'", "unix_socket_directories": "''"}
        if not durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        with (self.data / "postgresql.conf").open("a") as handle:
            handle.writelines(f"{name} = {value}\n" for name, value in settings.items())

    def _store(self) -> None:
        file = self.folder / STATE_FILE
        file.touch(mode=0o600)
        file.write_text(json.dumps(asdict(self.state), indent=2))

    def _give(self, path: Path) -> None:
        if self.account is not None:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def _programs(self) -> Path:
        """Return the folder of programs of the version that made the data folder."""
        try:
            major = int((self.data / "PG_VERSION").read_text())
        except (OSError, ValueError) as exception:
            raise PostgresError(
                f"'{self.data}' is not a data folder of PostgreSQL ({exception}): restore it from a backup"
            ) from exception
        stored = Path(self.state.programs)
        if major == self.state.major and (stored / "pg_ctl").is_file():
            return stored
        return find_programs(self.account, self.folder / "programs", major).folder

    def _pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().split("\n", maxsplit=1)[0])
        except (OSError, ValueError):
            return None

    def _remove_stale_pid_file(self) -> str:
        """Remove the PID file of a killed server if another program or a zombie has its PID; say so.

        PostgreSQL would take that process for the server and refuse to start. With other remains it copes by
        itself, and must: the file tells it whether a part of the old server is still alive.
        """
        pid, file = self._pid(), self.data / "postmaster.pid"
        if pid is None or not psutil.pid_exists(pid) or _shared_memory_in_use(file):
            return ""
        file.unlink()
        return f" (the file that a killed server with PID {pid} had left was removed)"


def _shared_memory_in_use(pid_file: Path) -> bool:
    """Return whether a process uses the shared memory that a PID file names on line 7 (key, identifier)."""
    try:
        identifier = pid_file.read_text().splitlines()[6].split()[1]
        segments = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    except (OSError, IndexError):
        return True
    return any(row[1] == identifier and int(row[6]) > 0 for row in segments)


def port_holder(port: int) -> str | None:
    """Return who listens on `port` of this machine, or `None` if nobody does."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            return None
        except OSError:
            pass
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"'{psutil.Process(connection.pid).name()}' (PID {connection.pid})"
    except psutil.Error:
        pass
    return "another program"


def _free_port() -> int:
    for port in random.SystemRandom().sample(PORTS, 100):
        if port_holder(port) is None:
            return port
    raise PostgresError(f"no free port was found on {HOST} between {PORTS.start} and {PORTS.stop - 1}")


def default_folder() -> Path:
    """Return where the cluster of this user belongs.

    In the data folder of the user, unless root's is closed to the account that runs the server.
    """
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    folder = Path(base) / "aiida-dnpmelt" / "postgres"
    account = server_account()
    if account is not None and _closed_parent(folder, account) is not None:
        return Path("/var/lib/aiida-dnpmelt/postgres")
    return folder


def _closed_parent(folder: Path, account: pwd.struct_passwd | None) -> Path | None:
    """Return `folder`, or its nearest parent that exists, if `account` cannot enter it."""
    there = next(path for path in [folder, *folder.parents] if path.exists())
    entered = run_as(account, ["/bin/sh", "-c", 'cd "$1"', "sh", str(there)]).returncode == 0
    return None if entered else there


def _make_folder(folder: Path, account: pwd.struct_passwd | None) -> list[Path]:
    """Make an empty `folder` that `account` can enter; return the folders that were made, outermost first."""
    remedy = "choose another folder with --postgres-path"
    try:
        closed = _closed_parent(folder, account)
        if closed is not None:
            who = "you" if account is None else f"'{account.pw_name}', who runs the server since root may not,"
            raise PostgresError(f"{who} cannot enter '{closed}': {remedy}")
        if folder.exists() and any(folder.iterdir()):
            raise PostgresError(f"'{folder}' is not empty: {remedy}")
        missing = [path for path in [*reversed(folder.parents), folder] if not path.exists()]
        for path in missing:
            path.mkdir(mode=0o700 if account is None else 0o711)
    except OSError as exception:
        raise PostgresError(f"'{folder}' cannot be made: {exception}: {remedy}") from exception
    return missing


def _remove(folder: Path, made: list[Path]) -> None:
    """Undo `_make_folder` and all that was written into the folder."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in reversed(made):
        path.rmdir()
