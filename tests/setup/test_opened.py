from __future__ import annotations

from pathlib import Path

import pytest

from aiida_dnpmelt.setup.opened import name_of


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("results.aiida", "results"),
        ("Al & Cu (final).aiida", "Al-Cu-final"),
        (".aiida", "archive"),
        ("../\x1b[2J.aiida", "2J"),
        ("Ångström.aiida", "ngstr-m"),
        ("data.zip", "data.zip"),
    ],
)
def test_the_name_of_a_profile_is_made_of_that_of_the_file(file, name):
    assert name_of(Path(file)) == name
