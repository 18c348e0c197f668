from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from ase.build import bulk
from coexistence_jobs import LONG_PS, N_ATOMS, TEMPERATURE_K, going_on, run_job

from aiida_dnpmelt.calculations.lammps_coexistence import LammpsCoexistenceCalculation
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.data.runs import from_node
from aiida_dnpmelt.parsers.lammps_coexistence import LammpsCoexistenceParser
from aiida_dnpmelt.physics.run import join
from aiida_dnpmelt.physics.units import BOLTZMANN_EV_PER_K

CODES = LammpsCoexistenceCalculation.exit_codes


def assert_ended(job: orm.CalcJobNode, name: str, message: str = "") -> None:
    assert job.exit_status == getattr(CODES, name).status, job.exit_message
    assert message in job.exit_message


def test_results_of_a_finished_job(finished_job):
    assert finished_job.is_finished_ok, finished_job.exit_message
    results = finished_job.outputs.results.get_dict()
    steps = 200 + 500 + 400 + 100 + 200 + 1000
    assert {key: results[key] for key in ("ended", "halted", "bulk_melted", "stage", "errors")} == {
        "ended": True,
        "halted": False,
        "bulk_melted": False,
        "stage": "production",
        "errors": [],
    }
    assert results["production_time_ps"] == pytest.approx(3.0)
    assert (results["atoms"], results["steps"], results["atom_steps"]) == (N_ATOMS, steps, steps * N_ATOMS)
    assert 0 < results["core_hours"] < 0.1
    assert 0 < results["cpu_hours"] < 1.1 * results["core_hours"]
    assert results["lammps_version"].split()[-1].isdigit() or "20" in results["lammps_version"]


def test_run_of_a_finished_job_has_the_shapes_and_the_physics(finished_job):
    run = from_node(finished_job.outputs.run)
    np.testing.assert_allclose(run.time_ps, np.arange(101) * 0.03, atol=1e-9)
    np.testing.assert_allclose(run.frame_time_ps, [0.0, 0.6, 1.2, 1.8, 2.4, 3.0], atol=1e-9)
    np.testing.assert_allclose(run.probe_time_ps, [1.5, 3.0])
    assert run.pressure_gpa.shape == run.box_angstrom.shape == (101, 3)
    assert run.order_profile.shape == (6, 13)
    assert run.temperature_k.mean() == pytest.approx(TEMPERATURE_K, rel=0.15)
    assert abs(run.pressure_gpa[:, 2].mean()) < 0.5
    drift_k = (run.conserved_ev[-1] - run.conserved_ev[0]) / (3.8 * BOLTZMANN_EV_PER_K)
    assert abs(drift_k) < 5
    assert run.enthalpy_ev.mean() == pytest.approx(-3.2, abs=0.3)
    assert np.ptp(run.box_angstrom[:, :2]) == 0.0
    assert np.ptp(run.box_angstrom[:, 2]) > 0.01
    assert 0.05 < run.solid_fraction[0] < 0.95
    assert 1 < run.mean_square_force.mean() < 5
    assert (run.seed, run.n_atoms, run.guess_k, run.target_pressure_gpa) == (1, N_ATOMS, TEMPERATURE_K, 0.0)
    assert run.mass_amu == pytest.approx(63.546)
    assert run.preparation_time_ps[-1] == pytest.approx(1400 * 0.003)


def test_finished_job_can_be_taken_further(finished_job, lmp_code, cu_u3):
    state = {"stage": "production", "step": 1000, "file": "production.end.restart"}
    assert finished_job.outputs.restart.get_dict() == state
    job = run_job(lmp_code, cu_u3, **going_on(finished_job), production_time=3.9)
    assert job.is_finished_ok, job.exit_message
    assert job.outputs.restart["step"] == 1300
    pieces = [from_node(node.outputs.run) for node in (finished_job, job)]
    assert pieces[1].time_ps[0] == pytest.approx(3.0)
    assert len(pieces[1].preparation_time_ps) == 0
    np.testing.assert_allclose(pieces[0].temperature_k[-1], pieces[1].temperature_k[0], rtol=1e-6)
    np.testing.assert_allclose(join(pieces).time_ps, np.arange(131) * 0.03, atol=1e-9)
    assert job.outputs.results["steps"] == 300


def test_wall_time_leaves_a_state_of_its_last_step(finished_job, lmp_code, cu_u3):
    job = run_job(lmp_code, cu_u3, **going_on(finished_job), production_time=LONG_PS, max_wallclock_seconds=2)
    assert_ended(job, "ERROR_OUT_OF_WALLTIME", "in stage production: go on from the output `restart`")
    state = job.outputs.restart
    assert (state["stage"], state["file"]) == ("production", f"production.{state['step']}.restart")
    assert state["step"] > 1000
    assert (Path(job.get_remote_workdir()) / state["file"]).exists()
    assert job.outputs.results["ended"] is False
    whole = state["step"] * 0.003 + 0.3
    further = run_job(lmp_code, cu_u3, **going_on(job), production_time=whole)
    assert further.is_finished_ok, further.exit_message
    times = join([from_node(node.outputs.run) for node in (finished_job, job, further)]).time_ps
    np.testing.assert_allclose(times, np.arange(len(times)) * 0.03, atol=1e-9)
    assert times[-1] == pytest.approx(whole, abs=0.031)


