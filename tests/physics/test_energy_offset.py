from __future__ import annotations

import math

import numpy as np
import pytest

from aiida_dnpmelt.physics.energy_offset import (
    LatentHeat,
    PhaseOffset,
    latent_heat,
    melting_shift,
    phase_offset,
)
from aiida_dnpmelt.physics.units import BOLTZMANN_EV_PER_K

N_ATOMS = 100
T_M = 1300.0
HEAT = LatentHeat(0.12, 0.002, 14.0)
KT = BOLTZMANN_EV_PER_K * T_M


def offset_of(errors_ev_per_atom, **changes) -> PhaseOffset:
    """Return the offset of a model with these errors of an atom, by frame."""
    errors = np.asarray(errors_ev_per_atom, dtype=float)
    teacher = -3.5 * N_ATOMS + np.linspace(-1, 1, len(errors))
    return phase_offset(teacher + N_ATOMS * errors, teacher, N_ATOMS, changes.pop("temperature_k", T_M), **changes)


def test_numbers_of_a_phase_by_hand():
    found = offset_of([0.001, 0.002, 0.006])
    assert found.frames == 3
    assert found.mean_ev_per_atom == pytest.approx(0.003)
    assert found.standard_deviation_ev_per_atom == pytest.approx(math.sqrt(7e-6))
    assert found.standard_uncertainty_ev_per_atom == pytest.approx(math.sqrt(7e-6 / 3))
    assert found.second_order_ev_per_atom == pytest.approx(N_ATOMS * 7e-6 / (2 * KT))
    assert found.second_order_uncertainty_ev_per_atom == pytest.approx(found.second_order_ev_per_atom)  # sqrt(2/2)


def test_shift_by_hand():
    solid, liquid = offset_of([0.0, 0.001]), offset_of([-0.005, -0.004])
    found = melting_shift(solid, liquid, LatentHeat(0.1, 0.0, 14.0), 1000.0)
    assert found.first_order_k == pytest.approx(-50.0)
    assert found.standard_uncertainty_k == pytest.approx(1e4 * 0.0005 * math.sqrt(2))
    assert found.degrees_of_freedom == pytest.approx(2.0)
    assert found.interval_k == pytest.approx((-50 - 4.302653 * 5 * math.sqrt(2), -50 + 4.302653 * 5 * math.sqrt(2)))


def test_liquid_that_is_too_high_melts_too_late():
    low, high = offset_of([0.0, 0.0, 0.0]), offset_of([0.005, 0.005, 0.005])
    assert melting_shift(low, high, HEAT, T_M).first_order_k == pytest.approx(T_M * 0.005 / 0.12)
    assert melting_shift(high, low, HEAT, T_M).first_order_k == pytest.approx(-T_M * 0.005 / 0.12)


def test_constant_offset_cancels():
    errors = np.random.default_rng(1).normal(0, 0.001, (2, 8))
    plain = melting_shift(offset_of(errors[0]), offset_of(errors[1]), HEAT, T_M)
    moved = melting_shift(offset_of(errors[0] + 0.7), offset_of(errors[1] + 0.7), HEAT, T_M)
    assert moved.first_order_k == pytest.approx(plain.first_order_k, abs=1e-6)
    assert moved.interval_k == pytest.approx(plain.interval_k, abs=1e-6)
    assert moved.second_order_k == pytest.approx(plain.second_order_k, abs=1e-6)


def test_latent_heat_enters_the_uncertainty_in_proportion_to_the_shift():
    solid, liquid = offset_of([0.0] * 5), offset_of([0.01] * 5)
    found = melting_shift(solid, liquid, HEAT, T_M)
    assert found.standard_uncertainty_k == pytest.approx(found.first_order_k * 0.002 / 0.12)
    assert found.degrees_of_freedom == pytest.approx(14.0)


def test_model_that_is_its_teacher_has_no_shift():
    found = melting_shift(offset_of([0.0] * 2), offset_of([0.0] * 4), HEAT, T_M)
    assert (found.first_order_k, found.standard_uncertainty_k, found.interval_k) == (0, 0, (0, 0))


@pytest.mark.parametrize(("solid", "liquid"), [(10, 10), (5, 20), (20, 4), (3, 4), (2, 2)])
def test_interval_covers_the_truth_with_few_frames(solid, liquid):
    random, sets, truth = np.random.default_rng(solid), 3000, T_M * -0.004 / 0.12
    covered = 0
    for _ in range(sets):
        # The run gives the latent heat with an uncertainty of its own, known from 14 degrees of freedom.
        spread = 0.004 * math.sqrt(random.chisquare(14) / 14)
        heat = LatentHeat(0.12 + random.normal(0, 0.004), spread, 14.0)
        found = melting_shift(
            offset_of(random.normal(0.002, 0.0004, solid)), offset_of(random.normal(-0.002, 0.0008, liquid)), heat, T_M
        )
        covered += found.interval_k[0] < truth < found.interval_k[1]
    assert 0.92 < covered / sets < 0.98


