from __future__ import annotations

import pytest

from aiida_dnpmelt.campaign.cells import Cell, cell_of, cells_of
from aiida_dnpmelt.campaign.settings import CampaignSettings

SUMS = {"a": "ab" * 32, "b": "cd" * 32, "c": "ef" * 32}


def settings(**changes) -> CampaignSettings:
    values = {
        "name": "metals",
        "elements": ["Cu", "Al"],
        "pressures_gpa": [5, 0, -1],
        "potentials": {"Cu": ["a", "b"], "Al": "c"},
    }
    return CampaignSettings(**{**values, **changes})


def test_low_pressures_come_first_then_the_order_of_the_file():
    cells = cells_of(settings(), {("Cu", "a"): SUMS["a"], ("Cu", "b"): SUMS["b"], ("Al", "c"): SUMS["c"]})
    assert [(cell.pressure_gpa, cell.element, cell.potential) for cell in cells] == [
        (pressure, *which) for pressure in (0, -1, 5) for which in (("Cu", "a"), ("Cu", "b"), ("Al", "c"))
    ]
    assert len({cell.key for cell in cells}) == len(cells)


@pytest.mark.parametrize("pressure", [0.0, -0.0, 5.0, -1.5, 1.0312e-4, 1e-7, 999.9999999])
def test_a_key_tells_its_cell(pressure):
    cell = Cell("my_metals.v2", "Cu", pressure, "a", SUMS["a"])
    found = cell_of(cell.key, "a")
    assert (found.campaign, found.element, found.pressure_gpa) == ("my_metals.v2", "Cu", pressure)
    assert SUMS["a"].startswith(found.checksum)
    assert found.key == cell.key


def test_key_in_words_is_stable():
    """Keys are in profiles: another spelling would submit everything anew."""
    assert Cell("metals", "Cu", 5.0, "a", SUMS["a"]).key == "metals/Cu_5gpa_abababababab"
    assert str(Cell("metals", "Cu", 0.5, "a", SUMS["a"])) == "Cu 0.5 GPa a"


@pytest.mark.parametrize("label", ["", "cu4_0gpa_seed_1", "metals/Cu", "a/b/Cu_5gpa_abababababab"])
def test_other_labels_are_no_keys(label):
    assert cell_of(label) is None


def test_one_potential_under_two_names_is_told():
    with pytest.raises(ValueError, match=r"potentials\.Cu: a and b are one file"):
        cells_of(settings(), {("Cu", "a"): SUMS["a"], ("Cu", "b"): SUMS["a"], ("Al", "c"): SUMS["c"]})
