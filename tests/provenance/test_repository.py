from __future__ import annotations

import json
import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from aiida.orm import Group, InstalledCode, Node, QueryBuilder
from physics.synthetic_frames import copper_frames
from provenance.deepmd_files import write_mixed, write_raw, write_set
from vasp_files import vasprun

from aiida_dnpmelt.calculations.deepmd_systems import write_system
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.provenance.repository import RepositoryImport

SHARED = os.environ.get("DNPMELT_SHARED_DATA")
CURVE = (
    "#  step      rmse_trn    rmse_e_trn    rmse_f_trn         lr\n    {step}   1.0e+00   1.0e-03   1.0e-01   {rate}\n"
)
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"


CU, NI = "Training sets/Cu_TM1.tar.gz", "Training sets/Ni_TM1.tar.gz"
MISSING = "stands for a file that is not here: run `git lfs pull`"
MULTIPLES = "not 0.25, 0.7, 0.8, 0.9, 1, 1.2 or 1.4 times 1357.77 K, the T_m of Cu"
FINDINGS = [
    ("Ag", "file", "DNPs/Ag/Ag-0.pb", MISSING),
    ("Ag", "missing", "DNPs/Ag", "no settings (out.json) of the training"),
    ("Ag", "missing", "DNPs/Ag", "no learning curve (lcurve.out) of the training"),
    ("Cu", "file", "DNPs/Cu/Cu-1.pb", "the same model as DNPs/Cu/Cu-0.pb"),
    ("Cu", "labels", CU, "1 parts of runs under other names (as bp_vasprun.xml), left alone"),
    (
        "Cu",
        "labels",
        CU,
        "1 of 7 frames cannot be trained on (1 unconverged); 1 of 1 data sets hold such frames (1 unconverged); "
        "2 frames of the .raw files were left out of 1 data sets made of them, for reasons not on record",
    ),
    ("Cu", "missing", "DNPs/Cu", "settings, learning curve and seeds are those of one of 3 models"),
    ("Cu", "missing", "DNPs/Cu", "1 of the 2 data sets of the training are not here, as iter9/1357.77/set"),
    (
        "Cu",
        "missing",
        CU,
        f"1 folders hold the structure of a run and no results, as {CU}/iter1/2073.78/3",
    ),
    ("Cu", "settings", "", "runs of Cu differ in ENCUT not set (2 runs), 520 (1 runs)"),
    (
        "Cu",
        "temperature",
        CU,
        f"1728.15, 2073.78 K: {MULTIPLES}; they are multiples of 1728.15 K, the T_m of Ni",
    ),
    (
        "Cu",
        "temperature",
        f"{CU}/iter1/1728.15/3/vasprun.xml",
        "a run at 1600 K in the folder 1728.15",
    ),
    (
        "Cu",
        "training",
        "DNPs/Cu",
        "the training ended at step 400 of 1000, at a learning rate of 1.0e-05 instead of 1.0e-08",
    ),
    (
        "Cu",
        "training",
        "DNPs/Cu",
        "the training names 1 data sets twice, as iter1/1357.77/set: their frames count double",
    ),
    ("Ni", "element", f"{NI}/1728.15/4/vasprun.xml", "refused: element is Ni, the frames hold Cu"),
    ("Pd", "file", "Training sets/Pd_TM1.tar.gz", MISSING),
]
"""What does not fit in the repository of `clone`: element, rule, place and words."""


def write_run(folder: Path, frames, **options) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    incar = {"NSW": len(frames), **options.pop("incar", {})}
    (folder / "vasprun.xml").write_text(vasprun(frames, incar, **options))


def training(systems, steps: int = 1000) -> str:
    content = {
        "model": {"type_map": ["Cu", "Ni"], "descriptor": {"seed": 1}},
        "learning_rate": {"stop_lr": 1e-8},
        "training": {"numb_steps": steps, "seed": 5, "training_data": {"systems": systems}},
    }
    return json.dumps(content)


