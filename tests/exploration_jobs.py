"""Small real explorations with a committee of two models that know nothing, shared by the tests that look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import run_get_node
from coexistence_jobs import copper, once

from aiida_dnpmelt.calculations.exploration_settings import ExplorationSettings
from aiida_dnpmelt.calculations.lammps_exploration import LammpsExplorationCalculation
from aiida_dnpmelt.data.potential import PotentialData

TEMPERATURES = [200.0, 400.0]
SETTINGS: dict[str, Any] = {
    "timestep_fs": 2.0,
    "time_ps": 0.2,
    "deviation_interval_ps": 0.02,
    "check_interval_ps": 0.1,
    "equilibrate_ps": 0.04,
    "melt_ps": 0.1,
    "maximum_deviation_ev_per_angstrom": 1000.0,
}


# A box that collapses between two samples ends LAMMPS with this error; room for ten neighbours does the same, always.
COLLAPSING = r"""
sed -i 's/^{before}/if "${{run}} == {run}" then "neigh_modify one 10 page 1000"\n&/' input.in
"$LMP" "$@"
"""


def committee(*models: Path) -> dict[str, PotentialData]:
    """Return models as a committee."""
    return {
        f"model_{index}": PotentialData.from_file(path, type_map=["Cu", "Ni"], cutoff=3.5).store()
        for index, path in enumerate(models)
    }


def exploration_inputs(code: orm.InstalledCode, models: tuple[Path, ...], **changes: Any) -> dict[str, Any]:
    """Return the inputs of a job of a few seconds: settings and inputs are changed by their names."""
    settings = {
        **SETTINGS,
        **{key: changes.pop(key) for key in list(changes) if key in ExplorationSettings.model_fields},
    }
    inputs = {
        "code": code,
        "structure": copper(),
        "potentials": committee(*models),
        "temperatures": TEMPERATURES,
        "repetitions": [2, 2, 2],
        "settings": settings,
        "seed": 5,
    }
    return {**inputs, **changes}


def explore(code: orm.InstalledCode, models: tuple[Path, ...], **changes: Any) -> orm.CalcJobNode:
    """Run a job and return its node."""
    return run_get_node(LammpsExplorationCalculation, **exploration_inputs(code, models, **changes)).node


def explored(code: orm.InstalledCode, models: tuple[Path, ...], phase: str = "solid") -> orm.CalcJobNode:
    """Return a finished exploration from a phase."""
    repetitions = [2, 2, 4] if phase == "interface" else [2, 2, 2]
    return once(f"explored_{phase}", lambda: explore(code, models, phase=phase, repetitions=repetitions))


def as_deepmd(code: orm.InstalledCode, deepmd: orm.InstalledCode) -> orm.InstalledCode:
    """Return a code of the same program in the surroundings of LAMMPS with the plugin."""
    return orm.InstalledCode(
        computer=code.computer,
        filepath_executable=str(code.filepath_executable),
        label=f"{code.label}-deepmd",
        prepend_text=deepmd.prepend_text,
    ).store()
