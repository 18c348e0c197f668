from __future__ import annotations

import csv
import io
import json

import pytest
from click.testing import CliRunner, Result
from provenance.stored_points import invalid, store

from aiida_dnpmelt.cli import main
from aiida_dnpmelt.provenance.query import DEMO


@pytest.fixture
def listed(aiida_profile_clean):
    """Give a function that runs `aiida-dnpmelt tm list` on the profile of the test."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["tm", "list", *arguments, "--profile", aiida_profile_clean.name])

    return run


def test_what_is_left_out_is_counted_and_can_be_asked_for(listed):
    chains = {
        "old": store(melting_temperature_k=1310.0),
        "good": store(),
        "lost": store(**invalid(pressure_gpa=3.0)),
        "paper": store(method="paper-text", protocol="paper", pressure_gpa=4.0),
        "demo": store(pressure_gpa=5.0),
    }
    chains["demo"].base.extras.set(DEMO, True)
    names = {str(chain.pk): name for name, chain in chains.items()}

    def shown(*arguments: str) -> list[str]:
        lines = listed(*arguments).output.splitlines()
        return [names[line.split()[0]] for line in lines[1:] if line.split()[0] in names and "left out" not in line]

    assert shown() == ["good"]
    assert "4 more left out (1 demo, 1 replication, 1 invalid, 1 superseded)" in listed().output
    assert shown("--all") == ["demo", "paper", "lost", "good", "old"]
    assert shown("--include", "demo", "--include", "superseded") == ["demo", "good", "old"]
    assert shown("--protocol", "paper") == ["paper"]
    assert shown("--verdict", "invalid") == ["lost"]


def test_filters(listed):
    store(atoms=500, lammps_version="2 Aug 2023")
    store(element="Al", melting_temperature_k=930.0, standard_uncertainty_k=9.0, pressure_gpa=2.0)

    def elements(*arguments: str) -> list[str]:
        return [record["element"] for record in json.loads(listed(*arguments, "--format", "json").output)]

    assert elements("--pressure", "1:3") == elements("--temperature", ":1000") == ["Al"]
    assert elements("--uncertainty", ":5") == elements("--lammps-version", "2023") == ["Cu"]
    assert elements("--where", "atoms < 1000") == ["Cu"]
    assert elements("--since", "2100-01-01") == elements("--labeller", "VASP") == elements("--functional", "PBE") == []
    assert elements("--until", "2100-01-01") == ["Al", "Cu"]
    assert elements("--sort", "-temperature") == ["Cu", "Al"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pressure", "much"], "'much' is no range"),
        (["--pressure", "3:1"], "is empty: 3 is more than 1"),
        (["--where", "atomz > 1"], "'atomz' is no key of a melting point"),
        (["--sort", "colour"], "'colour' is no key of a melting point"),
        (["--by", "colour"], "'colour' is no key of a melting point"),
        (["--since", "yesterday"], "does not match"),
        (["--include", "everything"], "is not one of"),
    ],
)
def test_bad_input_names_the_option_and_what_it_takes(listed, arguments, message):
    result = listed(*arguments)
    assert result.exit_code != 0
    assert message in result.output


def test_groups_and_formats(listed):
    store(potential_label="A_1 & B")
    store(protocol="fast", melting_temperature_k=1330.0)
    lines = listed("--by", "element,pressure").output.splitlines()
    assert lines[0].split() == ["element", "pressure_gpa", "points", "verdicts", "T_m/K", "spread/K", "chi2", "pks"]
    assert lines[1].split()[:6] == ["Cu", "0.0", "2", "2", "valid", "1328(3)"]
    (group,) = json.loads(listed("--by", "element", "--format", "json").output)
    assert group["T_m/K"] == pytest.approx(1328.2)
    latex = listed("--format", "latex").output
    assert r"$T_\mathrm{m}$" in latex
    assert r"1326(5) K & 1317 to 1336 K & valid & A\_1 \& B \\" in latex
    rows = list(csv.DictReader(io.StringIO(listed("--format", "csv", "--sort", "temperature").output)))
    assert [row["melting_temperature_k"] for row in rows] == ["1326.4", "1330.0"]
