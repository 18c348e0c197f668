from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from aiida.orm import CalcFunctionNode, QueryBuilder
from physics.synthetic_frames import copper_frames
from vasp_files import outcar, vasprun

from aiida_dnpmelt.calculations.deepmd_systems import write_system
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.physics.frames import LabelledFrames
from aiida_dnpmelt.physics.screening import ScreeningSettings
from aiida_dnpmelt.provenance.importers import Imported, import_dataset

SHARED = os.environ.get("DNPMELT_SHARED_DATA")
pytestmark = pytest.mark.usefixtures("aiida_profile")


def nodes() -> tuple[int, int]:
    return tuple(QueryBuilder().append(kind).count() for kind in (FramesData, CalcFunctionNode))


def write_run(folder: Path, frames: LabelledFrames, **changes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vasprun.xml").write_text(vasprun(frames, **changes))
    return folder / "vasprun.xml"


def write_raw(folder: Path, frames: LabelledFrames) -> None:
    """Write the text files of a data set without a type map, as older tools left them."""
    folder.mkdir(parents=True, exist_ok=True)
    number = len(frames)
    (folder / "type.raw").write_text("0\n" * len(frames.symbols))
    arrays = {
        "coord": frames.positions.reshape(number, -1),
        "box": frames.cells.reshape(number, -1),
        "energy": frames.energies_ev,
        "force": frames.forces_ev_per_angstrom.reshape(number, -1),
        "virial": frames.virials_ev.reshape(number, -1),
    }
    for name, values in arrays.items():
        np.savetxt(folder / f"{name}.raw", values, fmt="%.10e")


def by_name(folder: Path, *arguments, **options) -> dict[str, Imported]:
    return {
        each.source.path.relative_to(folder).as_posix(): each for each in import_dataset(folder, *arguments, **options)
    }


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


def test_outcar_of_a_run_without_vasprun(tmp_path):
    frames = copper_frames(3, seed=22)
    frames = replace(frames, energies_ev=frames.energies_ev - 3.5 * 32)
    (tmp_path / "OUTCAR").write_text(outcar(frames, changes=[1e-8, 1.0, 1e-8], finished=False))
    (found,) = import_dataset(tmp_path, "Cu", temperature_k=300.0)
    assert (found.source.kind, found.state, found.dropped) == ("OUTCAR", "stored", (("unconverged", 1),))
    read = found.node.frames
    assert read.energies_ev == pytest.approx(frames.energies_ev, abs=1e-7)
    assert read.forces_ev_per_angstrom == pytest.approx(frames.forces_ev_per_angstrom, abs=1e-6)
    assert read.virials_ev == pytest.approx(frames.virials_ev, abs=1e-5)
    assert read.positions == pytest.approx(frames.positions, abs=1e-5)


def test_what_is_no_outcar_is_refused(tmp_path):
    (tmp_path / "OUTCAR").write_text("nothing that VASP wrote\n")
    (found,) = import_dataset(tmp_path, temperature_k=300.0)
    assert found.state == "refused"
    assert "cannot be read as OUTCAR" in found.remark


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"symbol": "Ag"}, "element is Ag, the frames hold Cu"),
        ({"symbol": None}, "does not say which element it holds"),
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


@pytest.mark.skipif(SHARED is None, reason="DNPMELT_SHARED_DATA is not set: no published runs here")
@pytest.mark.parametrize(
    ("folder", "element", "usable", "unconverged", "largest"),
    [
        # Text files of ten digits: 5e-7 eV of a virial, and 3e-6 eV of the one energy of -10027 eV; npy are single.
        ("Pd_TM7/iter_TM7/0_mp-2/1279.635", "Pd", 18, 3, (1e-5, 1e-6, 1e-5)),
        # Energies are those of the last electronic step, not the free energy that belongs to the forces.
        ("Mo_TM3/iter_TM3/0_mp-129/2027.2", "Mo", 7, 5, (3e-4, 1e-5, 2e-4)),
        # A frame was computed twice, with EDIFF 1e-6 and 1e-8: the set holds that of a run which is not there.
        ("Al_TPC", "Al", 31, 3, (2e-4, 1e-3, 1e-2)),
    ],
)
def test_published_frames(folder, element, usable, unconverged, largest):
    found = list(import_dataset(Path(SHARED) / "vasp" / folder, element, temperature_k=1000.0, phase="liquid"))
    assert {each.state for each in found} <= {"stored", "known", "empty", "copy"}
    assert sum(len(each.screened.frames) for each in found if each.screened) == usable
    assert sum(dict(each.dropped).get("unconverged", 0) for each in found) == unconverged
    for each in found:
        if each.state == "copy":
            words = each.remark.split("labels within ")[1].split(", ")
            assert all(float(word.split()[0]) <= limit for word, limit in zip(words, largest, strict=True)), each.remark
