from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tracemalloc
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest
from physics.synthetic_frames import copper_frames
from vasp_files import KB_A3_PER_EV, vasprun

from aiida_dnpmelt.physics.units import gpa_a3_to_ev
from aiida_dnpmelt.physics.vasp_run import VaspRun
from aiida_dnpmelt.physics.vasprun import read_vasprun

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


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_stars_in_a_cell_are_no_number_and_warn_nobody(tmp_path):
    text = vasprun(copper_frames(2), {"PSTRESS": 10.0})
    place = text.index("<v>", text.index('name="basis"', text.index("<calculation>"))) + 3
    run = read(tmp_path, text[:place] + " *************** " + text[place + 17 :])
    assert np.isnan(run.steps[0].virial_ev).all()
    assert np.isfinite(run.steps[1].virial_ev).all()


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


class TestPressure:
    """By hand: 100 kB are 10 GPa; a cell of 16.02 cubic Angstrom has a P V of 1 eV at that."""

    def test_enthalpy_is_no_energy(self, tmp_path):
        frames = copper_frames(2)
        text = vasprun(frames, {"PSTRESS": 100.0}, correction_ev=0.0)
        assert read(tmp_path, text).arrays()["energies_ev"] == pytest.approx(frames.energies_ev, abs=1e-7)
        assert read(tmp_path, text).remarks == ("P V of PSTRESS = 100 kB taken off the energies",)
        work = 100 * np.linalg.det(frames.cells[0]) / KB_A3_PER_EV
        assert read(tmp_path, text).steps[0].work_ev == pytest.approx(work, abs=1e-7)

    def test_energy_is_left_as_it_is_where_the_electrons_have_the_same(self, tmp_path):
        frames = copper_frames(2)
        text = vasprun(frames, correction_ev=0.0).replace(
            "</incar>", '  <i name="PSTRESS">    100.00000000</i>\n </incar>'
        )
        run = read(tmp_path, text)
        assert run.arrays()["energies_ev"] == pytest.approx(frames.energies_ev, abs=1e-7)
        assert run.remarks == ()

    def test_small_pressure_is_told_from_none(self, tmp_path):
        """One atmosphere as PSTRESS, as in published runs: 2e-4 eV."""
        frames = copper_frames(1)
        text = vasprun(frames, {"PSTRESS": 0.0010312}, correction_ev=0.0)
        run = read(tmp_path, text)
        assert run.steps[0].work_ev == pytest.approx(
            0.0010312 * np.linalg.det(frames.cells[0]) / KB_A3_PER_EV, abs=2e-8
        )
        assert run.steps[0].energy_ev == pytest.approx(frames.energies_ev[0], abs=1e-8)
        assert run.remarks == ()

    def test_tension_adds_what_it_took(self, tmp_path):
        frames = copper_frames(1)
        text = vasprun(frames, {"PSTRESS": -50.0}, correction_ev=0.0)
        assert read(tmp_path, text).steps[0].energy_ev == pytest.approx(frames.energies_ev[0], abs=1e-7)

    def test_dispersion_stays_and_the_doubt_is_told(self, tmp_path):
        frames = copper_frames(1)
        text = vasprun(frames, {"PSTRESS": 100.0, "IVDW": 12}, correction_ev=-8.5)
        run = read(tmp_path, text)
        assert run.steps[0].energy_ev == pytest.approx(frames.energies_ev[0], abs=2e-5)
        assert run.remarks == (
            "P V of PSTRESS = 100 kB taken off the energies, which the electronic steps could not confirm",
        )
        alone = read(tmp_path, vasprun(frames, {"IVDW": 12}, correction_ev=-8.5))
        assert (alone.steps[0].energy_ev, alone.remarks) == (pytest.approx(frames.energies_ev[0], abs=1e-8), ())


class TestStress:
    def test_step_without_stress_is_whole(self, tmp_path):
        run = read(tmp_path, vasprun(copper_frames(2), {"ISIF": 0, "NSW": 2}, stress=False))
        assert (len(run.steps), run.lost, run.flaw, run.without_stress) == (2, 0, None, 2)
        assert np.isnan(run.arrays()["virials_ev"]).all()

    def test_zeros_are_no_stress(self, tmp_path):
        frames = copper_frames(2)
        frames.virials_ev[1] = 0.0
        assert read(tmp_path, vasprun(frames)).without_stress == 1
        assert read(tmp_path, vasprun(copper_frames(2), {"ISIF": 0})).without_stress == 2

    def test_trace_is_no_tensor(self, tmp_path):
        assert read(tmp_path, vasprun(copper_frames(1), {"ISIF": 1})).trace_only
        assert not read(tmp_path, vasprun(copper_frames(1), {"ISIF": 2})).trace_only


