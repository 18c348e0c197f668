from __future__ import annotations

import csv
import io
import json
from pathlib import Path

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


def test_import_twice_makes_one_node(potential, potentials_folder, tmp_path):
    path = str(tmp_path / "platinum.eam")
    _, *table = (potentials_folder / "Pt_u3.eam").read_text().splitlines(keepends=True)
    Path(path).write_text("a heading of its own\n" + "".join(table))
    first = potential("import", path, "--origin", "doi:10.1/x", "--licence", "free", "--label", "platinum")
    assert first.exit_code == 0, first.output
    node = PotentialData.find(path)
    assert first.output == f"[OK] potential {node.pk}: platinum, eam, Pt, cutoff 5.3 Angstrom\n"
    assert (node.origin, node.licence) == ("doi:10.1/x", "free")
    again = potential("import", path, "--label", "other")
    assert again.exit_code == 0
    assert f"[OK] potential {node.pk}: platinum" in again.output
    assert "It was stored before" in again.output


def test_import_with_a_pair_style_of_choice(potential, potentials_folder):
    path = str(potentials_folder / "Fe_mm.eam.fs")
    result = potential("import", path, "--pair-style", "eam/alloy")
    assert result.exit_code == 0, result.output
    assert PotentialData.find(path, "eam/alloy").type_map == ["Fe"]


def test_import_of_a_model_runs_one_job(potential, tiny_model, tmp_path, dp_code):
    model = tmp_path / "model.pb"
    # An unknown, empty field of the protocol buffer: another file, the same model.
    model.write_bytes(tiny_model.read_bytes() + b"\xfa\xff\x7f\x00")
    first = potential("import", str(model), "--origin", "a test", "--code", dp_code.full_label)
    assert first.exit_code == 0, first.output
    node = PotentialData.find(model)
    assert f"[OK] potential {node.pk}: model.pb, deepmd, Cu Ni, cutoff 3.5 Angstrom" in first.output
    assert (node.origin, node.creator.label) == ("a test", "show_model.pb")
    again = potential("import", str(model), "--code", "not-needed@localhost")
    assert f"[OK] potential {node.pk}: model.pb" in again.output
    assert "It was stored before" in again.output


def test_import_of_a_model_without_a_code_names_the_remedy(potential, tmp_path):
    (tmp_path / "graph.pb").write_text("never stored")
    result = potential("import", str(tmp_path / "graph.pb"), "--code", "dp@nowhere")
    assert result.exit_code == 1
    assert "aiida-dnpmelt setup" in result.output


@pytest.mark.parametrize(
    ("name", "message"), [("broken.eam", "'broken.eam' is not a file for"), ("library.meam", "does not tell")]
)
def test_import_of_a_wrong_file_fails_with_the_reason(potential, tmp_path, name, message):
    (tmp_path / name).write_text("no potential")
    result = potential("import", str(tmp_path / name))
    assert result.exit_code == 1
    assert message in result.output


def test_import_of_a_missing_file_fails(potential, tmp_path):
    assert potential("import", str(tmp_path / "none.eam")).exit_code == 2


def test_list_as_a_table(potential, copper):
    lines = potential("list").output.splitlines()
    assert lines[0].split() == ["pk", "label", "pair_style", "elements", "cutoff_angstrom", "origin", "licence"]
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
