from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from physics.synthetic_frames import copper_frames
from vasp_files import outcar

from aiida_dnpmelt.physics.outcar import read_outcar
from aiida_dnpmelt.physics.vasp_run import VaspRun


def read(folder: Path, text: str) -> VaspRun:
    path = folder / "OUTCAR"
    path.write_bytes(text.encode("latin-1"))
    return read_outcar(path)


def test_all_of_a_run(tmp_path):
    frames = copper_frames(3)
    run = read(tmp_path, outcar(frames, {"TEBEG": 1200.0, "ISIF": 2, "GGA": "--"}))
    assert (run.version, run.symbols, run.potcars, run.kpoints) == ("5.4.1", ("Cu",) * 32, ("PAW_PBE Cu 22Jun2005",), 2)
    assert (run.started, run.lost, run.flaw, run.remarks, run.without_stress) == (3, 0, None, (), 0)
    for name, limit in (("cells", 1e-8), ("positions", 1e-5), ("forces_ev_per_angstrom", 1e-6), ("virials_ev", 1e-5)):
        assert run.arrays()[name] == pytest.approx(getattr(frames, name), abs=limit)
    assert run.arrays()["energies_ev"] == pytest.approx(frames.energies_ev, abs=1e-8)
    assert run.temperatures_k.tolist() == [1200.0] * 3
    assert run.converged.tolist() == [True] * 3


def test_electrons_that_needed_all_steps_did_not_converge_unless_they_say_so(tmp_path):
    text = outcar(copper_frames(2), {"NELM": 4}, changes=[1e-8, 1.0])
    assert read(tmp_path, text).converged.tolist() == [True, False]
    last = text.rindex("FORCE on cell")
    text = text[:last] + "------ aborting loop because EDIFF is reached ------\n  " + text[last:]
    assert read(tmp_path, text).converged.tolist() == [True, True]


def test_cut_anywhere_gives_the_whole_steps_before(tmp_path):
    text = outcar(copper_frames(3), {"NSW": 10}, finished=False)
    ends = [place for place in range(len(text)) if text.startswith("TOTEN  = ", place)]
    for place in range(text.index("Iteration"), len(text), 97):
        run = read(tmp_path, text[:place])
        assert len(run.steps) in (sum(place > end + 9 for end in ends), sum(place > end + 27 for end in ends))
        assert run.flaw is not None
    words = [read(tmp_path, text[: place - 200]).flaw for place in ends]
    assert words == ["a first step is cut", "a second step is cut", "a third step is cut"]
    assert read(tmp_path, text).flaw == "3 of 10 ionic steps"


def test_table_that_was_cut_in_the_middle_of_a_file_costs_its_step_alone(tmp_path):
    frames = copper_frames(3)
    text = outcar(frames)
    table = text.index("TOTAL-FORCE", text.index("TOTAL-FORCE") + 1)
    damaged = text[: table + 600] + text[text.index("    total drift", table) :]
    run = read(tmp_path, damaged)
    assert [step.index for step in run.steps] == [0, 2]
    assert run.arrays()["energies_ev"] == pytest.approx(frames.energies_ev[[0, 2]])
    assert run.flaw == "1 of 3 steps are not whole"


def test_numbers_that_touch_and_stars(tmp_path):
    frames = copper_frames(1)
    virials = np.array([[[900.0, 1.0, 2.0], [1.0, -9000.0, 3.0], [2.0, 3.0, -900.0]]])
    run = read(tmp_path, outcar(replace(frames, virials_ev=virials)))
    assert run.steps[0].virial_ev == pytest.approx(virials[0], rel=1e-6)
    text = outcar(frames)
    place = text.index("in kB") + 6
    assert np.isnan(read(tmp_path, text[:place] + 12 * "*" + text[place + 12 :]).steps[0].virial_ev).any()


def test_enthalpy_is_no_energy(tmp_path):
    frames = copper_frames(2)
    run = read(tmp_path, outcar(frames, {"PSTRESS": 100.0}))
    assert run.arrays()["energies_ev"] == pytest.approx(frames.energies_ev, abs=1e-7)
    assert run.remarks == ()
    text = outcar(frames, {"PSTRESS": 100.0})
    for line in [line for line in text.splitlines() if "enthalpy" in line]:  # should another version add P V itself
        free, work = float(line.split()[4]), float(line.split("=")[-1])
        text = text.replace(f"{free - work:18.8f} eV\n", f"{free:18.8f} eV\n")
    run = read(tmp_path, text)
    assert run.arrays()["energies_ev"] == pytest.approx(frames.energies_ev, abs=1e-7)
    assert run.remarks == ("P V of PSTRESS = 100 kB taken off the energies",)


def test_steps_without_stress_are_counted(tmp_path):
    assert read(tmp_path, outcar(copper_frames(3), without_stress=[1])).without_stress == 1
    assert read(tmp_path, outcar(copper_frames(3), {"ISIF": 0})).without_stress == 3
    assert read(tmp_path, outcar(copper_frames(3), {"ISIF": 1})).trace_only


