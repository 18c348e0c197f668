"""What a command says when that fails on which it stands: folders, the list of profiles, the database."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli.users import User, make_user

COMMANDS = [
    ["setup"],
    ["doctor"],
    ["services", "up"],
    ["tm", "list"],
    ["status"],
    ["potential", "list"],
    ["import", "potential", "EAM"],
    ["launch", "tpc", "--element", "Cu", "--potential-file", "EAM", "--dry-run"],
    ["report", "1"],
    ["browse", "--no-open"],
]
CAPABILITIES = "-dac_override,-dac_read_search,-fowner"
BOUND = ["setpriv", f"--bounding-set={CAPABILITIES}", "--inh-caps=-all"] if os.geteuid() == 0 else []
"""Words that let root be bound by the rights of files, as everybody is."""


@pytest.fixture(scope="module")
def user():
    """Give a user who has run `setup`."""
    with make_user() as user:
        user.must("setup")
        yield user


@pytest.fixture
def broken(user, tmp_path):
    """Give a second user with a copy of all that the first one has, to break."""
    home = tmp_path / "home"
    shutil.copytree(user.home, home)
    file = home / ".aiida" / "config.json"
    file.write_text(file.read_text().replace(str(user.home), str(home)))
    yield User(home)
    for path in [home, *home.rglob("*")]:
        path.chmod(0o700)


def words(command: list[str], potentials_folder: Path) -> list[str]:
    return [str(potentials_folder / "Cu_u6.eam") if word == "EAM" else word for word in command]


def told(user: User, command: list[str], before: list[str] | None = None) -> str:
    """Return the one sentence with which a command is refused; a doctor's is one of several lines."""
    done = user.run(*command, before=before or [])
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "\t" not in done.stdout + done.stderr
    if command == ["doctor"] and done.stdout:
        assert "FAILED" in done.stdout
        return done.stdout
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("Error: ")
    return line


@pytest.mark.parametrize("command", [["setup"], ["doctor"], ["tm", "list"]], ids=" ".join)
def test_file_in_place_of_the_folder(tmp_path, potentials_folder, command):
    (tmp_path / ".aiida").write_text("no folder")
    text = told(User(tmp_path), words(command, potentials_folder))
    assert f"'{tmp_path}/.aiida' cannot be used: File exists: set AIIDA_PATH" in text


@pytest.mark.skipif(shutil.which("setpriv") is None and os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_folder_that_cannot_be_written(broken, potentials_folder, command):
    for path in (broken.home / ".aiida", *(broken.home / ".aiida").rglob("*")):
        path.chmod(0o500 if path.is_dir() else 0o400)
    text = told(broken, words(command, potentials_folder), BOUND)
    assert f"'{broken.home}/.aiida" in text
    assert "AIIDA_PATH" in text


@pytest.mark.skipif(shutil.which("setpriv") is None and os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("command", [["setup"], ["tm", "list"]], ids=" ".join)
def test_folder_that_cannot_be_made_or_read(broken, command):
    (broken.home / ".aiida").chmod(0)
    assert f"'{broken.home}/.aiida/daemon' cannot be used: Permission denied" in told(broken, command, BOUND)
    closed = broken.home / "closed"
    closed.mkdir(mode=0o500)
    assert f"'{closed}/.aiida' cannot be used: Permission denied" in told(User(closed), command, BOUND)


@pytest.mark.skipif(shutil.which("setpriv") is None and os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("what", ["database.sqlite", "container/sandbox"])
def test_storage_that_cannot_be_written(broken, potentials_folder, what):
    (path,) = (broken.home / ".aiida" / "repository").glob(f"*/{what}")
    path.chmod(0o500)
    text = told(broken, ["import", "potential", str(potentials_folder / "Cu_u6.eam")], BOUND)
    assert "cannot be written" in text or f"'{path}" in text


def test_full_disk(broken, potentials_folder):
    """A limit of the size of files, which stands for a disk that is full: the file of the database is beyond it."""
    limited = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh"]
    text = told(broken, ["import", "potential", str(potentials_folder / "Cu_u6.eam")], limited)
    assert "no space is left" in text or "it may be full" in text


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["tm", "list"], ""),
        (["tm", "list"], "{"),
        (["tm", "list"], "[]"),
        (["tm", "list"], '{"profiles": {"dnpmelt": 1}}'),
        (["tm", "list"], "\x00\xff"),
        (["setup"], "null"),
        (["doctor"], '{"profiles": 3}'),
        (["services", "up"], '{"profiles": 3}'),
    ],
)
def test_damaged_list_of_profiles(tmp_path, command, text):
    (tmp_path / ".aiida").mkdir()
    file = tmp_path / ".aiida" / "config.json"
    file.write_text(text)
    done = User(tmp_path).run(*command)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"'{file}', the list of profiles, is damaged" in done.stdout + done.stderr
    assert "aiida-dnpmelt setup" not in done.stdout + done.stderr


def test_damaged_and_lost_database(broken):
    (path,) = (broken.home / ".aiida" / "repository").glob("*/database.sqlite")
    path.write_bytes(b"garbage" * 1000)
    for command in (["setup"], ["doctor"], ["services", "up"], ["tm", "list"]):
        assert "database of profile 'dnpmelt' does not work: its file is damaged: restore" in told(
            broken, command
        ).replace("\n        -> ", ": ")
    path.unlink()
    for command in (["setup"], ["doctor"], ["services", "up"], ["tm", "list"]):
        assert "the storage of profile 'dnpmelt' does not open (" in told(broken, command)


def test_home_that_is_not_known():
    environment = {"PATH": os.defpath, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    script = "import pwd\npwd.getpwuid = lambda _: (_ for _ in ()).throw(KeyError('nobody'))\n"
    script += "from aiida_dnpmelt.cli import main\nmain(['tm', 'list'])"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "Error: your home folder is not known: set HOME\n"


def test_module_is_the_command():
    helps = [
        subprocess.run([*command, "tm", "--help"], capture_output=True, text=True, check=True).stdout
        for command in ([sys.executable, "-m", "aiida_dnpmelt"], [str(Path(sys.executable).with_name("aiida-dnpmelt"))])
    ]
    assert helps[0].startswith("Usage: python -m aiida_dnpmelt tm")
    assert helps[0].replace("python -m aiida_dnpmelt", "aiida-dnpmelt") == helps[1]