def test_killed_job_leaves_its_last_whole_state(code_killed_at, lmp_code, cu_u3):
    job = run_job(code_killed_at("production", 450), cu_u3, production_time=LONG_PS)
    assert_ended(job, "ERROR_INTERRUPTED", "cut in stage production")
    state = job.outputs.restart
    assert state["stage"] == "production"
    assert state["step"] % 200 == 0
    assert state["step"] >= 400
    assert (Path(job.get_remote_workdir()) / state["file"]).exists()
    whole = state["step"] * 0.003 + 0.3
    further = run_job(lmp_code, cu_u3, **going_on(job), production_time=whole)
    assert further.is_finished_ok, further.exit_message
    times = join([from_node(node.outputs.run) for node in (job, further)]).time_ps
    np.testing.assert_allclose(times, np.arange(len(times)) * 0.03, atol=1e-9)


def test_job_killed_before_its_first_restart_file_has_no_state(code_killed_at, cu_u3):
    job = run_job(code_killed_at("equilibrate", 10), cu_u3, equilibrate_ps=LONG_PS, restart_interval_ps=LONG_PS)
    assert_ended(job, "ERROR_INTERRUPTED", "cut in stage equilibrate")
    assert "restart" not in job.outputs
    assert job.outputs.results["production_time_ps"] == 0.0


def test_crystal_that_melts_in_bulk_ends_early(lmp_code, cu_u3):
    job = run_job(lmp_code, cu_u3, temperature=3000.0)
    assert job.is_finished_ok, job.exit_message
    results = job.outputs.results
    assert (results["bulk_melted"], results["ended"], results["stage"]) == (True, True, "average")
    assert results["steps"] == 700
    assert "restart" not in job.outputs
    assert from_node(job.outputs.run).bulk_melted


def test_lost_phase_ends_production(lmp_code, cu_u3):
    """A crystal that is left whole has lost its liquid at the first probe."""
    job = run_job(
        lmp_code, cu_u3, temperature=600.0, melt_factor=1.01, production_time=LONG_PS, halt_on_lost_phase=True
    )
    assert job.is_finished_ok, job.exit_message
    results = job.outputs.results
    assert (results["halted"], results["ended"], results["bulk_melted"]) == (True, True, False)
    assert results["production_time_ps"] == pytest.approx(1.5)
    run = from_node(job.outputs.run)
    assert run.halted
    assert run.frame_time_ps[-1] == pytest.approx(1.5)  # beside the regular frames at 0, 0.6 and 1.2 ps
    assert run.bragg_solid_fraction[-1] == 1.0


def test_lost_atoms(lmp_code, cu_u3):
    job = run_job(lmp_code, cu_u3, timestep_fs=6.0, thermostat_damping_ps=0.002)
    assert_ended(job, "ERROR_LOST_ATOMS", "use a shorter time step. ERROR: Lost atoms")


@pytest.mark.parametrize(
    ("timestep", "said"),
    [(10.0, "Non-numeric pressure"), (5.0, "Domain too large for neighbor bins"), (2.5, "Too many neighbor bins")],
)
def test_run_that_explodes(lmp_code, cu_u3, timestep, said):
    """A barostat that is faster than the time step, and what LAMMPS says of it."""
    job = run_job(lmp_code, cu_u3, timestep_fs=timestep, barostat_damping_ps=0.001)
    assert_ended(job, "ERROR_NOT_FINITE", said)
    assert "shorter time step" in job.exit_message


def test_pair_style_that_lammps_does_not_know(lmp_code):
    model = PotentialData(io.BytesIO(b"model"), "graph.pb", pair_style="deepmd", type_map=["Cu"], cutoff=4.0)
    job = run_job(lmp_code, model)
    assert_ended(job, "ERROR_UNKNOWN_PAIR_STYLE", "use another code. ERROR: Unrecognized pair style 'deepmd'")
    assert "run" not in job.outputs


def test_file_that_is_no_model(lmp_deepmd_code):
    model = PotentialData(io.BytesIO(b"model"), "graph.pb", pair_style="deepmd", type_map=["Cu"], cutoff=4.0)
    assert_ended(run_job(lmp_deepmd_code, model), "ERROR_BAD_POTENTIAL", "LAMMPS cannot use the potential file")


