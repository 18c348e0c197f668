from __future__ import annotations

import math
from dataclasses import astuple, replace

import numpy as np
import pytest
from ase import units
from physics.synthetic import N_ATOMS, Truth, draw

from aiida_dnpmelt.physics.estimate import (
    Prior,
    Series,
    bin_series,
    einstein_frequency,
    estimate,
    last_window,
    required_seeds,
    required_time,
    timestep_correction,
)
from aiida_dnpmelt.physics.slow_noise import bin_decay, levels

COPPER = Truth()
SERIES_IN_A_STUDY = 500


def runs(seed=1, truth=COPPER, number=4, length_ps=60.0):
    return draw(np.random.default_rng(seed), truth, number, length_ps)


def moved(series, offset_k=0.0, factor=1.0, slope_k_per_ps=0.0):
    return [Series(run.time_ps, factor * run.temperature_k + offset_k + slope_k_per_ps * run.time_ps) for run in series]


@pytest.mark.parametrize(
    ("truth", "numbers", "length_ps"),
    [
        pytest.param(COPPER, (4,), 60.0, id="four-runs"),
        pytest.param(COPPER, (3,), 30.0, id="three-short-runs"),
        pytest.param(replace(COPPER, between_k=8.0), (4, 5), 120.0, id="runs-that-differ"),
        pytest.param(replace(COPPER, relaxation_ps=4.0), (4,), 60.0, id="fast-interface"),
        pytest.param(replace(COPPER, relaxation_ps=12.0), (4,), 60.0, id="slow-interface"),
        pytest.param(COPPER, (1,), 100.0, id="one-run"),
    ],
)
def test_interval_of_95_percent_covers_the_truth_in_92_to_98(truth, numbers, length_ps):
    rng = np.random.default_rng(2024)
    inside = 0
    for index in range(SERIES_IN_A_STUDY):
        found = estimate(draw(rng, truth, numbers[index % len(numbers)], length_ps), N_ATOMS)
        inside += found.interval_k[0] <= truth.melting_k <= found.interval_k[1]
    assert 0.92 <= inside / SERIES_IN_A_STUDY <= 0.98


def test_with_all_noise_known_it_is_generalised_least_squares():
    sure = Prior(
        relaxation_time_ps=7.5,
        relaxation_time_factor=1.0001,
        slow_noise_log_sd=1e-4,
        fast_noise_ratio=0.17,
        fast_noise_factor=1.0001,
        between_seeds_ratio=1e-6,
    )
    series = [*runs(number=2), *runs(seed=2, number=1, length_ps=40)]
    found = estimate(series, N_ATOMS, prior=sure)
    sigma = found.temperature_k / math.sqrt(N_ATOMS * 3.8)
    parts = levels(
        [run.temperature_k - 1283 for run in series],
        np.array([7.5]),
        np.array([0.17]),
        np.array([sigma]),
        1.0,
        0.05 * found.temperature_k,
    )
    weight = 1 / parts.variance[0, 0]
    assert found.temperature_k == pytest.approx(1283 + np.average(parts.mean[0, 0], weights=weight), abs=0.05)
    assert found.standard_uncertainty_k == pytest.approx(weight.sum() ** -0.5, rel=0.01)
    half = (found.interval_k[1] - found.interval_k[0]) / 2
    assert half == pytest.approx(1.96 * found.standard_uncertainty_k, rel=1e-3)


def test_long_runs_reveal_noise_relaxation_and_start():
    truth = replace(COPPER, relaxation_ps=5.0, fast_k=4.0, amplitude_k=0.0)
    series = runs(truth=truth, number=4, length_ps=500)
    heated = [
        Series(run.time_ps, run.temperature_k + 50 * bin_decay(np.array([5.0]), 1.0, len(run.time_ps))[:, 0])
        for run in series
    ]
    found = estimate(heated, N_ATOMS)
    assert found.temperature_k == pytest.approx(1283, abs=4)
    assert found.relaxation_time_ps == pytest.approx(5, abs=3 * found.relaxation_time_uncertainty_ps)
    assert found.relaxation_time_uncertainty_ps < 1
    assert found.slow_noise_k == pytest.approx(15.9, rel=0.1)
    assert found.fast_noise_k == pytest.approx(4, rel=0.1)
    assert np.mean(found.amplitudes_k) == pytest.approx(50, abs=10)
    assert found.length_in_tau == pytest.approx(500 / found.relaxation_time_ps)
    assert not found.short


def test_runs_that_differ_have_a_wider_interval():
    series = runs()
    apart = [moved([run], offset)[0] for run, offset in zip(series, (-30, -10, 10, 30), strict=True)]
    found, wider = estimate(series, N_ATOMS), estimate(apart, N_ATOMS)
    assert found.dof == wider.dof == 3
    assert wider.chi2 > 9 > 2 * found.chi2
    assert wider.between_seeds_k > 10 > found.between_seeds_k
    assert wider.standard_uncertainty_k > 1.5 * found.standard_uncertainty_k


