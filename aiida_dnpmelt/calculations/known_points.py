"""Melting points and properties that are given to a process: what they must be before anything runs on them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ase import Atoms

from aiida_dnpmelt.calculations.bulk_phases import SCHEMA as PROPERTIES_SCHEMA
from aiida_dnpmelt.calculations.melting_point import SCHEMA as POINT_SCHEMA
from aiida_dnpmelt.calculations.melting_point import another_crystal, judged
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import lattice_name

_KEYS = ("pressure_gpa", "verdict", "potential_uuid", "atom_steps", "core_hours")
_NEEDED = {
    POINT_SCHEMA: (
        *("element", "lattice", "melting_temperature_k", "standard_uncertainty_k"),
        *("potential_label", "potential_sha256", "protocol"),
    ),
    PROPERTIES_SCHEMA: ("slope_k_per_gpa", "slope_uncertainty_k_per_gpa"),
}
"""Keys of each schema that are read of such a node."""


@dataclass(frozen=True)
class Wanted:
    """What a melting point that is given must be of.

    :param element: chemical formula.
    :param lattice: as `lattice_name` has it.
    """

    element: str
    lattice: str
    potential: PotentialData

    @classmethod
    def of(cls, atoms: Atoms, potential: PotentialData) -> Wanted:
        """Return what a melting point of a crystal and a potential is of."""
        return cls(atoms.get_chemical_formula(empirical=True), lattice_name(atoms), potential)


def known_flaw(values: Mapping[str, Any], wanted: Wanted, schemas: Collection[str] = tuple(_NEEDED)) -> str | None:
    """Return in words why a dictionary is no melting point, or no properties, of what is wanted; None if it is.

    :param schemas: those that it can have.
    """
    schema = values.get("schema")
    if schema not in schemas:
        return f"its schema is {schema!r}, it can be {' or '.join(schemas)}"
    lacking = [key for key in (*_KEYS, *_NEEDED[str(schema)]) if key not in values]
    if lacking:
        return f"it lacks {', '.join(lacking)}"
    if not _finite(values["pressure_gpa"]):
        return f"its pressure_gpa is {values['pressure_gpa']!r}, it must be a number"
    return _no_result(values) or _of_another(values, wanted)


def no_melting_point(values: Mapping[str, Any]) -> str | None:
    """Return in words why a dictionary holds no T_m that can be built on, None if it does."""
    if values.get("verdict") == "invalid":
        reasons = "; ".join(values.get("reasons") or ())
        return f"its verdict is invalid{f': {reasons}' if reasons else ''}"
    if "verdict" in values and judged(values)["verdict"] == "invalid":
        return another_crystal(values)
    number = values.get("melting_temperature_k")
    return None if _positive(number) else f"its melting_temperature_k is {number!r}, it must be a number above 0 K"


def _no_result(values: Mapping[str, Any]) -> str | None:
    """Return why a dictionary with all keys has no result that can be taken over."""
    if values["schema"] != POINT_SCHEMA:
        return "its verdict is invalid" if values["verdict"] == "invalid" else None
    flaw = no_melting_point(values)
    uncertainty = values["standard_uncertainty_k"]
    if flaw is None and not _positive(uncertainty):
        return f"its standard_uncertainty_k is {uncertainty!r}, it must be a number above 0 K"
    return flaw


def _of_another(values: Mapping[str, Any], wanted: Wanted) -> str | None:
    """Return which potential, element or crystal it is of if it is not what is wanted."""
    if values["potential_uuid"] != wanted.potential.uuid:
        label = values.get("potential_label") or "one without a label"
        return f"it is one of another potential, {label} <{values['potential_uuid']}>, not of {wanted.potential.label}"
    for key, own in (("element", wanted.element), ("lattice", wanted.lattice)):
        if values.get(key, own) != own:
            return f"its {key} is {values[key]}, the structure that is to melt there is {own}"
    return None


def _positive(value: Any) -> bool:
    return _finite(value) and value > 0


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
