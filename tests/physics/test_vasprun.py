from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from physics.synthetic_frames import copper_frames
from vasp_files import vasprun

from aiida_dnpmelt.physics.units import gpa_a3_to_ev
from aiida_dnpmelt.physics.vasprun import VaspRun, read_vasprun

SHARED = os.environ.get("DNPMELT_SHARED_DATA")


def read(folder: Path, text: str | bytes) -> VaspRun:
    path = folder / "vasprun.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("latin-1"))
    return read_vasprun(path)


def test_all_of_a_run(tmp_path):
    frames = copper_frames(3)
    run = read(tmp_path, vasprun(frames))
    assert (run.version, run.symbols, run.potcars, run.kpoints) == ("5.4.1", ("Cu",) * 32, ("PAW_PBE Cu 22Jun2005",), 2)
    assert run.incar["TEBEG"] == 1200.0
    assert run.incar["LWAVE"] is False
    assert run.parameters == {"NELM": 60, "EDIFF": 1e-6, "NSW": 3}
    assert (run.started, run.lost, run.cut, run.flaw) == (3, 0, None, None)
    for index, step in enumerate(run.steps):
        assert step.cell == pytest.approx(frames.cells[index], abs=1e-8)
        assert step.positions == pytest.approx(frames.positions[index], abs=1e-6)
        assert step.energy_ev == pytest.approx(frames.energies_ev[index], abs=1e-8)
        assert step.forces_ev_per_angstrom == pytest.approx(frames.forces_ev_per_angstrom[index], abs=1e-8)
        assert step.virial_ev == pytest.approx(frames.virials_ev[index], abs=1e-6)
        assert step.electronic_steps == 3
    assert run.converged.tolist() == [True] * 3
    assert run.temperatures_k.tolist() == [1200.0] * 3


def test_virial_of_one_kilobar_in_a_cube(tmp_path):
    """By hand: 1 kB is 0.1 GPa; in 1000 Angstrom^3 that is 100 GPa Angstrom^3, 0.62415 eV."""
    frames = copper_frames(1)
    cube = np.array([10 * np.eye(3)])
    frames = copper_frames(1, cells=cube, positions=frames.positions, virials_ev=0.62415091 * np.array([np.eye(3)]))
    text = vasprun(frames)
    assert "1.00000000" in text.split('name="stress"')[1].splitlines()[1]
    assert read(tmp_path, text).steps[0].virial_ev == pytest.approx(gpa_a3_to_ev(100.0) * np.eye(3), abs=1e-6)


def test_temperature_goes_from_begin_to_end(tmp_path):
    run = read(tmp_path, vasprun(copper_frames(3), {"TEBEG": 1000.0, "TEEND": 1200.0}))
    assert run.temperatures_k.tolist() == [1000.0, 1100.0, 1200.0]
    assert np.isnan(read(tmp_path, vasprun(copper_frames(1)).replace("TEBEG", "TE")).temperatures_k).all()


@pytest.mark.parametrize(("change", "good"), [(1e-8, True), (1e-6, True), (1.2e-6, False), (30.0, False)])
def test_electrons_that_did_not_converge_are_told(tmp_path, change, good):
    run = read(tmp_path, vasprun(copper_frames(2), changes=[1e-8, change]))
    assert run.converged.tolist() == [True, good]


def test_cut_at_any_byte_gives_the_whole_steps_before(tmp_path):
    text = vasprun(copper_frames(2)).encode()
    whole = read(tmp_path, text)
    ends = [
        text.index(b"</calculation>") + len("</calculation>"),
        text.rindex(b"</calculation>") + len("</calculation>"),
    ]
    places = {*range(0, len(text), 211), *range(100), *(end + shift for end in ends for shift in range(-20, 3))}
    for place in sorted(places):
        run = read(tmp_path, text[:place])
        assert len(run.steps) == sum(place >= end for end in ends), place
        assert run.cut is not None
        assert "ends early" in run.flaw
        for step, other in zip(run.steps, whole.steps, strict=False):
            assert step.energy_ev == other.energy_ev
            assert np.array_equal(step.positions, other.positions)


