from __future__ import annotations

import click
import pytest

from aiida_dnpmelt.cli.outputs import check_output


def test_files_that_can_be_written_pass(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.html").write_text("before")
    for path in (tmp_path / "new.html", tmp_path / "there.html", (tmp_path / "new.html").relative_to(tmp_path)):
        check_output(path, "--report")
    assert not (tmp_path / "new.html").exists()


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        (".", "Is a directory"),
        ("nowhere/page.html", "No such file or directory"),
        ("file/page.html", "Not a directory"),
        ("/proc/page.html", "No such file or directory"),
    ],
)
def test_what_cannot_be_written_is_told_with_the_option(tmp_path, place, problem):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(click.ClickException, match=rf"--report: .* cannot be written: {problem}"):
        check_output(tmp_path / place, "--report")


def test_what_is_in_a_file_stays(tmp_path):
    (tmp_path / "there.html").write_text("before")
    check_output(tmp_path / "there.html", "--report")
    assert (tmp_path / "there.html").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["there.html"]
