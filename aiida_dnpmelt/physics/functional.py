"""Density functionals by the settings of VASP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_BY_GGA = {
    "PE": "PBE",
    "PS": "PBEsol",
    "RP": "RPBE",
    "RE": "revPBE",
    "91": "PW91",
    "AM": "AM05",
    "CA": "LDA",
    "OR": "optPBE",
    "BO": "optB88",
    "MK": "optB86b",
}
"""Values of the tag GGA (VASP manual, GGA)."""
_BY_TITLE = {"PAW_PBE": "PBE", "PAW_GGA": "PW91", "PAW": "LDA", "US": "LDA"}
"""First words of the titles of POTCAR files."""
_UNSET = ("", "--", "NONE")


def functional_of(incar: Mapping[str, Any], potcars: Sequence[str]) -> str:
    """Return the name of the functional, empty if it cannot be told; with `+` what was added to it.

    METAGGA goes before GGA, and that before what the POTCAR files were made with (VASP manual, METAGGA and GGA).

    :param incar: tags by name, in any case.
    :param potcars: titles of the POTCAR files, such as ``PAW_PBE Cu 22Jun2005``.
    """
    tags = {name.upper(): str(value).strip() for name, value in incar.items()}
    titles = {_BY_TITLE.get(title.split()[0], "") for title in potcars if title.split()}
    name = next(iter(titles)) if len(titles) == 1 else ""
    if (gga := tags.get("GGA", "").upper()) not in _UNSET:
        name = _BY_GGA.get(gga, gga)
    if (meta := tags.get("METAGGA", "").upper()) not in _UNSET:
        name = meta
    if tags.get("LHFCALC", "").strip(".").upper() in ("T", "TRUE"):
        name = f"hybrid {name}".strip()
    if tags.get("IVDW", "0") not in ("0", ""):
        name = f"{name}+IVDW={tags['IVDW']}"
    return name