def test_cut_run_says_how_many_steps_are_lost(tmp_path):
    text = vasprun(copper_frames(3))
    run = read(tmp_path, text[: text.rindex("<time")])
    assert (len(run.steps), run.started, run.lost) == (2, 3, 1)
    assert run.flaw.endswith("1 begun steps are lost")


def test_mended_file_of_a_cut_run_is_told_by_its_number_of_steps(tmp_path):
    run = read(tmp_path, vasprun(copper_frames(2), {"NSW": 10}))
    assert (run.cut, run.flaw) == (None, "2 of 10 ionic steps")


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\0" * 5000,
        b"no XML at all",
        b"<modeling><calculation></calculation></modeling>",
        b"<dos></dos>",
        b"<modeling><incar><i name='X' type='int'>none</i></incar></modeling>",
    ],
)
def test_what_is_no_run_gives_no_step_and_raises_nothing(tmp_path, damage):
    assert read(tmp_path, damage).steps == ()


@pytest.mark.parametrize("junk", [b"\0" * 100, b"\xff\xfe", b"</v></varray></structure>", b"<", b"&amp;&undefined;"])
def test_damage_in_the_middle_keeps_what_came_before(tmp_path, junk):
    text = vasprun(copper_frames(3)).encode()
    middle = text.index(b"</calculation>") + 400
    run = read(tmp_path, text[:middle] + junk + text[middle:])
    assert run.steps[0].energy_ev == pytest.approx(copper_frames(3).energies_ev[0], abs=1e-7)
    assert run.cut is not None or len(run.steps) == 3  # bytes that are letters of ISO-8859-1 damage a number only


def test_stars_of_an_overflow_are_no_number(tmp_path):
    text = vasprun(copper_frames(2))
    place = text.index("<v>", text.index('name="forces"')) + 3
    run = read(tmp_path, text[:place] + " *************** " + text[place + 17 :])
    assert np.isnan(run.steps[0].forces_ev_per_angstrom).all()
    assert np.isfinite(run.steps[1].forces_ev_per_angstrom).all()


def test_step_that_lacks_an_atom_is_no_step(tmp_path):
    text = vasprun(copper_frames(2))
    for part in ('name="forces"', 'name="positions"'):
        place = text.index("    <v>", text.index(part, text.index("<calculation>")))
        text = text[:place] + text[text.index("\n", place) + 1 :]
    run = read(tmp_path, text)
    assert (len(run.steps), run.started, run.lost) == (1, 2, 1)


def test_entities_are_refused(tmp_path):
    bomb = '<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>\n<modeling>'
    run = read(tmp_path, vasprun(copper_frames(1)).replace("<modeling>", bomb))
    assert run.steps == ()
    assert "declares what no output of VASP does" in run.cut


def test_memory_does_not_grow_with_what_is_not_needed(tmp_path):
    """Two hundred thousand eigenvalues stand in a step: some 40 MB, were they kept."""
    text = vasprun(copper_frames(2))
    place = text.index("<eigenvalues>") + len("<eigenvalues>")
    row = "<r>  -3.0000  1.0000 </r>\n"
    path = tmp_path / "vasprun.xml"
    with path.open("w") as handle:
        handle.write(text[:place])
        for _ in range(100):
            handle.write("</eigenvalues>\n<eigenvalues>" + row * 2_000)
        handle.write(text[place:])
    tracemalloc.start()
    assert len(read_vasprun(path).steps) == 2
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6, f"{peak / 1e6:.1f} MB"


@pytest.mark.skipif(SHARED is None, reason="DNPMELT_SHARED_DATA is not set: no published runs here")
def test_published_runs():
    runs = {path: read_vasprun(path) for path in Path(SHARED).rglob("*vasprun.xml")}
    steps = sorted({len(run.steps) for run in runs.values()})
    assert steps == [0, 1, 2, 3, 4, 6, 8, 9, 10, 20]
    assert all((run.cut is not None) == path.name.startswith("bp_") for path, run in runs.items())
    found = next(run for path, run in runs.items() if path.match("TPC/cont1/vasprun.xml"))
    assert found.steps[0].energy_ev / len(found.symbols) == pytest.approx(0.312, abs=1e-3)
    assert not found.converged[0]
