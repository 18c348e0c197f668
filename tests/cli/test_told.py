from __future__ import annotations

import pytest

from aiida_dnpmelt.cli import told as module
from aiida_dnpmelt.cli.told import told


@pytest.fixture
def slow(monkeypatch):
    """Give a clock on which each look takes 2 s."""
    clock = iter(range(0, 10_000, 2))
    monkeypatch.setattr(module, "SECONDS", 5.0)
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))


def test_what_takes_long_says_how_far_it_has_come(slow, capsys):
    assert list(told(list("abcdefg"), "checking cells")) == list("abcdefg")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["checking cells: 2 of 7", "checking cells: 5 of 7"]


def test_number_of_all_is_left_out_where_nobody_knows_it(slow, capsys):
    assert list(told(iter("abc"), "sources read")) == list("abc")
    assert capsys.readouterr().err.splitlines() == ["sources read: 2"]


def test_what_is_done_at_once_says_nothing(monkeypatch, capsys):
    monkeypatch.setattr(module, "SECONDS", 5.0)
    assert list(told(range(1000), "checking cells")) == list(range(1000))
    assert capsys.readouterr().err == ""
