from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
from dataclasses import replace

import numpy as np
import pytest
from physics.synthetic_frames import copper_frames
from provenance.imported_runs import by_name, write_run
from vasp_files import outcar, vasprun

from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.provenance.importers import import_dataset

pytestmark = pytest.mark.usefixtures("aiida_profile")


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


def test_temperature_of_an_outcar_is_its_own_and_tells_the_phase(tmp_path):
    (tmp_path / "OUTCAR").write_text(outcar(copper_frames(2, seed=71), {"TEBEG": 1500.0, "TEEND": 1500.0}))
    (found,) = import_dataset(tmp_path, "Cu", temperature_k=100.0)
    assert found.node.get_array("temperatures").tolist() == [1500.0, 1500.0]
    assert found.node.phase == "liquid"
    assert (found.node.functional, found.node.labeller) == ("PBE", "VASP 5.4.1")


def test_phase_follows_the_kinetic_energy_where_no_thermostat_holds_the_temperature(tmp_path):
    """A crystal that got 1500 K at the start has half of it in its vibrations."""
    hot = {"TEBEG": 1500.0, "TEEND": 1500.0, "SMASS": -3.0}
    write_run(tmp_path, copper_frames(3, seed=72), incar=hot, kinetic_ev=[3.2, 2.8, 3.2])
    (found,) = import_dataset(tmp_path)
    assert found.node.get_array("temperatures") == pytest.approx([798.6, 698.8, 798.6], abs=0.1)
    assert (found.node.phase, found.remark) == ("solid", "no thermostat: temperatures are those of the kinetic energy")


def test_temperature_that_is_named_goes_before_one_that_nothing_held_and_nothing_tells(tmp_path):
    write_run(tmp_path, copper_frames(3, seed=74), incar={"TEBEG": 1500.0, "TEEND": 1500.0, "SMASS": -3.0})
    (found,) = import_dataset(tmp_path, temperature_k=750.0)
    assert found.node.get_array("temperatures").tolist() == [750.0] * 3
    assert (found.node.phase, found.remark) == ("solid", "")


def test_static_run_does_not_say_its_temperature(tmp_path):
    write_run(tmp_path, copper_frames(1, seed=73), incar={"NSW": 0, "IBRION": -1})
    (found,) = import_dataset(tmp_path)
    assert (found.state, found.remark) == ("refused", "the frames do not say at which temperature they are: name it")
    (found,) = import_dataset(tmp_path, temperature_k=300.0)
    assert found.node.get_array("temperatures").tolist() == [300.0]


@pytest.mark.parametrize(
    ("incar", "stress", "words"),
    [
        ({"ISIF": 0}, False, "no stress, which training on pressures needs"),
        ({"ISIF": 0}, True, "no stress, which training on pressures needs"),
        ({"NSW": 0, "IBRION": -1}, False, "no stress, which training on pressures needs"),
        (
            {"ISIF": 1},
            True,
            "no stress, which training on pressures needs: with ISIF = 1 VASP computes the trace alone",
        ),
    ],
)
def test_run_without_the_stress_is_refused_for_that(tmp_path, incar, stress, words):
    write_run(tmp_path, copper_frames(3, seed=74), incar=incar, stress=stress)
    (found,) = import_dataset(tmp_path, temperature_k=300.0)
    assert (found.state, found.remark) == ("refused", words)


def test_outcar_without_some_stresses_is_refused_for_that(tmp_path):
    (tmp_path / "OUTCAR").write_text(outcar(copper_frames(3, seed=75), without_stress=[1]))
    (found,) = import_dataset(tmp_path, temperature_k=300.0)
    assert (found.state, found.remark) == ("refused", "no stress in 1 of 3 steps, which training on pressures needs")


def test_symbols_come_from_the_titles_and_contradictions_are_refused(tmp_path):
    frames = copper_frames(3, seed=76)
    write_run(tmp_path / "half", frames, called="u", titles=["PAW_PBE Cu_pv 06Sep2000"])
    write_run(tmp_path / "other", frames, titles=["PAW_PBE Al 04Jan2001"])
    found = by_name(tmp_path)
    assert set(found["half/vasprun.xml"].node.frames.symbols) == {"Cu"}
    assert found["half/vasprun.xml"].remark.startswith("atoms called 'u' are Cu by the title of the POTCAR")
    assert found["other/vasprun.xml"].state == "refused"
    assert "were computed with the POTCAR 'PAW_PBE Al 04Jan2001'" in found["other/vasprun.xml"].remark


