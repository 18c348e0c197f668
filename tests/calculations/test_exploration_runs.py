from __future__ import annotations

import pytest
from aiida import orm
from ase.build import bulk
from pydantic import ValidationError

from aiida_dnpmelt.calculations.exploration_runs import derived_seed, exploration_jobs, runs_of

RUNS = {
    "runs": {
        "liquid": {"phase": "liquid", "temperature_factors": [1.2, 1.0], "minimum_atoms": 100},
        "both": {"phase": "interface", "temperature_factors": [1.0], "minimum_atoms": 60, "aspect": 2.0},
    }
}


def test_jobs_have_temperatures_cells_and_seeds_of_their_own(aiida_profile):
    cell = orm.StructureData(ase=bulk("Cu", "fcc", a=3.615, cubic=True))
    found, node = exploration_jobs.run_get_node(cell, orm.Float(1000.0), orm.Dict(RUNS), orm.Int(7))
    assert node.is_finished_ok
    assert found["temperatures_liquid"].get_list() == [1000.0, 1200.0]  # the coldest first
    assert found["repetitions_liquid"].get_list() == [3, 3, 3]
    assert found["repetitions_both"].get_list() == [2, 2, 4]
    assert (found["phase_liquid"].value, found["phase_both"].value) == ("liquid", "interface")
    assert found["seed_liquid"].value != found["seed_both"].value
    again = exploration_jobs(cell, orm.Float(1000.0), orm.Dict(RUNS), orm.Int(7))
    other = exploration_jobs(cell, orm.Float(1000.0), orm.Dict(RUNS), orm.Int(8))
    assert again["seed_liquid"].value == found["seed_liquid"].value != other["seed_liquid"].value


def test_derived_seeds_are_valid_and_differ():
    seeds = {derived_seed(1, "iteration", number) for number in range(200)}
    assert len(seeds) == 200
    assert all(0 < seed < 900_000_000 for seed in seeds)


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ({}, "at least 1 item"),
        ({"Liquid": RUNS["runs"]["liquid"]}, "a name has small letters and digits"),
        ({"a": {**RUNS["runs"]["liquid"], "temperature_factors": [1.0, 1.0]}}, "different numbers in 0 < factor <= 10"),
        ({"a": {**RUNS["runs"]["liquid"], "phase": "gas"}}, "solid"),
        ({"a": {**RUNS["runs"]["liquid"], "atoms": 3}}, "Extra inputs"),
    ],
)
def test_plans_that_cannot_be_run_are_refused(runs, message):
    with pytest.raises(ValidationError, match=message):
        runs_of({"runs": runs})
