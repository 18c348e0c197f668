from __future__ import annotations

import numpy as np
import pytest

from aiida_dnpmelt.calculations.lammps_job import core_hours
from aiida_dnpmelt.physics.lammps_log import Loop, ThermoBlock


def block(steps: int, seconds: float | None) -> ThermoBlock:
    """Return the table of a run; without seconds it was cut."""
    loop = None if seconds is None else Loop(seconds, 4, steps, 1000)
    return ThermoBlock("production", ("Step", "Temp"), np.array([[100.0, 1.0], [100.0 + steps, 1.0]]), loop)


def test_whole_runs_cost_what_lammps_says():
    assert core_hours([block(500, 90.0), block(1500, 270.0)]) == pytest.approx(4 * 360 / 3600)


def test_a_run_that_was_cut_counts_at_the_speed_of_those_before_it():
    assert core_hours([block(500, 90.0), block(1500, None)]) == pytest.approx(4 * 360 / 3600)


def test_without_a_whole_run_nothing_is_counted():
    assert core_hours([block(500, None)]) == core_hours([]) == 0