class TestTemperature:
    def test_steps_of_a_force_field_count_in_time(self, tmp_path):
        """Ten steps in all from 300 to 1200 K; the first, the fifth and the tenth are those of VASP itself."""
        text = vasprun(copper_frames(3), {"NSW": 10, "TEBEG": 300.0, "TEEND": 1200.0, "ML_LMLFF": True})
        step = ' <structure><varray name="positions"/></structure>\n <energy><i name="kinetic"> 0.1 </i></energy>\n'
        first, second, third, last = text.split(" <calculation>")
        text = " <calculation>".join([first, second + 3 * step, third + 4 * step, last])
        run = read(tmp_path, text)
        assert run.temperatures_k == pytest.approx([300.0, 700.0, 1200.0])
        assert (run.flaw, run.remarks) == (None, ("7 of 10 steps are of a force field and left out",))

    def test_step_without_electrons_is_one_of_a_force_field(self, tmp_path):
        text = vasprun(copper_frames(3), {"ML_LMLFF": True, "TEBEG": 300.0, "TEEND": 900.0})
        first, second, third, last = text.split(" <calculation>")
        third = third[: third.index("  <scstep>")] + third[third.rindex("</scstep>") + 9 :]
        run = read(tmp_path, " <calculation>".join([first, second, third, last]))
        assert run.temperatures_k == pytest.approx([300.0, 900.0])
        assert (run.lost, run.force_field_steps) == (0, 1)

    @pytest.mark.parametrize(
        ("tags", "held"),
        [
            ({"SMASS": -3.0}, False),
            ({"SMASS": -2.0}, False),
            ({"SMASS": -1.0}, True),
            ({"SMASS": -1.0, "NBLOCK": 50}, False),
            ({"SMASS": 0.0}, True),
            ({"SMASS": 2.5, "MDALGO": 0}, True),
            ({"MDALGO": 1}, False),
            ({"MDALGO": 1, "ANDERSEN_PROB": 0.1}, True),
            ({"MDALGO": 2, "SMASS": -3.0}, False),
            ({"MDALGO": 2, "SMASS": 0.0}, True),
            ({"MDALGO": 2}, True),
            ({"MDALGO": 3, "ISIF": 3}, False),
            ({"MDALGO": 3, "LANGEVIN_GAMMA": 10.0}, True),
            ({"MDALGO": 3, "LANGEVIN_GAMMA": 0.0, "ISIF": 3, "PSTRESS": 0.0}, False),
            ({"MDALGO": 4}, True),
            ({"MDALGO": 4, "NHC_NCHAINS": 0}, False),
            ({"MDALGO": 5}, True),
            ({"MDALGO": 13}, True),
            ({"MDALGO": 11, "ANDERSEN_PROB": 0.05}, True),
            ({"MDALGO": 21, "SMASS": 1.0}, True),
            ({}, False),
            ({"TEEND": 1200.0}, True),
        ],
    )
    def test_kinetic_energy_tells_it_where_no_thermostat_does(self, tmp_path, tags, held):
        """By hand: 32 atoms have 93 degrees of freedom without drift; 2 x 2.4042 eV / 93 k is 600 K."""
        tags = {"TEBEG": 1000.0, "TEEND": None, "NSW": 2, **tags}
        run = read(tmp_path, vasprun(copper_frames(2), tags, kinetic_ev=[2.404236, 1.202118]))
        expected = [1000.0, tags["TEEND"] or 1000.0] if held else [600.0, 300.0]
        assert run.temperatures_k == pytest.approx(expected, abs=0.01)

    def test_without_kinetic_energies_it_is_told_that_nothing_held_it(self, tmp_path):
        run = read(tmp_path, vasprun(copper_frames(1), {"SMASS": -3.0}))
        assert run.temperatures_k.tolist() == [1200.0]
        assert run.remarks == ("no thermostat: temperatures are TEBEG, there are no kinetic energies",)

    @pytest.mark.parametrize("tags", [{"NSW": 0}, {"IBRION": -1}, {"IBRION": 2}, {"NSW": 0, "IBRION": None}])
    def test_atoms_that_do_not_move_in_time_have_none(self, tmp_path, tags):
        assert np.isnan(read(tmp_path, vasprun(copper_frames(1), tags)).temperatures_k).all()


