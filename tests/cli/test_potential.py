from __future__ import annotations

import csv
import io
import json

import pytest
from aiida.orm import Group, Int, SinglefileData
from click.testing import CliRunner, Result
from training_jobs import frames_nodes

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


def test_file_of_the_same_label_is_not_taken_for_a_potential(potential, copper):
    SinglefileData.from_string("what it was imported from", filename="Cu_u6.eam", label=copper.label).store()
    result = potential("show", copper.label)
    assert result.exit_code == 0, result.output
    assert copper.uuid in result.output


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


def test_model_is_tested_and_drawn(potential, finished_training, dp_code, tmp_path):
    model, plot = finished_training.outputs.potential, tmp_path / "parity.png"
    nodes = frames_nodes()
    group = Group(label="copper frames of the tests").store()
    group.add_nodes(list(nodes.values()))
    result = potential("test", str(model.pk), group.label, "--code", dp_code.full_label, "--plot", str(plot))
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == [*(str(node.pk) for node in nodes.values()), "all"]
    assert lines[1].split()[1:4] == ["solid", "8", "yes"]
    assert lines[-1].endswith(f"{plot} written")
    assert plot.read_bytes().startswith(b"\x89PNG")
    again = potential("test", str(model.pk), str(nodes["hot"].pk), "--code", dp_code.full_label, "--format", "json")
    (row,) = json.loads(again.output)
    assert (row["frames"], row["trained_on"]) == (4, "yes")
    assert row["max_force_ev_per_angstrom"] > row["rmse_force_ev_per_angstrom"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{model}", "no such group"], "there is no node and no group 'no such group'"),
        (["{model}", "{model}"], "holds no labelled frames but is a PotentialData"),
        (["{frames}", "{frames}"], "is no potential but a FramesData"),
        (["{model}", "{frames}", "--code", "dp@nowhere"], "run `aiida-dnpmelt setup`"),
        (["{model}", "{frames}", "--code", "{lmp}"], "runs LAMMPS"),
        (["{model}", "{frames}", "--plot", "parity.txt"], "it can be one of .svg, .png, .pdf"),
        (["{eam}", "{frames}", "--code", "{code}"], "opens deepmd models only"),
    ],
)
def test_what_cannot_be_tested_is_refused(potential, finished_training, copper, dp_code, lmp_code, arguments, message):
    known = {
        "model": finished_training.outputs.potential.pk,
        "frames": frames_nodes()["cold"].pk,
        "eam": copper.pk,
        "code": dp_code.full_label,
        "lmp": lmp_code.full_label,
    }
    result = potential("test", *(argument.format(**known) for argument in arguments))
    assert result.exit_code == 1
    assert message in result.output


def test_plot_that_exists_is_kept(potential, finished_training, tmp_path):
    plot = tmp_path / "parity.svg"
    plot.write_text("mine")
    known = str(finished_training.outputs.potential.pk)
    result = potential("test", known, str(frames_nodes()["cold"].pk), "--plot", str(plot))
    assert (result.exit_code, plot.read_text()) == (1, "mine")
    assert "overwrite it by --force" in result.output
