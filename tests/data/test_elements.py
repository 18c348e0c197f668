from __future__ import annotations

import pytest
from ase.data import atomic_numbers, reference_states
from mendeleev.fetch import fetch_table

from aiida_dnpmelt.data.elements import element, elements

GROUPS = {"alkali": 5, "alkaline_earth": 5, "d_block": 29, "p_block": 12, "noble_gas": 4}
PAPER = [  # C. M. Andolina, W. A. Saidi, Digital Discovery 3, 1421 (2024)
    *("Ag", "Al", "Au", "Cu", "Kr", "Ni", "Pb", "Pd", "Pt", "Sr"),
    *("Li", "Mo", "Nb"),
    *("Co", "Mg", "Os", "Re", "Ti", "Zn", "Zr"),
]


def test_table_has_the_elements_of_each_group():
    groups = [data.group for data in elements().values()]
    assert {group: groups.count(group) for group in GROUPS} == GROUPS
    assert len(groups) == 55


def test_melting_temperatures_agree_with_mendeleev():
    table = fetch_table("phasetransitions").dropna(subset="melting_point")
    expected = table.groupby("atomic_number").melting_point.apply(list)
    for symbol, data in elements().items():
        points = expected[atomic_numbers[symbol]]
        assert min(abs(data.melting_temperature - point) for point in points) < 5, (symbol, points)


@pytest.mark.parametrize("symbol", elements())
def test_lattice_agrees_with_the_reference_states_of_ase(symbol):
    data, reference = element(symbol), reference_states[atomic_numbers[symbol]]
    # Te is listed as hcp without its three-atom basis.
    known = reference["symmetry"] in ("fcc", "bcc", "hcp", "diamond") and "basis" not in reference
    assert data.lattice == (reference["symmetry"] if known else "other")
    assert data.a == (reference["a"] if known else None)
    assert data.c == (pytest.approx(data.a * reference["c/a"], abs=1e-3) if data.lattice == "hcp" else None)


@pytest.mark.parametrize("symbol", PAPER)
def test_every_element_of_the_publication_has_a_lattice(symbol):
    assert element(symbol).lattice != "other"


@pytest.mark.parametrize("symbol", elements())
def test_every_number_has_a_source(symbol):
    data = element(symbol)
    assert data.cohesive_energy > 0
    assert data.sources.startswith("CRC97")
    assert "Kittel8" in data.sources
    assert ("AM76" in data.sources) == (data.a is not None)


def test_unknown_element_is_refused_with_the_list():
    with pytest.raises(ValueError, match="element 'Xx' is not in the table, which has: Li Na"):
        element("Xx")


def test_table_cannot_be_changed():
    with pytest.raises(TypeError):
        elements()["Xx"] = element("Cu")