def test_a_single_run_says_nothing_of_the_difference_between_runs():
    found = estimate(runs(number=1, length_ps=100), N_ATOMS)
    assert (found.between_seeds_k, found.chi2, found.dof) == (0.0, 0.0, 0)
    assert found.seed_temperatures_k[0] == pytest.approx(found.temperature_k)
    assert found.seed_uncertainties_k[0] == pytest.approx(found.standard_uncertainty_k)


def test_runs_far_apart_leave_finite_numbers():
    series = runs(number=2)
    found = estimate([series[0], *moved(series[1:], 400.0)], N_ATOMS)
    assert np.all(np.isfinite(np.hstack(astuple(found))))
    assert found.chi2 > 100


def test_order_of_the_runs_and_origin_of_time_do_not_matter():
    series = runs()
    later = [Series(run.time_ps + 500, run.temperature_k) for run in reversed(series)]
    found, turned = estimate(series, N_ATOMS), estimate(later, N_ATOMS)
    assert turned.temperature_k == pytest.approx(found.temperature_k, abs=1e-6)
    assert turned.interval_k == pytest.approx(found.interval_k, abs=1e-4)
    assert turned.seed_temperatures_k[::-1] == pytest.approx(found.seed_temperatures_k, abs=1e-6)


def test_temperatures_of_another_scale_scale_the_result():
    series = runs()
    found, twice = estimate(series, N_ATOMS), estimate(moved(series, factor=2.0), N_ATOMS)
    assert twice.temperature_k == pytest.approx(2 * found.temperature_k)
    assert twice.standard_uncertainty_k == pytest.approx(2 * found.standard_uncertainty_k)
    assert twice.relaxation_time_ps == pytest.approx(found.relaxation_time_ps)


def test_width_of_the_bins_does_not_matter_much():
    series = runs(number=4, length_ps=60)
    found = estimate(series, N_ATOMS)
    wide = estimate([bin_series(run.time_ps, run.temperature_k, 2.0) for run in series], N_ATOMS)
    assert wide.temperature_k == pytest.approx(found.temperature_k, abs=0.3 * found.standard_uncertainty_k)
    assert wide.standard_uncertainty_k == pytest.approx(found.standard_uncertainty_k, rel=0.15)


def test_runs_shorter_than_three_relaxation_times_are_flagged():
    truth = replace(COPPER, relaxation_ps=10.0)
    assert estimate(runs(truth=truth, length_ps=15), N_ATOMS).short
    assert not estimate(runs(truth=truth, length_ps=100), N_ATOMS).short


@pytest.mark.parametrize("drifting", [(3,), (0, 1, 2, 3)], ids=["one-run", "all-runs"])
def test_a_drift_that_the_model_does_not_describe_shows(drifting):
    series = runs(length_ps=120)
    assert np.max(np.abs(estimate(series, N_ATOMS).drift_z)) < 3
    for index in drifting:
        series[index] = moved([series[index]], slope_k_per_ps=1.0)[0]
    scores = np.abs(estimate(series, N_ATOMS).drift_z)
    assert np.max(scores) > 3.5
    assert np.all(np.delete(scores, drifting) < 3)


@pytest.mark.parametrize(
    ("series", "options", "message"),
    [
        (lambda: [], {}, "series: none given"),
        (lambda: [*runs(number=1), *runs(number=1, length_ps=4)], {}, "4 bins in run 1, must be at least 5"),
        (
            lambda: [*runs(number=1), *(bin_series(r.time_ps, r.temperature_k, 2) for r in runs(number=1))],
            {},
            "bins of 2 ps in run 1, must be 1 ps",
        ),
        (runs, {"n_atoms": 0}, "n_atoms: 0 given"),
        (runs, {"heat_capacity_k": -1.0}, "heat_capacity_k: -1.0 given"),
    ],
)
def test_estimate_says_what_is_wrong(series, options, message):
    with pytest.raises(ValueError, match=message):
        estimate(series(), **{"n_atoms": N_ATOMS, **options})


@pytest.mark.parametrize(
    ("key", "value"),
    [("relaxation_time_ps", 0.0), ("relaxation_time_factor", 1.0), ("amplitude_fraction", math.nan)],
)
def test_prior_out_of_range_is_refused(key, value):
    with pytest.raises(ValueError, match=f"{key}: {value} given"):
        Prior(**{key: value})


def test_bins_are_means_of_whole_groups_of_samples():
    time = np.arange(0, 3.55, 0.1)
    binned = bin_series(time, np.arange(len(time)))
    assert binned.temperature_k == pytest.approx([4.5, 14.5, 24.5])
    assert binned.time_ps == pytest.approx([0.45, 1.45, 2.45])
    assert binned.length_ps == pytest.approx(3)


