from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from physics.labelled import labelled
from pydantic import ValidationError

from aiida_dnpmelt.physics.screening import Screened, ScreeningSettings, screen


def reasons(found: Screened) -> dict[int, str]:
    return {frame["index"]: frame["reason"] for frame in found.dropped}


def frames_of(energies_per_atom: list[float], **changes):
    frames = labelled(len(energies_per_atom))
    return replace(frames, energies_ev=4 * np.array(energies_per_atom), **changes)


def test_good_frames_are_all_kept():
    assert screen(labelled(6), ScreeningSettings()) == Screened(list(range(6)), [])


def test_each_rule_gives_its_reason_the_first_one_counts():
    frames = frames_of([-3.5, 0.31, -313.0, -3.5, 0.31])
    frames.forces_ev_per_angstrom[3, 2] = [30.0, 40.0, 1.0]
    found = screen(frames, ScreeningSettings(), np.array([True, True, True, True, False]))
    assert reasons(found) == {1: "energy", 2: "energy", 3: "force", 4: "unconverged"}
    assert found.kept == [0]
    assert found.dropped[2]["largest_force_ev_per_angstrom"] == pytest.approx(np.sqrt(2501))
    assert found.dropped[0]["energy_ev_per_atom"] == pytest.approx(0.31)


def test_unconverged_frames_stay_if_asked_for():
    found = screen(labelled(2), ScreeningSettings(converged=False), np.array([True, False]))
    assert found.kept == [0, 1]


def test_one_wild_energy_among_few_does_not_hide_itself():
    """With the usual standard deviation no value of n is further than (n-1)/sqrt(n) of them: 2.5 for 8."""
    energies = [-3.50, -3.51, -3.49, -3.50, -3.52, -3.48, -3.50, -3.00]
    assert max(np.abs(np.array(energies) - np.mean(energies)) / np.std(energies)) < 3
    assert reasons(screen(frames_of(energies), ScreeningSettings(energy_sigmas=4))) == {7: "outlier"}


def test_sigma_is_that_of_a_normal_distribution():
    energies = np.random.default_rng(3).normal(-3.5, 0.01, 20_000)
    dropped = len(screen(frames_of(list(energies)), ScreeningSettings(energy_sigmas=2)).dropped)
    assert dropped / 20_000 == pytest.approx(0.0455, abs=0.006)


def test_few_frames_have_no_outlier():
    assert screen(frames_of([-3.5, -3.5, -3.5, -1.0]), ScreeningSettings(energy_sigmas=2)).dropped == []


def test_flags_of_another_length_are_refused():
    with pytest.raises(ValueError, match="converged: 3 values given for 2 frames"):
        screen(labelled(2), ScreeningSettings(), np.ones(3, dtype=bool))


@pytest.mark.parametrize(
    "settings", [{"minimum_energy_ev_per_atom": 1.0}, {"energy_sigmas": 1.0}, {"maximum_force_ev_per_angstrom": 0}]
)
def test_settings_out_of_range(settings):
    with pytest.raises(ValidationError):
        ScreeningSettings(**settings)