def oscillators(random, ratio: float, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Return energies by model and teacher of classical oscillators, stiffness 1 and `ratio`, sampled by the model."""
    squares = random.normal(0, math.sqrt(KT), (frames, N_ATOMS)) ** 2
    return squares.sum(axis=1) / 2, ratio * squares.sum(axis=1) / 2


@pytest.mark.parametrize("ratio", [0.8, 1.2])
def test_second_order_brings_oscillators_closer_to_their_exact_free_energy(ratio):
    """G(model) - G(teacher) of an oscillator is (kT/2) ln(1/ratio)."""
    found = phase_offset(*oscillators(np.random.default_rng(5), ratio, 20_000), N_ATOMS, T_M)
    exact = -KT / 2 * math.log(ratio)
    first, second = found.mean_ev_per_atom, found.second_order_ev_per_atom
    assert first == pytest.approx(KT / 2 * (1 - ratio), rel=0.01)
    assert second == pytest.approx(KT / 4 * (1 - ratio) ** 2, rel=0.05)
    assert abs(first + second - exact) < 0.25 * abs(first - exact)


def test_second_order_has_the_other_sign_in_the_ensemble_of_the_teacher():
    random = np.random.default_rng(6)
    teacher, model = oscillators(random, 1.2, 20_000)  # here the teacher moved the atoms
    found = phase_offset(model, teacher, N_ATOMS, T_M, sampler_ev=teacher)
    exact = KT / 2 * math.log(1.2)
    assert found.second_order_ev_per_atom < 0
    assert found.mean_ev_per_atom + found.second_order_ev_per_atom == pytest.approx(exact, rel=0.02)


def test_frames_of_a_third_potential_give_the_difference_of_the_other_two():
    squares = np.random.default_rng(7).normal(0, math.sqrt(KT), (50_000, N_ATOMS)) ** 2
    sampler, model, teacher = (stiffness * squares.sum(axis=1) / 2 for stiffness in (1.0, 1.1, 1.25))
    found = phase_offset(model, teacher, N_ATOMS, T_M, sampler_ev=sampler)
    exact = KT / 2 * math.log(1.1 / 1.25)
    assert abs(found.mean_ev_per_atom - exact) > 0.1 * abs(exact)
    assert found.mean_ev_per_atom + found.second_order_ev_per_atom == pytest.approx(exact, rel=0.05)


def test_uncertainty_of_the_second_order_is_its_scatter_over_sets():
    random = np.random.default_rng(8)
    sets = [offset_of(random.normal(0, 0.001, 12)) for _ in range(3000)]
    values = [each.second_order_ev_per_atom for each in sets]
    uncertainties = [each.second_order_uncertainty_ev_per_atom for each in sets]
    assert np.mean(uncertainties) == pytest.approx(np.std(values), rel=0.06)
    assert np.mean(values) == pytest.approx(N_ATOMS * 1e-6 / (2 * KT), rel=0.02)


def test_second_order_of_the_shift_is_that_of_the_liquid_less_that_of_the_solid():
    solid, liquid = offset_of([0.0, 0.001]), offset_of([0.0, 0.002])
    found = melting_shift(solid, liquid, HEAT, T_M)
    difference = liquid.second_order_ev_per_atom - solid.second_order_ev_per_atom
    assert found.second_order_k == pytest.approx(T_M / 0.12 * difference)
    assert found.second_order_k > 0


def correlated(random, points: int, memory: float, scale: float) -> np.ndarray:
    """Return a series with exponentially fading memory, in points."""
    keep = math.exp(-1 / memory)
    noise = random.normal(0, scale * math.sqrt(1 - keep**2), points)
    noise[0] = random.normal(0, scale)
    for index in range(1, points):
        noise[index] += keep * noise[index - 1]
    return noise


def test_latent_heat_of_correlated_runs_has_an_uncertainty_that_covers():
    random, sets, covered = np.random.default_rng(9), 1000, 0
    for _ in range(sets):
        solid, liquid = (level + correlated(random, 400, 5.0, 0.02) for level in (-3.4, -3.28))
        found = latent_heat(solid, liquid)
        covered += abs(found.ev_per_atom - 0.12) < 2.1 * found.standard_uncertainty_ev_per_atom
        assert 7 <= found.degrees_of_freedom <= 14
    assert 0.92 < covered / sets < 0.98


def test_runs_of_different_lengths_are_weighted_by_point():
    solid, liquid = np.linspace(-1, 1, 11), 5 + np.linspace(-1, 1, 29) ** 3
    found = latent_heat(solid, liquid)
    assert found.ev_per_atom == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("solid", "liquid", "message"),
    [
        (np.zeros(7), np.ones(20), "enthalpies of the solid: shape .7,., at least 8 points are needed"),
        (np.zeros(20), np.full(20, np.nan), "enthalpies of the liquid: not all values are finite"),
        (np.ones(20), np.zeros(20), "the latent heat is -1 eV an atom .* has a phase changed"),
        (np.zeros(20), np.repeat([0.0, -0.2, 0.0, 0.3], 5), "must be clearly positive"),
    ],
)
def test_runs_that_give_no_latent_heat_are_refused(solid, liquid, message):
    with pytest.raises(ValueError, match=message):
        latent_heat(solid, liquid)


@pytest.mark.parametrize("frames", [0, 1])
def test_one_frame_a_phase_is_refused(frames):
    with pytest.raises(ValueError, match=f"{frames} frames given, at least 2 are needed in each phase"):
        phase_offset(np.zeros(frames), np.zeros(frames), N_ATOMS, T_M)


def test_numbers_out_of_range_are_refused():
    energies = np.array([1.0, 2.0])
    with pytest.raises(ValueError, match=r"shapes \[\(2,\), \(3,\)\], one \(f,\) is needed"):
        phase_offset(energies, np.zeros(3), N_ATOMS, T_M)
    with pytest.raises(ValueError, match="n_atoms: 0 given"):
        phase_offset(energies, energies, 0, T_M)
    for temperature in (0.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"temperature_k: .* must be positive and finite"):
            phase_offset(energies, energies, N_ATOMS, temperature)
    with pytest.raises(ValueError, match="the latent heat is 0 eV an atom"):
        melting_shift(offset_of([0, 1]), offset_of([0, 1]), LatentHeat(0.0, 0.1, 7.0), T_M)
