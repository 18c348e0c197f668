"""Density functionals by the settings of VASP (VASP manual: GGA, METAGGA, LHFCALC, LUSE_VDW, LDAU and IVDW)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from .vasp_symbols import element_of_title

_BY_GGA: Final = {
    "PE": "PBE",
    "PS": "PBEsol",
    "RP": "RPBE",
    "RE": "revPBE",
    "91": "PW91",
    "AM": "AM05",
    "CA": "LDA",
    "PZ": "LDA",
    "OR": "optPBE",
    "BO": "optB88",
    "MK": "optB86b",
    "ML": "rPW86",
    "BF": "BEEF",
    "B3": "B3LYP",
    "B5": "B3LYP",
}
"""Values of the tag GGA."""
_BY_TITLE: Final = {"PAW_PBE": "PBE", "PAW_GGA": "PW91", "PAW": "LDA", "PAW_LDA": "LDA", "US": "LDA"}
"""First words of the titles of POTCAR files."""
_NONLOCAL: Final = {"revPBE": "vdW-DF", "rPW86": "vdW-DF2", "BEEF": "BEEF-vdW"}
"""Functionals that have a name of their own with nonlocal correlation; the others get `-vdW` behind theirs."""
_HYBRIDS: Final = {("PBE", 0.2): "HSE06", ("PBE", 0.207): "HSE06", ("PBE", 0.3): "HSE03", ("PBE", 0.0): "PBE0"}
_HYBRIDS_OF_SOLIDS: Final = {("PBEsol", 0.2): "HSEsol", ("PBEsol", 0.207): "HSEsol", ("PBEsol", 0.0): "PBEsol0"}
_USUAL_EXCHANGE: Final = 0.25
_B3LYP_EXCHANGE: Final = 0.2
_BY_IVDW: Final = {
    1: "D2",
    10: "D2",
    11: "D3",
    12: "D3(BJ)",
    13: "D4",
    2: "TS",
    20: "TS",
    21: "TS(HI)",
    202: "MBD",
    263: "MBD(FI)",
    4: "dDsC",
    3: "ulg",
}
_UNSET: Final = ("", "-", "--", "NONE", "F")
_ORBITALS: Final = "spdf"
_USUAL_ORBITAL: Final = 2
_DUDAREV: Final = 2
_NO_U: Final = -1


def functional_of(incar: Mapping[str, Any], potcars: Sequence[str]) -> str:
    """Return the name of the functional, empty if it cannot be told; with `+` what was added to it.

    XC goes before METAGGA, that before GGA, and that before what the POTCAR files were made with. Added are dispersion
    (`PBE+D3(BJ)`, `SCAN+rVV10`) and repulsion on a site with its values in eV (`PBE+U(Ni d 4)`).

    :param incar: tags by name, in any case.
    :param potcars: titles of the POTCAR files, such as ``PAW_PBE Cu 22Jun2005``.
    """
    tags = {name.upper(): value for name, value in incar.items()}
    name = _semilocal(tags, potcars)
    if _is_true(tags.get("LHFCALC")):
        name = _hybrid(name, tags)
    if _is_true(tags.get("LUSE_VDW")):
        name = _with_nonlocal(name, tags)
    return "+".join([name, *filter(None, (_repulsion(tags, potcars), _dispersion(tags)))])


def _semilocal(tags: Mapping[str, Any], potcars: Sequence[str]) -> str:
    titles = {_BY_TITLE.get(title.split()[0], "") for title in potcars if title.split()}
    name = next(iter(titles)) if len(titles) == 1 else ""
    if (gga := _word(tags.get("GGA"))) not in _UNSET:
        name = _BY_GGA.get(gga, gga)
    if (meta := _word(tags.get("METAGGA"))) not in _UNSET:
        name = meta
    if (given := _word(tags.get("XC"))) not in _UNSET:  # since VASP 6.4.3, in place of both
        name = _BY_GGA.get(given, given)
    return name


def _hybrid(name: str, tags: Mapping[str, Any]) -> str:
    """Return the name of a hybrid functional: of its own where it is a usual one, else with its parameters."""
    exchange, screening = _number(tags.get("AEXX"), _USUAL_EXCHANGE), _number(tags.get("HFSCREEN"), 0.0)
    if name == "B3LYP" and (exchange == _B3LYP_EXCHANGE or "AEXX" not in tags):
        return name
    known = {**_HYBRIDS, **_HYBRIDS_OF_SOLIDS}.get((name, screening)) if exchange == _USUAL_EXCHANGE else None
    return known or f"hybrid {name}(AEXX {exchange:g}, HFSCREEN {screening:g})".replace("hybrid (", "hybrid(")


def _with_nonlocal(name: str, tags: Mapping[str, Any]) -> str:
    """Return the name with nonlocal correlation: that of rVV10 where its parameter is set, else that of vdW-DF."""
    if "BPARAM" in tags or _number(tags.get("IVDW_NL"), 1) == 2:
        return f"{name}+rVV10"
    return _NONLOCAL.get(name, f"{name}-vdW")


def _dispersion(tags: Mapping[str, Any]) -> str:
    kind = int(_number(tags.get("IVDW"), 0))
    if kind == 0:
        return "D2" if _is_true(tags.get("LVDW")) else ""
    return _BY_IVDW.get(kind, f"IVDW={kind}")


def _repulsion(tags: Mapping[str, Any], potcars: Sequence[str]) -> str:
    """Return U of each type of atoms that has one, empty if there is none.

    With LDAUTYPE = 2, the default, U - J is all that counts.
    """
    if not _is_true(tags.get("LDAU")):
        return ""
    repulsions, exchanges = _numbers(tags.get("LDAUU")), _numbers(tags.get("LDAUJ"))
    orbitals = _numbers(tags.get("LDAUL"))
    dudarev = _number(tags.get("LDAUTYPE"), _DUDAREV) == _DUDAREV
    parts = []
    for index, repulsion in enumerate(repulsions):
        exchange = exchanges[index] if index < len(exchanges) else 0.0
        orbital = int(orbitals[index]) if index < len(orbitals) else _USUAL_ORBITAL
        values = f"{repulsion - exchange:g}" if dudarev else f"{repulsion:g} J {exchange:g}"
        if orbital == _NO_U or not (repulsion - exchange if dudarev else repulsion or exchange):
            continue
        element = element_of_title(potcars[index]) if index < len(potcars) else None
        letter = _ORBITALS[orbital] if 0 <= orbital < len(_ORBITALS) else f"l={orbital}"
        parts.append(f"{element or f'type {index + 1}'} {letter} {values}")
    if not repulsions:
        return "U"
    return f"U({', '.join(dict.fromkeys(parts))})" if parts else ""


def _word(value: Any) -> str:
    return "" if value is None else str(value).strip().upper()


def _is_true(value: Any) -> bool:
    return _word(value).strip(".") in ("T", "TRUE")


def _numbers(value: Any) -> list[float]:
    """Return the numbers of a tag that may have one or several, as text or not."""
    values = value if isinstance(value, list | tuple) else str("" if value is None else value).split()
    found = []
    for each in values:
        with suppress(ValueError):
            found.append(float(each))
    return found


def _number(value: Any, default: float) -> float:
    return next(iter(_numbers(value)), default)


def current_name(name: str) -> str:
    """Return a name that was stored before names told all as it is given now; empty if it told too little."""
    if name.startswith("hybrid ") and "(" not in name:
        return ""
    base, _, kind = name.partition("+IVDW=")
    return f"{base}+{_BY_IVDW[int(kind)]}" if kind.isdigit() and int(kind) in _BY_IVDW else name
