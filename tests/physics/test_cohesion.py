from __future__ import annotations

import numpy as np
import pytest
from ase.units import kB

from aiida_dnpmelt.data.elements import elements
from aiida_dnpmelt.physics.cohesion import PRINTED, fit, melting_temperature_k, relation_of


def mean_error(mapping: str) -> float:
    """Return the mean absolute error over the elements of the table, in percent."""
    errors = [
        melting_temperature_k(each.cohesive_energy, each.group, mapping) / each.melting_temperature - 1
        for each in elements().values()
    ]
    return 100 * float(np.mean(np.abs(errors)))


@pytest.mark.parametrize(("mapping", "percent"), [("all", 19.4), ("as_printed", 23.7), ("corrected", 8.1)])
def test_errors_over_55_elements(mapping, percent):
    """The publication has 19 % for equation (1), and 10 % for the relations of the groups."""
    assert len(elements()) == 55
    assert mean_error(mapping) == pytest.approx(percent, abs=0.05)


def test_only_two_relations_are_exchanged():
    assert relation_of("alkali").equation == 3
    assert relation_of("alkaline_earth").equation == 2
    assert relation_of("alkali", "as_printed").equation == 2
    for group in ("d_block", "p_block", "noble_gas"):
        assert relation_of(group) is PRINTED[group]


def test_copper_by_hand():
    assert melting_temperature_k(3.49, "d_block") == pytest.approx(0.0346 * 3.49 / 8.617333e-5, rel=1e-5)
    assert melting_temperature_k(3.49, "anything", "all") == pytest.approx(0.032 * 3.49 / 8.617333e-5, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3.5, "f_block"), "group is 'f_block', there are relations of alkali, alkaline_earth"),
        ((3.5, "d_block", "printed"), "mapping is 'printed', it can be one of corrected, as_printed, all"),
        ((-3.5, "d_block"), "-3.5 eV/atom is outside the allowed range 0 < cohesive_energy <= 20"),
        ((float("nan"), "d_block"), "nan eV/atom is outside"),
    ],
)
def test_what_has_no_relation_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        melting_temperature_k(*arguments)


def members(group: str) -> tuple[list[float], list[float]]:
    chosen = [each for each in elements().values() if each.group == group]
    return [each.cohesive_energy for each in chosen], [each.melting_temperature for each in chosen]


@pytest.mark.parametrize(("group", "slope", "offset"), [("alkali", 0.01561, 161.9), ("alkaline_earth", 0.02929, 430.3)])
def test_fit_to_the_data_shows_which_relation_belongs_to_which_group(group, slope, offset):
    found = fit(*members(group))
    assert found.slope == pytest.approx(slope, abs=2e-5)
    assert found.offset_k == pytest.approx(offset, abs=1.0)
    assert relation_of(group).slope == pytest.approx(found.slope, abs=5e-5)
    assert relation_of(group).offset_k == pytest.approx(found.offset_k, abs=1.0)


@pytest.mark.parametrize("group", ["d_block", "noble_gas"])
def test_relations_through_the_origin(group):
    found = fit(*members(group), through_origin=True)
    assert abs(found.slope - relation_of(group).slope) < 3 * found.slope_uncertainty
    assert found.r_squared > 0.97, "about zero, not about the mean"
    assert (found.offset_k, found.offset_uncertainty_k) == (0.0, 0.0)


def test_uncertainties_cover_as_often_as_they_claim():
    random = np.random.default_rng(4)
    energies = np.linspace(1, 8, 12)
    hits = {"slope": 0, "new": 0}
    trials = 600
    for _ in range(trials):
        true = 0.03 * energies / kB + 200.0
        found = fit(energies, true + 150.0 * random.normal(size=len(energies)))
        hits["slope"] += abs(found.slope - 0.03) < 2.228 * found.slope_uncertainty  # Student, 10 degrees of freedom
        value, width = found.temperature_k(5.0)
        hits["new"] += abs(0.03 * 5.0 / kB + 200.0 + 150.0 * random.normal() - value) < width
    for number in hits.values():
        assert 0.92 < number / trials < 0.98


def test_too_few_elements_are_refused():
    with pytest.raises(ValueError, match="2 energies and 2 temperatures given"):
        fit([1.0, 2.0], [300.0, 500.0])
    with pytest.raises(ValueError, match="3 energies and 4 temperatures given"):
        fit([1.0, 2.0, 3.0], [300.0, 500.0, 600.0, 700.0])
