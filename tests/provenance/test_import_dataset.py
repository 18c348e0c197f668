from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from aiida.orm import CalcFunctionNode, QueryBuilder
from physics.synthetic_frames import copper_frames
from provenance.deepmd_files import write_mixed, write_raw, write_set
from provenance.imported_runs import by_name, write_run
from vasp_files import outcar, vasprun

from aiida_dnpmelt.calculations.deepmd_systems import write_system
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.physics.frames import LabelledFrames
from aiida_dnpmelt.physics.screening import ScreeningSettings
from aiida_dnpmelt.provenance.importers import import_dataset

SHARED = os.environ.get("DNPMELT_SHARED_DATA")
pytestmark = pytest.mark.usefixtures("aiida_profile")


def nodes() -> tuple[int, int]:
    return tuple(QueryBuilder().append(kind).count() for kind in (FramesData, CalcFunctionNode))


def test_run_is_stored_with_all_that_made_its_labels(tmp_path):
    frames = copper_frames(3, seed=11)
    path = write_run(tmp_path, frames, changes=[1e-8, 1.0, 1e-8])
    (found,) = import_dataset(path, origin="doi:10.1/x", licence="CC-BY-4.0")
    assert (found.state, found.number, found.dropped) == ("stored", 3, (("unconverged", 1),))
    node = found.node
    assert node.frames.energies_ev == pytest.approx(frames.energies_ev, abs=1e-7)
    assert node.get_array("converged").tolist() == [True, False, True]
    attributes = node.base.attributes
    assert (node.phase, node.labeller) == ("solid", "VASP 5.4.1")
    assert (attributes.get("origin"), attributes.get("licence")) == ("doi:10.1/x", "CC-BY-4.0")
    assert attributes.get("labels_incar")["TEBEG"] == 1200.0
    assert attributes.get("labels_potcars") == ["PAW_PBE Cu 22Jun2005"]
    assert len(attributes.get("sha256")) == 64
    screened = found.screened
    assert screened.frames.energies_ev == pytest.approx(frames.energies_ev[[0, 2]], abs=1e-7)
    assert screened.creator.process_label == "screen_frames"
    assert screened.creator.inputs.frames.uuid == node.uuid
    assert screened.creator.outputs.report["dropped_frames"][0]["index"] == 1


def test_same_files_make_no_second_node_wherever_they_lie(tmp_path):
    write_run(tmp_path / "a", copper_frames(2, seed=12))
    (first,) = import_dataset(tmp_path)
    before = nodes()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "vasprun.xml").rename(tmp_path / "b" / "vasprun.xml")
    (again,) = import_dataset(tmp_path, origin="another word")
    assert again.state == "known"
    assert (again.node.uuid, again.screened.uuid) == (first.node.uuid, first.screened.uuid)
    assert nodes() == before


def test_other_screening_takes_the_same_frames(tmp_path):
    path = write_run(tmp_path, copper_frames(2, seed=13), changes=[1.0, 1.0])
    (first,) = import_dataset(path)
    assert (first.screened, first.dropped) == (None, (("unconverged", 2),))
    (again,) = import_dataset(path, screening=ScreeningSettings(converged=False))
    assert (again.state, again.node.uuid) == ("known", first.node.uuid)
    assert len(again.screened.frames) == 2


def test_hot_frames_are_liquid_unless_they_are_said_to_be_something_else(tmp_path):
    write_run(tmp_path / "hot", copper_frames(1, seed=14), incar={"TEBEG": 1500.0, "TEEND": 1500.0})
    write_run(tmp_path / "said", copper_frames(1, seed=15), incar={"TEBEG": 1500.0, "TEEND": 1500.0})
    (hot,) = import_dataset(tmp_path / "hot")
    (said,) = import_dataset(tmp_path / "said", phase="interface")
    assert (hot.node.phase, said.node.phase) == ("liquid", "interface")


