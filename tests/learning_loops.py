"""A small real loop of adaptive learning on copper, run once and shared by the tests that look at it."""

from __future__ import annotations

import copy
from typing import Any

from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk
from coexistence_jobs import once
from training_jobs import settings_with

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.workchains.adaptive_learning import AdaptiveLearningWorkChain

PLAN: dict[str, Any] = {
    "first_frames": {
        "crystals": {
            "number": 8,
            "minimum_atoms": 32,
            "temperature_factors": [0.5, 1.0],
            "label": {"steps": 20, "frames_per_start": 1},
        },
        "melts": {
            "number": 2,
            "minimum_atoms": 32,
            "temperature_factors": [1.2],
            "label": {"steps": 100, "frames_per_start": 4, "melt_ps": 0.5, "relax_ps": 0.2},
        },
    },
    "stages": [
        {
            "name": "bulk",
            "runs": {
                "liquid": {"phase": "liquid", "temperature_factors": [1.0, 1.2], "minimum_atoms": 108},
                "solid": {"phase": "solid", "temperature_factors": [1.0], "minimum_atoms": 108},
            },
        }
    ],
    "exploration": {
        "timestep_fs": 2.0,
        "time_ps": 0.4,
        "deviation_interval_ps": 0.04,
        "check_interval_ps": 0.2,
        "equilibrate_ps": 0.0,
        "melt_ps": 0.6,
        "maximum_deviation_ev_per_angstrom": 1000.0,
    },
    "thresholds": {"unit": "ev_per_angstrom", "lower": 0.0, "upper": 1000.0, "converged": 1e-4},
    "frames_per_temperature": 2,
    "minimum_spacing_ps": 0.1,
    "check_frames": 3,
    "target_shift_k": 1e-3,
    "maximum_iterations": 2,
    "label_budget": 1000,
}


def plan_with(**changes: Any) -> dict[str, Any]:
    """Return the plan with some keys changed."""
    return {**copy.deepcopy(PLAN), **changes}


def open_settings() -> dict[str, Any]:
    """Return settings of a training without what is filled from the frames."""
    settings = settings_with()
    del settings["model"]["type_map"], settings["model"]["descriptor"]["sel"]
    return settings


def loop_inputs(
    dp: orm.InstalledCode, lmp_deepmd: orm.InstalledCode, lmp: orm.InstalledCode, teacher: PotentialData, **changes: Any
) -> dict[str, Any]:
    """Return the inputs of a loop of two models and two iterations; an input is changed by its name."""
    inputs = {
        "structure": orm.StructureData(ase=bulk("Cu", "fcc", a=3.615)),
        "temperature": 1300.0,
        "plan": PLAN,
        "seed": 1,
        "warm": {"steps": 100, "start_lr": 1e-3, "start_pref_e": 1.0},
        "training": {
            "settings": open_settings(),
            "seeds": [1, 2],
            "quorum": 2,
            "steps": 400,
            "validation_share": 0.2,
            "split_seed": 1,
            "sel_margin": 2.0,
            "training": {"calc": {"code": dp}},
        },
        "exploration": {"code": lmp_deepmd},
        "labelling": {"code": lmp, "potential": teacher},
    }
    return {**inputs, **changes}


def finished_loop(*codes: Any) -> orm.WorkChainNode:
    """Return a loop that has ended at its bound, begun from nothing."""
    return once("loop", lambda: run_get_node(AdaptiveLearningWorkChain, **loop_inputs(*codes)).node)
