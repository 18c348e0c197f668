"""Files of crystals: what is read, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import ase
import pytest
from ase.build import bulk
from ase.io import write
from click.testing import CliRunner, Result

from aiida_dnpmelt.cli import main
from aiida_dnpmelt.cli.structures import load_structure, read_atoms
from aiida_dnpmelt.physics.crystals import crystal, lattice_name

CIF = """data_mixed
_cell_length_a 3.6
_cell_length_b 3.6
_cell_length_c 3.6
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
"""
DATA = """a crystal

4 atoms
1 atom types

0.0 {a} xlo xhi
0.0 {a} ylo yhi
0.0 {z} zlo zhi
{masses}
Atoms # atomic

1 1 0 0 0
2 1 0 2.025 2.025
3 1 2.025 0 2.025
4 1 2.025 2.025 0
"""
MASSES = "\nMasses\n\n1 {mass}\n"
DUMP = """ITEM: TIMESTEP
0
ITEM: NUMBER OF ATOMS
1
ITEM: BOX BOUNDS pp pp pp
0 2.0
0 2.0
0 2.0
ITEM: ATOMS id type x y z
1 1 0 0 0
"""


@pytest.fixture
def launch(aiida_profile, lmp_code, potentials_folder, tmp_path, monkeypatch):
    """Give a function that makes a dry run of `launch tpc` with a file of a structure, of aluminium."""
    monkeypatch.chdir(tmp_path)

    def run(content: str | ase.Atoms | list[ase.Atoms], name: str, *words: str) -> Result:
        if isinstance(content, str):
            Path(name).write_text(content)
        else:
            write(name, content)
        options = ["--structure", name, "--potential-file", "Al_zhou.eam.alloy", *words]
        return CliRunner().invoke(main, ["launch", "tpc", *options, "--dry-run", "--profile", aiida_profile.name])

    return run


@pytest.mark.parametrize(
    ("sites", "shares"),
    [
        ("Cu1 Cu 0 0 0 0.6\nNi1 Ni 0 0 0 0.4\n", "Cu 0.6, Ni 0.4"),
        ("Al1 Al 0 0 0 0.95\n", "Al 0.95"),
        ("Al1 Al 0 0 0 0.5\nNi1 Ni 0 0 0 0.5\n", "Al 0.5, Ni 0.5"),
    ],
)
@pytest.mark.parametrize("words", [(), ("--any-crystal",)])
def test_partial_occupancies_are_refused_always(launch, sites, shares, words):
    result = launch(CIF + sites, "mixed.cif", *words)
    assert result.exit_code == 1, result.output
    assert f"--structure: 'mixed.cif': a site is occupied in part ({shares})" in result.output


def test_full_occupancies_are_no_matter(launch):
    result = launch(CIF.replace("3.6", "4.05") + "Al1 Al 0 0 0 1.0\n", "full.cif")
    assert result.exit_code == 0, result.output
    assert "Al4 with Al_zhou.eam.alloy" in result.output


def test_two_structures_in_a_file_are_refused(launch):
    images = [bulk("Al", a=a, cubic=True) for a in (4.05, 4.455)]
    result = launch(images, "two.extxyz")
    assert result.exit_code == 1
    assert "'two.extxyz' holds 2 structures, and does not tell which of them melts" in result.output


def defects() -> dict[str, tuple[ase.Atoms, str]]:
    vacancy = crystal("Al", "fcc", 4.05).repeat(3)
    foreign = crystal("Al", "fcc", 4.05).repeat(2)
    foreign.numbers[3] = 29
    displaced = crystal("Al", "fcc", 4.05).repeat(2)
    displaced.rattle(0.012, seed=1)
    del vacancy[10]
    return {
        "vacancy": (vacancy, "Al107 is none of fcc, bcc, hcp, diamond within 0.2 Angstrom"),
        "foreign": (foreign, "is a compound, or has foreign atoms"),
        "displaced": (displaced, "is no crystal within 0.01 Angstrom, but fcc within 0.1"),
        "volume": (bulk("Al", a=4.46), "22.2 cubic Angstrom an atom are outside the allowed range 12.8 to 21.6"),
        "dense": (bulk("Al", a=3.6), "11.7 cubic Angstrom an atom are outside the allowed range 12.8 to 21.6"),
    }


@pytest.mark.parametrize("case", ["vacancy", "displaced", "volume", "dense"])
def test_what_may_not_be_meant_is_refused_unless_asked_for(launch, case):
    atoms, words = defects()[case]
    refused = launch(atoms, "odd.vasp")
    assert refused.exit_code == 1
    assert words in refused.output
    assert "if it is meant, --any-crystal takes it as it is" in refused.output
    asked = launch(atoms, "odd.vasp", "--any-crystal")
    assert asked.exit_code == 0, asked.output
    assert words in asked.output
    assert "it is taken as it is" in asked.output


def test_foreign_atom_is_refused_before_a_guess_is_asked_for(launch):
    result = launch(defects()["foreign"][0], "odd.vasp", "--temperature", "900")
    assert result.exit_code == 1
    assert "potential: it has no Cu" in result.output


@pytest.mark.parametrize(("a", "told"), [(4.05, False), (4.2, True), (3.9, True), (4.1, False)])
def test_a_volume_that_is_not_that_of_the_table_is_told(launch, a, told):
    result = launch(bulk("Al", a=a), "crystal.cif")
    assert result.exit_code == 0, result.output
    assert ("cubic Angstrom an atom, Al has 16.6 in the table" in result.output) is told


def test_a_crystal_under_pressure_may_be_dense(launch):
    result = launch(bulk("Al", a=3.6), "crystal.cif", "--pressure", "60", "--temperature", "2500")
    assert result.exit_code == 0, result.output
    assert "cubic Angstrom" not in result.output


def test_left_handed_cells_are_taken(launch):
    atoms = bulk("Al", a=4.05)
    result = launch(ase.Atoms("Al", cell=atoms.cell.array[[1, 0, 2]], pbc=True), "left.vasp")
    assert result.exit_code == 0, result.output
    assert "1728 atoms" in result.output


def test_slab_with_vacuum_is_refused_always(launch):
    slab = crystal("Al", "fcc", 4.05).repeat((1, 1, 3))
    slab.center(vacuum=8, axis=2)
    slab.pbc = True
    result = launch(slab, "slab.cif", "--any-crystal")
    assert result.exit_code == 1
    assert "without atoms along c: it is a slab or a molecule, not a crystal" in result.output


class TestLammpsFiles:
    def test_masses_name_the_element(self, launch):
        text = DATA.format(a=4.05, z=4.05, masses=MASSES.format(mass=26.98))
        for name in ("conf.data", "conf.lmp", "crystal"):
            result = launch(text, name)
            assert result.exit_code == 0, result.output
            assert "Al4 with Al_zhou.eam.alloy" in result.output

    def test_labels_name_the_element(self, launch):
        text = DATA.format(a=4.05, z=4.05, masses="\nAtom Type Labels\n\n1 Al\n")
        assert "Al4 with" in launch(text, "conf.data").output

    def test_without_masses_the_element_is_asked_for(self, launch):
        text = DATA.format(a=4.05, z=4.05, masses="")
        result = launch(text, "conf.data")
        assert result.exit_code == 1
        assert "types have neither masses nor labels" in result.output
        assert "--element if there is one type" in result.output
        given = launch(text, "conf.data", "--element", "Al")
        assert given.exit_code == 0, given.output
        assert "Al4 with Al_zhou.eam.alloy" in given.output

    def test_mass_of_no_element_is_refused(self, launch):
        result = launch(DATA.format(a=4.05, z=4.05, masses=MASSES.format(mass=100.0)), "conf.data")
        assert result.exit_code == 1
        assert "the mass 100 of a type is that of no element" in result.output

    def test_slab_and_molecule_are_refused(self, launch):
        text = DATA.format(a=4.05, z=20.0, masses=MASSES.format(mass=26.98))
        assert "it is a slab or a molecule" in launch(text, "conf.data").output

    def test_dump_without_elements_asks_for_one(self, launch, tmp_path):
        result = launch(DUMP, "dump.lammpstrj")
        assert result.exit_code == 1
        assert "is a dump of LAMMPS that names no elements: give --element as well" in result.output
        assert set(read_atoms(tmp_path / "dump.lammpstrj", symbol="Al").symbols) == {"Al"}

    def test_element_that_the_file_is_not_is_refused(self, launch):
        text = DATA.format(a=4.05, z=4.05, masses=MASSES.format(mass=26.98))
        assert "'conf.data' is Al4, not Cu" in launch(text, "conf.data", "--element", "Cu").output


def test_lattice_goes_with_the_element_alone(launch):
    result = launch(bulk("Al"), "crystal.cif", "--lattice", "fcc")
    assert "--lattice: it goes with --element alone" in result.output


def test_reason_of_a_reader_is_told_though_it_has_no_words(tmp_path):
    for name, content in (("POSCAR", "Al\n1.0\n4 0 0\n0 4 0\n0 0 4\nAl1\n1\nDirect\n0 0 0\n"), ("some.data", "x\n")):
        (tmp_path / name).write_text(content)
        with pytest.raises(ValueError, match=r"holds no structure that ASE can read: '?\w+"):
            read_atoms(tmp_path / name)


def test_a_file_whose_name_has_an_at_sign_is_read(tmp_path):
    bulk("Al").write(tmp_path / "al@2.cif")
    assert lattice_name(load_structure(None, None, str(tmp_path / "al@2.cif")).get_ase()) == "fcc"
