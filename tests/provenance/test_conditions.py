from __future__ import annotations

import re
from pathlib import Path

import pytest

from aiida_dnpmelt.provenance.conditions import KEYS, Condition

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "melting_point.md"
POINT = {
    "atoms": 20_000,
    "lammps_version": "22 Jul 2025 - Update 2",
    "target_reached": True,
    "seeds_used": [101, 102],
    "bracket_low_k": None,
}


def test_the_keys_are_those_of_the_reference():
    assert set(re.findall(r"^\| `(\w+)` \|", REFERENCE.read_text(), flags=re.MULTILINE)) == set(KEYS)


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("atoms >= 20000", True),
        ("atoms>20000", False),
        ("atoms != 1", True),
        ("lammps_version ~ jul 2025", True),
        ("lammps_version = 22 Jul 2025", False),
        ("target_reached = yes", True),
        ("target_reached = false", False),
        ("seeds_used ~ 102", True),
        ("seeds_used ~ 103", False),
        ("bracket_low_k < 1e9", False),
    ],
)
def test_conditions_are_met_or_not(text, met):
    assert Condition.parse(text).meets(POINT) is met


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("atoms", "is no condition: its form is KEY OPERATOR VALUE"),
        ("atomz > 3", "'atomz' is no key of a melting point"),
        ("uncertainty > 3", "statistical_uncertainty_k"),
        ("atoms > many", "atoms: 'many' is no number"),
        ("verdict > valid", "verdict is a text, it can be compared by != = ~"),
        ("target_reached = perhaps", "neither yes nor no"),
    ],
)
def test_what_is_none_is_refused(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Condition.parse(text)
