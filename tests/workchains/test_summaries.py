"""What work chains say of their results in a line: one notation for every number with an uncertainty."""

from __future__ import annotations

import pytest

from aiida_dnpmelt.workchains.finite_size import size_summary
from aiida_dnpmelt.workchains.melting import melting_summary
from aiida_dnpmelt.workchains.melting_properties import properties_summary
from aiida_dnpmelt.workchains.tpc import summary


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [(926.72, 0.41, "926.7(4) K"), (1321.3, 20.9, "1321(21) K"), (926.72, 0.0, "927 K"), (926.72, None, "927 K")],
)
def test_melting_temperatures_are_told_in_one_notation(value, uncertainty, text):
    point = {"melting_temperature_k": value, "standard_uncertainty_k": uncertainty, "verdict": "valid"}
    assert summary({**point, "seeds_used": [1, 2]}) == f"T_m = {text} (valid, 2 runs)"
    names = ("corrected_melting_temperature_k", "teacher_melting_temperature_k")
    known = dict.fromkeys(("corrected_uncertainty_k", "teacher_uncertainty_k"), uncertainty)
    told = f"T_m = {text}, corrected to the teacher {text}; the teacher's own {text} (valid)"
    assert melting_summary({**point, **dict.fromkeys(names, value), **known}) == told
    study = {
        "atoms": [512, 1024],
        "gaps": [],
        "infinite_temperature_k": value,
        "infinite_uncertainty_k": uncertainty,
        "size_effect_resolved": False,
        "verdict": "valid",
    }
    told = f"T_m at infinite size = {text}, no effect of the size is resolved (valid, 2 of 2 sizes)"
    assert size_summary(study) == told


def test_what_melting_changes_is_told_in_the_same_notation():
    values = {
        "volume_of_melting_angstrom3": 0.51234,
        "volume_of_melting_uncertainty_angstrom3": 0.0042,
        "enthalpy_of_melting_ev": 0.13456,
        "enthalpy_of_melting_uncertainty_ev": 0.00012,
        "slope_k_per_gpa": 36.26,
        "slope_uncertainty_k_per_gpa": 0.61,
    }
    told = "dV = 0.512(4) A^3/atom, dH = 0.13456(12) eV/atom, dT_m/dP = 36.3(6) K/GPa"
    assert properties_summary(values) == told
