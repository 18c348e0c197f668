"""The summary that `make test` ends with, of real runs of pytest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from signals import start

TESTS = Path(__file__).parent
SUMMARY = TESTS / "summary.py"
PARTS = ("others", "learning", "units", "postgres", "chains")
CONFTEST = "from reporting import pytest_sessionfinish\n"
GOOD = """
import pytest
def test_good(): pass
@pytest.mark.skip(reason="no browser here")
def test_left_out(): pass
@pytest.mark.skip(reason="no browser here")
def test_left_out_too(): pass
@pytest.mark.xfail(reason="known")
def test_known(): assert False
"""
BAD = """
import pytest
@pytest.fixture
def cleaned():
    yield
    raise RuntimeError("not cleaned")
def test_bad(cleaned): assert 0
def test_good(): pass
"""
LONG = "import time\ndef test_first(): pass\ndef test_long(): time.sleep(60)\ndef test_last(): pass\n"


def command(folder: Path, name: str, text: str, *options: str) -> list[str]:
    place = folder / name
    place.mkdir()
    (place / f"test_{name}.py").write_text(text)
    (place / "conftest.py").write_text(CONFTEST)
    report = f"--junitxml={folder}/{name}.xml"
    path = f"pythonpath={TESTS}"
    return [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "-o", path, report, str(place), *options]


def summary(folder: Path, *names: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(SUMMARY), str(folder), *names], capture_output=True, text=True, check=False
    )
    assert not done.stderr
    return done.returncode, done.stdout


def test_what_passed_failed_and_was_skipped_is_told(tmp_path):
    for name, text in (("good", GOOD), ("bad", BAD)):
        subprocess.run(command(tmp_path, name, text), capture_output=True, check=False)
    status, text = summary(tmp_path, "good", "bad")
    assert status == 1
    assert "good       1 passed, 2 skipped, 1 failed as expected in 0 min" in text
    assert "    2 skipped: no browser here" in text
    assert "bad        1 passed, 1 failed in 0 min" in text
    assert text.count("failed: ") == 1
    assert "test_bad::test_bad" in text
    assert text.endswith("not in order: bad\n")
    status, text = summary(tmp_path, "good")
    assert (status, text.splitlines()[-1]) == (0, "all 1 tests that ran have passed")


def test_part_that_left_no_report_is_not_in_order(tmp_path):
    subprocess.run(command(tmp_path, "good", GOOD), capture_output=True, check=True)
    status, text = summary(tmp_path, "good", "chains")
    assert status == 1
    assert "chains     nothing selected in 0 min; it left no report" in text
    (tmp_path / "chains.xml").write_text("<testsuites><testsuite")
    assert summary(tmp_path, "good", "chains")[0] == 1


def test_broken_module_is_a_failure(tmp_path):
    subprocess.run(command(tmp_path, "broken", "import nowhere"), capture_output=True, check=False)
    status, text = summary(tmp_path, "broken")
    assert status == 1
    assert "failed: " in text
    assert "test_broken" in text


def test_selection_that_a_part_has_nothing_of_is_in_order(tmp_path):
    subprocess.run(command(tmp_path, "good", GOOD), capture_output=True, check=True)
    subprocess.run(command(tmp_path, "none", GOOD, "-k", "nothing"), capture_output=True, check=False)
    status, text = summary(tmp_path, "good", "none")
    assert status == 0, text
    assert "none       nothing selected in 0 min" in text
    assert summary(tmp_path, "none")[0] == 1  # nothing at all has been tested


def test_interrupted_part_says_how_far_it_came(tmp_path):
    process = start(command(tmp_path, "long", LONG))
    assert process.stdout is not None
    while "." not in process.stdout.readline(1):
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    status, text = summary(tmp_path, "long")
    assert status == 1
    assert "long       1 passed in 0 min; ended after 1 of 3 tests" in text


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Give a function that returns the command for `make test` with tests that are a line of the shell."""
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES"):  # of the `make test` that runs this
        monkeypatch.delenv(name, raising=False)
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    for name in ("Makefile", "setup.cfg", "pyproject.toml", "tests/summary.py"):
        copy = tmp_path / name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text((TESTS.parent / name).read_text())
    (tmp_path / "venv" / ".extras-browse,engines,report,tests,postgres").touch()

    def command(line: str) -> list[str]:
        python.write_text(f'#!/bin/sh\ncase "$*" in *pytest*) {line};; esac\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        return ["setsid", "make", "-C", str(tmp_path), f"VENV={tmp_path}/venv", "test"]

    return command


def test_all_parts_run_though_each_fails_and_the_summary_is_last(make, tmp_path):
    done = subprocess.run(make(f'echo "$*" >> {tmp_path}/ran; exit 1'), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    ran = (tmp_path / "ran").read_text().splitlines()
    assert len(ran) == len(PARTS)
    for part in PARTS:
        assert any(f"/{part}.xml" in line for line in ran)
        assert f"{part:10s} nothing selected in 0 min; it left no report" in done.stdout
    assert f"not in order: {', '.join(PARTS)}" in done.stdout.splitlines()[-2:]


def test_summary_comes_after_ctrl_c(make, tmp_path):
    process = start(make(f"touch {tmp_path}/running; exec sleep 60"))
    while not (tmp_path / "running").exists():
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode != 0
    assert f"not in order: {', '.join(PARTS)}" in output.splitlines()[-4:]
