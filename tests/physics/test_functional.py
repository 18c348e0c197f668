from __future__ import annotations

import pytest

from aiida_dnpmelt.physics.functional import functional_of

COPPER = ["PAW_PBE Cu 22Jun2005"]


@pytest.mark.parametrize(
    ("incar", "potcars", "expected"),
    [
        ({}, COPPER, "PBE"),
        ({"GGA": "--"}, COPPER, "PBE"),
        ({"gga": "PS"}, COPPER, "PBEsol"),
        ({"GGA": "XX"}, COPPER, "XX"),
        ({"METAGGA": "SCAN", "GGA": "PE"}, COPPER, "SCAN"),
        ({"LHFCALC": True}, COPPER, "hybrid PBE"),
        ({"lhfcalc": ".TRUE."}, COPPER, "hybrid PBE"),
        ({"LHFCALC": False, "IVDW": 12}, COPPER, "PBE+IVDW=12"),
        ({}, ["PAW Al 04Jan2001"], "LDA"),
        ({}, ["PAW Al", "PAW_PBE Cu"], ""),
        ({"GGA": "PE"}, [], "PBE"),
        ({}, [], ""),
    ],
)
def test_the_functional_is_that_of_the_settings(incar, potcars, expected):
    assert functional_of(incar, potcars) == expected
