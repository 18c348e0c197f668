from __future__ import annotations

import click
import pytest

from aiida_dnpmelt.cli.outputs import check_file
from aiida_dnpmelt.cli.plots import check_plot


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("there.svg", "there.svg exists: choose another file by --plot"),
        ("nowhere/new.svg", "--plot: .*nowhere/new.svg cannot be written: No such file or directory: .*nowhere"),
        ("there.svg/new.svg", "cannot be written: Not a directory"),
        ("new.txt", "ends in '.txt', it can be one of .svg, .png, .pdf"),
    ],
)
def test_plot_that_cannot_be_written_is_refused_first(tmp_path, name, message):
    (tmp_path / "there.svg").touch()
    with pytest.raises(click.ClickException, match=message):
        check_plot(tmp_path / name, False)


def test_file_may_be_new_or_overwritten(tmp_path, monkeypatch):
    (tmp_path / "there.svg").touch()
    check_plot(tmp_path / "new.svg", False)
    check_plot(tmp_path / "there.svg", True)
    monkeypatch.chdir(tmp_path)
    check_file(type(tmp_path)("new.html"), "--output", False)
