from __future__ import annotations

import csv
import io
import json

import pytest
from aiida.orm import Int
from click.testing import CliRunner, Result

from aiida_dnpmelt.cli import main
from aiida_dnpmelt.data.potential import PotentialData


@pytest.fixture
def potential(aiida_profile):
    """Give a function that runs `aiida-dnpmelt potential` on the profile of the test."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["potential", *arguments, "--profile", aiida_profile.name])

    return run


@pytest.fixture
def copper(potentials_folder) -> PotentialData:
    return PotentialData.get_or_create(potentials_folder / "Cu_u6.eam", licence="GPL-2.0-only")


@pytest.fixture
def alloy(potentials_folder) -> PotentialData:
    return PotentialData.get_or_create(potentials_folder / "CuNi.eam.alloy")


def test_list_as_a_table(potential, copper):
    lines = potential("list").output.splitlines()
    assert lines[0].split() == [
        "pk",
        "label",
        "pair_style",
        "elements",
        "cutoff_angstrom",
        "origin",
        "licence",
        "training",
    ]
    assert [str(copper.pk), "Cu_u6.eam", "eam", "Cu"] in [line.split()[:4] for line in lines]


def test_list_by_element(potential, copper, alloy):
    rows = json.loads(potential("list", "--element", "Ni", "--format", "json").output)
    labels = [row["label"] for row in rows]
    assert "CuNi.eam.alloy" in labels
    assert "Cu_u6.eam" not in labels
    assert next(row for row in rows if row["pk"] == alloy.pk)["elements"] == ["Ni", "Cu"]


def test_list_as_csv(potential, alloy):
    rows = list(csv.DictReader(io.StringIO(potential("list", "--format", "csv").output)))
    row = next(row for row in rows if row["pk"] == str(alloy.pk))
    assert (row["elements"], float(row["cutoff_angstrom"])) == ("Ni Cu", alloy.cutoff)


def test_list_of_nothing_is_a_heading(potential):
    assert potential("list", "--element", "Xe", "--format", "json").output.strip() == "[]"
    assert len(potential("list", "--element", "Xe").output.splitlines()) == 1


@pytest.mark.parametrize("key", ["pk", "uuid", "label"])
def test_show(potential, copper, key):
    result = potential("show", str(getattr(copper, key)))
    assert result.exit_code == 0, result.output
    assert copper.sha256 in result.output
    assert "pair_style eam; pair_coeff * * Cu_u6.eam" in result.output


def test_show_as_json(potential, copper):
    details = json.loads(potential("show", str(copper.pk), "--format", "json").output)
    assert (details["uuid"], details["licence"]) == (copper.uuid, "GPL-2.0-only")
    assert details["lammps"] == ["pair_style eam", "pair_coeff * * Cu_u6.eam"]


def test_show_of_what_is_no_potential_fails(potential):
    node = Int(1).store()
    result = potential("show", str(node.pk))
    assert result.exit_code == 1
    assert f"node {node.pk} is no potential but a Int" in result.output


def test_show_of_what_does_not_exist_fails(potential):
    assert potential("show", "999999").exit_code == 1
