"""What the settings of a VASP run say of its temperature (VASP manual: IBRION, MDALGO, SMASS and its thermostats)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MOLECULAR_DYNAMICS: Final = 0
_SWITCHES: Final = {1: ("ANDERSEN_PROB", 0), 3: ("LANGEVIN_GAMMA", 0), 4: ("NHC_NCHAINS", 1), 5: ("CSVR_PERIOD", 1)}
"""Of the thermostats of MDALGO: what puts them out if it is zero, and its default as far as it matters."""
_BIASED: Final = {11: 1, 21: 2}
"""Values of MDALGO that are others with a bias."""
_NOSE_HOOVER, _SEVERAL_ANDERSEN = 2, 13
_SCALED: Final = -1


def is_dynamics(settings: Mapping[str, Any]) -> bool:
    """Tell whether atoms move in time: in a static run, and in a relaxation, TEBEG has no meaning."""
    steps = settings.get("NSW", 0)
    default = _MOLECULAR_DYNAMICS if steps > 0 else -1
    return bool(steps > 0 and settings.get("IBRION", default) == _MOLECULAR_DYNAMICS)


def holds_temperature(settings: Mapping[str, Any]) -> bool | None:
    """Tell whether molecular dynamics is held at TEBEG to TEEND; None if the settings do not say.

    SMASS = -1 scales velocities each NBLOCK steps: with more than one step in between the energy is constant there.
    """
    given = settings.get("MDALGO", 0)
    kind, mass = _BIASED.get(given, given), settings.get("SMASS")
    if kind == _SEVERAL_ANDERSEN:
        return True
    if kind in _SWITCHES:
        name, default = _SWITCHES[kind]
        return _any(settings.get(name, default))
    if mass is None:  # VASP keeps the energy then; a file that lacks SMASS is an excerpt, and a ramp has a thermostat
        return True if kind == _NOSE_HOOVER or _is_ramp(settings) else None
    return bool(mass >= 0 or (mass == _SCALED and settings.get("NBLOCK", 1) == 1))


def _is_ramp(settings: Mapping[str, Any]) -> bool:
    return settings.get("TEEND", settings.get("TEBEG")) != settings.get("TEBEG")


def _any(values: Any) -> bool:
    return any(value > 0 for value in (values if isinstance(values, list) else [values]))