class TestSymbols:
    @pytest.mark.parametrize(
        ("called", "title", "symbol"),
        [
            ("r", "PAW_PBE Zr_sv 04Jan2005", "Zr"),
            ("X", "PAW_PBE Xe 07Sep2000", "Xe"),
            ("C", "PAW_PBE Ca_sv 06Sep2000", "Ca"),
            ("Al", "PAW_PBE Al_sv_GW 02Feb2008", "Al"),
            ("H", "PAW_PBE H.5 07Sep2000", "H"),
            ("H", "PAW_PBE H1.25 07Sep2000", "H"),
            ("Ni", "PAW_GGA Ni_pv", "Ni"),
            ("Al", "US Al", "Al"),
            ("Al", "Al", "Al"),
            ("Cu", "", "Cu"),
            ("Cu", "no title of an element", "Cu"),
        ],
    )
    def test_name_or_title(self, tmp_path, called, title, symbol):
        run = read(tmp_path, vasprun(copper_frames(1), called=called, titles=[title]))
        assert (run.symbols, run.contradiction) == ((symbol,) * 32, None)
        assert len(run.remarks) == (called != symbol)

    def test_two_types_of_one_element(self, tmp_path):
        run = read(tmp_path, vasprun(copper_frames(1), titles=["PAW_PBE Cu 22Jun2005", "PAW_PBE Cu_pv 06Sep2000"]))
        assert (run.symbols, run.remarks) == (("Cu",) * 32, ())

    def test_another_element_is_a_contradiction(self, tmp_path):
        run = read(tmp_path, vasprun(copper_frames(1), titles=["PAW_PBE Cu 22Jun2005", "PAW_PBE Al 04Jan2001"]))
        assert run.contradiction == "atoms are called Cu and were computed with the POTCAR 'PAW_PBE Al 04Jan2001'"


@pytest.mark.parametrize(
    "name",
    [
        b"Al & Cu melt, T<Tm",
        b"a &amp; b &Cu; > c",
        b"M\xfcller, 5 \xc5",
        "Müller".encode(),
        b"\x00\x1b[1m bold \x07",
        b"</i> <i>",
        b"a ]]> b",
        b"&#3; &#x0; &#xD800;",
        b"<modeling>",
        b"&",
    ],
)
@pytest.mark.parametrize("head", [True, False])
def test_free_text_that_is_no_xml(tmp_path, name, head):
    text = vasprun(copper_frames(2), {"SYSTEM": "NAME"}).encode()
    text = text if head else text[text.index(b"<modeling>") :]
    run = read(tmp_path, text.replace(b"NAME", name))
    assert (len(run.steps), run.cut) == (2, None)
    assert run.incar["NELM"] == 60
    if name == b"Al & Cu melt, T<Tm":
        assert run.incar["SYSTEM"] == "Al & Cu melt, T<Tm"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files_are_read_as_far_as_they_go(tmp_path, pack):
    text = vasprun(copper_frames(3)).encode()
    run = read(tmp_path, pack(text))
    assert (len(run.steps), run.flaw) == (3, None)
    random = np.random.default_rng(1)
    parts = (b"<!-- " + random.bytes(600_000).hex().encode() + b" --></calculation>" for _ in range(3))
    longer = pack(b"".join(a + b for a, b in zip_longest(text.split(b"</calculation>"), parts, fillvalue=b"")))
    cut = read(tmp_path, longer[: len(longer) // 2])
    assert (len(cut.steps), cut.started) == (1, 2)
    assert "compressed file ends early or is damaged" in cut.flaw
    middle = len(longer) // 2
    assert read(tmp_path, longer[:middle] + bytes(50) + longer[middle + 50 :]).flaw is not None


@pytest.mark.skipif(SHARED is None, reason="DNPMELT_SHARED_DATA is not set: no published runs here")
def test_published_runs():
    runs = {path: read_vasprun(path) for path in Path(SHARED).rglob("*vasprun.xml")}
    steps = sorted({len(run.steps) for run in runs.values()})
    assert steps == [0, 1, 2, 3, 4, 6, 8, 9, 10, 20]
    assert all((run.cut is not None) == path.name.startswith("bp_") for path, run in runs.items())
    found = next(run for path, run in runs.items() if path.match("TPC/cont1/vasprun.xml"))
    assert found.steps[0].energy_ev / len(found.symbols) == pytest.approx(0.312, abs=1e-3)
    assert not found.converged[0]
