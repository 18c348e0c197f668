from __future__ import annotations

import pytest

from aiida_dnpmelt.physics.functional import functional_of

COPPER = ["PAW_PBE Cu 22Jun2005"]
OXIDE = ["PAW_PBE Ni_pv 06Sep2000", "PAW_PBE O 08Apr2002"]


@pytest.mark.parametrize(
    ("incar", "potcars", "expected"),
    [
        ({}, COPPER, "PBE"),
        ({"GGA": "--"}, COPPER, "PBE"),
        ({"gga": "PS"}, COPPER, "PBEsol"),
        ({"GGA": "XX"}, COPPER, "XX"),
        ({"METAGGA": "SCAN", "GGA": "PE"}, COPPER, "SCAN"),
        ({"METAGGA": "--", "GGA": "Pe"}, COPPER, "PBE"),
        ({"METAGGA": "r2scan"}, COPPER, "R2SCAN"),
        ({"XC": "SCAN", "GGA": "PE"}, COPPER, "SCAN"),
        ({"xc": "ps"}, COPPER, "PBEsol"),
        ({"XC": "PE"}, COPPER, "PBE"),
        ({}, ["PAW Al 04Jan2001"], "LDA"),
        ({}, ["PAW Al", "PAW_PBE Cu"], ""),
        ({"GGA": "PE"}, [], "PBE"),
        ({}, [], ""),
    ],
)
def test_the_functional_is_that_of_the_settings(incar, potcars, expected):
    assert functional_of(incar, potcars) == expected


@pytest.mark.parametrize(
    ("incar", "expected"),
    [
        ({"LHFCALC": True, "HFSCREEN": 0.2}, "HSE06"),
        ({"lhfcalc": ".TRUE.", "hfscreen": "0.2", "aexx": 0.25}, "HSE06"),
        ({"LHFCALC": True, "HFSCREEN": 0.3}, "HSE03"),
        ({"LHFCALC": True}, "PBE0"),
        ({"LHFCALC": True, "GGA": "PS", "HFSCREEN": 0.2}, "HSEsol"),
        ({"LHFCALC": True, "GGA": "B3", "AEXX": 0.2}, "B3LYP"),
        ({"LHFCALC": True, "HFSCREEN": 0.2, "AEXX": 0.32}, "hybrid PBE(AEXX 0.32, HFSCREEN 0.2)"),
        ({"LHFCALC": False, "HFSCREEN": 0.2}, "PBE"),
    ],
)
def test_hybrids_have_their_names(incar, expected):
    assert functional_of(incar, COPPER) == expected


@pytest.mark.parametrize(
    ("incar", "expected"),
    [
        ({"IVDW": 1}, "PBE+D2"),
        ({"LVDW": True}, "PBE+D2"),
        ({"IVDW": 11}, "PBE+D3"),
        ({"IVDW": 12, "LHFCALC": False}, "PBE+D3(BJ)"),
        ({"IVDW": "13"}, "PBE+D4"),
        ({"IVDW": 20}, "PBE+TS"),
        ({"IVDW": 202}, "PBE+MBD"),
        ({"IVDW": 4}, "PBE+dDsC"),
        ({"IVDW": 99}, "PBE+IVDW=99"),
        ({"IVDW": 0}, "PBE"),
        ({"METAGGA": "SCAN", "LUSE_VDW": True, "BPARAM": 15.7}, "SCAN+rVV10"),
        ({"METAGGA": "R2SCAN", "LUSE_VDW": ".T.", "BPARAM": 11.95}, "R2SCAN+rVV10"),
        ({"LUSE_VDW": True, "IVDW_NL": 2}, "PBE+rVV10"),
        ({"LUSE_VDW": True, "GGA": "RE"}, "vdW-DF"),
        ({"LUSE_VDW": True, "GGA": "ML"}, "vdW-DF2"),
        ({"LUSE_VDW": True, "GGA": "MK"}, "optB86b-vdW"),
        ({"LUSE_VDW": False, "BPARAM": 15.7}, "PBE"),
        ({"METAGGA": "SCAN", "IVDW": 12, "LDAU": True, "LDAUU": 4.0}, "SCAN+U(Cu d 4)+D3(BJ)"),
    ],
)
def test_dispersion_is_named(incar, expected):
    assert functional_of(incar, COPPER) == expected


@pytest.mark.parametrize(
    ("incar", "expected"),
    [
        ({"LDAU": True, "LDAUTYPE": 2, "LDAUU": 4.0}, "PBE+U(Ni d 4)"),
        ({"LDAU": ".TRUE.", "LDAUL": "2 -1", "LDAUU": "6.2 0.0", "LDAUJ": "0.0 0.0"}, "PBE+U(Ni d 6.2)"),
        ({"LDAU": True, "LDAUL": [3.0, -1.0], "LDAUU": [5.0, 3.0], "LDAUJ": [1.0, 0.0]}, "PBE+U(Ni f 4)"),
        ({"LDAU": True, "LDAUTYPE": 1, "LDAUU": [5.0, 0.0], "LDAUJ": [1.0, 0.0]}, "PBE+U(Ni d 5 J 1)"),
        ({"LDAU": True, "LDAUL": [2.0, 1.0], "LDAUU": [4.0, 2.0]}, "PBE+U(Ni d 4, O p 2)"),
        ({"LDAU": True, "LDAUU": [0.0, 0.0]}, "PBE"),
        ({"LDAU": False, "LDAUU": [4.0, 0.0]}, "PBE"),
        ({"LDAUU": [4.0, 0.0]}, "PBE"),
        ({"LDAU": True}, "PBE+U"),
    ],
)
def test_repulsion_has_its_values_where_it_is_on(incar, expected):
    assert functional_of(incar, OXIDE) == expected
