from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk
from label_jobs import (
    MOVED,
    STEP,
    copper_cell,
    dynamics,
    frames_of,
    label_inputs,
    oblique_cell,
    run_label,
    single_points,
)

from aiida_dnpmelt.calculations.lammps_label import LammpsLabelCalculation
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.data.trajectories import trajectory
from aiida_dnpmelt.physics.order import averaged_q6, solid_fraction


@pytest.fixture
def copper(aiida_profile, potentials_folder) -> PotentialData:
    return PotentialData.get_or_create(potentials_folder / "Cu_mishin1.eam.alloy")


@pytest.fixture
def points(lmp_code, copper) -> orm.CalcJobNode:
    return single_points(lmp_code, copper)


@pytest.fixture
def runs(lmp_code, copper) -> orm.CalcJobNode:
    return dynamics(lmp_code, copper)


def derivatives(energies: np.ndarray) -> np.ndarray:
    """Return the derivatives from energies of pairs of cells, minus before plus."""
    return (energies[1::2] - energies[::2]) / (2 * STEP)


def test_forces_are_derivatives_of_the_energy_in_an_oblique_turned_cell(points):
    assert points.is_finished_ok, points.exit_message
    frames = points.outputs.frames.oblique.frames
    forces = frames.forces_ev_per_angstrom[0][list(MOVED)]
    assert np.abs(forces).max() > 0.5
    np.testing.assert_allclose(forces.ravel(), -derivatives(frames.energies_ev[1:13]), atol=2e-5)


def test_virial_is_the_derivative_of_the_energy_with_strain(points):
    frames = points.outputs.frames.oblique.frames
    virial = frames.virials_ev[0]
    assert np.abs(virial - np.diag(np.diag(virial))).max() > 1.0
    np.testing.assert_allclose(virial.ravel(), -derivatives(frames.energies_ev[13:]), atol=1e-3)


def test_frames_are_those_that_were_given_in_their_own_axes(points):
    frames = points.outputs.frames.oblique.frames
    np.testing.assert_allclose(frames.cells[0], oblique_cell().cell.array, atol=1e-9)
    away = (frames.positions[0] - oblique_cell().positions) @ np.linalg.inv(frames.cells[0])
    shift = away - away[0]
    np.testing.assert_allclose(shift, np.round(shift), atol=1e-8)


def test_small_cell_has_the_energy_of_its_repetition(points):
    one, eight = (points.outputs.frames[name].frames for name in ("one", "eight"))
    assert eight.energies_ev[0] == pytest.approx(8 * one.energies_ev[0], abs=1e-7)
    np.testing.assert_allclose(eight.virials_ev[0], 8 * one.virials_ev[0], atol=1e-5)


def test_frames_say_what_they_are(points, copper):
    node = points.outputs.frames.oblique
    assert (node.phase, node.base.attributes.get("number_of_frames")) == ("interface", 31)
    assert node.labeller.startswith(f"{copper.label} (eam/alloy, sha256 {copper.sha256[:12]}), LAMMPS ")
    assert set(node.frames.temperatures_k) == {300.0}


def test_runs_have_the_temperature_and_not_the_start(runs):
    assert runs.is_finished_ok, runs.exit_message
    cubic, oblique = (runs.outputs.frames[name].frames for name in ("cubic", "oblique"))
    assert (len(cubic), len(oblique)) == (8, 4)
    assert (set(cubic.temperatures_k), set(oblique.temperatures_k)) == ({1000.0}, {300.0})
    crystal = copper_cell()
    assert np.abs(cubic.forces_ev_per_angstrom).max(axis=(1, 2)).min() > 0.2
    np.testing.assert_allclose(cubic.cells, np.broadcast_to(crystal.cell.array, (8, 3, 3)), atol=1e-9)
    np.testing.assert_allclose(oblique.cells[-1], oblique_cell().cell.array, atol=1e-9)
    assert np.abs(cubic.forces_ev_per_angstrom.sum(axis=1)).max() < 1e-6
    kept = np.abs(cubic.positions[0] - cubic.positions[4])
    assert kept.max() > 0.05  # two starts of the same cell take different ways


def test_labels_of_a_run_are_those_of_its_frames_without_the_thermostat(lmp_code, copper, runs):
    points = run_label(lmp_code, copper, frames=dict(runs.outputs.frames))
    for name in ("cubic", "oblique"):
        one, two = (job.outputs.frames[name].frames for job in (runs, points))
        np.testing.assert_allclose(two.forces_ev_per_angstrom, one.forces_ev_per_angstrom, atol=1e-6)
        np.testing.assert_allclose(two.energies_ev, one.energies_ev, atol=1e-6)
        np.testing.assert_allclose(two.virials_ev, one.virials_ev, atol=1e-4)


