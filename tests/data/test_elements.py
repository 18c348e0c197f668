from __future__ import annotations

import re

import pytest
from ase.data import atomic_numbers, reference_states
from ase.units import kJ, mol
from mendeleev.fetch import fetch_table

from aiida_dnpmelt.data.elements import SOURCES, check_symbol, element, elements
from aiida_dnpmelt.physics.crystals import crystal, lattice_name

GROUPS = {"alkali": 5, "alkaline_earth": 5, "d_block": 29, "p_block": 12, "noble_gas": 4}
PAPER = [  # C. M. Andolina, W. A. Saidi, Digital Discovery 3, 1421 (2024)
    *("Ag", "Al", "Au", "Cu", "Kr", "Ni", "Pb", "Pd", "Pt", "Sr"),
    *("Li", "Mo", "Nb"),
    *("Co", "Mg", "Os", "Re", "Ti", "Zn", "Zr"),
]
MELT_FROM_ANOTHER = {  # by A. T. Dinsdale, Calphad 15, 317 (1991)
    **dict.fromkeys(("Be", "Ca", "Sr", "Sc", "Ti", "Mn", "Y", "Zr", "Hf", "Tl"), "bcc"),
    "Co": "fcc",
}
# Mendeleev's heats of fusion of these are older estimates, misprints (K: 102.5 kJ/mol), or of another form (B).
NOT_BY_MENDELEEV = {"K", "Be", "Ti", "V", "Sr", "Mo", "Ru", "Rh", "Ta", "W", "Ir", "B"}
MOLECULES = {"Br", "I"}


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


def test_lattices_from_which_elements_melt():
    found = {
        symbol: data.melting_lattice for symbol, data in elements().items() if data.melting_lattice != data.lattice
    }
    assert found == MELT_FROM_ANOTHER


@pytest.mark.parametrize("symbol", [symbol for symbol, data in elements().items() if data.melting_a is not None])
def test_crystal_that_melts_has_about_the_volume_of_the_one_at_room_temperature(symbol):
    data = element(symbol)
    melts = crystal(symbol, data.melting_lattice, *data.lengths(data.melting_lattice))
    assert lattice_name(melts) == data.melting_lattice
    if data.a is not None:
        other = crystal(symbol, data.lattice, *data.lengths(data.lattice))
        assert 1.0 <= (melts.get_volume() / len(melts)) / (other.get_volume() / len(other)) < 1.05


def test_fusion_enthalpies_agree_with_mendeleev():
    table = fetch_table("elements").set_index("symbol").fusion_heat
    compared = 0
    for symbol, data in elements().items():
        if data.fusion_enthalpy is None or table.isna()[symbol] or symbol in NOT_BY_MENDELEEV:
            continue
        atoms = 2 if symbol in MOLECULES else 1
        assert atoms * data.fusion_enthalpy / (kJ / mol) == pytest.approx(table[symbol], rel=0.13), symbol
        compared += 1
    assert compared >= 35


@pytest.mark.parametrize("symbol", elements())
def test_entropies_of_fusion_obey_the_rules_of_their_kind(symbol):
    """Richard's rule for what melts from a metal's lattice, close to 1.7 for noble gases, more where bonds change."""
    data = element(symbol)
    if data.fusion_entropy_k is None:
        assert symbol in {"Tc", "Os"}
        return
    low, high = {"fcc": (0.9, 1.9), "bcc": (0.6, 1.75), "hcp": (1.0, 1.8), "diamond": (3.5, 3.7)}.get(
        data.melting_lattice, (1.1, 2.9)
    )
    assert low < data.fusion_entropy_k < high
    if data.group == "noble_gas":
        assert data.fusion_entropy_k == pytest.approx(1.66, abs=0.06)


@pytest.mark.parametrize(
    ("symbol", "lattice", "message"),
    [
        ("Cu", "bcc", "the table has Cu as fcc"),
        ("Ti", "fcc", "the table has Ti as bcc and hcp"),
        ("Mn", "hcp", "the table has Mn as bcc"),
        ("Sb", "other", "the table has no lattice of Sb"),
    ],
)
def test_lattice_that_the_table_lacks_is_refused(symbol, lattice, message):
    with pytest.raises(ValueError, match=message):
        element(symbol).lengths(lattice)


@pytest.mark.parametrize("symbol", PAPER)
def test_every_element_of_the_publication_has_a_lattice(symbol):
    assert element(symbol).lattice != "other"


@pytest.mark.parametrize("symbol", elements())
def test_every_number_has_a_source(symbol):
    data = element(symbol)
    assert data.cohesive_energy > 0
    keys = [re.sub(r" \(.*", "", key) for key in data.sources.split("; ")]
    assert set(keys) <= set(SOURCES)
    assert {"CRC97", "Kittel8"} <= set(keys)
    assert ("AM76" in keys) == (data.a is not None)
    assert ("CRC95f" in keys) == (data.fusion_enthalpy is not None)
    assert ("King" in keys) == (data.melting_lattice != data.lattice)
    assert ("Kittel8m" in keys) == (data.magnetic_moment is not None)


def test_unknown_element_is_refused_with_the_list():
    with pytest.raises(ValueError, match="element 'Xx' is not in the table, which has: Li Na"):
        element("Xx")


def test_table_cannot_be_changed():
    with pytest.raises(TypeError):
        elements()["Xx"] = element("Cu")


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("cu", "Cu"),
        ("CU", "Cu"),
        ("copper", "Cu"),
        ("Coper", "Cu"),
        ("aluminum", "Al"),
        ("wolfram", "W"),
        (" Fe", "Fe"),
    ],
)
def test_what_is_no_symbol_is_refused_with_the_one_that_may_be_meant(text, symbol):
    with pytest.raises(ValueError, match=f"'{text}' is no chemical symbol, {symbol} may be meant"):
        check_symbol(text)
    with pytest.raises(ValueError, match=f"element '{text}' is not in the table, {symbol} may be meant"):
        element(text)


def test_what_nothing_is_like_is_refused_without_a_guess():
    for text in ("Qq", "", "X", "42"):
        with pytest.raises(ValueError, match=f"'{text}' is no chemical symbol$"):
            check_symbol(text)
    check_symbol("U")


@pytest.mark.parametrize("symbol", [symbol for symbol, data in elements().items() if data.melting_a is not None])
def test_volume_of_an_atom_is_that_of_its_crystal(symbol):
    data = element(symbol)
    cell = crystal(symbol, data.melting_lattice, data.melting_a, data.melting_c)
    assert data.atomic_volume(data.melting_lattice) == pytest.approx(cell.get_volume() / len(cell))
    assert data.atomic_volume("other") is None
