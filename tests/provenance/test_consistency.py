from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from aiida_dnpmelt.provenance.consistency import (
    Finding,
    different_settings,
    element_of,
    named_sets,
    named_structures,
    named_temperatures,
    odd_temperatures,
    once,
    phase_of,
    settings_of,
    structures_of,
    temperature_of,
    training_findings,
)


@pytest.mark.parametrize(
    ("place", "symbol"),
    [
        ("DNPs/Al/Al-0.pb", "Al"),
        ("Training Datasets/Mo_TM3.tar.gz/iter_TM3/0_mp-129/2606.4/84/vasprun.xml", "Mo"),
        ("Li/org/Pd_TM7.tar.gz/x/OUTCAR", "Pd"),
        ("data/iter2/Ti/0_mp-72/vacancies/Vac_0/set.000", "Ti"),
        ("Training Datasets/readme/vasprun.xml", None),
    ],
)
def test_element_is_in_the_innermost_name_that_has_one(place, symbol):
    assert element_of(PurePosixPath(place)) == symbol


@pytest.mark.parametrize(
    ("place", "symbol", "temperature"),
    [
        ("iter_TM7/0_mp-2/2193.660/84/vasprun.xml", "Pd", 2193.66),
        ("iter0/T275/2_mp-76/elastic4/vasprun.xml", "Sr", 275.0),
        ("iter_TM1/81.05/43/vasprun.xml", "Kr", 81.05),
        ("TPC/84/vasprun.xml", "Al", None),
        ("2193.660/vasprun.xml", None, None),
        ("1200/vasprun.xml", "Og", None),
        ("02.md/sys-0004/scale-1.000/000400/OUTCAR", "Al", None),
        ("task.000.000900/000900/vasprun.xml", "Al", None),
        ("T0900K/vasprun.xml", "Al", None),
        ("900/000700/vasprun.xml", "Al", 900.0),
    ],
)
def test_numbers_of_frames_are_no_temperatures(place, symbol, temperature):
    assert temperature_of(PurePosixPath(place), symbol) == temperature


def test_phase_of_a_folder():
    places = ("Al/TPC/cont1/vasprun.xml", "iter1/elastic/B222_dist03_1/vasprun.xml", "iter_TM1/933/vasprun.xml")
    assert [phase_of(PurePosixPath(place)) for place in places] == ["interface", "solid", None]
    assert phase_of(PurePosixPath("Ag_TPC.tar.gz/iter_TM1/1235/vasprun.xml")) is None


class TestTemperatures:
    def test_multiples_of_the_own_melting_temperature_fit(self):
        assert odd_temperatures("Pd", [1279.635, 1645.245, 1828.05, 2193.66, 2559.27], {"Pd", "Al"}) == ""

    def test_unknown_element_has_no_rule(self):
        assert odd_temperatures("Og", [1000.0], {"Og"}) == ""

    def test_temperatures_of_another_element_are_told(self):
        words = odd_temperatures("Cu", [1357.77, 1728.15, 2073.78], {"Cu", "Ni", "Al"})
        assert words.startswith("1728.15, 2073.78 K: not 0.25, 0.7, 0.8, 0.9, 1, 1.2 or 1.4 times 1357.77 K")
        assert words.endswith("they are multiples of 1728.15 K, the T_m of Ni")

    def test_only_elements_that_are_there_are_suspected(self):
        words = odd_temperatures("Cu", [1728.15, 2073.78], {"Cu", "Al"})
        assert "Ni" not in words

    def test_another_melting_temperature_of_the_same_element_is_told(self):
        words = odd_temperatures("Nb", [3100.8, 3617.6, 2750.0], {"Nb", "Mo"})
        assert words.endswith("they are multiples of 2584 K, which is -6.0 % off")

    def test_one_that_is_nothing_is_named(self):
        words = odd_temperatures("Al", [933.47, 500.0], {"Al"})
        assert words.startswith("500 K: not ")
        assert words.endswith("the T_m of Al")


def record(**changes):
    usual = {
        "planned_steps": 3_000_000,
        "last_step": 3_000_000,
        "last_learning_rate": 3.5e-8,
        "planned_learning_rate": 3.51e-8,
        "ended": True,
        "type_map": ["Pt"],
    }
    return {**usual, **changes}


def words(findings) -> list[tuple[str, str]]:
    return [(each.rule, each.words) for each in findings]


