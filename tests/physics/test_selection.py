from __future__ import annotations

import numpy as np
import pytest

from aiida_dnpmelt.physics.selection import SelectionSettings, evenly_spaced, select

TIMES = np.tile(np.arange(20) * 0.1, 2)
TEMPERATURES = np.repeat([300.0, 1200.0], 20)


def deviations(seed: int = 1) -> np.ndarray:
    """Return accurate frames at 300 K, and at 1200 K frames from accurate to failed."""
    random = np.random.default_rng(seed)
    return np.concatenate([random.uniform(0.05, 0.2, 20), random.uniform(0.1, 2.0, 20)])


def run(values=None, seed: int = 1, **settings):
    values = deviations() if values is None else values
    return select(TEMPERATURES, TIMES, values, SelectionSettings(**settings), seed)


def test_largest_deviations_inside_the_window_are_taken():
    values = deviations()
    found = run(values, minimum_spacing_ps=0.0)
    inside = [index for index in np.argsort(-values) if 0.3 <= values[index] <= 1.5]
    assert found.indices == tuple(inside[:5])
    assert min(found.indices) >= 20


def test_taken_frames_are_apart_in_time_and_the_best_that_are():
    values = np.full(40, 0.1)
    values[20:26] = [0.5, 1.0, 0.9, 0.6, 0.8, 0.7]
    found = run(values, minimum_spacing_ps=0.2)
    assert found.indices == (21, 24)  # 22 and 23 are too near to one of them, as is all the rest
    times = TIMES[list(found.indices)]
    assert np.diff(np.sort(times)).min() >= 0.2


def test_spacing_is_met_by_frames_exactly_that_far_apart():
    values = np.full(40, 0.1)
    values[[23, 26]] = 0.5  # 0.3 ps and 0.6 ps, whose difference is a little less than 0.3 in floating point
    assert run(values, minimum_spacing_ps=0.3).indices == (23, 26)


def test_frames_of_two_temperatures_do_not_stand_in_each_others_way():
    values = np.full(40, 0.1)
    values[[5, 25]] = 0.5
    assert run(values, minimum_spacing_ps=10.0).indices == (5, 25)


def test_equal_deviations_are_taken_in_their_order():
    values = np.full(40, 0.5)
    assert run(values, minimum_spacing_ps=0.0, frames_per_temperature=2).indices == (0, 1, 20, 21)


def test_thresholds_belong_to_the_window():
    values = np.full(40, 0.1)
    values[[3, 7, 30, 31]] = [0.3, 1.5, np.nextafter(0.3, 0), np.nextafter(1.5, 2)]
    found = run(values)
    assert found.indices == (7, 3)
    assert [found.report[key] for key in ("accurate", "candidate", "failed")] == [37, 2, 1]


def test_report_counts_each_temperature_and_says_why():
    values = deviations()
    report = run(values).report
    cold, hot = report["by_temperature"]
    assert (cold["temperature_k"], cold["accurate"], cold["taken"]) == (300.0, 20, 0)
    assert hot["accurate"] + hot["candidate"] + hot["failed"] == hot["frames_seen"] == 20
    assert hot["failed"] == int((values > 1.5).sum())
    assert hot["largest_deviation_ev_per_angstrom"] == values.max() == report["largest_deviation_ev_per_angstrom"]
    assert hot["quantile_95_deviation_ev_per_angstrom"] == pytest.approx(np.quantile(values[20:], 0.95))
    assert sum(hot["histogram_counts"]) == 20 - hot["failed"]
    assert report["histogram_edges_ev_per_angstrom"][-1] == 1.5
    for frame in report["frames"]:
        index = frame["index"]
        assert frame["temperature_k"] == TEMPERATURES[index]
        assert frame["time_ps"] == TIMES[index]
        assert frame["max_force_deviation_ev_per_angstrom"] == values[index]


def test_deviations_that_are_not_finite_have_failed():
    values = np.full(40, np.nan)
    values[:2] = [np.inf, 0.4]
    report = run(values).report
    assert (report["failed"], report["taken"]) == (39, 1)
    assert report["by_temperature"][1]["largest_deviation_ev_per_angstrom"] is None


def test_random_choice_takes_as_many_from_all_that_have_not_failed():
    values = deviations()
    chosen, random = run(values), run(values, mode="random")
    assert len(random.indices) == len(chosen.indices) == 5
    assert set(random.indices) != set(chosen.indices)
    assert np.diff(np.sort(TIMES[list(random.indices)])).min() >= 0.2 * (1 - 1e-9)
    many = {index for seed in range(200) for index in run(values, seed, mode="random").indices}
    assert many == {index for index in range(20, 40) if values[index] <= 1.5}


def test_choice_depends_on_the_seed_only_where_it_is_random():
    values = deviations()
    assert run(values, 1) == run(values, 2)
    assert run(values, 1, mode="random") == run(values, 1, mode="random")
    assert len({run(values, seed, mode="random").indices for seed in range(5)}) > 1


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"\(40,\), \(40,\) and \(39,\), they must be the same"):
        run(np.zeros(39))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lower_ev_per_angstrom": 2.0}, "lower_ev_per_angstrom = 2 must be less than upper_ev_per_angstrom = 1.5"),
        ({"frames_per_temperature": 0}, "frames_per_temperature"),
        ({"mode": "best"}, "'deviation' or 'random'"),
        ({"trust": 1}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SelectionSettings(**settings)


def test_excluded_frames_are_counted_but_not_taken():
    values = np.full(40, 0.1)
    values[20:24] = [0.5, 1.0, 0.9, 0.6]
    settings = SelectionSettings(minimum_spacing_ps=0.0)
    found = select(TEMPERATURES, TIMES, values, settings, 1, excluded=[21])
    assert found.indices == (22, 23, 20)
    assert (found.report["candidate"], found.report["taken"]) == (4, 3)


@pytest.mark.parametrize(("number", "taken"), [(2, [14, 19]), (5, [11, 13, 15, 17, 19]), (10, list(range(10, 20)))])
def test_evenly_spaced_members_end_with_the_last(number, taken):
    assert evenly_spaced(np.arange(10, 20), number).tolist() == taken


def test_planned_temperature_without_a_frame_is_told():
    found = select(TEMPERATURES, TIMES, deviations(), SelectionSettings(), 1, planned_k=(300.0, 1200.0, 1500.0))
    assert [part["temperature_k"] for part in found.report["by_temperature"]] == [300.0, 1200.0, 1500.0]
    hottest = found.report["by_temperature"][2]
    assert [hottest[key] for key in ("frames_seen", "accurate", "candidate", "failed", "taken")] == [0] * 5
    assert hottest["largest_deviation_ev_per_angstrom"] is None
    assert found.indices == run().indices
