"""Small real coexistence jobs of copper, run once and shared by the tests that look at them."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk

from aiida_dnpmelt.calculations.lammps_coexistence import LammpsCoexistenceCalculation
from aiida_dnpmelt.data.potential import PotentialData

TEMPERATURE_K = 1283.0  # T_m of Cu_u3.eam
REPETITIONS = [3, 3, 7]
N_ATOMS = 252
LONG_PS = 900.0  # more than any machine does within the wall time of a test

SETTINGS: dict[str, Any] = {
    "method": "bulk",
    "timestep_fs": 3.0,
    "relax_cell": True,
    "minimisation": [1e-6, 1e-6, 10, 100],
    "thermostat_damping_ps": 0.1,
    "barostat_damping_ps": 0.5,
    "production_barostat_damping_ps": 0.5,
    "equilibrate_ps": 0.6,
    "average_ps": 1.5,
    "melt_ps": 1.2,
    "melt_factor": 2.0,
    "quench_ps": 0.3,
    "thermalise_ps": 0.6,
    "sample_interval_fs": 30.0,
    "frame_interval_ps": 0.6,
    "restart_interval_ps": 0.6,
    "skin_angstrom": 1.5,
    "halt_on_lost_phase": False,
}


def copper() -> orm.StructureData:
    """Return a new conventional cell of copper."""
    return orm.StructureData(ase=bulk("Cu", "fcc", a=3.615, cubic=True))


def job_inputs(code: orm.InstalledCode, potential: PotentialData, **changes: Any) -> dict[str, Any]:
    """Return the inputs of a job of less than a second: settings are changed by their names, inputs by theirs."""
    settings = {**SETTINGS, **{key: changes.pop(key) for key in list(changes) if key in SETTINGS}}
    wall_time = changes.pop("max_wallclock_seconds", None)
    inputs = {
        "code": code,
        "structure": copper(),
        "potential": potential,
        "temperature": TEMPERATURE_K,
        "pressure": 0.0,
        "seed": 1,
        "repetitions": REPETITIONS,
        "production_time": 3.0,
        "parameters": settings,
        "metadata": {"options": {} if wall_time is None else {"max_wallclock_seconds": wall_time}},
    }
    return {name: value for name, value in {**inputs, **changes}.items() if value is not None}


def run_job(code: orm.InstalledCode, potential: PotentialData, **changes: Any) -> orm.CalcJobNode:
    """Run a job and return its node."""
    return run_get_node(LammpsCoexistenceCalculation, **job_inputs(code, potential, **changes)).node


def going_on(job: orm.CalcJobNode) -> dict[str, Any]:
    """Return the inputs that take a job up where it ended."""
    return {"parent_folder": job.outputs.remote_folder, "restart": job.outputs.restart}


@pytest.fixture
def cu_u3(aiida_profile, potentials_folder) -> PotentialData:
    """Give the potential of all these jobs."""
    return PotentialData.get_or_create(potentials_folder / "Cu_u3.eam")


@pytest.fixture
def code_that(localhost, lmp_code, tmp_path) -> Callable[[str], orm.InstalledCode]:
    """Give a function that makes a code of a shell script, in which $LMP is LAMMPS."""

    def make(script: str) -> orm.InstalledCode:
        path = tmp_path / "code.sh"
        path.write_text(f"#!/bin/bash\nLMP={shlex.quote(str(lmp_code.filepath_executable))}\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return orm.InstalledCode(
            computer=localhost,
            filepath_executable=str(path),
            label=Path(tmp_path).name,
            prepend_text=lmp_code.prepend_text,
        ).store()

    return make


KILLED_AT = """
"$LMP" "$@" & job=$!
while kill -0 $job && ! grep -s -A 100000 '^dnpmelt stage {stage}' log.lammps | grep -qs '^ *{step} '; do
    sleep 0.05
done
kill -9 $job
wait
"""


@pytest.fixture
def code_killed_at(code_that) -> Callable[[str, int], orm.InstalledCode]:
    """Give a function that makes a LAMMPS which is killed once its log shows a step of a stage."""
    return lambda stage, step: code_that(KILLED_AT.format(stage=stage, step=step))


_made: dict[str, str] = {}


NO_UUID = "00000000-0000-0000-0000-000000000000"  # PostgreSQL takes no empty one


def once(name: str, make: Callable[[], orm.ProcessNode]) -> orm.ProcessNode:
    """Return the node that was made under this name; make it if there is none, or the profile was emptied since."""
    query = orm.QueryBuilder().append(orm.ProcessNode, filters={"uuid": _made.get(name, NO_UUID)})
    node = query.first(flat=True) or make()
    _made[name] = node.uuid
    return node


@pytest.fixture
def finished_job(lmp_code, cu_u3) -> orm.CalcJobNode:
    """Give a job that came to its end: 3 ps of production."""
    return once("finished_job", lambda: run_job(lmp_code, cu_u3))