def test_finished_training_of_one_model_has_nothing_to_find():
    assert training_findings("DNPs/Pt", "Pt", record(), 1) == []


def test_unfinished_training_and_what_is_missing():
    unfinished = record(ended=False, last_step=1_550_000, last_learning_rate=5e-6)
    assert words(training_findings("DNPs/Pt", "Pt", unfinished, 0)) == [
        (
            "training",
            "the training ended at step 1550000 of 3000000, at a learning rate of 5.0e-06 instead of 3.5e-08",
        ),
        ("missing", "no model"),
    ]
    bare = record(planned_steps=None, last_step=None, ended=None)
    assert words(training_findings("DNPs/Sr", "Sr", bare, 3)) == [
        ("missing", "no settings (out.json) of the training"),
        ("missing", "no learning curve (lcurve.out) of the training"),
        ("missing", "settings, learning curve and seeds are those of one of 3 models"),
    ]


def test_data_sets_of_a_training_are_looked_for():
    root = "/cluster/metals/Pt/data"
    systems = [f"{root}/iter_TM4/0_mp-126/2041.4/ssschf/", f"{root}/iter_TM3/0_mp-126/2041.4/ssschf/"]
    present = ["Training Datasets/Pt_TM3.tar.gz/iter_TM3/0_mp-126/2041.4/ssschf"]
    assert words(named_sets("DNPs/Pt", "Pt", systems, present)) == [
        ("missing", "1 of the 2 data sets of the training are not here, as iter_TM4/0_mp-126/2041.4/ssschf")
    ]
    assert named_sets("DNPs/Pt", "Pt", systems[1:], present) == []


def test_data_sets_that_are_named_twice_or_of_another_element_are_told():
    systems = ["/c/Pt/data/iter1/a", "/c/Pt/data/iter1/a", "/c/Pd/data/iter1/b"]
    present = ["Pt_a.tar.gz/iter1/a", "Pt_a.tar.gz/Pd/data/iter1/b"]
    assert words(named_sets("DNPs/Pt", "Pt", systems, present)) == [
        ("training", "the training names 1 data sets twice, as iter1/a: their frames count double"),
        ("element", "the training names data of Pd"),
    ]


@pytest.mark.parametrize(
    ("systems", "own", "others"),
    [
        (["/c/Pt/data/Pd_TPC/x"], [], "Pd"),
        (["/c/Pt/data/iter1/Pd-fcc", "/c/Pt/data/iter1/Au"], [], "Au, Pd"),
        (["/c/Pt/data/Pd_TPC/x"], ["Pd"], ""),
        (["/c/In_progress/Pt/data/iter1/a"], [], ""),
    ],
)
def test_names_of_data_sets_tell_their_element_as_those_of_files_do(systems, own, others):
    found = [text for rule, text in words(named_sets("DNPs/Pt", "Pt", systems, [], own)) if rule == "element"]
    assert found == ([f"the training names data of {others}"] if others else [])


def test_structures_of_another_element_are_told():
    assert structures_of(PurePosixPath("iter_TM7/0_mp-2/2193.660/mp-126_relaxed/x")) == {"mp-2", "mp-126"}
    systems = ["/c/Pt/data/iter1/0_mp-126/a", "/c/Pt/data/iter1/0_mp-2/a", "/c/Pt/data/iter1/0_mp-7/a"]
    owners = {"mp-126": {"Pt": 9}, "mp-2": {"Pd": 40, "Pt": 1}, "mp-7": {"Pt": 1, "Pd": 1}}
    (found,) = named_structures("DNPs/Pt", ["Pt"], systems, owners)
    assert (found.rule, found.words) == ("element", "the training names structures of Pd: mp-2")
    assert named_structures("DNPs/Pt", ["Pt", "Pd"], systems, owners) == []


def test_temperatures_in_the_names_of_data_sets_are_told():
    systems = [f"/c/1200/Cu/data/iter1/{each}/a" for each in (1357.77, 1728.15, 2073.78)]
    (found,) = named_temperatures("DNPs/Cu", "Cu", systems, {"Ni"})
    assert found.words.startswith("the training names data sets at 1728.15, 2073.78 K: not 0.25")
    assert found.words.endswith("they are multiples of 1728.15 K, the T_m of Ni")
    assert named_temperatures("DNPs/Cu", "Cu", systems[:1], {"Ni"}) == []


