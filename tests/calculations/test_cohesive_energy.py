from __future__ import annotations

import io

import numpy as np
import pytest
from aiida import orm
from ase.build import bulk
from ase.calculators.emt import EMT
from mendeleev import element as mendeleev_element
from vasp_files import vasprun

from aiida_dnpmelt.calculations.cohesive_energy import (
    ATOM,
    cohesive_runs,
    energies_of_vasp,
    has_estimate,
    hund_moment,
    last_moment,
)
from aiida_dnpmelt.calculations.cohesive_settings import VaspCohesiveSettings
from aiida_dnpmelt.physics.crystals import crystal
from aiida_dnpmelt.physics.frames import LabelledFrames

pytestmark = pytest.mark.usefixtures("aiida_profile")

# The functions alone: they store nothing, and take no time.
RUNS, ENERGIES = cohesive_runs.__wrapped__, energies_of_vasp.__wrapped__
VASP = {
    "bulk": {"incar": {"ENCUT": 300.0, "ISPIN": 1, "NCORE": 4}, "kpoints_spacing_per_angstrom": 0.8},
    "atom_incar": {"ISMEAR": 0, "SIGMA": 0.01},
    "volumes": 5,
}
OSZICAR = "   1 F= -.10E+01 E0= -.10E+01  d E =-.10E+01  mag=     {moment}\n"


def folder_of(atoms, energy: float, change: float = 1e-8, printed: str = "") -> orm.FolderData:
    """Return what a static run of VASP leaves."""
    number = len(atoms)
    zeros = np.zeros((1, number, 3))
    frames = LabelledFrames(
        tuple(atoms.get_chemical_symbols()),
        atoms.cell.array[None],
        atoms.positions[None],
        np.array([energy]),
        zeros,
        np.zeros((1, 3, 3)),
        np.zeros(1),
    )
    folder = orm.FolderData()
    folder.base.repository.put_object_from_filelike(
        io.BytesIO(vasprun(frames, {"NSW": 0, "IBRION": -1}, [change]).encode()), "vasprun.xml"
    )
    folder.base.repository.put_object_from_filelike(io.BytesIO(printed.encode()), "vasp_output")
    return folder


def runs_of(structure, vasp=VASP, energy=None, printed="") -> dict[str, orm.FolderData]:
    """Return the runs of a crystal and its free atom, with the energies of EMT unless a function gives others."""

    def emt(atoms) -> float:
        atoms.calc = EMT()
        return float(atoms.get_potential_energy())

    made = RUNS(structure, orm.Dict(vasp))
    found = {}
    for name, node in made.items():
        if name.startswith("structure_"):
            atoms = node.get_ase()
            found[name.removeprefix("structure_")] = folder_of(
                atoms, (energy or emt)(atoms), printed=printed if name.endswith(ATOM) else ""
            )
    return found


def test_runs_are_static_ones_of_the_primitive_cell_and_the_atom():
    made = RUNS(orm.StructureData(ase=crystal("Mo", "bcc", 3.15)), orm.Dict(VASP))
    assert len(made["structure_static_00_00"].sites) == 1
    assert made["structure_static_04_00"].get_cell_volume() == pytest.approx(1.06 * 3.15**3 / 2)
    bulk_tags, atom_tags = made["parameters_static_02_00"]["incar"], made["parameters_atom"]["incar"]
    assert (bulk_tags["nsw"], bulk_tags["ibrion"], "magmom" in bulk_tags) == (0, -1, False)
    assert (atom_tags["ispin"], atom_tags["isym"], atom_tags["magmom"]) == (2, 0, "6")
    assert (atom_tags["encut"], atom_tags["ncore"], atom_tags["ismear"]) == (300.0, 4, 0)
    assert sorted(made["structure_atom"].get_ase().cell.lengths()) == [14.0, 15.0, 16.0]


def test_moment_of_the_atom_can_be_given():
    vasp = {**VASP, "atom_magnetic_moment_mu_b": 3.0}
    made = RUNS(orm.StructureData(ase=crystal("Mo", "bcc", 3.15)), orm.Dict(vasp))
    assert made["parameters_atom"]["incar"]["magmom"] == "3"


def test_hexagonal_crystal_has_runs_over_the_axial_ratio():
    structure = orm.StructureData(ase=crystal("Mg", "hcp", 3.2, 5.2))
    made = RUNS(structure, orm.Dict(VASP))
    assert sum(name.startswith("structure_static") for name in made) == 15
    lengths = [made[f"structure_static_02_{index:02d}"].get_ase().cell.lengths() for index in range(3)]
    ratios = [each[2] / each[0] for each in lengths]
    assert ratios == pytest.approx([5.2 / 3.2 * factor for factor in (0.98, 1.0, 1.02)])
    volumes = {round(made[f"structure_static_02_{index:02d}"].get_cell_volume(), 6) for index in range(3)}
    assert len(volumes) == 1


