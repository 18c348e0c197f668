from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from aiida_dnpmelt.physics.calibration import calibrate, summarise

FRAMES, ATOMS = 40, 50


def ensemble(models: int, seed: int = 1, common: float = 0.0, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Return forces of models with independent errors of a component, and of a teacher that all miss by the same."""
    random = np.random.default_rng(seed)
    teacher = random.normal(0, 1, (FRAMES, ATOMS, 3))
    shared = random.normal(0, common, teacher.shape)
    return teacher + shared + random.normal(0, noise, (models, *teacher.shape)), teacher


def test_numbers_of_an_atom_by_hand():
    forces = np.array([[[[1.0, 0, 0]]], [[[-1.0, 0, 0]]]])
    found = calibrate(forces, np.array([[[0.0, 2.0, 0]]]))
    assert found.deviation == pytest.approx(np.array([[1.0]]))
    assert found.mean_error == pytest.approx(np.array([[2.0]]))
    assert found.model_error == pytest.approx(np.array([[np.sqrt(5)]]))


def test_errors_add_in_squares():
    found = calibrate(*ensemble(3, common=0.2))
    np.testing.assert_allclose(found.model_error**2, found.mean_error**2 + found.deviation**2)


@pytest.mark.parametrize("models", [2, 3, 8])
def test_independent_errors_have_the_ratio_that_theory_says(models):
    found = summarise([calibrate(*ensemble(models))])
    assert found.rms_error_ev_per_angstrom == pytest.approx(0.1 * np.sqrt(3), rel=0.02)
    assert found.rms_error_of_mean_ev_per_angstrom == pytest.approx(0.1 * np.sqrt(3 / models), rel=0.03)
    assert found.ratio_error_to_deviation == pytest.approx(found.ratio_if_independent, rel=0.02)
    assert found.common_error_ev_per_angstrom < 0.03


def test_error_that_all_models_share_is_told_though_no_deviation_shows_it():
    found = summarise([calibrate(*ensemble(3, common=0.2))])
    assert found.rms_deviation_ev_per_angstrom == pytest.approx(0.1 * np.sqrt(2), rel=0.02)
    assert found.common_error_ev_per_angstrom == pytest.approx(0.2 * np.sqrt(3), rel=0.03)
    assert found.ratio_error_to_deviation > 2 * found.ratio_if_independent


def test_deviation_that_knows_the_error_ranks_atoms_and_frames():
    random = np.random.default_rng(2)
    size = np.geomspace(0.01, 1, FRAMES)[:, None, None] * random.uniform(0.5, 2, (1, ATOMS, 1))
    teacher = random.normal(0, 1, (FRAMES, ATOMS, 3))
    knowing = summarise([calibrate(teacher + size * random.normal(0, 1, (4, *teacher.shape)), teacher)])
    assert knowing.spearman_by_atom > 0.9
    assert knowing.spearman_by_frame > 0.95
    assert np.all(np.diff(knowing.bin_error_ev_per_angstrom) > 0)
    ignorant = summarise([calibrate(*ensemble(4, common=1.0))])
    assert abs(ignorant.spearman_by_atom) < 0.15


def test_ranks_are_those_of_scipy():
    found = calibrate(*ensemble(3))
    numbers = summarise([found])
    assert numbers.spearman_by_atom == pytest.approx(
        spearmanr(found.deviation.ravel(), found.model_error.ravel()).statistic
    )
    assert numbers.spearman_by_frame == pytest.approx(
        spearmanr(found.deviation.max(axis=1), found.model_error.max(axis=1)).statistic
    )
    assert numbers.largest_error_ev_per_angstrom == found.model_error.max()


def test_shares_of_large_errors_and_bins_count_all_atoms():
    found = calibrate(*ensemble(3, common=0.3))
    numbers = summarise([found])
    expected = [float((found.mean_error > factor * found.deviation).mean()) for factor in (1, 2, 3)]
    assert numbers.share_beyond == pytest.approx(expected)
    assert sum(numbers.bin_counts) == numbers.atoms == FRAMES * ATOMS
    assert np.all(np.diff(numbers.bin_deviation_ev_per_angstrom) > 0)
    squares = np.array(numbers.bin_counts) @ np.square(numbers.bin_error_ev_per_angstrom)
    assert np.sqrt(squares / numbers.atoms) == pytest.approx(numbers.rms_error_ev_per_angstrom)


def test_sets_of_different_atoms_are_taken_together():
    forces, teacher = ensemble(3)
    whole = summarise([calibrate(forces, teacher)])
    parts = [calibrate(forces[:, :10], teacher[:10]), calibrate(forces[:, 10:, :20], teacher[10:, :20])]
    joined = summarise(parts)
    assert (joined.frames, joined.atoms) == (FRAMES, 10 * ATOMS + 30 * 20)
    assert whole.frames == FRAMES


def test_too_little_to_correlate_is_no_number():
    forces = np.zeros((2, 1, 2, 3))
    found = summarise([calibrate(forces, np.ones((1, 2, 3)))])
    assert (found.spearman_by_atom, found.spearman_by_frame, found.ratio_error_to_deviation) == (None, None, None)
    assert found.bin_counts == (1, 1)


@pytest.mark.parametrize(
    ("models", "teacher", "message"),
    [
        ((1, 2, 3, 3), (2, 3, 3), "1 models given, a committee has at least 2"),
        ((2, 2, 3, 3), (2, 4, 3), r"shapes \(2, 2, 3, 3\) and \(2, 4, 3\), must be"),
        ((2, 3, 3), (3, 3), r"must be \(K, f, n, 3\) and \(f, n, 3\)"),
    ],
)
def test_forces_that_do_not_fit_are_refused(models, teacher, message):
    with pytest.raises(ValueError, match=message):
        calibrate(np.zeros(models), np.zeros(teacher))


def test_committees_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="calibrations of 2 committees given"):
        summarise([calibrate(*ensemble(2)), calibrate(*ensemble(3))])
    with pytest.raises(ValueError, match="calibrations of 0 committees given"):
        summarise([])
