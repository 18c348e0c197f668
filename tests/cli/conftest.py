from __future__ import annotations

import math

import pytest


@pytest.fixture(autouse=True)
def no_progress(monkeypatch):
    """On a busy machine, commands do not say how far they have come: tests compare all that they print."""
    monkeypatch.setattr("aiida_dnpmelt.cli.told.SECONDS", math.inf)