def pack(folder: Path, archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        for each in sorted(folder.iterdir()):
            tar.add(each, each.name)
    shutil.rmtree(folder)


@pytest.fixture
def clone(tmp_path, tiny_model) -> Path:
    """Give a repository in which this and that is wrong."""
    root = tmp_path / "invented"
    models = root / "DNPs" / "Cu"
    models.mkdir(parents=True)
    # Unknown, empty fields of the protocol buffer: other files, the same model.
    for number, field in enumerate((b"\xfa\xff\x7f\x00", b"\xfa\xff\x7f\x00", b"\xea\xff\x7f\x00")):
        (models / f"Cu-{number}.pb").write_bytes(tiny_model.read_bytes() + field)
    names = ["iter1/1357.77/set", "iter1/1357.77/set", "iter9/1357.77/set"]
    (models / "out.json").write_text(training([f"/somewhere/Cu/data/{name}" for name in names]))
    (models / "lcurve.out").write_text(CURVE.format(step=400, rate="1.0e-05"))
    (root / "DNPs" / "Ag").mkdir()
    (root / "DNPs" / "Ag" / "Ag-0.pb").write_text(POINTER)
    (root / "LICENSE").write_text("\n  Some free licence\n\nText\n")

    data = tmp_path / "data" / "iter1"
    hot, odd = copper_frames(5, seed=41, rattle=0.05), copper_frames(2, seed=42, rattle=0.05)
    incar = {"TEBEG": 1357.77, "TEEND": 1357.77}
    write_run(data / "1357.77" / "3", hot, incar=incar, changes=[1e-8, 1.0, 1e-8, 1e-8, 1e-8])
    write_system(data / "1357.77" / "set", hot.take([0, 1, 2]), ["Cu"])
    (data / "1357.77" / "set" / "energy.raw").write_text("-1.0\n" * 5)
    write_run(data / "1728.15" / "3", odd, incar={"TEBEG": 1600.0, "TEEND": 1600.0, "ENCUT": 520.0})
    bare = data / "2073.78" / "3"
    bare.mkdir(parents=True)
    (bare / "POSCAR").write_text("Cu\n")
    (data / "1357.77" / "3" / "POTCAR").write_text("a licensed text")
    (data / "1357.77" / "3" / "bp_vasprun.xml").write_text("")
    pack(tmp_path / "data", root / "Training sets" / "Cu_TM1.tar.gz")

    wrong = tmp_path / "wrong"
    write_run(wrong / "1728.15" / "4", copper_frames(2, seed=43), incar={"TEBEG": 1728.15, "TEEND": 1728.15})
    pack(wrong, root / "Training sets" / "Ni_TM1.tar.gz")
    (root / "Training sets" / "Pd_TM1.tar.gz").write_text(POINTER)
    whole = {"TEBEG": 1200.0, "TEEND": 1200.0}
    write_run(root / "loose" / "Cu", copper_frames(2, seed=44, rattle=0.05), incar=whole)
    write_run(root / "loose" / "Ni", replace(copper_frames(2, seed=45, rattle=0.05), symbols=("Ni",) * 32), incar=whole)
    return root


def test_everything_is_stored_once_and_what_does_not_fit_is_told(clone, aiida_profile, dp_code):
    importer = RepositoryImport(clone, code=dp_code.full_label)
    done = {each.place: each for each in importer}
    model = done["DNPs/Cu/Cu-0.pb"]
    assert (model.state, model.element) == ("stored", "Cu")
    assert model.remark.startswith("training unfinished: step 400 of 1000")
    assert (model.node.origin, model.node.licence) == ("DNPs/Cu/Cu-0.pb", "Some free licence")
    run = done["Training sets/Cu_TM1.tar.gz/iter1/1357.77/3/vasprun.xml"]
    assert (run.state, run.frames) == ("stored", 4)
    raw = run.node.creator.inputs.frames
    assert raw.base.attributes.get("place") == run.place
    assert raw.base.attributes.get("licence") == "Some free licence"
    copy = done["Training sets/Cu_TM1.tar.gz/iter1/1357.77/set"]
    assert (copy.state, copy.node) == ("copy", None)
    assert copy.remark.endswith("1 unconverged among them")
    assert done["Training sets/Ni_TM1.tar.gz/1728.15/4/vasprun.xml"].state == "refused"
    assert done["loose/Cu/vasprun.xml"].state == "stored"

    assert done["loose/Ni/vasprun.xml"].frames == 2
    assert [(each.element, each.rule, each.place, each.words) for each in importer.findings()] == FINDINGS

    group = Group.collection.get(label="invented/Cu")
    usable = {each.node.uuid for each in done.values() if each.element == "Cu" and each.node is not None}
    assert {node.uuid for node in group.nodes} >= usable
    assert len(usable) == 5  # two models of three files, and three runs

    before = QueryBuilder().append(Node).count()
    again = RepositoryImport(clone, code=dp_code.full_label)
    states = [each.state for each in again]
    assert QueryBuilder().append(Node).count() == before, "a second import makes no node"
    assert "known" in states
    assert [each.words for each in again.findings()] == [each.words for each in importer.findings()]


def test_set_is_the_same_in_an_archive_and_in_a_folder(tmp_path, aiida_profile):
    """Beside the arrays there may be others, as those from before frames were left out, which no archive gives."""
    folder = tmp_path / "Cu" / "1357.77" / "set"
    write_system(folder, copper_frames(3, seed=46, rattle=0.05), ["Cu"])
    (folder / "set.000" / "ref_energy.npy").write_bytes(b"not read")
    (first,) = RepositoryImport(tmp_path)
    assert (first.state, first.element, first.frames) == ("stored", "Cu", 3)
    pack(tmp_path / "Cu", tmp_path / "Cu_TM1.tar.gz")
    (again,) = RepositoryImport(tmp_path)
    assert (again.state, again.node.uuid) == ("known", first.node.uuid)


def test_model_whose_place_names_no_element_goes_by_its_type_map(tmp_path, tiny_model, aiida_profile, dp_code):
    (tmp_path / "graph.pb").write_bytes(tiny_model.read_bytes() + b"\xda\xff\x7f\x00")
    (model,) = RepositoryImport(tmp_path, name="nameless", code=dp_code.full_label)
    assert (model.state, model.element) == ("stored", "Cu")
    assert Group.collection.get(label="nameless/Cu").nodes[0].uuid == model.node.uuid


def test_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is no folder: give a clone"):
        RepositoryImport(tmp_path / "nothing")


def test_bad_sources_end_nothing_and_are_told_where_they_lie(tmp_path, aiida_profile):
    """In an archive, the place is that in the archive."""
    inside, frames = tmp_path / "inside", copper_frames(2, seed=81, rattle=0.05)
    write_raw(inside / "1357.77" / "empty", frames, ["Cu"])
    for name in ("coord", "box", "energy", "force", "virial"):
        (inside / "1357.77" / "empty" / f"{name}.raw").write_text("")
    write_set(inside / "1357.77" / "cut", frames)
    coord = inside / "1357.77" / "cut" / "set.000" / "coord.npy"
    coord.write_bytes(coord.read_bytes()[:200])
    (write_set(inside / "1357.77" / "cluster", frames) / "nopbc").touch()
    write_mixed(inside / "1357.77" / "mixed", frames, ["Al", "Cu"], np.array([[0] * 32, [1] * 32]))
    write_set(inside / "1357.77" / "whole", copper_frames(2, seed=82, rattle=0.05))
    pack(inside, tmp_path / "repository" / "Cu_TM1.tar.gz")
    importer = RepositoryImport(tmp_path / "repository", name="bad")
    root = "Cu_TM1.tar.gz/1357.77"
    states = {each.place: (each.state, each.remark) for each in importer}
    assert states == {
        f"{root}/cluster": ("refused", "not periodic"),
        f"{root}/cut": ("refused", "set.000/coord.npy is no array of numbers, or cut"),
        f"{root}/empty": ("empty", "no frames"),
        f"{root}/mixed (Al32)": ("refused", "element is Cu, the frames hold Al"),
        f"{root}/mixed (Cu32)": ("stored", ""),
        f"{root}/whole": ("stored", ""),
    }
    told = [(each.rule, each.place, each.words) for each in importer.findings()]
    assert ("labels", f"{root}/cluster", "refused: not periodic") in told
    assert ("element", f"{root}/mixed", "refused: element is Cu, the frames hold Al") in told
    assert not [words for _, place, words in told if "/tmp" in words + place]


def test_refused_model_is_told_where_it_lies(tmp_path, aiida_profile, localhost):
    code = InstalledCode(computer=localhost, filepath_executable="/bin/false", label="false-repository").store()
    (tmp_path / "a" / "Cu").mkdir(parents=True)
    (tmp_path / "a" / "Cu" / "graph.pb").write_text("no model")
    pack(tmp_path / "a", tmp_path / "repository" / "models.tar.gz")
    importer = RepositoryImport(tmp_path / "repository", name="none", code=code.full_label)
    (model,) = importer
    assert (model.state, model.place) == ("refused", "models.tar.gz/Cu/graph.pb")
    assert "made no potential of 'models.tar.gz/Cu/graph.pb'" in model.remark
    words = " ".join(each.words for each in importer.findings())
    assert "no model: job" in words
    assert "/tmp" not in words


def test_broken_files_of_a_training_are_told_and_the_model_is_stored(tmp_path, tiny_model, aiida_profile, dp_code):
    folder = tmp_path / "Cu"
    folder.mkdir()
    (folder / "Cu-0.pb").write_bytes(tiny_model.read_bytes() + b"\xca\xff\x7f\x00")
    (folder / "out.json").write_bytes(b"")
    (folder / "input.json").write_text(training(["/x/Cu/data/a"]))
    (folder / "lcurve.out").write_bytes(b"\xff\x00 no curve")
    importer = RepositoryImport(tmp_path, name="broken", code=dp_code.full_label)
    (model,) = importer
    assert (model.state, model.node.training["planned_steps"]) == ("stored", 1000)
    words = [(each.rule, each.words) for each in importer.findings()]
    assert ("training", "out.json is empty") in words
    assert ("missing", "1 of the 1 data sets of the training are not here, as a") in words


def test_names_in_a_training_are_looked_at_like_files(tmp_path, aiida_profile):
    """Structures, temperatures and folders of another element: that which the repository says they are."""
    write_set(
        tmp_path / "data" / "Ni" / "0_mp-23" / "1728" / "set", replace(copper_frames(1, seed=83), symbols=("Ni",) * 32)
    )
    for symbol, systems in {
        "Cu": ["0_mp-30/1357.77/set", "0_mp-23/1357.77/set", "0_mp-30/1728/set", "Ag_TPC/set"],
        "Ni": ["0_mp-23/1728/set", "0_mp-23/1728/other"],
    }.items():
        (tmp_path / "DNPs" / symbol).mkdir(parents=True)
        names = [f"/cluster/{symbol}/data/{each}" for each in systems]
        content = {"model": {"type_map": [symbol]}, "training": {"numb_steps": 1000, "systems": names}}
        (tmp_path / "DNPs" / symbol / "out.json").write_text(json.dumps(content))
    importer = RepositoryImport(tmp_path, name="names")
    list(importer)
    words = {
        (each.element, each.rule): each.words for each in importer.findings() if each.rule in ("element", "temperature")
    }
    assert set(words) == {("Cu", "element"), ("Cu", "temperature")}
    every = [each.words for each in importer.findings()]
    assert "the training names structures of Ni: mp-23" in every
    assert "the training names data of Ag" in every
    assert words["Cu", "temperature"].startswith("the training names data sets at 1728 K: not 0.25")
    assert words["Cu", "temperature"].endswith("the T_m of Ni")


def test_findings_that_differ_in_numbers_alone_are_one(tmp_path, aiida_profile):
    for number in range(12):
        write_set(tmp_path / "Cu" / "1357.77" / f"{number}", copper_frames(1, seed=84), without=["virial"])
    importer = RepositoryImport(tmp_path, name="many")
    assert len(list(importer)) == 12
    (found,) = (each for each in importer.findings() if each.rule == "labels")
    assert (found.place, found.words) == (
        "Cu/1357.77/0",
        "refused: no stress, which training on pressures needs (the first of 12 that differ in numbers alone)",
    )


def test_links_out_of_a_repository_are_told(tmp_path, tiny_model, aiida_profile):
    outside = tmp_path / "outside"
    write_set(outside / "set", copper_frames(1, seed=85))
    (outside / "Cu-0.pb").write_bytes(tiny_model.read_bytes())
    root = tmp_path / "repository" / "Cu"
    root.mkdir(parents=True)
    for name in ("set", "Cu-0.pb"):
        (root / name).symlink_to(outside / name)
    (root / "out.json").symlink_to("/etc/passwd")
    (root / "loop").symlink_to("..")
    importer = RepositoryImport(tmp_path / "repository", name="links")
    assert {(each.place, each.what, each.state) for each in importer} == {
        (f"Cu/{name}", "link", "refused") for name in ("set", "Cu-0.pb", "out.json")
    }
    words = {each.place: each.words for each in importer.findings()}
    assert words["Cu/set"] == f"a link out of the folder, not followed: give {outside / 'set'} itself"


@pytest.mark.skipif(SHARED is None, reason="DNPMELT_SHARED_DATA is not set: the published data are not here")
def test_published_data(tmp_path, aiida_profile, dp_code):
    """The trajectories of aluminium and molybdenum, packed as they were published."""
    for name in ("Al_TPC", "Mo_TM3"):
        with tarfile.open(tmp_path / f"{name}.tar.gz", "w:gz", dereference=True) as tar:
            for each in sorted((Path(SHARED) / "vasp" / name).iterdir()):
                tar.add(each, each.name)
    importer = RepositoryImport(tmp_path, name="published", code=dp_code.full_label)
    done = list(importer)
    assert not [each for each in done if each.state == "refused"]
    frames = [each.node for each in done if each.node is not None]
    assert {node.phase for node in frames if node.frames.symbols[0] == "Al"} == {"interface"}
    assert all(isinstance(node, FramesData) for node in frames)
    words = " ".join(each.words for each in importer.findings())
    assert "28 of 91 frames cannot be trained on (28 unconverged); 10 of 10 data sets hold such frames" in words
    assert "3495.6 K: not 0.25" in words
    assert "runs of Al differ in EDIFF 1e-06 (3 runs), 1e-08 (2 runs)" in words