def test_cut_and_empty_runs_are_told(tmp_path):
    text = vasprun(copper_frames(3, seed=16))
    for name, end in (("cut", text.rindex("<scstep>")), ("empty", text.index("<calculation>"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vasprun.xml").write_text(text[:end])
    found = by_name(tmp_path)
    assert (found["cut/vasprun.xml"].state, found["cut/vasprun.xml"].number) == ("stored", 2)
    assert "1 begun steps are lost" in found["cut/vasprun.xml"].remark
    assert found["cut/vasprun.xml"].node.base.attributes.get("labels_lost_steps") == 1
    assert found["empty/vasprun.xml"].state == "empty"


def test_frames_whose_labels_are_no_numbers_are_left_out(tmp_path):
    text = vasprun(copper_frames(3, seed=17))
    place = text.index("<v>", text.index('name="stress"')) + 3
    (tmp_path / "vasprun.xml").write_text(text[:place] + " *************** " + text[place + 17 :])
    (found,) = import_dataset(tmp_path)
    assert (found.number, found.remark) == (2, "1 frames left out: a label is no number")


def test_set_beside_its_runs_is_compared_and_only_what_is_new_is_stored(tmp_path):
    run, more = copper_frames(3, seed=18), copper_frames(1, seed=19)
    write_run(tmp_path / "1", run)
    joined = LabelledFrames(
        run.symbols,
        *(
            np.concatenate([getattr(run.take([0, 2]), name), getattr(more, name)])
            for name in ("cells", "positions", "energies_ev", "forces_ev_per_angstrom", "virials_ev", "temperatures_k")
        ),
    )
    write_raw(tmp_path, replace(joined, energies_ev=joined.energies_ev + 0.002))
    found = by_name(tmp_path, "Cu", temperature_k=300.0)
    assert list(found) == ["1/vasprun.xml", "."]
    assert found["."].remark.startswith("2 of 3 frames were read before, labels within 0.002 eV")
    assert found["."].node.frames.energies_ev == pytest.approx(more.energies_ev + 0.002)
    (tmp_path / "2").mkdir()
    write_raw(tmp_path / "2", run)
    assert by_name(tmp_path, "Cu", temperature_k=300.0)["2"].state == "copy"


def test_set_of_deepmd_kit_comes_back_as_it_was_written(tmp_path):
    frames = copper_frames(3, seed=20)
    write_system(tmp_path / "set", frames, ["Ag", "Cu"])
    (found,) = import_dataset(tmp_path / "set", temperature_k=300.0)
    assert found.source.kind == "deepmd/npy"
    stored = found.node.frames
    assert stored.symbols == frames.symbols
    for name in ("cells", "positions", "energies_ev", "forces_ev_per_angstrom", "virials_ev", "temperatures_k"):
        assert getattr(stored, name) == pytest.approx(getattr(frames, name), abs=1e-12)
    assert "converged" not in found.node.get_arraynames()
    assert found.screened.creator.outputs.report["convergence_known"] is False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"symbol": "Ag"}, "element is Ag, the frames hold Cu"),
        ({"symbol": None}, "does not say which element it holds (type_map.raw is missing): name it"),
        ({"temperature_k": None}, "do not say at which temperature they are"),
    ],
)
def test_set_is_refused(tmp_path, options, message):
    write_raw(tmp_path / "raw", copper_frames(2, seed=21))
    if options.get("symbol") == "Ag":
        write_system(tmp_path / "npy", copper_frames(2, seed=21), ["Cu"])
    before = nodes()
    found = list(import_dataset(tmp_path, **{"symbol": "Cu", "temperature_k": 300.0, **options}))
    assert [each.state for each in found if message in each.remark] == ["refused"]
    if "symbol" not in options or options["symbol"] is None:
        assert nodes() == before


def test_folder_without_any_frames_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no vasprun\.xml, no OUTCAR, and no data set"):
        list(import_dataset(tmp_path))


def lower_triangular(frames: LabelledFrames) -> LabelledFrames:
    """Return frames as dpdata writes those of a run in oblique cells: turned, their numbers in single precision."""
    cells = np.linalg.cholesky(frames.cells @ frames.cells.transpose(0, 2, 1))
    turn = np.linalg.inv(frames.cells) @ cells
    return replace(
        frames,
        cells=cells.astype("f4").astype(float),
        positions=(frames.positions @ turn).astype("f4").astype(float),
        forces_ev_per_angstrom=frames.forces_ev_per_angstrom @ turn,
        virials_ev=turn.transpose(0, 2, 1) @ frames.virials_ev @ turn,
    )


def oblique(frames: LabelledFrames) -> LabelledFrames:
    """Return the same crystals in other vectors, of which none is along an axis."""
    vectors = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    return replace(frames, cells=vectors @ frames.cells)


