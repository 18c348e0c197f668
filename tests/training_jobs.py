"""Small real trainings on rattled copper, run once and shared by the tests that look at them."""

from __future__ import annotations

import copy
import shlex
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from coexistence_jobs import once
from physics.synthetic_frames import copper_frames

from aiida_dnpmelt.calculations.deepmd_train import DeepmdTrainCalculation
from aiida_dnpmelt.data.frames import FramesData

STEPS = 200
LONG = 10_000_000  # more steps than any machine does within a test

SETTINGS: dict[str, Any] = {
    "model": {
        "type_map": ["Cu"],
        "descriptor": {
            "type": "se_e2_a",
            "sel": [60],
            "rcut": 4.5,
            "rcut_smth": 2.0,
            "neuron": [4, 8],
            "axis_neuron": 4,
            "type_one_side": True,
            "precision": "float32",
        },
        "fitting_net": {"neuron": [10, 10], "precision": "float32"},
    },
    "learning_rate": {"type": "exp", "start_lr": 5e-3, "stop_lr": 1e-4, "decay_steps": 50},
    "loss": {
        "type": "ener",
        "start_pref_e": 0.1,
        "limit_pref_e": 20,
        "start_pref_f": 1000,
        "limit_pref_f": 50,
        "start_pref_v": 0.1,
        "limit_pref_v": 1,
    },
    "training": {
        "training_data": {"batch_size": 1},
        "validation_data": {"batch_size": 1, "numb_btch": 2},
        "save_freq": 100,
        "disp_freq": 50,
    },
}


def settings_with(**changes: Any) -> dict[str, Any]:
    """Return the settings with some keys changed, each given as `section__key` or deeper."""
    settings = copy.deepcopy(SETTINGS)
    for path, value in changes.items():
        *sections, key = path.split("__")
        place = settings
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = value
    return settings


def frames_nodes() -> dict[str, FramesData]:
    """Return stored frames of two kinds, the same nodes every time in one profile."""
    return {
        "cold": _stored("cold copper", lambda: copper_frames(8)),
        "hot": _stored("hot copper", lambda: copper_frames(4, seed=2, rattle=0.2)),
    }


def _stored(label: str, make: Callable[[], Any]) -> FramesData:
    found = orm.QueryBuilder().append(FramesData, filters={"label": label}).first(flat=True)
    return found or FramesData(make(), labeller="EMT of ase", label=label).store()


def training_inputs(code: orm.InstalledCode, **changes: Any) -> dict[str, Any]:
    """Return the inputs of a training of a second: an input is changed by its name, and left out by None."""
    wall_time = changes.pop("max_wallclock_seconds", None)
    inputs = {
        "code": code,
        "frames": frames_nodes(),
        "settings": SETTINGS,
        "seed": 7,
        "steps": STEPS,
        "validation_share": 0.25,
        "split_seed": 3,
        "metadata": {"options": {} if wall_time is None else {"max_wallclock_seconds": wall_time}},
    }
    return {name: value for name, value in {**inputs, **changes}.items() if value is not None}


def run_training(code: orm.InstalledCode, **changes: Any) -> orm.CalcJobNode:
    """Run a training job and return its node."""
    return run_get_node(DeepmdTrainCalculation, **training_inputs(code, **changes)).node


@pytest.fixture
def dp_that(localhost, dp_code, tmp_path) -> Callable[[str], orm.InstalledCode]:
    """Give a function that makes a code of a shell script, in which $DP is DeePMD-kit and $1 its command."""

    def make(script: str) -> orm.InstalledCode:
        path = tmp_path / "dp.sh"
        path.write_text(f"#!/bin/bash\nDP={shlex.quote(str(dp_code.filepath_executable))}\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return orm.InstalledCode(
            computer=localhost,
            filepath_executable=str(path),
            label=Path(tmp_path).name,
            prepend_text=dp_code.prepend_text,
        ).store()

    return make


@pytest.fixture
def finished_training(dp_code) -> orm.CalcJobNode:
    """Give a training that came to its end, compressed."""
    return once("finished_training", lambda: run_training(dp_code, compress=True))