def test_lowest_energy_over_volume_and_axial_ratio_is_found():
    """The energies of an invented crystal with its minimum beside all of the runs."""

    def energy(atoms) -> float:
        if len(atoms) == 1:
            return 0.25
        a, _, c = atoms.cell.lengths()
        return 2 * (-1.5 + 0.02 * (atoms.get_volume() / 2 - 22.9) ** 2 + 3 * (c / a - 1.61) ** 2)

    structure = orm.StructureData(ase=crystal("Mg", "hcp", 3.2, 5.2))
    found = ENERGIES(structure, orm.Dict(VASP), orm.Dict({}), **runs_of(structure, energy=energy))
    assert found["cohesive_energy_ev"] == pytest.approx(1.75, abs=1e-4)
    assert found["volume_angstrom3"] == pytest.approx(22.9, abs=0.02)
    assert found["axial_ratio"] == pytest.approx(1.61, abs=1e-3)
    assert found["flags"] == []


def test_minimum_outside_and_missing_runs_are_told():
    far = orm.StructureData(ase=crystal("Cu", "fcc", 4.0))
    found = ENERGIES(far, orm.Dict(VASP), orm.Dict({}), **runs_of(far))
    assert (found["flags"], found["bulk_energy_ev"], found["cohesive_energy_ev"]) == (["no_crystal"], None, None)
    assert "lowest at an end of the volumes" in found["warnings"][0]
    near = orm.StructureData(ase=crystal("Cu", "fcc", 3.6))
    runs = runs_of(near)
    runs.pop("static_01_00")
    found = ENERGIES(near, orm.Dict(VASP), orm.Dict({"static_01_00": "it was killed"}), **runs)
    assert found["flags"] == ["run_failed", "no_crystal"]
    assert found["warnings"] == ["static_01_00: it was killed", "4 of 5 volumes of the crystal are there, 5 are needed"]
    assert found["atom_energy_ev"] == pytest.approx(3.51)


def test_run_without_self_consistency_is_none():
    structure = orm.StructureData(ase=crystal("Cu", "fcc", 3.6))
    runs = runs_of(structure)
    atom = bulk("Cu", a=30.0)
    runs[ATOM] = folder_of(atom, 3.51, change=0.5)
    found = ENERGIES(structure, orm.Dict(VASP), orm.Dict({}), **runs)
    assert (found["flags"], found["atom_energy_ev"]) == (["unconverged"], None)
    assert "atom: the electrons did not come to self-consistency" in found["warnings"]
    assert found["bulk_energy_ev"] < 0.1


@pytest.mark.parametrize(("moment", "flags"), [("1.0000", []), ("-1.0001", []), ("0.0000", ["atom_moment"])])
def test_moment_of_the_atom_is_compared_with_that_of_hunds_rules(moment, flags):
    structure = orm.StructureData(ase=crystal("Cu", "fcc", 3.6))
    printed = OSZICAR.format(moment="0.5") + OSZICAR.format(moment=moment)
    found = ENERGIES(structure, orm.Dict(VASP), orm.Dict({}), **runs_of(structure, printed=printed))
    assert (found["flags"], found["atom_moment_mu_b"]) == (flags, float(moment))


def test_run_that_printed_nothing_has_no_moment():
    assert last_moment(orm.FolderData()) is None
    assert last_moment(folder_of(bulk("Cu", a=30.0), 0.0, printed="no such thing")) is None


def test_moments_of_free_atoms_are_those_of_another_table():
    """Unpaired electrons of mendeleev; both know the exceptions to the rule of filling, such as Cr, Cu, Nb and Pd."""
    for symbol in ("Cu", "Mo", "Ni", "Pd"):
        assert hund_moment(symbol) == mendeleev_element(symbol).ec.unpaired_electrons(), symbol


def test_estimates_need_a_known_element_and_an_energy_in_range():
    assert has_estimate({"element": "Cu", "cohesive_energy_ev": 3.5}) is None
    assert "of -0.2 eV/atom is none" in has_estimate({"element": "Cu", "cohesive_energy_ev": -0.2})
    assert "is not known" in has_estimate({"element": "Cu", "cohesive_energy_ev": None})
    assert "has no U" in has_estimate({"element": "U", "cohesive_energy_ev": 5.5})


def test_settings_of_the_crystal_cannot_be_changed_for_the_atom():
    tags = VaspCohesiveSettings(**VASP).atom_tags(1.0)
    assert tags["encut"] == 300.0
    with pytest.raises(ValueError, match="PREC must be those of the crystal"):
        VaspCohesiveSettings(**{**VASP, "atom_incar": {"PREC": "Low"}})