def test_set_of_turned_frames_is_a_copy_of_its_run(tmp_path):
    """Frames that were dropped from the run do not come back with the set."""
    run = oblique(copper_frames(3, seed=50))
    write_run(tmp_path / "run", run, changes=[1e-8, 1.0, 1e-8])
    turned = lower_triangular(run)
    write_set(tmp_path / "set", replace(turned, energies_ev=turned.energies_ev + 0.003))
    found = by_name(tmp_path, temperature_k=300.0)
    assert (found["run/vasprun.xml"].state, found["set"].state) == ("stored", "copy")
    assert found["set"].repeated == (("unconverged", 1),)
    assert found["set"].remark.startswith("3 of 3 frames were read before, labels within 0.003 eV, ")


def test_elements_without_a_tabulated_melting_temperature_need_their_phase_named(tmp_path):
    hydrogen = replace(copper_frames(2, seed=54), symbols=("H",) * len(copper_frames(2).symbols))
    write_run(tmp_path / "run", hydrogen)
    assert by_name(tmp_path)["run/vasprun.xml"].remark == "frames of H, whose T_m is not in the table: name their phase"
    assert by_name(tmp_path, phase="liquid")["run/vasprun.xml"].state == "stored"


def test_set_of_which_all_was_read_before_needs_no_temperature(tmp_path):
    run = copper_frames(3, seed=52)
    write_run(tmp_path / "run", run)
    write_set(tmp_path / "set", lower_triangular(run))
    write_set(tmp_path / "set_more", copper_frames(4, seed=53))
    found = by_name(tmp_path)
    assert (found["set"].state, found["set"].number) == ("copy", 3)
    assert found["set_more"].state == "refused"
    assert "at which temperature" in found["set_more"].remark


def test_set_of_left_handed_cells_is_a_copy_too(tmp_path):
    run = copper_frames(2, seed=51)
    write_run(tmp_path / "run", run)
    write_set(tmp_path / "set", run, box=-run.cells.reshape(2, 9))
    found = by_name(tmp_path, temperature_k=300.0)["set"]
    assert found.state == "copy"
    assert found.remark.startswith("2 left-handed cells turned; 2 of 2 frames")


def test_mixed_set_is_stored_by_composition(tmp_path):
    frames = copper_frames(4, seed=52)
    types = np.ones((4, 32), int)
    types[1:3] = 0
    write_mixed(tmp_path / "mixed", frames, ["Ni", "Cu"], types)
    found = by_name(tmp_path, temperature_k=300.0)
    assert {name: each.state for name, each in found.items()} == {"mixed (Cu32)": "stored", "mixed (Ni32)": "stored"}
    node = found["mixed (Cu32)"].node
    assert set(node.frames.symbols) == {"Cu"}
    assert node.frames.energies_ev == pytest.approx(frames.energies_ev[[0, 3]])
    assert node.base.attributes.get("place") == "mixed (Cu32)"
    before = nodes()
    again = by_name(tmp_path, temperature_k=300.0)
    assert {each.state for each in again.values()} == {"known"}
    assert nodes() == before
    assert by_name(tmp_path, "Cu", temperature_k=300.0)["mixed (Ni32)"].state == "refused"


def test_no_bad_source_ends_the_import_of_the_others(tmp_path):
    """Whatever is wrong with a file, it is one row with a sentence, and all that comes after it is read."""
    frames = copper_frames(2, seed=53)
    for name, options in {
        "a_cut": {},
        "b_lengths": {"energy": np.zeros(5)},
        "c_types": {"type_map": ["Al", "Q"]},
        "d_no_numbers": {"force": np.full((2, 96), np.nan)},
        "e_no_stress": {"without": ["virial"]},
    }.items():
        write_set(tmp_path / name, frames, **options) if name != "c_types" else write_set(tmp_path / name, frames)
    coord = tmp_path / "a_cut" / "set.000" / "coord.npy"
    coord.write_bytes(coord.read_bytes()[:300])
    (tmp_path / "c_types" / "type.raw").write_text("7\n" * 32)
    for name, content in {
        "f_random": bytes(range(256)) * 40,
        "g_nothing": b"",
        "h_log": b"a log of something\n",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "OUTCAR").write_bytes(content)
    write_run(tmp_path / "z_run", frames)
    write_set(tmp_path / "z_set", copper_frames(2, seed=54))
    found = by_name(tmp_path, temperature_k=300.0)
    bad = {name: each for name, each in found.items() if not name.startswith("z_")}
    assert len(bad) == 8
    assert {name: each.state for name, each in bad.items() if each.state != "refused"} == {"g_nothing/OUTCAR": "empty"}
    assert all(each.remark and str(tmp_path) not in each.remark for each in bad.values())
    assert (found["z_run/vasprun.xml"].state, found["z_set"].state) == ("stored", "stored")


