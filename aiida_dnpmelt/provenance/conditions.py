"""Conditions on melting points, on any key of their schema: ``atoms >= 10000``, ``lammps_version = 22Jul2025``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

NUMBER, TEXT, FLAG, SEEDS = "number", "text", "flag", "list"
KEYS = {
    **dict.fromkeys(("schema", "element", "lattice", "found_lattice", "verdict", "reasons"), TEXT),
    **dict.fromkeys(("potential_label", "potential_uuid", "potential_style", "potential_sha256"), TEXT),
    **dict.fromkeys(("protocol", "method", "lammps_version", "dnpmelt_version"), TEXT),
    **dict.fromkeys(("schema_version", "pressure_gpa", "coverage", "atoms", "rounds"), NUMBER),
    **dict.fromkeys(("found_lattice_share", "lattice_share"), NUMBER),
    **dict.fromkeys(("melting_temperature_k", "standard_uncertainty_k", "interval_low_k", "interval_high_k"), NUMBER),
    **dict.fromkeys(("statistical_uncertainty_k", "timestep_uncertainty_k", "size_uncertainty_k"), NUMBER),
    **dict.fromkeys(("timestep_correction_k", "target_uncertainty_k", "bracket_low_k", "bracket_high_k"), NUMBER),
    **dict.fromkeys(("relaxation_time_ps", "slow_noise_k", "fast_noise_k", "between_runs_k", "chi2"), NUMBER),
    **dict.fromkeys(("degrees_of_freedom", "production_time_ps", "atom_steps", "core_hours", "timestep_fs"), NUMBER),
    **dict.fromkeys(("paper_mean_k", "paper_std_k", "paper_sem_k"), NUMBER),
    "target_reached": FLAG,
    **dict.fromkeys(("seeds_used", "seeds_froze", "seeds_melted", "seeds_invalid", "repetitions"), SEEDS),
}
"""Keys of a melting point, with what stands there."""

_Compare = Callable[[Any, Any], Any]
_OPERATORS: dict[str, _Compare] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "~": lambda value, part: str(part).lower() in str(value).lower(),
}
_ALLOWED = {
    NUMBER: ("<=", ">=", "!=", "=", "<", ">"),
    TEXT: ("!=", "=", "~"),
    FLAG: ("=",),
    SEEDS: ("~",),
}
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}
_FORM = re.compile(r"\s*(\w+)\s*(<=|>=|!=|=|<|>|~)\s*(.*?)\s*")


@dataclass(frozen=True)
class Condition:
    """A key of a melting point, an operator (``~``: contains) and a value; a value that is not known meets none."""

    key: str
    sign: str
    value: Any

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Return the condition that text stands for.

        :raises ValueError: if it is none, or not one of the schema.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"'{text}' is no condition: its form is KEY OPERATOR VALUE, as 'atoms >= 10000'")
        key, sign, value = found.groups()
        if key not in KEYS:
            near = [each for each in KEYS if key.lower() in each]
            raise ValueError(f"'{key}' is no key of a melting point: {', '.join(near) or ', '.join(KEYS)}")
        allowed = _ALLOWED[KEYS[key]]
        if sign not in allowed:
            raise ValueError(f"'{text}': {key} is a {KEYS[key]}, it can be compared by {' '.join(allowed)}")
        return cls(key, sign, _value(key, value))

    def meets(self, point: Mapping[str, Any]) -> bool:
        """Return whether a melting point meets the condition."""
        value = point.get(self.key)
        if value is None:
            return False
        if KEYS[self.key] == SEEDS:
            return self.value in value
        return bool(_OPERATORS[self.sign](value, self.value))


def _value(key: str, text: str) -> Any:
    kind = KEYS[key]
    if kind in (NUMBER, SEEDS):
        try:
            return float(text)
        except ValueError as exception:
            raise ValueError(f"{key}: '{text}' is no number") from exception
    if kind == FLAG:
        if text.lower() not in _FLAGS:
            raise ValueError(f"{key}: '{text}' is neither yes nor no")
        return _FLAGS[text.lower()]
    return text
