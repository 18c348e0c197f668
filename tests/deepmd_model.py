"""A real DeePMD model, trained in the test: it knows nothing, but opens and runs as any other."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from aiida_dnpmelt.setup.engines import find_deepmd

CUTOFF = 3.5
TYPE_MAP = ["Cu", "Ni"]


@pytest.fixture(scope="session")
def tiny_model(request: pytest.FixtureRequest) -> Path:
    """Give a frozen model of TYPE_MAP with CUTOFF (Angstrom), made by `dp train` and `dp freeze`."""
    return _model(request.config, "tiny.pb", seed=1)


@pytest.fixture(scope="session")
def other_model(request: pytest.FixtureRequest) -> Path:
    """Give a second model, from other random numbers: with the first one it is a committee."""
    return _model(request.config, "other.pb", seed=2)


def _model(config: pytest.Config, name: str, seed: int) -> Path:
    """Return a model, which test processes that run side by side, and later ones, share through the cache of pytest."""
    assert config.cache is not None
    text = json.dumps(_training_input("data", seed))
    checksum = hashlib.sha256(f"{text}{version('deepmd-kit')}{Path(__file__).read_text()}".encode()).hexdigest()
    folder = config.cache.mkdir(f"dnpmelt-model-{checksum[:16]}")
    model = folder / name
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not model.exists():
            shutil.rmtree(folder / "data", ignore_errors=True)
            _write_system(folder / "data")
            (folder / "input.json").write_text(text)
            _dp(folder, "train", "input.json", "--skip-neighbor-stat")
            _dp(folder, "freeze", "-o", "frozen.pb")
            (folder / "frozen.pb").rename(model)
    return model


def _write_system(folder: Path) -> None:
    """Write two rattled frames of copper with made-up labels."""
    frames = []
    for seed in range(2):
        atoms = bulk("Cu", "fcc", a=3.6, cubic=True)
        atoms.rattle(0.1, seed=seed)
        frames.append(atoms)
    n_atoms = len(frames[0])
    arrays = {
        "coord": [atoms.positions.ravel() for atoms in frames],
        "box": [atoms.cell.array.ravel() for atoms in frames],
        "energy": [-3.5 * n_atoms for _ in frames],
        "force": np.zeros((len(frames), 3 * n_atoms)),
    }
    (folder / "set.000").mkdir(parents=True)
    (folder / "type.raw").write_text("0\n" * n_atoms)
    (folder / "type_map.raw").write_text("\n".join(TYPE_MAP))
    for name, values in arrays.items():
        np.save(folder / "set.000" / f"{name}.npy", np.array(values, dtype=float))


def _training_input(system: str, seed: int) -> dict[str, object]:
    descriptor = {
        "type": "se_e2_a",
        "sel": [30, 30],
        "rcut": CUTOFF,
        "rcut_smth": 2.0,
        "neuron": [2, 4],
        "axis_neuron": 2,
        "type_one_side": True,
        "seed": seed,
    }
    return {
        "model": {
            "type_map": TYPE_MAP,
            "descriptor": descriptor,
            "fitting_net": {"neuron": [4, 4], "seed": seed},
        },
        "learning_rate": {"type": "exp", "start_lr": 1e-3, "stop_lr": 1e-4, "decay_steps": 1},
        "loss": {"type": "ener"},
        "training": {
            "training_data": {"systems": [system], "batch_size": 1},
            "numb_steps": 3,
            "save_freq": 3,
            "disp_freq": 3,
            "seed": seed,
        },
    }


def _dp(folder: Path, *arguments: str) -> None:
    engine = find_deepmd()
    assert engine is not None, "DeePMD-kit was not found: install the extra [engines]"
    command = [str(engine.executable), *arguments]
    environment = {**os.environ, **engine.variables}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr[-3000:]}"
