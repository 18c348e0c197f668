"""The log of a job of properties as numbers, with no AiiDA in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_dnpmelt.calculations.properties_script import (
    ATOM,
    RELAX,
    RELAXED,
    RELEASE,
    STRAIN,
    STRESS_COLUMNS,
    SUPERCELL,
    VACANCY,
    VOLUME,
)
from aiida_dnpmelt.calculations.properties_settings import PropertiesSettings
from aiida_dnpmelt.physics.lammps_log import Log, ThermoBlock
from aiida_dnpmelt.physics.units import bar_to_gpa

Array = NDArray[np.float64]
Stages = Mapping[str, ThermoBlock]

_VOIGT = [0, 1, 2, 5, 4, 3]  # of xx, yy, zz, xy, xz, yz
_STRAINS = 12


def finished_stages(log: Log) -> dict[str, ThermoBlock]:
    """Return the last table of each stage whose run came to its end and whose last row is finite."""
    return {block.stage: block for block in log.blocks if block.complete and bool(np.isfinite(block.rows[-1]).all())}


def parts_done(stages: Stages, settings: PropertiesSettings, points: int) -> list[str]:
    """Return the parts that are whole, in the order of the settings.

    :param points: states of the equation of state.
    """
    needed = {
        "equation_of_state": [f"{VOLUME}{index}" for index in range(1, points + 1)],
        "elastic": [f"{STRAIN}{index}" for index in range(1, _STRAINS + 1)],
        "vacancy": [SUPERCELL, VACANCY],
        "atom": [ATOM],
        "release": [RELEASE],
    }
    return [part for part in settings.parts if all(stage in stages for stage in needed[part])]


def states(stages: Stages) -> dict[str, Any]:
    """Return the numbers of the stages with one state each by their names; None for one that is missing."""
    found: dict[str, Any] = {}
    for name in (RELAX, RELAXED, SUPERCELL, VACANCY, ATOM, RELEASE):
        block = stages.get(name)
        found[f"{name}_energy_ev"] = _last(block, "PotEng")
        found[f"{name}_volume_angstrom3"] = _last(block, "Volume")
        found[f"{name}_maximum_force_ev_per_angstrom"] = _last(block, "Fmax")
        found[f"{name}_atoms"] = None if block is None or block.loop is None else block.loop.atoms
        found[f"{name}_lengths_angstrom"] = (
            None if block is None else [_last(block, axis) for axis in ("Lx", "Ly", "Lz")]
        )
        found[f"{name}_pressures_gpa"] = None if block is None else pressures_gpa(block).tolist()
    return found


def pressures_gpa(block: ThermoBlock) -> Array:
    """Return the pressure tensor of the last row in GPa, in Voigt's order, shape (6,)."""
    return np.array([bar_to_gpa(float(block[name][-1])) for name in STRESS_COLUMNS])[_VOIGT]


def equation_arrays(stages: Stages, shape: tuple[int, int], hexagonal: bool) -> dict[str, Array]:
    """Return volumes, ratios c/a and energies of the states of the equation of state, each of a shape.

    :param hexagonal: whether z over x is a ratio of lattice parameters; else it is 1.
    """
    blocks = [stages[f"{VOLUME}{index}"] for index in range(1, shape[0] * shape[1] + 1)]
    columns = {name: np.array([block[name][-1] for block in blocks]) for name in ("Volume", "PotEng", "Lx", "Lz")}
    ratios = columns["Lz"] / columns["Lx"] if hexagonal else np.ones(len(blocks))
    arrays = {"volumes_angstrom3": columns["Volume"], "axial_ratios": ratios, "energies_ev": columns["PotEng"]}
    return {name: values.reshape(shape) for name, values in arrays.items()}


def strain_arrays(stages: Stages, settings: PropertiesSettings) -> dict[str, Array]:
    """Return the strains and the pressures under them, each of shape (12, 6)."""
    pressures = [pressures_gpa(stages[f"{STRAIN}{index}"]) for index in range(1, _STRAINS + 1)]
    return {"strains": settings.strains(), "pressures_gpa": np.array(pressures)}


def _last(block: ThermoBlock | None, column: str) -> float | None:
    return None if block is None else float(block[column][-1])
