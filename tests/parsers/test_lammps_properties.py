from __future__ import annotations

import pytest
from aiida import orm
from coexistence_jobs import KILLED_AT
from property_jobs import NOTHING_MORE, cell_of, derived, potential_of, run_properties

from aiida_dnpmelt.calculations.lammps_properties import LammpsPropertiesCalculation
from aiida_dnpmelt.data.potential import PotentialData

CODES = LammpsPropertiesCalculation.exit_codes


@pytest.fixture
def copper(aiida_profile, potentials_folder) -> PotentialData:
    return potential_of(potentials_folder, "Cu")


def assert_ended(job: orm.CalcJobNode, name: str, message: str = "") -> None:
    assert job.exit_status == getattr(CODES, name).status, job.exit_message
    assert message in job.exit_message


def test_results_hold_all_states_and_the_cost(properties_job):
    results = properties_job("Cu").outputs.results.get_dict()
    assert (results["missing"], results["errors"], results["crystal_lost"]) == ([], [], False)
    assert (results["relaxed_atoms"], results["supercell_atoms"], results["vacancy_atoms"]) == (4, 256, 255)
    assert (results["atom_atoms"], results["atom_volume_angstrom3"]) == (1, pytest.approx(27_000))
    assert results["relaxed_lengths_angstrom"] == pytest.approx([3.615] * 3, abs=1e-3)
    assert max(map(abs, results["relaxed_pressures_gpa"])) < 1e-6
    assert 0 < results["core_hours"] < 0.1
    assert "20" in results["lammps_version"]


def test_job_that_was_killed_keeps_what_was_whole(code_that, copper):
    code = code_that(KILLED_AT.format(stage="vacancy", step="[0-9][0-9]*"))
    job = run_properties(code, copper, cell_of("Cu"), minimum_atoms=4000, force_tolerance_ev_per_angstrom=1e-12)
    assert_ended(job, "ERROR_INTERRUPTED", "cut in stage vacancy")
    assert job.outputs.results["done"] == ["equation_of_state", "elastic"]
    assert job.outputs.results["missing"] == ["vacancy", "atom", "release"]
    assert derived(job)["c11_gpa"] == pytest.approx(169.9, abs=0.5)


def test_error_in_the_middle_keeps_what_was_before_it(code_that, copper):
    code = code_that('sed -i "s/^group gap id 1/fly 0/" input.in; "$LMP" "$@"')
    job = run_properties(code, copper, cell_of("Cu"), parts=["elastic", "vacancy", "atom"])
    assert_ended(job, "ERROR_LAMMPS", "Unknown command: fly")
    assert (job.outputs.results["done"], job.outputs.results["missing"]) == (["elastic"], ["vacancy", "atom"])


def test_energies_that_are_no_numbers_are_told(code_that, copper):
    code = code_that('''sed -i 's/^displace_atoms.*/set group all x 0.0 y 0.0 z 0.0/' input.in; "$LMP" "$@"''')
    job = run_properties(code, copper, cell_of("Cu"), parts=["release"])
    assert_ended(job, "ERROR_NOT_FINITE")
    assert job.outputs.results["missing"] == ["release"]


def test_released_crystal_that_cannot_be_read_is_a_gap(code_that, copper):
    code = code_that('"$LMP" "$@"; head -n 5 released.dump > cut; mv cut released.dump')
    job = run_properties(code, copper, cell_of("Cu"), parts=["release"])
    assert_ended(job, "ERROR_FRAMES_UNREADABLE", "released.dump holds no whole frame")
    assert job.outputs.results["missing"] == ["release"]
    assert "released" not in job.outputs


@pytest.mark.parametrize(
    ("script", "name"),
    [("true", "ERROR_LOG_MISSING"), ("echo 'LAMMPS (22 Jul 2025)' > log.lammps", "ERROR_LOG_UNREADABLE")],
)
def test_code_that_does_nothing_is_told(code_that, copper, script, name):
    job = run_properties(code_that(script), copper, cell_of("Cu"), **NOTHING_MORE)
    assert_ended(job, name)
    assert "results" not in job.outputs