def test_same_seed_gives_the_same_input_and_another_one_differs(lmp_code, copper, runs):
    again = run_label(lmp_code, copper, frames=dict(runs.inputs.frames), settings=runs.inputs.settings)
    text = runs.base.repository.get_object_content("input.in")
    assert again.base.repository.get_object_content("input.in") == text
    one, two = (job.outputs.frames.cubic.frames for job in (runs, again))
    np.testing.assert_array_equal(one.positions, two.positions)


def test_melting_gives_a_liquid_at_the_temperature(lmp_code, copper):
    job = run_label(
        lmp_code,
        copper,
        frames={"start": frames_of(copper_cell(3), temperature=1600.0)},
        steps=200,
        frames_per_start=2,
        melt_ps=2.0,
        relax_ps=2.0,
    )
    assert job.is_finished_ok, job.exit_message
    node = job.outputs.frames.start
    assert node.phase == "liquid"
    lengths = np.diag(node.frames.cells[0])
    assert np.prod(lengths) / 108 == pytest.approx(13.2, abs=1.2)  # Angstrom^3 an atom
    order = averaged_q6(lengths, node.frames.positions[0] % lengths)
    assert solid_fraction(order) < 0.1


def test_data_files_are_sent_and_stored_once(runs):
    stored = set(runs.base.repository.list_object_names())
    sent = {path.name for path in Path(runs.get_remote_workdir()).iterdir()}
    assert {"start.1.data", "start.2.data", "start.3.data", "Cu_mishin1.eam.alloy"} <= sent - stored
    assert "labels.dump" in sent
    assert "labels.dump" not in runs.outputs.retrieved.base.repository.list_object_names()


def wrong_frames(**changes):
    atoms = copper_cell()
    values = {"cells": atoms.cell.array[None], "temperatures_k": np.array([300.0]), "phase": "solid", **changes}
    return trajectory(atoms.get_chemical_symbols(), positions=atoms.positions[None], **values)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperatures_k": np.array([0.0])}, r"frames\.a: temperatures: 1 values in 0 < T <= 20000 K are needed"),
        ({"temperatures_k": np.array([300.0, 300.0])}, r"frames\.a: temperatures: 1 values in 0 < T"),
        ({"phase": "gas"}, r"frames\.a: the attribute phase is 'gas', it can be one of solid, liquid, interface"),
        ({"cells": -copper_cell().cell.array[None]}, r"frames\.a: a cell has no positive volume"),
        ({"cells": np.full((1, 3, 3), np.nan)}, r"frames\.a: not all cells and positions are finite"),
    ],
)
def test_frames_that_cannot_be_labelled_are_refused(lmp_code, copper, changes, message):
    with pytest.raises(ValueError, match=message):
        run_get_node(LammpsLabelCalculation, **label_inputs(lmp_code, copper, frames={"a": wrong_frames(**changes)}))


def test_frames_without_temperatures_are_refused(lmp_code, copper):
    node = orm.TrajectoryData()
    atoms = copper_cell()
    cells = atoms.cell.array[None]
    node.set_trajectory(atoms.get_chemical_symbols(), atoms.positions[None], cells=cells, pbc=[True] * 3)
    with pytest.raises(ValueError, match=r"frames\.a: the arrays temperatures are missing"):
        run_get_node(LammpsLabelCalculation, **label_inputs(lmp_code, copper, frames={"a": node}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": {}}, "frames: at least one node of frames is needed"),
        ({"seed": 0}, "seed: 0 is outside the allowed range"),
        ({"steps": -1}, r"settings\.steps: Input should be greater than or equal to 0 \(got -1\)"),
        ({"frames_per_start": 2}, r"settings: .*frames_per_start must be 1"),
        ({"steps": 10, "frames_per_start": 3}, r"settings: .*steps = 10 must be a multiple of frames_per_start = 3"),
        ({"pressure": 1.0}, r"settings\.pressure: Extra inputs are not permitted"),
    ],
)
def test_bad_input_is_refused_with_key_and_range(lmp_code, copper, changes, message):
    with pytest.raises(ValueError, match=message):
        run_get_node(LammpsLabelCalculation, **label_inputs(lmp_code, copper, **changes))


def test_element_that_the_potential_lacks_is_refused(lmp_code, copper):
    frames = {"a": frames_of(bulk("Al", cubic=True))}
    with pytest.raises(ValueError, match="potential: it has no Al, it knows Cu"):
        run_get_node(LammpsLabelCalculation, **label_inputs(lmp_code, copper, frames=frames))
