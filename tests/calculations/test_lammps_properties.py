from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from ase.build import bulk
from property_jobs import NOTHING_MORE, cell_of, derived, potential_of, run_properties

from aiida_dnpmelt.calculations.lammps_properties import LammpsPropertiesCalculation
from aiida_dnpmelt.calculations.properties_script import PropertiesSpec, build_script
from aiida_dnpmelt.calculations.properties_settings import PropertiesSettings
from aiida_dnpmelt.data.potential import PotentialData

FILES = Path(__file__).parent / "files" / "properties_script"
SPECS = {
    "cubic": PropertiesSpec("fcc", (3, 3, 3), 30.0, 7, ("pair_style eam", "pair_coeff * * Cu_u3.eam")),
    "hexagonal": PropertiesSpec("hcp", (5, 3, 4), 30.0, 7, ("pair_style eam/fs", "pair_coeff * * Mg.eam.fs Mg")),
    "atom": PropertiesSpec("bcc", (4, 4, 4), 40.0, 7, ("pair_style eam/fs", "pair_coeff * * Fe.eam.fs Fe")),
}
SETTINGS = {"cubic": {}, "hexagonal": {"volumes": 5, "axial_ratios": 3}, "atom": {"parts": ["atom"]}}


def script_of(name: str) -> str:
    return build_script(PropertiesSettings(**SETTINGS[name]), SPECS[name])


@pytest.mark.parametrize("name", SPECS)
def test_script_is_that_of_the_regression_file(name):
    assert script_of(name) == (FILES / f"{name}.in").read_text()


def test_copper_has_its_published_properties(properties_job):
    """Y. Mishin et al., Phys. Rev. B 63, 224106 (2001), table III."""
    found = derived(properties_job("Cu"))
    assert found["lattice_a_angstrom"] == pytest.approx(3.615, abs=5e-4)
    assert found["cohesive_energy_ev"] == pytest.approx(3.54, abs=5e-3)
    assert found["c11_gpa"] == pytest.approx(169.9, abs=0.5)
    assert found["c12_gpa"] == pytest.approx(122.6, abs=0.5)
    assert found["c44_gpa"] == pytest.approx(76.2, abs=0.5)
    assert found["vacancy_formation_energy_ev"] == pytest.approx(1.272, abs=0.01)
    assert found["bulk_modulus_hill_gpa"] == pytest.approx(138.4, abs=0.5)
    assert found["bulk_modulus_gpa"] == pytest.approx(138.4, rel=0.02)
    assert found["released_lattice"] == "fcc"
    assert (found["flags"], found["missing"]) == ([], [])


def test_iron_has_its_published_properties(properties_job):
    """M. I. Mendelev et al., Phil. Mag. 83, 3977 (2003), potential 2; a small cell holds the vacancy."""
    found = derived(properties_job("Fe"))
    assert found["lattice_a_angstrom"] == pytest.approx(2.855, abs=1e-3)
    assert found["cohesive_energy_ev"] == pytest.approx(4.12, abs=0.02)
    assert (found["c11_gpa"], found["c12_gpa"], found["c44_gpa"]) == pytest.approx((243.4, 145.0, 116.0), abs=1.0)
    assert found["vacancy_formation_energy_ev"] == pytest.approx(1.71, abs=0.1)
    assert found["mechanically_stable"]


def test_magnesium_is_relaxed_along_both_axes(properties_job):
    """D. Y. Sun et al., Phys. Rev. B 73, 024116 (2006): a = 3.184 Angstrom, c/a = 1.628."""
    job = properties_job("Mg")
    found = derived(job)
    assert found["lattice_a_angstrom"] == pytest.approx(3.184, abs=2e-3)
    assert found["axial_ratio"] == pytest.approx(1.628, abs=2e-3)
    assert found["cohesive_energy_ev"] == pytest.approx(1.53, abs=0.02)
    assert found["elastic_asymmetry_gpa"] < 0.5
    middle = len(found["eos_axial_ratios"]) // 2
    assert found["eos_axial_ratios"][middle] == pytest.approx(found["axial_ratio"], abs=1e-3)
    assert found["eos_volume_angstrom3"] == pytest.approx(found["volume_angstrom3"], rel=5e-3)
    assert job.outputs.series.get_array("energies_ev").shape == (9, 5)
    assert found["released_lattice"] == "hcp"


