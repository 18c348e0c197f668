from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from physics.labelled import labelled
from pydantic import ValidationError

from aiida_dnpmelt.physics.screening import Screened, ScreeningSettings, highest_energies, screen


def reasons(found: Screened) -> dict[int, str]:
    return {frame["index"]: frame["reason"] for frame in found.dropped}


def frames_of(energies_per_atom: list[float], **changes):
    frames = labelled(len(energies_per_atom))
    return replace(frames, energies_ev=4 * np.array(energies_per_atom), **changes)


def test_good_frames_are_all_kept():
    assert screen(labelled(6), ScreeningSettings()) == Screened(list(range(6)), [])


def test_each_rule_gives_its_reason_the_first_one_counts():
    frames = frames_of([-3.5, 0.45, -313.0, -3.5, 0.45])
    frames.forces_ev_per_angstrom[3, 2] = [30.0, 40.0, 1.0]
    found = screen(frames, ScreeningSettings(), np.array([True, True, True, True, False]))
    assert reasons(found) == {1: "energy", 2: "energy", 3: "force", 4: "unconverged"}
    assert found.kept == [0]
    assert found.dropped[2]["largest_force_ev_per_angstrom"] == pytest.approx(np.sqrt(2501))
    assert found.dropped[0]["energy_ev_per_atom"] == pytest.approx(0.45)


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


class TestBoundOfTheEnergy:
    """Sodium at 100 GPa has 9.75 cubic Angstrom an atom: P V is 6.09 eV, 4.35 of them times 100/140."""

    @staticmethod
    def compressed(energies_per_atom, pressures_gpa, volumes=None, temperature_k=700.0):
        number = len(energies_per_atom)
        volumes = np.full(number, 9.75) if volumes is None else np.array(volumes)
        edges = (4 * volumes) ** (1 / 3)
        virials = np.array(pressures_gpa) * 4 * volumes / 160.2176634
        frames = frames_of(energies_per_atom, temperatures_k=np.full(number, temperature_k))
        return replace(
            frames,
            cells=edges[:, None, None] * np.eye(3),
            virials_ev=virials[:, None, None] * np.eye(3),
        )

    def test_compressed_frames_are_kept(self):
        frames = self.compressed([2.09, 2.07, 2.08], [100.0, 100.0, 100.0])
        assert screen(frames, ScreeningSettings()).dropped == []
        bound = 0.2 + 700 * 8.617333e-5 + 100 * 9.75 / 160.21766 * 100 / 140
        assert highest_energies(frames, ScreeningSettings()) == pytest.approx(bound)

    def test_bound_is_fixed_if_asked_for(self):
        frames = self.compressed([2.09], [100.0])
        settings = ScreeningSettings(bound_follows_state=False)
        assert reasons(screen(frames, settings)) == {0: "energy"}
        assert screen(frames, ScreeningSettings(bound_follows_state=False, maximum_energy_ev_per_atom=3.0)).kept == [0]

    def test_nonsense_is_dropped_all_the_same(self):
        frames = self.compressed([2.09, 30.0, 2.08], [100.0, 100.0, 100.0])
        assert reasons(screen(frames, ScreeningSettings())) == {1: "energy"}

    def test_one_wild_stress_does_not_widen_the_bound(self):
        frames = self.compressed([-3.5, 5.0, -3.5, -3.5], [1.0, 700.0, 1.5, 0.5])
        assert reasons(screen(frames, ScreeningSettings())) == {1: "energy"}

    def test_pressure_that_cannot_be_gives_nothing(self):
        """The first, unconverged step of a published run: 11,825 kB at 0.31 eV an atom."""
        frames = self.compressed([0.312], [1182.5], [16.4], temperature_k=933.47)
        assert reasons(screen(frames, ScreeningSettings())) == {0: "energy"}

    def test_each_volume_of_an_equation_of_state_has_its_own_bound(self):
        energies, volumes = [-3.7, -3.6, -2.0, 1.5, 1.5], [16.5, 15.0, 11.0, 8.0, 16.6]
        frames = self.compressed(energies, [0.0, 8.0, 60.0, 200.0, 0.0], volumes)
        assert reasons(screen(frames, ScreeningSettings())) == {4: "energy"}

    def test_tension_narrows_nothing(self):
        frames = self.compressed([0.1], [-20.0])
        assert highest_energies(frames, ScreeningSettings()) == pytest.approx(0.2 + 700 * 8.617333e-5)

    def test_settings_that_were_stored_before_stay_valid(self):
        old = {
            "converged": True,
            "minimum_energy_ev_per_atom": -20.0,
            "maximum_energy_ev_per_atom": 0.2,
            "maximum_force_ev_per_angstrom": 50.0,
            "energy_sigmas": None,
        }
        assert ScreeningSettings(**old) == ScreeningSettings()
