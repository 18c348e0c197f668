"""Real clusters: the system's programs and those of the Python package."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest

from aiida_dnpmelt.setup import postgres_programs
from aiida_dnpmelt.setup.postgres import Cluster, PostgresError, default_folder, port_holder

ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not ROOT, reason="root alone has to give up its privileges")


@contextmanager
def make_open_folder() -> Iterator[Path]:
    """Make a folder that the account of the server can enter, which pytest's own folders are not."""
    folder = Path(tempfile.mkdtemp(prefix="dnpmelt-test-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def open_folder():
    with make_open_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def one_cluster():
    with make_open_folder() as folder:
        yield Cluster.create(folder / "cluster", durable=False)


@pytest.fixture
def cluster(one_cluster):
    """Give a cluster that is down, and that a test may break in its configuration and version."""
    files = {path: path.read_text() for path in map(one_cluster.data.joinpath, ("postgresql.conf", "PG_VERSION"))}
    yield one_cluster
    for path, text in files.items():
        path.write_text(text)
    one_cluster.stop()


def connect(config: dict) -> psycopg.Connection:
    return psycopg.connect(
        host=config["database_hostname"],
        port=config["database_port"],
        user=config["database_username"],
        password=config["database_password"],
        dbname=config["database_name"],
    )


def test_cluster_lives_from_creation_to_second_start(cluster):
    assert cluster.problem() == ("PostgreSQL does not run", "run `aiida-dnpmelt services up`")
    assert cluster.stop() == "PostgreSQL does not run"
    assert cluster.start() == f"PostgreSQL started on port {cluster.state.port}"
    assert cluster.start() == f"PostgreSQL runs on port {cluster.state.port}"
    assert cluster.problem() is None

    config = cluster.create_database('dnpmelt; it\'s "odd"')
    with connect(config) as connection:
        row = connection.execute(
            "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = %s",
            [config["database_name"]],
        ).fetchone()
    assert row == ("UTF8", "C", "C")

    assert cluster.stop() == "PostgreSQL stopped"
    again = Cluster.load(cluster.folder)
    assert again == cluster
    again.start()
    connect(config).close()
    again.drop_database(config["database_name"])
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        connect(config)


def test_password_is_needed_and_only_the_owner_can_read_it(cluster):
    cluster.start()
    config = cluster.create_database("one")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect({**config, "database_password": "guess"})
    state = cluster.folder / "state.json"
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert stat.S_IMODE(cluster.data.stat().st_mode) == 0o700
    assert not (cluster.folder / "password").exists()
    assert "scram-sha-256" in (cluster.data / "pg_hba.conf").read_text()


def test_server_listens_on_the_loopback_address_only(cluster):
    cluster.start()
    listening = [item.laddr for item in cluster.process().net_connections() if item.status == "LISTEN"]
    assert [tuple(address) for address in listening] == [("127.0.0.1", cluster.state.port)]


@only_root
def test_server_of_root_runs_as_another_account(cluster):
    cluster.start()
    assert cluster.process().username() in postgres_programs.ACCOUNTS


def test_taken_port_is_named_with_its_holder(cluster):
    with socket.create_server(("127.0.0.1", cluster.state.port)):
        assert f"PID {os.getpid()}" in port_holder(cluster.state.port)
        with pytest.raises(PostgresError, match=rf"port {cluster.state.port} .*PID {os.getpid()}\): stop that"):
            cluster.start()
        message, remedy = cluster.problem()
        assert f"PID {os.getpid()}" in message
        assert remedy == "stop that program"
    cluster.start()


def kill(cluster: Cluster) -> None:
    server = cluster.process()
    parts = [server, *server.children(recursive=True)]
    for part in parts:
        part.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(part.is_running() and part.status() != psutil.STATUS_ZOMBIE for part in parts):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_killed_server_starts_again(cluster):
    cluster.start()
    kill(cluster)
    assert (cluster.data / "postmaster.pid").exists()
    assert cluster.start().startswith(f"PostgreSQL started on port {cluster.state.port}")
    assert cluster.problem() is None


def test_pid_file_whose_pid_belongs_to_another_program_by_now_is_removed(cluster):
    cluster.start()
    kill(cluster)
    file = cluster.data / "postmaster.pid"
    # The server's own account, or PostgreSQL would know by itself that the process is not the server.
    account = {} if cluster.account is None else {"user": cluster.account.pw_uid}
    with subprocess.Popen(["sleep", "60"], **account) as other:
        file.write_text("\n".join([str(other.pid), *file.read_text().splitlines()[1:]]) + "\n")
        assert cluster.process() is None
        assert f"killed server with PID {other.pid}" in cluster.start()
        other.kill()
    assert cluster.problem() is None


def test_broken_configuration_shows_the_end_of_the_log(cluster):
    with (cluster.data / "postgresql.conf").open("a") as handle:
        handle.write("shared_buffers = many\n")
    with pytest.raises(PostgresError, match=r"did not start(.|\n)*shared_buffers"):
        cluster.start()


def test_data_folder_of_another_version_is_refused(cluster):
    (cluster.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(PostgresError, match=r"of version 9, of which the data folder is(.|\n)*not 9"):
        cluster.start()
    assert "version 9" in cluster.problem()[1]


def test_lost_programs_are_looked_for_again(cluster):
    moved = replace(cluster, state=replace(cluster.state, programs="/opt/removed/bin"))
    moved.start()
    assert moved.problem() is None


def test_folder_without_cluster_and_broken_state_are_told(open_folder):
    with pytest.raises(PostgresError, match=r"no cluster in .*setup --postgres"):
        Cluster.load(open_folder)
    (open_folder / "state.json").write_text(json.dumps({"port": 1}))
    with pytest.raises(PostgresError, match="cannot be read"):
        Cluster.load(open_folder)


def test_folder_that_is_not_empty_is_refused(open_folder):
    (open_folder / "thesis.tex").touch()
    with pytest.raises(PostgresError, match="is not empty: choose another folder with --postgres-path"):
        Cluster.create(open_folder)
    assert [path.name for path in open_folder.iterdir()] == ["thesis.tex"]


def test_failed_creation_leaves_nothing_behind(open_folder, monkeypatch):
    monkeypatch.setattr(postgres_programs, "NEEDED", ("no-such-program",))
    with pytest.raises(PostgresError, match="no programs of PostgreSQL were found: install PostgreSQL"):
        Cluster.create(open_folder / "deep" / "cluster")
    assert not list(open_folder.iterdir())


@only_root
def test_closed_folder_is_refused_and_stays_closed(open_folder):
    closed = open_folder / "home"
    closed.mkdir(mode=0o700)
    with pytest.raises(PostgresError, match=r"cannot enter .*/home': choose another folder with --postgres-path"):
        Cluster.create(closed / "cluster")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert not list(closed.iterdir())


@only_root
def test_root_with_a_closed_home_uses_a_system_folder(open_folder, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(open_folder / "share"))
    assert default_folder() == open_folder / "share" / "aiida-dnpmelt" / "postgres"
    open_folder.chmod(0o700)
    assert default_folder() == Path("/var/lib/aiida-dnpmelt/postgres")


@pytest.fixture
def package(open_folder, monkeypatch):
    """Give the programs of the extra [postgres] alone, in a home that is closed to everybody else."""
    installed = [folder for folder in postgres_programs.candidates() if folder.parent.name == "pginstall"]
    if not installed:
        pytest.skip("the extra [postgres] is not installed")
    source = installed[0].parent.parent
    home = open_folder / "home"
    home.mkdir(mode=0o700)
    shutil.copytree(source, home / source.name, ignore=shutil.ignore_patterns("include", "pginstall18"))
    shutil.copytree(source.with_name(f"{source.name}.libs"), home / f"{source.name}.libs")
    folder = home / source.name / "pginstall" / "bin"
    monkeypatch.setattr(postgres_programs, "candidates", lambda: [folder])
    return folder


def test_programs_of_the_package_make_a_cluster(open_folder, package):
    cluster = Cluster.create(open_folder / "cluster", durable=False)
    cluster.start()
    try:
        connect(cluster.create_database("one")).close()
        copied = Path(cluster.state.programs).is_relative_to(cluster.folder)
        assert copied == ROOT
        assert cluster.process().exe().startswith(str(cluster.state.programs))
    finally:
        cluster.stop()


@only_root
def test_programs_that_cannot_be_read_even_as_a_copy_are_refused(open_folder, package):
    (package / "initdb").write_text("not a program")
    with pytest.raises(PostgresError, match="initdb") as raised:
        Cluster.create(open_folder / "cluster")
    assert "install PostgreSQL" in str(raised.value)
