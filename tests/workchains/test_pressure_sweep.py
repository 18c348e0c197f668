from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from coexistence_jobs import SETTINGS, copper, once

from aiida_dnpmelt.workchains.pressure_sweep import PressureSweepWorkChain

T_M = {0.0: 1283.0, 5.0: 1461.0, 10.0: 1610.0}  # of Cu_u3.eam in large cells
PLAN = {
    "initial_runs": 1,
    "guess_spread": 0.0,
    "first_time_ps": 6.0,
    "runs": 1,
    "minimum_runs": 1,
    "production_time_ps": 9.0,
    "target_uncertainty_k": 60.0,
    "maximum_rounds": 4,
    "criteria": {"minimum_fraction": 0.02, "maximum_normal_pressure_gpa": 1.0, "maximum_lateral_pressure_gpa": 2.0},
}
RUN = {**SETTINGS, "melt_ps": 2.4}
BULK = {"minimum_atoms": 256, "time_ps": 6.0, "equilibrate_ps": 1.5, "melt_ps": 1.5}


def builder_of(code: orm.InstalledCode, potential: Any, **changes: Any) -> Any:
    """Return the builder of a sweep of a minute."""
    overrides = {
        "tpc": {"run": RUN, "plan": PLAN, "seeds": [7, 8, 9, 10]},
        "bulk": BULK,
        "pressures_gpa": list(T_M),
    }
    builder = PressureSweepWorkChain.get_builder_from_protocol(code, copper(), potential, "fast", overrides)
    builder.temperature = orm.Float(T_M[0.0])
    builder.tpc.repetitions = orm.List([4, 4, 10])
    for name, value in changes.items():
        builder[name] = value
    return builder


@pytest.fixture
def sweep(lmp_code, cu_u3) -> orm.WorkChainNode:
    """Give a sweep of three pressures that came to its end."""
    return once("pressure_sweep", lambda: run_get_node(builder_of(lmp_code, cu_u3)).node)


def test_sweep(sweep):
    from aiida.cmdline.utils.common import get_workchain_report

    print(get_workchain_report(sweep, "REPORT"))
    print(sweep.exit_status, sweep.exit_message)
    import json

    print(json.dumps(sweep.outputs.sweep.get_dict(), indent=1))
    assert 0
