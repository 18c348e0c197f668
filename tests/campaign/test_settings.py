from __future__ import annotations

from pathlib import Path

import pytest
from campaigns import SMALL, write

from aiida_dnpmelt.campaign.settings import MAXIMUM_BYTES, CampaignSettings, JobOptions, read_settings

WHOLE = """\
name: metals
elements: [Cu, Al]
pressures_gpa: [0, 5]
potentials:
  Cu: [Cu_mishin1.eam.alloy, Cu_u3.eam]
  Al: Al_zhou.eam.alloy
"""


def test_short_forms_stand_for_the_long_ones(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(WHOLE)
    settings = read_settings(path)
    assert list(settings.elements) == ["Cu", "Al"]
    assert settings.elements["Cu"].temperature_k is None
    assert settings.sources == {"Cu": ["Cu_mishin1.eam.alloy", "Cu_u3.eam"], "Al": ["Al_zhou.eam.alloy"]}
    assert (settings.mode, settings.protocol, settings.maximum_running) == ("points", "balanced", 2)
    long = {"name": "metals", "elements": {"Cu": None, "Al": {}}, "pressures_gpa": [0.0, 5.0]}
    assert CampaignSettings(**long, potentials=settings.potentials) == settings


def test_references_are_the_sources_where_models_are_learned(tmp_path):
    changes = {"mode": "melting", "potentials": None, "seeds": None, "references": {"Cu": "Cu_u3.eam"}}
    assert read_settings(write(tmp_path, **changes)).sources == {"Cu": ["Cu_u3.eam"]}


def test_options_are_those_of_aiida():
    assert JobOptions().options() == {
        "resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1},
        "withmpi": False,
    }
    options = JobOptions(max_wallclock_seconds=600, mpi_processes=8, queue_name="long", account="me").options()
    assert options["withmpi"]
    assert options["resources"]["num_mpiprocs_per_machine"] == 8
    assert (options["max_wallclock_seconds"], options["queue_name"], options["account"]) == (600, "long", "me")


CRYSTAL = {"lattice": "bcc", "a_angstrom": 3.3}
REFUSED = {
    "name": ({"name": "my metals"}, ":1: name: String should match pattern", "(got 'my metals')"),
    "no name": ({"name": None}, "name: it is needed", ""),
    "mode": ({"mode": "lines"}, "mode: Input should be 'points' or 'melting' (got 'lines')", ""),
    "unknown key": ({"pressure": 1}, "pressure: unknown key, there are name, mode, elements, pressures_gpa", ""),
    "unknown option": ({"options": {"mpi": 2}}, "options.mpi: unknown key, there are max_wallclock_seconds", ""),
    "unknown code": ({"codes": {"lmp": "a"}}, "codes.lmp: unknown key, there are lammps, lammps_deepmd, deepmd", ""),
    "unknown key of an element": (
        {"elements": {"Cu": {"a": 3}}},
        "elements.Cu.a: unknown key, there are structure",
        "",
    ),
    "no element": ({"elements": []}, "elements: Dictionary should have at least 1 item", ""),
    "no symbol": ({"elements": ["cu"]}, "elements: 'cu' is no chemical symbol, Cu may be meant", ""),
    "symbol twice": ({"elements": ["Cu", "Cu"]}, "elements: Cu given twice", ""),
    "elements in a word": ({"elements": "Cu"}, "elements: Input should be a valid dictionary (got 'Cu')", ""),
    "a alone": ({"elements": {"Cu": {"a_angstrom": 3.3}}}, "elements.Cu: a_angstrom: it goes with lattice", ""),
    "two crystals": ({"elements": {"Cu": {"structure": "a", **CRYSTAL}}}, "structure and lattice: give one", ""),
    "c of bcc": ({"elements": {"Cu": {**CRYSTAL, "c_angstrom": 5}}}, "c_angstrom: it goes with lattice: hcp", ""),
    "guess": (
        {"elements": {"Cu": {"temperature_k": 0}}},
        "temperature_k: Input should be greater than 0 (got '0')",
        "",
    ),
    "pressure": ({"pressures_gpa": [0, 5000]}, "pressures_gpa.1: Input should be less than or equal to 1000", "'5000'"),
    "no number": ({"pressures_gpa": [float("nan")]}, "pressures_gpa.0: Input should be a finite number", ""),
    "no pressure": ({"pressures_gpa": []}, "pressures_gpa: List should have at least 1 item", ""),
    "pressure twice": ({"pressures_gpa": [5, 5.0]}, "pressures_gpa: 5 given twice", ""),
    "no potential": ({"elements": ["Cu", "Al"]}, "potentials: Al has none", ""),
    "potential of another": ({"potentials": {"Cu": "a", "Al": "b"}}, "potentials: Al is not among elements", ""),
    "potential by number": ({"potentials": {"Cu": 5}}, "potentials.Cu: Input should be a valid list (got '5')", ""),
    "protocol": ({"protocol": "quick"}, "protocol: 'quick' is not one of balanced, fast, stringent, paper", ""),
    "protocol of the other mode": (
        {"mode": "melting", "potentials": None, "seeds": None, "references": {"Cu": "a"}, "protocol": "stringent"},
        "protocol: 'stringent' is not one of balanced, fast",
        "",
    ),
    "section": ({"overrides": {"plan": 3}}, "overrides.plan: it must be a mapping (got '3')", ""),
    "number as a text": (
        {"overrides": {"plan": {"budget_atom_steps": "1e9"}}},
        "overrides.plan.budget_atom_steps: it must be a number, such as 1.0e+9 (got '1e9')",
        "",
    ),
    "section of a part": (
        {
            "mode": "melting",
            "potentials": None,
            "seeds": None,
            "references": {"Cu": "a"},
            "overrides": {"learning": {"training": {"seeds": 3}}},
        },
        "overrides.learning.training.seeds: it must be a list (got '3')",
        "",
    ),
    "seed": ({"seeds": [0]}, "seeds.0: Input should be greater than or equal to 1 (got '0')", ""),
    "seed twice": ({"seeds": [3, 3]}, "seeds: 3 given twice", ""),
    "references of points": ({"references": {"Cu": "a"}}, "references: it does not go with mode: points", ""),
    "teacher of points": ({"teacher": False}, "teacher: it does not go with mode: points", ""),
    "potentials of melting": ({"mode": "melting"}, "potentials: it does not go with mode: melting", ""),
    "running": ({"maximum_running": 0}, "maximum_running: Input should be greater than or equal to 1 (got '0')", ""),
    "wall time": ({"options": {"max_wallclock_seconds": 1}}, "Input should be greater than or equal to 10", ""),
    "too many": (
        {"pressures_gpa": list(range(1000)), "potentials": {"Cu": [str(n) for n in range(11)]}},
        "11000 cells asked for, 10000 are allowed",
        "",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_values_are_told_with_line_key_and_value(tmp_path, case):
    changes, *messages = REFUSED[case]
    path = write(tmp_path, **changes)
    with pytest.raises(ValueError, match=r"campaign\.yaml:") as caught:
        read_settings(path)
    for message in messages:
        assert message in str(caught.value)


def test_all_problems_are_told_in_the_order_of_their_lines(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(WHOLE.replace("[0, 5]", "[0, 5000]") + "protocl: fast\nmaximum_running: 0\noptions: {mpi: 3}\n")
    with pytest.raises(ValueError, match="pressures") as caught:
        read_settings(path)
    places = [line.removeprefix(f"{path}:").split(": ")[:2] for line in str(caught.value).splitlines()]
    assert places == [["3", "pressures_gpa.1"], ["7", "protocl"], ["8", "maximum_running"], ["9", "options.mpi"]]


def test_checks_of_two_keys_name_the_line_of_the_first(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(WHOLE.replace("[Cu, Al]", "[Cu, Al, Ni]"))
    with pytest.raises(ValueError, match=r"c\.yaml:4: potentials: Ni has none"):
        read_settings(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", r"c\.yaml:1: .*expected"),
        ("name: \x00", r"c\.yaml: no YAML: unacceptable character"),
        ("a: &x [1]\nname: *x\n", r"c\.yaml:2: aliases \(\*x\) are not allowed"),
        ("name: " + "[" * 30 + "]" * 30, r"c\.yaml:1: nested deeper than 20 levels"),
        (f"{WHOLE}name: other\n", r"c\.yaml:7: name is given twice"),
        ("- Cu\n", r"c\.yaml: it must be a mapping"),
        ("", r"c\.yaml: it must be a mapping"),
        ("name: !!python/object/apply:os.system ['true']\n", r"c\.yaml:1: could not determine a constructor"),
        ("name: 2026-13-45\n", r"c\.yaml: no YAML: month must be in 1\.\.12"),
        ("? [a]\n: b\n", r"c\.yaml:1: found unhashable key"),
        ("a: 1\n---\nb: 2\n", r"c\.yaml:2: but found another document"),
        ("#" * (MAXIMUM_BYTES + 1), r"200001 bytes, a campaign has 200000 at most"),
    ],
)
def test_what_is_no_campaign_is_told(tmp_path, text, message):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_settings(path)


def test_bytes_that_are_no_text_are_told(tmp_path: Path):
    path = tmp_path / "c.yaml"
    path.write_bytes(b"name: \xff\xfe\n")
    with pytest.raises(ValueError, match=r"c\.yaml: no YAML: 'utf-8' codec"):
        read_settings(path)


def test_small_campaign_of_the_tests_is_one(tmp_path):
    assert read_settings(write(tmp_path)).name == SMALL["name"]