def test_stresses_are_derivatives_of_the_energies(lmp_code, potentials_folder, properties_job):
    """C33 of magnesium from energies over c alone, against that from stresses: another quantity of another run."""
    series = properties_job("Mg").outputs.series
    constants = derived(properties_job("Mg"))
    ratios = series.get_array("axial_ratios")[4]
    energies = series.get_array("energies_ev")[4]
    # At constant volume c/a changes by t: the strains are (-t/3, -t/3, 2t/3), energy V t^2 (C11+C12-4C13+2C33)/9.
    strains = np.log(ratios / constants["axial_ratio"])
    curvature = 2 * np.polyfit(strains, energies, 4)[2]
    expected = (
        2 * (constants["c11_gpa"] + constants["c12_gpa"] - 4 * constants["c13_gpa"] + 2 * constants["c33_gpa"]) / 9
    )
    volume = 4 * constants["volume_angstrom3"]
    assert curvature / volume * 160.21766 == pytest.approx(expected, rel=0.03)


def test_copper_in_bcc_is_no_crystal_to_stay_in(lmp_code, potentials_folder):
    job = run_properties(
        lmp_code,
        potential_of(potentials_folder, "Cu"),
        cell_of("Cu", "bcc", 2.87),
        parts=["elastic", "release"],
    )
    assert job.is_finished_ok, job.exit_message
    found = derived(job)
    assert not found["mechanically_stable"]
    assert found["lowest_stiffness_gpa"] == pytest.approx(found["c11_gpa"] - found["c12_gpa"], abs=1e-6)
    assert found["shear_modulus_hill_gpa"] is None
    assert found["released_lattice"] != "bcc"
    assert found["released_gain_ev"] == pytest.approx(0.0455, abs=2e-3)
    assert found["flags"] == ["unstable", "another_phase"]


def test_crystal_that_the_potential_does_not_hold_is_a_result(lmp_code, potentials_folder):
    """Far apart, atoms of copper do not find together within the volume that is allowed."""
    job = run_properties(lmp_code, potential_of(potentials_folder, "Cu"), cell_of("Cu", "fcc", 4.6), relaxations=20)
    assert job.is_finished_ok, job.exit_message
    found = derived(job)
    assert found["flags"] == ["crystal_lost"]
    assert (found["lattice_a_angstrom"], found["cohesive_energy_ev"]) == (None, None)
    assert set(found["missing"]) == set(PropertiesSettings().parts)


def test_real_model_runs_and_its_free_atom_is_doubted(lmp_deepmd_code, tiny_model):
    model = PotentialData(tiny_model, pair_style="deepmd", type_map=["Cu", "Ni"], cutoff=3.5)
    job = run_properties(lmp_deepmd_code, model, cell_of("Cu"), parts=["elastic", "atom"], maximum_steps=10)
    assert job.is_finished_ok, job.exit_message
    found = derived(job)
    assert found["pair_style"] == "deepmd"
    assert found["energy_ev"] == pytest.approx(-3.5, abs=3.0)
    assert "lone_atom" in found["flags"]
    assert found["atom_energy_ev"] - found["energy_ev"] == pytest.approx(found["cohesive_energy_ev"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"parts": ["elastic", "elastic"]}, "parts: elastic, elastic has one more than once"),
        ({"parts": ["surface"]}, r"settings\.parts\.0"),
        ({"volumes": 6}, "volumes and axial_ratios must be odd"),
        ({"strain": 0.5}, r"settings\.strain: Input should be less than or equal to 0\.05"),
        ({"strains": 0.5}, r"settings\.strains: Extra inputs are not permitted"),
    ],
)
def test_wrong_settings_are_refused(lmp_code, potentials_folder, settings, message):
    with pytest.raises(ValueError, match=message):
        run_properties(lmp_code, potential_of(potentials_folder, "Cu"), cell_of("Cu"), **settings)


def test_wrong_crystals_and_potentials_are_refused(lmp_code, potentials_folder):
    copper = potential_of(potentials_folder, "Cu")
    for atoms, message in (
        (bulk("Cu"), "structure: its cell is not along x, y, z"),
        (bulk("CuNi", "rocksalt", a=5.0, cubic=True), "structure: Cu4Ni4 is 'other'"),
    ):
        with pytest.raises(ValueError, match=message):
            run_properties(lmp_code, copper, orm.StructureData(ase=atoms))
    with pytest.raises(ValueError, match="potential: it has no Cu, it knows Mg"):
        run_properties(lmp_code, potential_of(potentials_folder, "Mg"), cell_of("Cu"), **NOTHING_MORE)


def test_job_has_the_class_of_its_entry_point(properties_job):
    assert properties_job("Cu").process_class is LammpsPropertiesCalculation


if __name__ == "__main__":
    FILES.mkdir(exist_ok=True)
    for case in SPECS:
        (FILES / f"{case}.in").write_text(script_of(case))
