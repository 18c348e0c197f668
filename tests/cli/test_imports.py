from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from aiida.orm import ProcessNode, QueryBuilder, load_node
from click.testing import CliRunner, Result
from physics.synthetic_frames import copper_frames
from provenance.deepmd_files import arrays_of, write_set
from vasp_files import vasprun

from aiida_dnpmelt.cli import main
from aiida_dnpmelt.data.potential import PotentialData


@pytest.fixture
def imports(aiida_profile):
    """Give a function that runs `aiida-dnpmelt import` on the profile of the test."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["import", *arguments, "--profile", aiida_profile.name])

    return run


def test_import_twice_makes_one_node(imports, potentials_folder, tmp_path):
    path = str(tmp_path / "platinum.eam")
    _, *table = (potentials_folder / "Pt_u3.eam").read_text().splitlines(keepends=True)
    Path(path).write_text("a heading of its own\n" + "".join(table))
    first = imports("potential", path, "--origin", "doi:10.1/x", "--licence", "free", "--label", "platinum")
    assert first.exit_code == 0, first.output
    node = PotentialData.find(path)
    assert first.output == f"[OK] potential {node.pk}: platinum, eam, Pt, cutoff 5.3 Angstrom\n"
    assert (node.origin, node.licence) == ("doi:10.1/x", "free")
    again = imports("potential", path, "--label", "other")
    assert again.exit_code == 0
    assert f"[OK] potential {node.pk}: platinum" in again.output
    assert "It was stored before" in again.output


def test_what_lammps_leaves_out_of_a_file_is_told_and_kept(imports, potentials_folder, tmp_path, aiida_profile):
    path = tmp_path / "more.eam"
    path.write_text((potentials_folder / "Pt_u3.eam").read_text() + "\nfitted in a hurry\n")
    result = imports("potential", str(path))
    assert result.exit_code == 0, result.output
    assert "[!] line 306: LAMMPS leaves out 'fitted in a hurry' and what follows after the last table." in result.output
    assert len(PotentialData.find(path).remarks) == 1


def test_import_of_a_potential_of_the_lammps_package_by_its_name(imports):
    result = imports("potential", "Ag_u3.eam", "--label", "silver")
    assert result.exit_code == 0, result.output
    assert "Ag_u3.eam is taken from the LAMMPS package" in result.output


def test_import_with_a_pair_style_of_choice(imports, potentials_folder):
    path = str(potentials_folder / "Fe_mm.eam.fs")
    result = imports("potential", path, "--pair-style", "eam/alloy")
    assert result.exit_code == 0, result.output
    assert PotentialData.find(path, "eam/alloy").type_map == ["Fe"]


def test_import_of_a_model_runs_one_job(imports, tiny_model, tmp_path, dp_code):
    model = tmp_path / "model.pb"
    # An unknown, empty field of the protocol buffer: another file, the same model.
    model.write_bytes(tiny_model.read_bytes() + b"\xfa\xff\x7f\x00" * 4)
    first = imports("potential", str(model), "--origin", "a test", "--code", dp_code.full_label)
    assert first.exit_code == 0, first.output
    node = PotentialData.find(model)
    assert f"[OK] potential {node.pk}: model.pb, deepmd, Cu Ni, cutoff 3.5 Angstrom" in first.output
    assert (node.origin, node.creator.label) == ("a test", "show_model.pb")
    assert f"{dp_code.full_label} opens model.pb in a job" in first.stderr
    again = imports("potential", str(model), "--code", "not-needed@localhost")
    assert again.stderr == ""
    assert f"[OK] potential {node.pk}: model.pb" in again.output
    assert "It was stored before" in again.output


def test_import_of_a_model_without_a_code_names_the_remedy(imports, tmp_path):
    (tmp_path / "graph.pb").write_text("never stored")
    result = imports("potential", str(tmp_path / "graph.pb"), "--code", "dp@nowhere")
    assert result.exit_code == 1
    assert "aiida-dnpmelt setup" in result.output


@pytest.mark.parametrize(
    ("name", "message"), [("broken.eam", "'broken.eam' is not a file for"), ("library.meam", "does not tell")]
)
def test_import_of_a_wrong_file_fails_with_the_reason(imports, tmp_path, name, message):
    (tmp_path / name).write_text("no potential")
    result = imports("potential", str(tmp_path / name))
    assert result.exit_code == 1
    assert message in result.output


def test_import_of_a_missing_file_fails(imports, tmp_path):
    assert imports("potential", str(tmp_path / "none.eam")).exit_code == 2


def test_model_whose_training_had_not_ended_says_so_everywhere(imports, tiny_model, tmp_path, dp_code, aiida_profile):
    model = tmp_path / "model.pb"
    model.write_bytes(tiny_model.read_bytes() + b"\xfa\xff\x7f\x00\xfa\xff\x7f\x00")
    settings = {"model": {"type_map": ["Cu", "Ni"]}, "training": {"numb_steps": 3_000_000}}
    (tmp_path / "out.json").write_text(json.dumps(settings))
    (tmp_path / "lcurve.out").write_text("#  step  rmse_trn  lr\n 218000  1.0e-01  9.0e-04\n")
    result = imports("potential", str(model), "--code", dp_code.full_label)
    assert result.exit_code == 0, result.output
    assert "[!] training unfinished: step 218000 of 3000000" in result.output
    node = PotentialData.find(model)
    assert node.training["models_beside"] == 1
    for command in ("list", "show"):
        words = ["potential", command, *([str(node.pk)] if command == "show" else []), "--profile", aiida_profile.name]
        assert "training unfinished: step 218000 of 3000000" in CliRunner().invoke(main, words).output
    assert node.creator.inputs.learning_curve.filename == "lcurve.out"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"input.json": b""}, "input.json beside it is empty"),
        ({"input.json": b"{", "lcurve.out": b"\xff\xfe\x00"}, "input.json beside it is no JSON"),
        (
            {"out.json": b'{"model":{"type_map":["Cu","Ni"]},"_comment":"M\xfcller","training":{"numb_steps":10}}'},
            "out.json beside it holds bytes that are no text (UTF-8)",
        ),
        ({"out.json": b"{", "input.json": b'{"training": {"numb_steps": 10}}'}, ""),
    ],
)
def test_broken_file_beside_a_model_is_a_remark(imports, tiny_model, tmp_path, dp_code, files, words):
    model = tmp_path / "model.pb"
    # An unknown field of the protocol buffer, other for each: other files, the same model.
    model.write_bytes(
        tiny_model.read_bytes() + b"\xfa\xff\x7f\x20" + str(sorted(files.items())).encode().hex()[-32:].encode()
    )
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    result = imports("potential", str(model), "--code", dp_code.full_label)
    assert result.exit_code == 0, result.output
    node = PotentialData.find(model)
    assert node.training_flaw.startswith(words)
    assert (f"[!] {words}" in result.output) is bool(words)
    assert node.unfinished == ""
    if not words:
        assert node.training["planned_steps"] == 10


@pytest.mark.parametrize(
    "name", ["model.pt", "graph.pbtxt", "model.dp", "model.savedmodel", "model.ckpt.index", "M.PT"]
)
def test_model_that_is_not_frozen_gets_advice(imports, tmp_path, name):
    (tmp_path / name).mkdir() if name.endswith("savedmodel") else (tmp_path / name).write_bytes(bytes(range(256)))
    for options in ([], ["--pair-style", "deepmd"]) if (tmp_path / name).is_file() else ([],):
        result = imports("potential", str(tmp_path / name), *options)
        assert result.exit_code == 1
        assert f"'{name}' is no frozen DeePMD model in one file (.pb, .pth, .pt2)" in result.output
        assert "`dp freeze`" in result.output
        assert "eam" not in result.output


def test_folder_is_no_potential(imports, tmp_path):
    (tmp_path / "model.pb").mkdir()
    result = imports("potential", str(tmp_path / "model.pb"))
    assert result.exit_code == 1
    assert "is a folder: give the file of a potential" in result.output


def test_training_of_another_model_is_refused(imports, tiny_model, tmp_path, dp_code):
    model = tmp_path / "model.pb"
    model.write_bytes(tiny_model.read_bytes() + b"\xfa\xff\x7f\x00" * 3)
    (tmp_path / "out.json").write_text(json.dumps({"model": {"type_map": ["Al"]}, "training": {}}))
    result = imports("potential", str(model), "--code", dp_code.full_label)
    assert result.exit_code == 1
    assert "its type map is ['Al'], that of the model ['Cu', 'Ni']" in result.output


@pytest.fixture
def runs(tmp_path) -> Path:
    for name, frames in (("good", copper_frames(3, seed=31)), ("bad", copper_frames(1, seed=32))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vasprun.xml").write_text(vasprun(frames, changes=[1e-8, 1e-8, 2.0][-len(frames) :]))
    return tmp_path


def test_dataset_says_what_became_of_each_source(imports, runs):
    result = imports("dataset", str(runs), "--origin", "doi:10.1/x")
    assert result.exit_code == 0, result.output
    assert "good/vasprun.xml" in result.output
    assert result.output.endswith("2 sources (2 stored): 2 usable frames; dropped: 2 unconverged\n")
    rows = json.loads(imports("dataset", str(runs), "--format", "json").output)
    assert [(row["source"], row["state"], row["usable"], row["dropped"], row["remark"]) for row in rows] == [
        ("bad/vasprun.xml", "known", 0, ["1 unconverged"], "1 of 3 ionic steps"),
        ("good/vasprun.xml", "known", 2, ["1 unconverged"], ""),
    ]
    assert load_node(rows[1]["usable_pk"]).creator.inputs.frames.pk == rows[1]["pk"]
    assert load_node(rows[1]["pk"]).base.attributes.get("origin") == "doi:10.1/x"


def test_unconverged_frames_are_kept_on_demand(imports, runs):
    result = imports("dataset", str(runs), "--keep-unconverged", "--format", "json")
    assert [row["usable"] for row in json.loads(result.output)] == [1, 3]


def test_highest_energy_is_an_option(imports, tmp_path):
    frames = copper_frames(3, seed=61)
    path = tmp_path / "vasprun.xml"
    path.write_text(vasprun(replace(frames, energies_ev=frames.energies_ev + 32 * 1.5)))
    kept = {}
    for options in ((), ("--highest-energy", "3")):
        result = imports("dataset", str(path), "--format", "json", *options)
        assert result.exit_code == 0, result.output
        (row,) = json.loads(result.stdout)
        kept[options] = (row["usable"], row["dropped"])
    assert kept == {(): (0, ["3 energy"]), ("--highest-energy", "3"): (3, [])}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sigmas", "1"], "screening.energy_sigmas: Input should be greater than or equal to 2 (got 1.0)"),
        (["--temperature", "-1"], "--temperature: -1 K is outside the allowed range 0 to 20000 K"),
        (["--phase", "gas"], "'gas' is not one of 'solid', 'liquid', 'interface'"),
    ],
)
def test_dataset_refuses(imports, runs, options, message):
    result = imports("dataset", str(runs), *options)
    assert result.exit_code != 0
    assert message in result.output


def test_dataset_of_another_element_is_refused_with_a_status(imports, runs):
    result = imports("dataset", str(runs), "--element", "Ag")
    assert result.exit_code == 1
    assert "element is Ag, the frames hold Cu" in result.output
    assert "2 refused" in result.output


def test_table_is_printed_and_the_others_are_stored_when_a_source_is_bad(imports, runs):
    write_set(runs / "a_part", copper_frames(4, seed=33), 2, without=["virial"])
    write_set(runs / "b_cut", copper_frames(1, seed=34))
    (runs / "b_cut" / "set.000" / "force.npy").write_bytes(b"cut")
    result = imports("dataset", str(runs), "--temperature", "300")
    assert result.exit_code == 1
    assert "no stress in 1 of 2 parts (set.001)" in " ".join(result.output.split())
    assert result.output.splitlines()[-1].startswith("4 sources (2 ")
    rows = json.loads(imports("dataset", str(runs), "--temperature", "300", "--format", "json").output)
    assert {row["source"]: row["state"] for row in rows} == {
        "a_part": "refused",
        "b_cut": "refused",
        "bad/vasprun.xml": "known",
        "good/vasprun.xml": "known",
    }


def test_import_of_nothing_does_not_end_well(imports, tmp_path):
    write_set(tmp_path / "Cu", copper_frames(1, seed=35), **arrays_of(copper_frames(1, seed=35), 0))
    for words in (["dataset", str(tmp_path)], ["repository", str(tmp_path), "--name", "nothing"]):
        result = imports(*words)
        assert result.exit_code == 1, result.output
        assert "no frames" in result.output


@pytest.mark.parametrize("content", [b"LAMMPS (22 Jul 2025)\n", b"ITEM: TIMESTEP\n0\n", bytes(range(256)) * 9, b""])
def test_file_of_another_kind_is_refused(imports, tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    result = imports("dataset", str(tmp_path / "file"))
    assert result.exit_code == 1
    assert "is no vasprun.xml and no OUTCAR" in result.output or "is empty" in result.output
    assert "lost" not in result.output


def test_repository_with_a_bad_source_has_a_status(imports, tmp_path):
    write_set(tmp_path / "Cu" / "a", copper_frames(1, seed=36), without=["virial"])
    write_set(tmp_path / "Cu" / "1357.77" / "b", copper_frames(1, seed=37, rattle=0.05))
    result = imports("repository", str(tmp_path), "--name", "status")
    assert result.exit_code == 1
    assert "refused Cu 0 usable frames: Cu/a (no stress, which training on pressures needs)" in result.stderr
    assert "0 models and 1 usable frames of 1 elements" in result.stdout


def test_folder_without_frames_is_refused(imports, tmp_path):
    result = imports("dataset", str(tmp_path))
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")


def test_repository_is_taken_in_with_a_table_of_what_does_not_fit(imports, tmp_path, dp_code):
    folder = tmp_path / "some work" / "Cu" / "1728.15" / "1"
    folder.mkdir(parents=True)
    (folder / "vasprun.xml").write_text(vasprun(copper_frames(3, seed=71, rattle=0.05), {"NSW": 3}))
    root = str(tmp_path / "some work")
    result = imports("repository", root, "--name", "work", "--licence", "CC0-1.0")
    assert result.exit_code == 0, result.output
    assert "stored Cu 3 usable frames" in result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["element", "rule", "place", "words"]
    assert any("a run at 1200 K in the folder 1728.15" in line for line in lines)
    assert lines[-2:] == ["0 models and 3 usable frames of 1 elements; 2 findings", "  group work/Cu"]
    again = imports("repository", root, "--name", "work", "--format", "json")
    rules = [finding["rule"] for finding in json.loads(again.stdout)]
    assert rules == ["temperature", "temperature"]
    (tmp_path / "empty").mkdir()
    nothing = imports("repository", str(tmp_path / "empty"))
    assert nothing.exit_code == 1
    assert "holds no models and no labelled frames" in nothing.output


def test_code_of_another_program_is_refused_before_a_job(imports, lmp_code, tmp_path):
    (tmp_path / "graph.pb").write_bytes(b"some model that nobody has seen")
    before = QueryBuilder().append(ProcessNode).count()
    result = imports("potential", str(tmp_path / "graph.pb"), "--code", lmp_code.full_label)
    assert result.exit_code == 1
    assert f"'{lmp_code.full_label}' runs LAMMPS (" in result.output
    assert "DeePMD-kit is needed" in result.output
    assert QueryBuilder().append(ProcessNode).count() == before
