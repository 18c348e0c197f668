from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from vasp_standin import BINDING_EV

from aiida_dnpmelt.workchains.vasp_md import VaspMdWorkChain

INCAR = {"encut": 300, "ediff": 1e-6, "smass": -1, "isym": 0, "ibrion": 0, "tebeg": 600.0, "teend": 600.0, "potim": 2.0}


def inputs(code, family, steps: int, **more) -> dict:
    atoms = bulk("Cu", cubic=True)
    random = np.random.default_rng(5)
    atoms.positions += 0.05 * random.normal(size=atoms.positions.shape)
    kpoints = orm.KpointsData()
    kpoints.set_kpoints_mesh([2, 2, 2])
    velocities = 0.002 * random.normal(size=(4, 3))
    return {
        "code": code,
        "structure": orm.StructureData(ase=atoms),
        "velocities": orm.ArrayData({"velocities": velocities - velocities.mean(axis=0)}),
        "kpoints": kpoints,
        "parameters": orm.Dict({"incar": {**INCAR, "nsw": steps}}),
        "potential_family": family,
        "potential_mapping": {"Cu": "Cu"},
        "settings": orm.Dict({"parser_settings": {"check_ionic_convergence": False}}),
        "phase": "solid",
        "temperature": 600.0,
        "calc": {"metadata": {"options": {"resources": {"num_machines": 1}, "withmpi": False}}},
        **more,
    }


def jobs_of(chain: orm.WorkChainNode) -> list[orm.CalcJobNode]:
    """Return the jobs of a work chain in their order, which the storage does not keep."""
    return sorted((job for job in chain.called if isinstance(job, orm.CalcJobNode)), key=lambda job: job.pk)


def newtons_energies(atoms: Atoms, velocities: np.ndarray, steps: int) -> list[float]:
    """Return the energies of a run at constant temperature, done here."""
    atoms.set_velocities(velocities / units.fs)
    energies = []
    for _ in range(steps):
        atoms.calc = EMT()
        energies.append(atoms.get_potential_energy() - 4 * BINDING_EV)
        atoms.set_momenta(atoms.get_momenta() * np.sqrt(600.0 / atoms.get_temperature()))
        step, masses = 2.0 * units.fs, atoms.get_masses()[:, None]
        half = atoms.get_velocities() + 0.5 * step * atoms.get_forces() / masses
        atoms.positions += step * half
        atoms.set_velocities(half + 0.5 * step * atoms.get_forces() / masses)
    return energies


@pytest.fixture(scope="module")
def truth() -> list[float]:
    given = inputs(None, None, 7)
    return newtons_energies(given["structure"].get_ase(), given["velocities"].get_array("velocities"), 7)


def test_run_begins_with_the_velocities_that_were_given(make_vasp, potcar_family, truth):
    outputs, node = run_get_node(VaspMdWorkChain, **inputs(make_vasp(), potcar_family, 7))
    assert node.is_finished_ok, node.exit_message
    assert outputs["frames"].frames.energies_ev == pytest.approx(truth, abs=1e-6)
    assert (outputs["frames"].phase, outputs["report"]["pieces"], outputs["report"]["flaws"]) == ("solid", 1, {})
    assert outputs["frames"].creator.process_label == "join_pieces"


def test_run_that_is_cut_goes_on_as_if_it_had_not_been(make_vasp, potcar_family, truth):
    outputs, node = run_get_node(VaspMdWorkChain, **inputs(make_vasp(steps=3), potcar_family, 7))
    assert node.is_finished_ok, node.exit_message
    report = outputs["report"].get_dict()
    assert (report["pieces"], report["steps"], report["lost_steps"], report["doubled"]) == (3, 7, 2, 0)
    assert report["electronic_steps"] >= report["steps"]
    assert outputs["frames"].frames.energies_ev == pytest.approx(truth, abs=1e-6)
    assert len(report["flaws"]) == 2
    assert [job.inputs.parameters["nsw"] for job in jobs_of(node)] == [7, 4, 1]


def test_torn_files_cost_a_step_and_no_frame_is_doubled(make_vasp, potcar_family, truth):
    """No CONTCAR: the run goes on from the last whole frame, which the next piece computes again."""
    outputs, node = run_get_node(VaspMdWorkChain, **inputs(make_vasp(torn=True, once=True), potcar_family, 7))
    assert node.is_finished_ok, node.exit_message
    report = outputs["report"].get_dict()
    assert (report["pieces"], report["steps"], report["lost_steps"], report["doubled"]) == (2, 7, 1, 1)
    energies = outputs["frames"].frames.energies_ev
    assert energies[:6] == pytest.approx(truth[:6], abs=1e-6)
    assert energies[6] == pytest.approx(truth[6], abs=0.02), "velocities half a step behind lead nearly the same way"


def test_run_that_comes_to_no_end_keeps_what_it_has(make_vasp, potcar_family, truth):
    outputs, node = run_get_node(
        VaspMdWorkChain, **inputs(make_vasp(steps=2), potcar_family, 7), max_iterations=orm.Int(2)
    )
    assert node.exit_status == VaspMdWorkChain.exit_codes.ERROR_STEPS_MISSING.status
    assert node.exit_message == "4 of 7 ionic steps are there after 2 jobs."
    assert outputs["frames"].frames.energies_ev == pytest.approx(truth[:4], abs=1e-6)


def test_run_without_a_step_is_given_up(make_vasp, potcar_family):
    _, node = run_get_node(VaspMdWorkChain, **inputs(make_vasp(steps=0), potcar_family, 5))
    assert node.exit_status == VaspMdWorkChain.exit_codes.ERROR_NO_STEP.status
    assert "2 times in a row" in node.exit_message
    jobs = jobs_of(node)
    assert all("INCAR" in job.outputs.remote_folder.listdir() for job in jobs), "there is something to look at"


def test_unconverged_frames_are_marked_and_do_not_end_the_run(make_vasp, potcar_family, truth):
    outputs, node = run_get_node(VaspMdWorkChain, **inputs(make_vasp(unconverged=[2, 4]), potcar_family, 4))
    assert node.is_finished_ok, node.exit_message
    assert outputs["frames"].get_array("converged").tolist() == [True, False, True, False]
    assert len(jobs_of(node)) == 1