@pytest.mark.parametrize("error", [KeyError("x"), EOFError(), MemoryError(), RecursionError("deep"), TypeError("a")])
def test_whatever_a_reader_raises_refuses_one_source(tmp_path, monkeypatch, error):
    write_run(tmp_path / "a", copper_frames(1, seed=55))
    write_set(tmp_path / "b", copper_frames(1, seed=56))

    def broken(*_):
        raise error

    monkeypatch.setattr("aiida_dnpmelt.provenance.datasets.read_run", broken)
    found = by_name(tmp_path, temperature_k=300.0)
    assert found["a/vasprun.xml"].state == "refused"
    assert found["a/vasprun.xml"].remark.startswith(f"cannot be read as vasprun.xml: {type(error).__name__}")
    assert found["b"].state in {"stored", "known"}


class TestLinks:
    """As DP-GEN leaves them in `data.iters`: links to folders of data."""

    def test_links_within_the_folder_lead_to_nothing_new(self, tmp_path):
        write_set(tmp_path / "iter.000000" / "02.fp" / "data.000", copper_frames(1, seed=57))
        iters = tmp_path / "iter.000001" / "00.train" / "data.iters"
        iters.mkdir(parents=True)
        (iters / "iter.000000").symlink_to("../../../iter.000000")
        (iters / "loop").symlink_to("..")
        (iters / "self").symlink_to("self")
        found = by_name(tmp_path, temperature_k=300.0)
        assert list(found) == ["iter.000000/02.fp/data.000", "iter.000001/00.train/data.iters/self"]
        assert "leads nowhere" in found["iter.000001/00.train/data.iters/self"].remark

    def test_links_out_of_the_folder_are_told_and_not_followed(self, tmp_path):
        write_set(tmp_path / "outside" / "iter.000000" / "data.000", copper_frames(1, seed=58))
        write_run(tmp_path / "outside" / "run", copper_frames(1, seed=59))
        train = tmp_path / "00.train"
        (train / "data.iters").mkdir(parents=True)
        (train / "data.iters" / "iter.000000").symlink_to(tmp_path / "outside" / "iter.000000")
        (train / "data.iters" / "iter.000007").symlink_to(tmp_path / "gone")
        (train / "vasprun.xml").symlink_to(tmp_path / "outside" / "run" / "vasprun.xml")
        (train / "POTCAR").symlink_to(tmp_path / "gone")
        (train / "INCAR").symlink_to(tmp_path / "outside" / "run" / "vasprun.xml")
        found = by_name(train, temperature_k=300.0)
        assert {name: each.state for name, each in found.items()} == {
            "data.iters/iter.000000": "refused",
            "data.iters/iter.000007": "refused",
            "vasprun.xml": "refused",
        }
        target = tmp_path / "outside" / "iter.000000"
        words = found["data.iters/iter.000000"].remark
        assert words == f"a link out of the folder, not followed: give {target} itself"
        assert found["data.iters/iter.000007"].remark.startswith("a link that leads nowhere, to ")
        (given,) = import_dataset(train / "data.iters" / "iter.000000", temperature_k=300.0)
        assert given.state == "stored"

    def test_set_with_a_part_elsewhere_is_not_read(self, tmp_path):
        write_set(tmp_path / "outside", copper_frames(2, seed=60), 2)
        write_set(tmp_path / "data" / "set", copper_frames(1, seed=61))
        (tmp_path / "data" / "set" / "set.001").symlink_to(tmp_path / "outside" / "set.001")
        found = by_name(tmp_path / "data", temperature_k=300.0)
        assert {name: each.state for name, each in found.items()} == {"set/set.001": "refused"}

    def test_run_that_a_link_leads_to_is_read_once(self, tmp_path):
        path = write_run(tmp_path / "b", copper_frames(1, seed=62))
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "vasprun.xml").symlink_to(path)
        assert list(by_name(tmp_path)) == ["b/vasprun.xml"]
        hidden = path.rename(tmp_path / "b" / "run_7.xml")
        (tmp_path / "a" / "vasprun.xml").unlink()
        (tmp_path / "a" / "vasprun.xml").symlink_to(hidden)
        assert list(by_name(tmp_path)) == ["a/vasprun.xml"]

    def test_folder_that_cannot_be_read_is_told(self, tmp_path, monkeypatch):
        write_set(tmp_path / "a", copper_frames(1, seed=63))
        (tmp_path / "b").mkdir()
        scandir = os.scandir

        def refuse(path):
            if path == str(tmp_path / "b"):
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)  # root can read all
        found = by_name(tmp_path, temperature_k=300.0)
        assert (found["a"].state, found["b"].state) == ("stored", "refused")
        assert found["b"].remark == "a folder that cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("log.lammps", b"LAMMPS (22 Jul 2025)\nunits metal\n", "is no vasprun.xml and no OUTCAR"),
        ("dump.atom", b"ITEM: TIMESTEP\n0\n", "is no vasprun.xml and no OUTCAR"),
        ("random", bytes(range(256)) * 8, "is no vasprun.xml and no OUTCAR"),
        ("vasprun.xml", b"<?xml version='1.0'?><svg></svg>", "is no vasprun.xml and no OUTCAR"),
        ("OUTCAR", b"a log", "is no vasprun.xml and no OUTCAR"),
        ("nothing", b"", "is empty"),
        ("type.raw", b"0\n", "give the folder that holds its type.raw"),
        ("coord.npy", b"0\n", "give the folder that holds its type.raw"),
        ("Al.tar.gz", b"\x1f\x8b", "is an archive"),
    ],
)
def test_file_that_is_something_else_is_refused_by_its_content(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words):
        list(import_dataset(tmp_path / name))