def test_findings_that_differ_in_numbers_alone_are_one_with_a_count():
    many = [Finding(f"Cu/{n}/run", "Cu", "temperature", f"a run at {n}.5 K in the folder 1e{n}") for n in range(40)]
    other = Finding("Cu/1/set", "Cu", "temperature", "a run at 1 K in the folder 2")
    element = Finding("Cu/1/run", "Ni", "temperature", "a run at 1 K in the folder 2")
    assert once([many[3], other, *many[:3], *many[4:], element]) == [
        many[3]._replace(words=f"{many[3].words} (the first of 40 that differ in numbers alone)"),
        other,
        element,
    ]


def settings(atoms=32, **incar):
    """Return what is compared of a run by the PBE of its POTCAR."""
    known = {"potcars": ["PAW_PBE Al 04Jan2001"], "kpoints": 4, "kpoint_mesh": [2, 2, 2]}
    details = {name: incar.pop(name, value) for name, value in known.items()}
    return settings_of({**details, "incar": incar}, atoms)


def difference(*runs):
    return different_settings("Al", runs).removeprefix("runs of Al differ in ")


def test_settings_that_differ_are_counted():
    runs = [settings(ENCUT=400.0, TEBEG=900.0), settings(ENCUT=520, TEBEG=1000.0), settings(ENCUT=400)]
    assert difference(*runs) == "ENCUT 400 (2 runs), 520 (1 runs)"
    assert difference(runs[0], runs[2]) == ""
    assert difference(settings(), settings(EDIFF=1e-8)) == "EDIFF not set (1 runs), 1e-08 (1 runs)"


@pytest.mark.parametrize(
    ("incar", "words"),
    [
        ({"METAGGA": "SCAN"}, "functional PBE (1 runs), SCAN (1 runs); METAGGA not set (1 runs), SCAN (1 runs)"),
        ({"IVDW": 12}, "functional PBE (1 runs), PBE+D3(BJ) (1 runs); IVDW not set (1 runs), 12 (1 runs)"),
        ({"LHFCALC": True}, "functional PBE (1 runs), PBE0 (1 runs); LHFCALC not set (1 runs), TRUE (1 runs)"),
        ({"PSTRESS": 100.0}, "PSTRESS not set (1 runs), 100 (1 runs)"),
        (
            {"LDAU": True, "LDAUU": [4.0, 0.0]},
            "functional PBE (1 runs), PBE+U(Al d 4) (1 runs); LDAU not set (1 runs), TRUE (1 runs); "
            "LDAUU not set (1 runs), 4 0 (1 runs)",
        ),
        (
            {"potcars": ["PAW_PBE Al_sv_GW 02Feb2008"]},
            "POTCAR PAW_PBE Al 04Jan2001 (1 runs), PAW_PBE Al_sv_GW 02Feb2008 (1 runs)",
        ),
        ({"kpoint_mesh": [3, 3, 3]}, "k-points of 32 atoms 2x2x2 (1 runs), 3x3x3 (1 runs)"),
    ],
)
def test_what_the_energies_depend_on_is_compared(incar, words):
    assert difference(settings(), settings(**incar)) == words


@pytest.mark.parametrize(
    "incar",
    [
        {"LDAU": False, "LDAUU": [4.0, 0.0]},
        {"LHFCALC": False, "AEXX": 0.3},
        {"LUSE_VDW": False, "BPARAM": 15.7},
        {"GGA": "--", "METAGGA": "--", "IVDW": 0, "PSTRESS": 0.0, "ISPIN": 1},
        {"atoms": 64, "kpoint_mesh": [1, 1, 1]},
        {"SYSTEM": "another name"},
        {"potcars": ["PAW_PBE  Al   04Jan2001 "]},
    ],
)
def test_what_changes_nothing_is_no_difference(incar):
    assert difference(settings(), settings(**incar)) == ""


def test_the_same_word_in_other_letters_is_no_difference():
    assert difference(settings(PREC="a", GGA="PE"), settings(PREC=" Accurate", GGA="pe")) == ""
    assert difference(settings(PREC="Normal"), settings(PREC="a")) == "PREC normal (1 runs), accurate (1 runs)"


def test_meshes_made_by_one_spacing_may_differ():
    spacing = {"KSPACING": 0.24}
    assert difference(settings(**spacing), settings(**spacing, kpoint_mesh=[3, 2, 2])) == ""
