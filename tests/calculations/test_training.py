from __future__ import annotations

import numpy as np
from aiida import orm
from training_jobs import SETTINGS, frames_nodes

from aiida_dnpmelt.calculations.training import complete_settings, frames_arguments, join_training


def test_given_type_map_and_sel_are_kept(aiida_profile):
    found = complete_settings(orm.Dict(SETTINGS), orm.Float(2.0), **frames_arguments(frames_nodes()))
    assert found.get_dict() == SETTINGS


def test_joined_jobs_have_one_curve_and_the_costs_of_all(aiida_profile):
    def curve(*steps: float) -> orm.ArrayData:
        return orm.ArrayData({"step": np.array(steps), "learning_rate": 1 / (1 + np.array(steps))})

    def results(hours: float | None, rate: float | None = None) -> orm.Dict:
        return orm.Dict({"core_hours": hours, "wall_time_s": None, "learning_rate": rate, "steps": 4})

    joined = join_training(
        curve_0000=curve(0.0, 1.0, 2.0),
        curve_0001=curve(2.0, 3.0),
        results_0000=results(1.0, 0.3),
        results_0001=results(None, 0.25),
        results_0002=results(2.0),
    )
    assert list(joined["learning_curve"].get_array("step")) == [0, 1, 2, 3]
    expected = {"core_hours": 3.0, "wall_time_s": None, "learning_rate": 0.25, "steps": 4, "jobs": 3}
    assert joined["results"].get_dict() == expected


def test_jobs_are_joined_in_the_order_of_their_numbers(aiida_profile):
    rates = {"results_9998": 0.3, "results_9999": 0.2, "results_10000": 0.1}
    nodes = {
        name: orm.Dict({"core_hours": 1.0, "wall_time_s": 1.0, "learning_rate": rate}) for name, rate in rates.items()
    }
    assert join_training(**nodes)["results"]["learning_rate"] == 0.1