def test_run_is_known_by_its_content_whatever_its_name(tmp_path):
    frames = copper_frames(1, seed=64)
    (tmp_path / "hot.xml").write_text(vasprun(frames))
    (tmp_path / "hot.out").write_text(outcar(frames))
    kinds = [next(import_dataset(tmp_path / name, temperature_k=300.0)).source.kind for name in ("hot.xml", "hot.out")]
    assert kinds == ["vasprun.xml", "OUTCAR"]


@pytest.mark.skipif(SHARED is None, reason="DNPMELT_SHARED_DATA is not set: the cases beside it are not here")
def test_case_of_a_turned_run_is_a_copy():
    found = by_name(Path(SHARED).parent / "cases" / "41_rotated")
    run, copied = found["Al/run/vasprun.xml"], found["Al/data.000"]
    assert (run.number, copied.state, copied.node) == (3, "copy", None)


@pytest.mark.skipif(SHARED is None, reason="DNPMELT_SHARED_DATA is not set: no published runs here")
@pytest.mark.parametrize(
    ("folder", "element", "usable", "unconverged", "largest"),
    [
        # P V of one atmosphere, 4e-4 eV, is in the energies of the set; text files have ten digits.
        ("Pd_TM7/iter_TM7/0_mp-2/1279.635", "Pd", 18, 3, (5e-4, 1e-6, 1e-4)),
        # Energies are those of the last electronic step, without P V.
        ("Mo_TM3/iter_TM3/0_mp-129/2027.2", "Mo", 7, 5, (1e-5, 1e-5, 2e-4)),
        # A frame was computed twice, with EDIFF 1e-6 and 1e-8: the set holds that of a run which is not there.
        ("Al_TPC", "Al", 31, 3, (1.5e-3, 1e-2, 1e-2)),
    ],
)
def test_published_frames(folder, element, usable, unconverged, largest):
    # The same files are imported with their folders elsewhere, which say their phase: what was first stays.
    phase = "interface" if element == "Al" else "liquid"
    found = list(import_dataset(Path(SHARED) / "vasp" / folder, element, temperature_k=1000.0, phase=phase))
    assert {each.state for each in found} <= {"stored", "known", "empty", "copy"}
    assert sum(len(each.screened.frames) for each in found if each.screened) == usable
    assert sum(dict(each.dropped).get("unconverged", 0) for each in found) == unconverged
    for each in found:
        if each.state == "copy":
            words = each.remark.split("labels within ")[1].split(", ")
            assert all(float(word.split()[0]) <= limit for word, limit in zip(words, largest, strict=True)), each.remark
