from __future__ import annotations

import sys
from pathlib import Path

import pytest
from aiida import orm
from click.testing import CliRunner, Result
from provenance.stored_points import store

from aiida_dnpmelt.cli import main


@pytest.fixture
def report(aiida_profile, tmp_path, monkeypatch):
    """Give a function that runs `aiida-dnpmelt report` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["report", *arguments, "--profile", aiida_profile.name])

    return run


def test_page_is_written(report):
    pk = store().pk
    result = report(str(pk), "-o", "melt.html")
    assert (result.exit_code, result.output) == (0, "melt.html written: open it in a browser\n")
    text = Path("melt.html").read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert "1326(5) K" in text


def test_file_is_named_after_the_node(report):
    pk = store().pk
    assert report(str(pk)).exit_code == 0
    assert Path(f"report_{pk}.html").exists()


def test_file_is_not_overwritten_unless_forced(report):
    pk = str(store().pk)
    Path("melt.html").write_text("mine")
    result = report(pk, "-o", "melt.html")
    assert result.exit_code == 1
    assert "melt.html exists" in result.output
    assert Path("melt.html").read_text() == "mine"
    assert report(pk, "-o", "melt.html", "--force").exit_code == 0
    assert "1326(5) K" in Path("melt.html").read_text()


def test_what_has_no_page_is_refused(report):
    node = orm.Int(1).store()
    result = report(str(node.pk), "-o", "melt.html")
    assert result.exit_code == 1
    assert f"node {node.pk} is no work chain that has a page" in result.output
    assert "there is no node 12345678" in report("12345678").output
    assert not Path("melt.html").exists()


def test_folder_that_is_not_there_is_named(report):
    result = report(str(store().pk), "-o", "nowhere/melt.html")
    assert result.exit_code == 1
    assert "--output: nowhere/melt.html cannot be written: No such file or directory: " in result.output


@pytest.mark.parametrize("module", ["matplotlib", "jinja2"])
def test_missing_extra_is_named(report, monkeypatch, module):
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    result = report(str(store().pk), "-o", "melt.html")
    assert result.exit_code == 1
    assert "aiida-dnpmelt[report]" in result.output
