from __future__ import annotations

import io
from pathlib import Path

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import run_get_node
from ase import Atoms
from ase.build import bulk
from ase.io import read
from coexistence_jobs import N_ATOMS, REPETITIONS, SETTINGS, TEMPERATURE_K, going_on, job_inputs, run_job

from aiida_dnpmelt.calculations.coexistence_script import build_script
from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.calculations.job_inputs import inputs_of
from aiida_dnpmelt.calculations.lammps_coexistence import LammpsCoexistenceCalculation, run_spec, stages
from aiida_dnpmelt.data.potential import PotentialData


def files_sent(job: orm.CalcJobNode) -> set[str]:
    return {path.name for path in Path(job.get_remote_workdir()).iterdir()}


def test_input_is_the_script_of_the_inputs(finished_job):
    settings = CoexistenceSettings(**SETTINGS)
    script = build_script(settings, run_spec(inputs_of(finished_job)))
    assert finished_job.base.repository.get_object_content("input.in") == script
    assert "timer timeout" not in script
    assert f"replicate {' '.join(map(str, REPETITIONS))}" in script
    assert "pair_coeff * * Cu_u3.eam" in script


def test_spec_of_a_run_comes_from_its_inputs(finished_job):
    spec = run_spec(inputs_of(finished_job))
    assert (spec.temperature_k, spec.pressure_bar, spec.seed) == (TEMPERATURE_K, 0.0, 1)
    assert (spec.repetitions, spec.production_ps, spec.couple) == (tuple(REPETITIONS), 3.0, "xyz")
    assert set(spec.reflections) == {(0, 2), (2, 0)}
    assert spec.n_slabs == int(7 * 3.615 / 3.5)
    names = [stage.name for stage in stages(inputs_of(finished_job))]
    assert names == ["equilibrate", "average", "melt", "quench", "thermalise", "production"]


def test_cell_is_that_of_the_structure(finished_job):
    content = finished_job.base.repository.get_object_content("cell.data")
    atoms = read(io.StringIO(content), format="lammps-data", atom_style="atomic")
    assert len(atoms) == 4
    assert atoms.cell.lengths() == pytest.approx([3.615] * 3)
    assert atoms.get_masses() == pytest.approx([63.546] * 4)


def test_potential_goes_to_the_job_but_not_into_the_repository_again(finished_job):
    assert "Cu_u3.eam" in files_sent(finished_job)
    assert "Cu_u3.eam" not in finished_job.base.repository.list_object_names()


def test_small_files_are_kept_and_the_trajectory_is_not(finished_job):
    kept = set(finished_job.outputs.retrieved.base.repository.list_object_names())
    assert {"log.lammps", "probe.production.dat"} <= kept
    assert "frames.dump" not in kept
    assert "frames.dump" in files_sent(finished_job)


def test_everything_that_decides_is_an_input(finished_job):
    labels = finished_job.base.links.get_incoming(link_type=LinkType.INPUT_CALC).all_link_labels()
    expected = "code parameters potential pressure production_time repetitions seed structure temperature"
    assert sorted(labels) == expected.split()


def test_job_that_goes_on_gets_the_restart_file_instead_of_the_cell(finished_job, lmp_code, cu_u3):
    job = run_job(lmp_code, cu_u3, **going_on(finished_job), production_time=3.3, max_wallclock_seconds=7200)
    assert job.is_finished_ok, job.exit_message
    assert "cell.data" not in files_sent(job)
    script = job.base.repository.get_object_content("input.in")
    assert script.startswith("timer timeout 1:54:00 every 100\n")  # 95 % of two hours
    assert "read_restart production.end.restart" in script
    assert (Path(job.get_remote_workdir()) / "production.end.restart").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0.0}, r"temperature: 0 K is outside the allowed range 0 < temperature <= 20000 K"),
        ({"temperature": 30_000.0}, r"temperature: 30000 K is outside the allowed range"),
        ({"temperature": float("nan")}, r"temperature: nan K is outside the allowed range"),
        ({"pressure": -11.0}, r"pressure: -11 GPa is outside the allowed range -10 <= pressure <= 1000 GPa"),
        ({"seed": 0}, r"seed: 0 is outside the allowed range 1 to 899999999"),
        ({"seed": 900_000_000}, r"seed: 900000000 is outside"),
        ({"repetitions": [4, 4]}, r"repetitions: \[4, 4\] must be three whole numbers from 1 to 1000"),
        ({"repetitions": [4, 4, 0]}, r"repetitions: \[4, 4, 0\] must be"),
        ({"repetitions": [4, 4, 8.5]}, r"repetitions: \[4, 4, 8\.5\] must be"),
        ({"production_time": -1.0}, r"production_time: -1 ps is outside the allowed range 0 < production_time <="),
        ({"timestep_fs": 20.0}, r"parameters\.timestep_fs: Input should be less than or equal to 10 \(got 20\.0\)"),
        ({"method": "magic"}, r"parameters\.method: Input should be 'bulk', 'paper-text', .* or 'melt' \(got 'magic'"),
        ({"parameters": {**SETTINGS, "pairs": 1}}, r"parameters\.pairs: Extra inputs are not permitted \(got 1\)"),
        ({"parameters": {"timestep_fs": 3.0}}, r"parameters\.melt_ps: Field required"),
        ({"repetitions": [2, 3, 6]}, r"a cell of 7\.2 x 10\.8 x 21\.7 Angstrom.*twice the cutoff of 4\.95 Angstrom"),
    ],
)
def test_bad_input_is_refused_with_key_value_and_range(lmp_code, cu_u3, change, message):
    with pytest.raises(ValueError, match=message):
        run_get_node(LammpsCoexistenceCalculation, **job_inputs(lmp_code, cu_u3, **change))