def test_little_output_gives_the_steps_that_have_forces(tmp_path):
    """With NWRITE = 0 cells and forces are those of the first and the last step alone."""
    frames = copper_frames(4)
    text = outcar(frames, {"NSW": 4}, without_forces=[1, 2]).replace("NWRITE =      2", "NWRITE =      0")
    run = read(tmp_path, text)
    assert run.arrays()["energies_ev"] == pytest.approx(frames.energies_ev[[0, 3]])
    assert [step.index for step in run.steps] == [0, 3]
    assert (run.flaw, run.remarks) == (None, ("2 steps without forces left out, NWRITE is 0",))


def test_cell_that_is_written_once_is_that_of_all_steps(tmp_path):
    frames = copper_frames(2)
    frames = replace(frames, cells=frames.cells[[0, 0]])
    text = outcar(frames, {"ISIF": 2})
    second = text.rindex("      direct lattice")
    text = text[:second] + text[text.index("\n POSITION", second) :]
    assert read(tmp_path, text).arrays()["cells"] == pytest.approx(frames.cells, abs=1e-8)
    assert len(read(tmp_path, text.replace("ISIF   = 2", "ISIF   = 3")).steps) == 1


def test_temperature_without_thermostat_is_that_of_the_atoms(tmp_path):
    run = read(tmp_path, outcar(copper_frames(2), {"TEBEG": 600.0, "SMASS": -3.0}, kinetic_ev=[2.4, 1.2]))
    assert run.temperatures_k == pytest.approx([2 * 2.4 / (93 * 8.617333e-5), 2 * 1.2 / (93 * 8.617333e-5)], rel=1e-6)


def test_symbols_are_those_of_the_titles(tmp_path):
    text = outcar(copper_frames(1)).replace("ions per type =               32", "ions per type =     16    16")
    first = "   TITEL  = PAW_PBE Cu 22Jun2005"
    two = text.replace(
        first, "   VRHFIN =r: 4s4p\n   TITEL  = PAW_PBE Zr_sv 04Jan2005\n   VRHFIN =X: s2p6\n   TITEL  = PAW_PBE Xe"
    )
    run = read(tmp_path, two)
    assert run.symbols == ("Zr",) * 16 + ("Xe",) * 16
    assert [remark[:21] for remark in run.remarks] == ["atoms called 'r' are ", "atoms called 'X' are "]
    alike = text.replace(first, f"{first}\n{first}")
    assert read(tmp_path, alike).symbols == ("Cu",) * 32
    other = read(tmp_path, two.replace("=X:", "=Ag:"))
    assert other.contradiction == "atoms are called Ag and were computed with the POTCAR 'PAW_PBE Xe'"
    assert "2 types" in read(tmp_path, text).contradiction


def test_another_order_of_the_potcar_is_told(tmp_path):
    text = outcar(copper_frames(1)).replace("ions per type =               32", "ions per type =     8    24")
    first = "   TITEL  = PAW_PBE Cu 22Jun2005"
    text = text.replace(first, "   TITEL  = PAW_PBE Al\n   TITEL  = PAW_PBE Cu")
    assert read(tmp_path, f"{text.replace(' POTCAR:', ' POSCAR = Al8 Cu24' + chr(10) + ' POTCAR:')}").remarks == ()
    mixed = read(tmp_path, text.replace(" POTCAR:", " POSCAR = Cu8 Al24\n POTCAR:"))
    assert mixed.remarks == ("the POSCAR is called 'Cu8 Al24', by the order of the POTCAR it was computed as Al8 Cu24",)
    assert read(tmp_path, text.replace(" POTCAR:", " POSCAR = a melt of Cu8 Al24\n POTCAR:")).remarks == ()


def test_steps_of_a_force_field_are_counted_and_left_out(tmp_path):
    frames = copper_frames(2)
    text = outcar(frames, {"NSW": 5, "TEBEG": 300.0, "TEEND": 700.0})
    block = (
        "  ML FORCE on cell =-STRESS in cart. coord.  units (eV):\n  in kB  1.0 2.0 3.0 4.0 5.0 6.0\n"
        " POSITION      TOTAL-FORCE (eV/Angst) (ML)\n ----\n  free  energy ML TOTEN  =   -1.0 eV\n"
    )
    second = text.index("--- Iteration      2")
    text = text[:second] + 3 * block + text[second:].replace("Iteration      2", "Iteration      5")
    run = read(tmp_path, text)
    assert run.arrays()["energies_ev"] == pytest.approx(frames.energies_ev)
    assert run.temperatures_k.tolist() == [300.0, 700.0]
    assert (run.flaw, run.remarks) == (None, ("3 of 5 steps are of a force field and left out",))


def test_compressed_files_are_read_as_far_as_they_go(tmp_path):
    data = gzip.compress(outcar(copper_frames(3)).encode())
    path = tmp_path / "OUTCAR.gz"
    path.write_bytes(data)
    assert (len(read_outcar(path).steps), read_outcar(path).flaw) == (3, None)
    path.write_bytes(data[: len(data) // 2])
    assert 0 < len(read_outcar(path).steps) < 3
    assert "compressed file ends early" in read_outcar(path).flaw


@pytest.mark.parametrize("junk", ["", "\0" * 1000, "nothing that VASP wrote\n", "Iteration 1( 1)\n" * 3, "in kB\n" * 9])
def test_what_is_no_run_gives_no_step_and_raises_nothing(tmp_path, junk):
    assert read(tmp_path, junk).steps == ()