def test_order_of_the_poscar_is_looked_at(tmp_path):
    write_run(tmp_path, copper_frames(3, seed=77))
    lines = ["made by hand", "1.0", "7 0 0", "0 7 0", "0 0 7", "Cu Al", "16 16", "Direct"]
    (tmp_path / "POSCAR").write_text("\n".join(lines))
    (found,) = import_dataset(tmp_path)
    assert found.remark == "the POSCAR beside it names atom 17 Al, by the order of the POTCAR it was computed as Cu"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: "", "empty"),
        (lambda text: text[: text.index("<scstep>")], "cut or damaged"),
        (lambda text: text[: text.rindex("<scstep>")], "cut or damaged"),
        (lambda text: text.replace("<kpoints>", "<kpoints><"), "cut or damaged"),
        (lambda text: "<?xml version='1.0'?><espresso/>", "not written by VASP"),
        (lambda text: "a log of something", "not written by VASP"),
    ],
)
def test_outcar_beside_a_broken_vasprun_is_read(tmp_path, damage, words):
    frames = copper_frames(2, seed=78)
    write_run(tmp_path, frames).write_text(damage(vasprun(frames)))
    (tmp_path / "OUTCAR.gz").write_bytes(gzip.compress(outcar(frames, {"TEBEG": 300.0}).encode()))
    (found,) = import_dataset(tmp_path, phase="solid")
    assert (found.source.kind, found.number) == ("OUTCAR", 2)
    assert found.state in {"stored", "known"}  # a file of gzip holds the second of its making
    assert f"read instead of the vasprun.xml beside it, which is {words}" in found.remark


def test_broken_vasprun_with_as_many_steps_as_the_outcar_is_read(tmp_path):
    frames = copper_frames(2, seed=79)
    write_run(tmp_path, frames).write_text(vasprun(frames).removesuffix("</modeling>\n"))
    (tmp_path / "OUTCAR").write_text(outcar(frames.take([0])))
    (found,) = import_dataset(tmp_path, phase="solid")
    assert (found.source.kind, found.number) == ("vasprun.xml", 2)


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_compressed_runs_are_found(tmp_path, suffix, pack):
    frames = copper_frames(2, seed=80 + len(suffix) + ord(suffix[1]))
    for name, text in (("vasprun.xml", vasprun(frames)), ("OUTCAR", outcar(frames, {"TEBEG": 300.0}))):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}{suffix}").write_bytes(pack(text.encode()))
        (one,) = import_dataset(tmp_path / name / f"{name}{suffix}", phase="solid")
        assert one.source.kind == name
    found = by_name(tmp_path)
    assert {name: each.number for name, each in found.items()} == {
        f"OUTCAR/OUTCAR{suffix}": 2,
        f"vasprun.xml/vasprun.xml{suffix}": 2,
    }


def test_enthalpies_that_were_stored_before_are_read_anew(tmp_path):
    frames = copper_frames(2, seed=95)
    path = write_run(tmp_path, frames, incar={"PSTRESS": 100.0}, correction_ev=0.0)
    work = 100 * np.linalg.det(frames.cells) / 1602.17733
    old = FramesData(replace(frames, energies_ev=frames.energies_ev + work), phase="solid")
    old.base.attributes.set("sha256", hashlib.sha256(path.read_bytes()).hexdigest())
    old.store()
    (found,) = import_dataset(path)
    assert found.state == "stored"
    assert found.node.frames.energies_ev == pytest.approx(frames.energies_ev, abs=1e-7)
    assert f"read anew: node {old.pk} holds other energies" in found.remark
    (again,) = import_dataset(path)
    assert (again.state, again.node.uuid) == ("known", found.node.uuid)


def test_what_is_no_outcar_is_refused(tmp_path):
    (tmp_path / "OUTCAR").write_text("nothing that VASP wrote\n")
    (found,) = import_dataset(tmp_path, temperature_k=300.0)
    assert found.state == "refused"
    assert "cannot be read as OUTCAR" in found.remark