def test_element_that_the_model_lacks(lmp_deepmd_code, tiny_model):
    claims = PotentialData(str(tiny_model), pair_style="deepmd", type_map=["Ag"], cutoff=3.5)
    silver = orm.StructureData(ase=bulk("Ag", "fcc", a=4.09, cubic=True))
    job = run_job(lmp_deepmd_code, claims, structure=silver)
    assert_ended(job, "ERROR_MISSING_ELEMENT", "The potential lacks an element")


def test_restart_file_that_is_not_there(finished_job, lmp_code, cu_u3):
    lost = orm.Dict({"stage": "melt", "step": 7, "file": "melt.7.restart"})
    job = run_job(lmp_code, cu_u3, parent_folder=finished_job.outputs.remote_folder, restart=lost)
    assert_ended(job, "ERROR_LAMMPS", "LAMMPS ended with an error. ERROR")


def test_program_that_leaves_no_log(code_that, cu_u3):
    assert_ended(run_job(code_that("true"), cu_u3), "ERROR_LOG_MISSING", "see the scheduler's output")


def twin(job: orm.CalcJobNode, **files: bytes) -> orm.CalcJobNode:
    """Return a stored copy of a job that has left these files (by their stems) instead of its own."""
    node = orm.CalcJobNode(computer=job.computer, process_type=job.process_type)
    for key in ("parser_name", "input_filename", "output_filename", "resources"):
        node.set_option(key, job.get_option(key))
    for link in job.base.links.get_incoming(link_type=LinkType.INPUT_CALC).all():
        node.base.links.add_incoming(link.node, link_type=LinkType.INPUT_CALC, link_label=link.link_label)
    node.store()
    retrieved = orm.FolderData()
    old = job.outputs.retrieved.base.repository
    for name in old.list_object_names():
        content = files.get(name.split(".")[0], old.get_object_content(name, mode="rb"))
        retrieved.base.repository.put_object_from_bytes(content, name)
    retrieved.base.links.add_incoming(node, link_type=LinkType.CREATE, link_label="retrieved")
    retrieved.store()
    return node


def parsed(node: orm.CalcJobNode, folder: Path) -> tuple[dict[str, orm.Node], orm.ProcessNode]:
    return LammpsCoexistenceParser.parse_from_node(node, store_provenance=False, retrieved_temporary_folder=str(folder))


def log_of(job: orm.CalcJobNode) -> bytes:
    return job.outputs.retrieved.base.repository.get_object_content("log.lammps", mode="rb")


@pytest.mark.parametrize("share", [0.0, 0.03, 0.2, 0.4, 0.6, 0.8, 0.97])
def test_log_that_was_cut_keeps_what_it_has_and_never_raises(finished_job, tmp_path, share):
    content = log_of(finished_job)
    outputs, ended = parsed(twin(finished_job, log=content[: int(share * len(content))]), tmp_path)
    if share < 0.05:
        assert ended.exit_status == CODES.ERROR_LOG_UNREADABLE.status
        assert not outputs
    else:
        assert ended.exit_status == CODES.ERROR_INTERRUPTED.status
        run = from_node(outputs["run"].store())
        assert len(run.preparation_time_ps) + len(run.time_ps) > 10


def test_log_that_lacks_but_its_last_lines_is_that_of_a_finished_run(finished_job, tmp_path):
    content = log_of(finished_job)
    outputs, ended = parsed(twin(finished_job, log=content[: content.rindex(b"undump")]), tmp_path)
    assert ended.is_finished_ok, ended.exit_message
    assert outputs["restart"].get_dict() == {"stage": "production", "step": 1000, "file": "production.1000.restart"}


def test_frames_that_are_none_are_told(finished_job, tmp_path):
    (tmp_path / "frames.dump").write_text("these are no frames\n")
    _, ended = parsed(twin(finished_job), tmp_path)
    assert ended.exit_status == CODES.ERROR_FRAMES_UNREADABLE.status
    assert "line 1 of the dump" in ended.exit_message


def test_cause_of_an_explosion_is_told_before_its_unreadable_frames(finished_job, tmp_path):
    (tmp_path / "frames.dump").write_text("these are no frames\n")
    log = log_of(finished_job) + b"ERROR: Lost atoms: original 252 current 251\n"
    _, ended = parsed(twin(finished_job, log=log), tmp_path)
    assert ended.exit_status == CODES.ERROR_LOST_ATOMS.status


def test_last_row_that_is_not_finite_is_an_explosion(finished_job, tmp_path):
    content = log_of(finished_job).decode()
    rows, tail = content.split("\n      1000  ")
    values = tail.split("\n")[0].split()
    log = f"{rows}\n      1000  {' '.join(['nan'] * len(values))}\n"
    _, ended = parsed(twin(finished_job, log=log.encode()), tmp_path)
    assert ended.exit_status == CODES.ERROR_NOT_FINITE.status
