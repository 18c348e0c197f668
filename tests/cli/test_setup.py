"""The commands as a user runs them: in processes of their own, with real services."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress

import psutil
import pytest
from cli.users import User, make_user

from aiida_dnpmelt.setup.postgres import Cluster


@pytest.fixture(scope="module")
def user():
    """Give a user who has run `setup`."""
    with make_user() as user:
        output = user.must("setup")
        assert "made    profile 'dnpmelt' on SQLite" in output
        yield user


def test_help_imports_no_aiida():
    script = (
        "import sys; from click.testing import CliRunner; from aiida_dnpmelt.cli import main; "
        "result = CliRunner().invoke(main, ['--help']); "
        "print(result.exit_code, [name for name in sys.modules if name.split('.')[0] == 'aiida'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0 []"


@pytest.mark.parametrize("arguments", [["setup"], ["services"], ["services", "up"], ["doctor"]])
def test_each_command_has_help(user, arguments):
    assert user.must(*arguments, "--help").startswith("Usage: aiida-dnpmelt")


def test_unknown_command_is_an_error(user):
    assert "No such command 'melt'" in user.refused("melt")


def test_setup_makes_a_profile_that_needs_no_service(user):
    profile = user.configuration["profiles"]["dnpmelt"]
    assert profile["storage"]["backend"] == "core.sqlite_dos"
    assert profile["process_control"]["backend"] == "core.zeromq"
    assert profile["options"] == {"runner.poll.interval": 10}
    assert user.configuration["default_profile"] == "dnpmelt"


def test_second_setup_changes_nothing(user):
    before = user.configuration
    output = user.must("setup")
    assert output.endswith("Nothing was changed.\n")
    assert "made" not in output
    assert user.configuration == before


def test_services_and_doctor_of_a_healthy_profile(user):
    status, checks = user.checks("services", "status")
    assert status == 1
    assert checks["daemon"]["remedy"] == "run `aiida-dnpmelt services up`"
    assert not checks["broker"]["ok"]

    assert "the daemon started" in user.must("services", "up")
    assert "the daemon runs" in user.must("services", "up")
    status, checks = user.checks("doctor")
    assert status == 0, checks
    assert "LAMMPS (" in checks["code lmp@localhost"]["message"]
    assert "pair styles deepmd, eam, eam/alloy, eam/fs" in checks["code lmp-deepmd@localhost"]["message"]
    assert "DeePMD-kit" in checks["code dp@localhost"]["message"]

    assert user.must("services", "down") == "the daemon stopped\n"
    assert user.must("services", "down") == "the daemon does not run\n"
    done = user.run("doctor")
    assert done.returncode == 1
    assert "OK      disk:" in done.stdout
    assert "FAILED  daemon: it does not run\n        -> run `aiida-dnpmelt services up`" in done.stdout


def test_running_daemon_gets_the_workers_that_are_asked_for(user):
    user.must("services", "up", "--workers", "2")
    for arguments, said, number in (
        (["--workers", "3"], "it has 3 workers now instead of 2", 3),
        (["--workers", "3"], "it has 3 workers\n", 3),
        ([], "the daemon runs", 3),
        (["--workers", "1"], "it has 1 worker now instead of 3", 1),
    ):
        assert said in user.must("services", "up", *arguments)
        end = time.time() + 60
        while parts_of_daemon(user)["worker"] != number:
            assert time.time() < end, parts_of_daemon(user)
            time.sleep(0.5)
        assert f"{number} worker" in user.checks("services", "status")[1]["daemon"]["message"]
    user.must("services", "down")


def parts_of_daemon(user: User) -> dict[str, int]:
    """Return the kinds of processes that daemons of this user have started, with their numbers."""
    found: Counter[str] = Counter()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("AIIDA_PATH") == str(user.home / ".aiida"):
                line = process.cmdline()
                found[line[5] if line[2:5] == ["-p", "dnpmelt", "daemon"] else "other"] += 1
    return dict(found)


@pytest.mark.parametrize("command", ["up", "down"])
def test_what_a_killed_daemon_left_is_ended(user, command):
    user.must("services", "up")
    whole = parts_of_daemon(user)
    assert whole["worker"] == whole["broker"] == 1
    os.kill(int((user.home / ".aiida" / "daemon" / "circus-dnpmelt.pid").read_text()), signal.SIGKILL)
    assert parts_of_daemon(user)["worker"] == 1
    output = user.must("services", command)
    assert "ended 3 processes that an earlier daemon had left" in output
    assert parts_of_daemon(user) == (whole if command == "up" else {})
    user.must("services", "down")


def kill_all(user: User) -> None:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("AIIDA_PATH") == str(user.home / ".aiida"):
                process.kill()


def test_after_a_crash_the_worker_listens_where_the_new_broker_is(user):
    user.must("services", "up")
    (sockets,) = (user.home / ".aiida" / "broker").glob("*/broker.sockets")
    kill_all(user)
    assert sockets.exists(), "nothing is stale: this test is about what a dead broker leaves"
    user.must("services", "down")
    assert not sockets.exists()
    user.must("services", "up")
    status, end = sockets.with_name("broker.status"), time.time() + 60
    while not status.exists() or json.loads(status.read_text())["task_subscribers"] < 1:
        assert time.time() < end, "no worker has asked for tasks"
        time.sleep(0.5)
    user.must("services", "down")


def test_profile_that_does_not_exist_is_told(user):
    status, checks = user.checks("doctor", "--profile", "melt")
    assert status == 1
    assert checks["profile"]["remedy"] == "run `aiida-dnpmelt setup`"
    assert "run `aiida-dnpmelt setup` first" in user.refused("services", "up", "--profile", "melt")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--profile", "../up"], "made of letters, digits"),
        (["--postgres"], "profile 'dnpmelt' exists, with the storage core.sqlite_dos"),
        (["--postgres-path", "/nowhere"], "--postgres-path is the folder of the cluster that --postgres makes"),
        (["--postgres", "--postgres-url", "postgresql://a@b/c"], "give one of the two"),
        (["-p", "u", "--postgres-url", "postgresql://a:b@127.0.0.1:1/c"], "cannot be opened"),
    ],
)
def test_setup_refuses(user, arguments, message):
    before = user.configuration
    assert message in user.refused("setup", *arguments)
    assert user.configuration == before


@pytest.fixture(scope="module")
def postgres_user():
    """Give a user who has run `setup --postgres`, whose cluster is up."""
    with make_user() as user:
        output = user.must("setup", "--postgres", "--postgres-path", str(user.home / "cluster"))
        assert "made    profile 'dnpmelt' on PostgreSQL" in output
        yield user


def cluster_of(user: User) -> Cluster:
    return Cluster.load(user.home / "cluster")


def test_second_postgres_setup_changes_nothing_and_plain_setup_neither(postgres_user):
    before = postgres_user.configuration
    for arguments in (["--postgres"], []):
        assert postgres_user.must("setup", *arguments).endswith("Nothing was changed.\n")
    assert postgres_user.configuration == before
    assert "is in" in postgres_user.refused("setup", "--postgres", "--postgres-path", "/somewhere/else")


def test_lost_cluster_is_not_made_anew(postgres_user):
    state = postgres_user.home / "cluster" / "state.json"
    state.rename(state.with_name("away"))
    assert "there is no cluster in" in postgres_user.refused("setup", "--postgres")
    state.with_name("away").rename(state)


def test_stopped_postgres_is_told_and_started(postgres_user):
    postgres_user.must("services", "up")
    status, checks = postgres_user.checks("doctor")
    assert status == 0, checks
    assert postgres_user.must("services", "down") == "the daemon stopped\nPostgreSQL stopped\n"
    status, checks = postgres_user.checks("services", "status")
    assert status == 1
    assert checks["postgres"]["message"].startswith("PostgreSQL does not run")
    status, checks = postgres_user.checks("doctor")
    assert status == 1
    assert not checks["storage"]["ok"]
    assert checks["storage"]["remedy"] == "run `aiida-dnpmelt services up`"
    for command in (["tm", "list"], ["status"], ["potential", "list"], ["browse", "--no-open"]):
        (line,) = postgres_user.refused(*command).splitlines()
        assert "the database of profile 'dnpmelt' does not answer (" in line
        assert line.endswith("): run `aiida-dnpmelt services up`")
    assert "PostgreSQL started on port" in postgres_user.must("setup")


def test_second_profile_shares_the_cluster(postgres_user):
    output = postgres_user.must(
        "setup", "-p", "two", "--postgres", "--postgres-path", str(postgres_user.home / "cluster")
    )
    assert "kept    PostgreSQL cluster" in output
    storages = [profile["storage"]["config"] for profile in postgres_user.configuration["profiles"].values()]
    assert len({storage["database_name"] for storage in storages}) == len(storages)
    assert len({storage["database_port"] for storage in storages}) == 1
    assert postgres_user.configuration["default_profile"] == "dnpmelt"


def test_profile_on_an_existing_server(postgres_user):
    cluster = cluster_of(postgres_user)
    config = cluster.create_database("theirs")
    server = f"127.0.0.1:{cluster.state.port}"
    url = f"postgresql://aiida:{config['database_password']}@{server}/theirs"
    assert f"profile 'url' on PostgreSQL at {server}/theirs" in postgres_user.must(
        "setup", "-p", "url", "--postgres-url", url
    )
    assert postgres_user.must("setup", "-p", "url", "--postgres-url", url).endswith("Nothing was changed.\n")

    used = postgres_user.refused("setup", "-p", "again", "--postgres-url", url)
    assert "database 'theirs'" in used
    assert "is not empty, it has the tables public." in used
    missing = postgres_user.refused("setup", "-p", "again", "--postgres-url", url.replace("theirs", "nobodys"))
    assert "createdb --encoding=UTF8" in missing
    other = postgres_user.refused("setup", "-p", "url", "--postgres-url", url.replace("theirs", "nobodys"))
    assert "differs from the URL in database_name" in other
    wrong = postgres_user.refused("setup", "-p", "again", "--postgres-url", f"postgresql://aiida:guess@{server}/theirs")
    assert "password authentication failed" in wrong
    assert config["database_password"] not in used + missing + other + wrong
    assert "on a PostgreSQL server that is not ours" in postgres_user.refused("setup", "-p", "url", "--postgres")
