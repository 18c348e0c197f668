from __future__ import annotations

import pytest

from aiida_dnpmelt.physics import units


def test_values_are_those_of_codata_2018():
    assert pytest.approx(8.617333262e-5, rel=1e-9) == units.BOLTZMANN_EV_PER_K
    assert pytest.approx(1.0364269652e-4, rel=1e-9) == units.EV_PER_AMU_A2_PER_PS2


def test_pressure_there_and_back():
    assert units.gpa_to_bar(1.5) == pytest.approx(15000.0)
    assert units.bar_to_gpa(units.gpa_to_bar(0.37)) == pytest.approx(0.37)


def test_energy_of_pressure_times_volume():
    assert units.gpa_a3_to_ev(160.2176634) == pytest.approx(1.0)
