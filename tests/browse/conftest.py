"""Fixtures for the pages."""

from __future__ import annotations

import pytest

pytest.importorskip("starlette", reason="the pages need the extra [browse]")

from .pages import Visitor
from .stored import Learned, learn


@pytest.fixture
def visitor(aiida_profile_clean) -> Visitor:
    """Give somebody who looks at the pages of an empty profile."""
    return Visitor()


@pytest.fixture
def guest(aiida_profile) -> Visitor:
    """Give somebody who looks at the pages of any profile, which is faster."""
    return Visitor()


@pytest.fixture
def learned(aiida_profile_clean, localhost) -> Learned:
    """Give a melting temperature of a learned model, alone in the profile."""
    return learn(localhost)