def test_bins_are_as_wide_as_whole_samples_allow():
    assert bin_series(0.03 * np.arange(200), np.ones(200)).spacing_ps == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("time", "temperature", "width", "message"),
    [
        ([0, 1, 2, 3], [1, 2, 3], 1.0, r"shapes \(4,\) and \(3,\)"),
        ([0], [1], 1.0, "must be"),
        ([0, 1, 2, 3], [1, 2, np.nan, 3], 1.0, "temperature_k: value 2 is not finite"),
        ([0, 1, np.inf, 3], [1, 2, 3, 3], 1.0, "time_ps: value 2 is not finite"),
        ([0, 1, 2, 2, 3], [1, 2, 3, 3, 3], 1.0, "2 is followed by 2, must rise in equal steps of 1 ps"),
        ([0, 1, 2, 4], [1, 2, 3, 3], 1.0, "2 is followed by 4"),
        ([3, 2, 1, 0], [1, 2, 3, 3], 1.0, "3 is followed by 2"),
        ([0, 1, 2, 3], [1, 2, 3, 3], 0.4, "width_ps: 0.4 given, must be at least the 1 ps"),
        ([0, 1, 2, 3], [1, 2, 3, 3], 3.0, "4 ps given, must fill at least two bins of 3 ps"),
    ],
)
def test_bins_say_what_is_wrong_with_the_samples(time, temperature, width, message):
    with pytest.raises(ValueError, match=message):
        bin_series(time, temperature, width)


def test_last_window_is_mean_and_deviation_of_the_last_part():
    time = 0.5 * np.arange(81)
    first = np.where(np.arange(81) < 41, 5000.0, np.where(np.arange(81) % 2, 1301.0, 1299.0))
    found = last_window([Series(time, first), Series(time, first + 20)])
    assert found.temperature_k == pytest.approx(1310)
    assert found.standard_error_k == pytest.approx(10)
    assert found.seed_temperatures_k == pytest.approx((1300, 1320))
    assert found.seed_deviations_k == pytest.approx((math.sqrt(40 / 39),) * 2)
    assert found.standard_deviation_k == pytest.approx(math.sqrt(40 / 39))


def test_last_window_of_one_run_has_no_error_between_runs():
    assert math.isnan(last_window(runs(number=1)).standard_error_k)


@pytest.mark.parametrize("window_ps", [0.5, 61.0])
def test_last_window_must_fit_into_each_run(window_ps):
    with pytest.raises(ValueError, match=f"window_ps: {window_ps:g} given, must be between 2 and 60 ps"):
        last_window(runs(), window_ps)


def test_last_window_needs_a_run():
    with pytest.raises(ValueError, match="series: none given"):
        last_window([])


def test_runs_of_the_required_time_reach_the_target():
    found = estimate(runs(number=4, length_ps=40), N_ATOMS)
    length = required_time(found, 4, 40.0, 3.0)
    assert 40 < length < 400
    assert estimate(runs(number=4, length_ps=round(length)), N_ATOMS).standard_uncertainty_k == pytest.approx(
        3, rel=0.3
    )


def test_more_runs_need_less_time():
    found = estimate(runs(number=4, length_ps=40), N_ATOMS)
    assert required_time(found, 8, 40.0, 3.0) < 0.6 * required_time(found, 4, 40.0, 3.0)


def test_no_time_removes_the_difference_between_runs():
    series = [moved([run], offset)[0] for run, offset in zip(runs(), (-30, -10, 10, 30), strict=True)]
    found = estimate(series, N_ATOMS)
    assert required_time(found, 4, 60.0, 3.0) == math.inf
    number = required_seeds(found, 3.0)
    assert number > 4
    assert math.isfinite(required_time(found, number, 60.0, 3.0))
    assert required_seeds(found, found.standard_uncertainty_k) == 4


def test_einstein_frequency_of_an_oscillator_is_its_own():
    mass, temperature, frequency = 63.546, 1300.0, 37.0
    per_ase_time = frequency / (1000 * units.fs)
    mean_square_force = 3 * mass * per_ase_time**2 * units.kB * temperature
    assert einstein_frequency(mean_square_force, mass, temperature) == pytest.approx(frequency, rel=1e-5)


@pytest.mark.parametrize("timestep_fs", [2.0, 3.0, 5.0])
def test_timestep_correction_restores_the_temperature_of_an_oscillator(timestep_fs):
    # The area of its orbit is an adiabatic invariant of an oscillator; over 2 pi, times its frequency, it is k T.
    frequency, step = 40.0, timestep_fs / 1000
    x, v = np.empty(20000), np.empty(20000)
    position, velocity = 1.0, 0.0
    for index in range(len(x)):
        x[index], v[index] = position, velocity
        velocity -= step / 2 * frequency**2 * position
        position += step * velocity
        velocity -= step / 2 * frequency**2 * position
    window = np.hanning(len(x)) / np.hanning(len(x)).sum()
    mean_x2, kinetic = window @ x**2, window @ v**2
    phase = np.unwrap(np.arctan2(v / np.sqrt(kinetic), x / np.sqrt(mean_x2)))
    temperature = abs(phase[-1] - phase[0]) / (step * (len(x) - 1)) * np.sqrt(mean_x2 * kinetic)
    assert kinetic * timestep_correction(frequency, timestep_fs) == pytest.approx(temperature, rel=5e-5)
    assert kinetic < temperature * (1 - (frequency * step) ** 2 / 7)