def test_element_that_the_potential_lacks_is_refused(lmp_code, cu_u3):
    aluminium = orm.StructureData(ase=bulk("Al", cubic=True))
    with pytest.raises(ValueError, match="potential: it has no Al, it knows Cu"):
        run_get_node(LammpsCoexistenceCalculation, **job_inputs(lmp_code, cu_u3, structure=aluminium))


@pytest.mark.parametrize("alone", ["parent_folder", "restart"])
def test_half_of_what_it_takes_to_go_on_is_refused(finished_job, lmp_code, cu_u3, alone):
    half = {alone: going_on(finished_job)[alone]}
    with pytest.raises(ValueError, match="parent_folder and restart: give both to go on with a run, or none"):
        run_get_node(LammpsCoexistenceCalculation, **job_inputs(lmp_code, cu_u3, **half))


@pytest.mark.parametrize(
    ("restart", "message"),
    [
        ({"stage": "melt", "step": 0}, r"restart\.file: Field required"),
        ({"stage": "melt", "step": 0, "file": "melt.end.restart", "more": 1}, r"restart\.more: "),
        ({"stage": "melt", "step": -1, "file": "melt.end.restart"}, r"restart\.step: .* \(got -1\)"),
        ({"stage": "cool", "step": 0, "file": "melt.end.restart"}, r"restart\.stage: 'cool' is not a stage of 'bulk'"),
        ({"stage": "melt", "step": 0, "file": "../../other.restart"}, r"restart\.file: .*\(got '\.\./\.\./other"),
        ({"stage": "melt", "step": 0, "file": "melt.end.restart\nshell rm -r ."}, r"restart\.file: "),
        ({"stage": "melt", "step": 0, "file": "input.in"}, r"restart\.file: "),
    ],
)
def test_restart_that_no_job_gave_is_refused(finished_job, lmp_code, cu_u3, restart, message):
    inputs = {**going_on(finished_job), "restart": orm.Dict(restart)}
    with pytest.raises(ValueError, match=message):
        run_get_node(LammpsCoexistenceCalculation, **job_inputs(lmp_code, cu_u3, **inputs))


def test_species_of_a_compound_are_named_in_the_order_of_the_types(lmp_code, potentials_folder):
    alloy = PotentialData.get_or_create(potentials_folder / "AlFe_mm.eam.fs")
    cell = Atoms("FeAl", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], cell=[2.9] * 3, pbc=True)
    job = run_job(
        lmp_code,
        alloy,
        structure=orm.StructureData(ase=cell),
        repetitions=[5, 5, 9],
        equilibrate_ps=0.03,
        average_ps=0.03,
        temperature=300.0,
        max_wallclock_seconds=20,
        method="paper-text",
        melt_ps=0.03,
        production_time=0.03,
        frame_interval_ps=0.03,
        relax_cell=False,
    )
    assert job.is_finished_ok, job.exit_message
    assert "pair_coeff * * AlFe_mm.eam.fs Al Fe" in job.base.repository.get_object_content("input.in")
    assert job.outputs.run.base.attributes.get("mass_amu") == pytest.approx((26.98 + 55.845) / 2, abs=0.01)


def test_number_of_atoms_is_that_of_the_repeated_cell(finished_job):
    assert finished_job.outputs.results["atoms"] == N_ATOMS
