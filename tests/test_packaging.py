"""What is shipped: both archives are built, and what they hold is looked at from outside."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
LOAD_ALL = """
import importlib.metadata, sys
import aiida_dnpmelt
assert aiida_dnpmelt.__file__.startswith(sys.argv[1]), aiida_dnpmelt.__file__
(found,) = importlib.metadata.distributions(name="aiida-dnpmelt", path=[sys.argv[1]])
for entry_point in found.entry_points:
    entry_point.load()
    print(entry_point.group, entry_point.name)
"""


def package_files() -> set[str]:
    """Return all files of the package that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "aiida_dnpmelt"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: there is no list of what belongs to the package")
    return {name for name in listed.stdout.splitlines() if (PROJECT / name).exists()}


@pytest.fixture(scope="module")
def archives(tmp_path_factory) -> Path:
    """Build the wheel and the sdist from a copy, so that no build folder is left in the tree."""
    source = tmp_path_factory.mktemp("source") / "aiida-dnpmelt"
    output = tmp_path_factory.mktemp("dist")
    ignored = shutil.ignore_patterns(".*", "*.egg-info", "build", "dist", "_build", "__pycache__")
    shutil.copytree(PROJECT, source, ignore=ignored)
    for kind in ("build_sdist", "build_wheel"):
        script = f"from setuptools import build_meta; build_meta.{kind}({str(output)!r})"
        done = subprocess.run([sys.executable, "-c", script], cwd=source, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="module")
def wheel(archives) -> Path:
    (path,) = archives.glob("*.whl")
    return path


def test_wheel_holds_every_file_of_the_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert package_files() - names == set()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"aiida_dnpmelt"}


def test_sdist_holds_every_file_of_the_package_and_what_builds_and_tests_it(archives):
    (path,) = archives.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = package_files() | {"LICENSE", "README.md", "Makefile", "setup.cfg", "pyproject.toml", "tests/conftest.py"}
    assert wanted - names == set()


def test_every_entry_point_of_the_wheel_loads(wheel, tmp_path):
    target = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    environment = {**os.environ, "PYTHONPATH": str(target), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD_ALL, str(target)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    groups = {line.split()[0] for line in done.stdout.splitlines()}
    assert groups == set(configuration()["options.entry_points"])


def test_every_command_exists():
    from aiida_dnpmelt.cli import COMMANDS, main

    assert all(main.get_command(None, name) is not None for name in COMMANDS)


def configuration() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(PROJECT / "setup.cfg")
    return parser


def test_classifiers_are_the_versions_that_the_package_installs_on():
    metadata = configuration()
    prefix = "Programming Language :: Python :: 3."
    classifiers = metadata["metadata"]["classifiers"].splitlines()
    minors = sorted(int(line.removeprefix(prefix)) for line in classifiers if line.startswith(prefix))
    assert metadata["options"]["python_requires"] == f">=3.{minors[0]},<3.{minors[-1] + 1}"
    assert minors == list(range(minors[0], minors[-1] + 1))
