from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk
from ase.io import read
from exploration_jobs import TEMPERATURES, committee, exploration_inputs, explored
from label_jobs import run_label

from aiida_dnpmelt.calculations.lammps_exploration import LammpsExplorationCalculation
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.lammps_log import read_log

EVERY = 10  # steps between frames
EQUILIBRATED, LAST = 20, 120


@pytest.fixture
def models(tiny_model, other_model) -> tuple[Path, ...]:
    return tiny_model, other_model


@pytest.fixture
def solid(lmp_deepmd_code, models) -> orm.CalcJobNode:
    return explored(lmp_deepmd_code, models)


def test_frames_and_deviations_are_at_the_same_steps_of_all_temperatures(solid):
    assert solid.is_finished_ok, solid.exit_message
    frames, deviation = solid.outputs.trajectory, solid.outputs.deviation
    steps = np.arange(EQUILIBRATED, LAST + 1, EVERY)
    np.testing.assert_array_equal(frames.get_stepids(), np.tile(steps, 2))
    np.testing.assert_array_equal(deviation.get_array("step"), np.tile(steps, 2))
    np.testing.assert_array_equal(deviation.get_array("temperature_k"), np.repeat(TEMPERATURES, len(steps)))
    np.testing.assert_array_equal(frames.get_array("temperatures"), deviation.get_array("temperature_k"))
    np.testing.assert_allclose(deviation.get_array("time_ps"), np.tile(steps, 2) * 0.002)
    assert frames.base.attributes.get("phase") == "solid"
    assert frames.get_array("positions").shape == (2 * len(steps), 32, 3)


def test_deviations_are_ordered_and_grow_with_temperature(solid):
    deviation = solid.outputs.deviation
    low, mean, high = (deviation.get_array(f"{name}_force_ev_per_angstrom") for name in ("min", "mean", "max"))
    assert (low <= mean).all()
    assert (mean <= high).all()
    half = len(high) // 2
    assert 0 < high[:half].mean() < high[half:].mean()
    for name in ("max_virial_ev_per_atom", "potential_energy_ev", "volume_angstrom3", "instantaneous_temperature_k"):
        assert np.isfinite(deviation.get_array(name)).all()


def test_volume_is_that_of_the_cells(solid):
    volumes = np.linalg.det(solid.outputs.trajectory.get_array("cells"))
    np.testing.assert_allclose(volumes, solid.outputs.deviation.get_array("volume_angstrom3"), rtol=1e-6)


def test_results_say_how_far_each_temperature_came(solid):
    results = solid.outputs.results.get_dict()
    assert (results["complete"], results["frames"], results["atoms"], results["errors"]) == (True, 22, 32, [])
    assert results["atom_steps"] == 2 * LAST * 32
    for row, temperature in zip(results["by_temperature"], TEMPERATURES, strict=True):
        assert row["temperature_k"] == temperature
        assert (row["frames"], row["ended"], row["last_step"], row["planned_step"]) == (11, "complete", LAST, LAST)
    assert 0 < results["core_hours"] < 0.1


def test_models_are_sent_in_the_order_of_their_names_and_not_stored_again(solid, models):
    script = solid.base.repository.get_object_content("input.in")
    assert "pair_style deepmd model_1.pb model_2.pb out_file deviation.${run}.out out_freq 10" in script
    folder = Path(solid.get_remote_workdir())
    assert [(folder / f"model_{index}.pb").read_bytes() for index in (1, 2)] == [path.read_bytes() for path in models]
    assert {"model_1.pb", "model_2.pb"}.isdisjoint(solid.base.repository.list_object_names())


def test_deviations_are_those_of_the_forces_of_the_models(solid, lmp_deepmd_code):
    frames = {"a": solid.outputs.trajectory}
    bound = {"maximum_force_ev_per_angstrom": 1e6}
    jobs = [
        run_label(lmp_deepmd_code, potential, frames=frames, settings=bound)
        for _, potential in sorted(solid.inputs.potentials.items())
    ]
    forces = np.array([job.outputs.frames.a.frames.forces_ev_per_angstrom for job in jobs])
    deviations = np.sqrt(((forces - forces.mean(axis=0)) ** 2).sum(axis=3).mean(axis=0))
    found = solid.outputs.deviation
    for name, expected in (("max", deviations.max(axis=1)), ("mean", deviations.mean(axis=1))):
        np.testing.assert_allclose(found.get_array(f"{name}_force_ev_per_angstrom"), expected, rtol=1e-4)


def half_temperatures(job: orm.CalcJobNode) -> tuple[float, float]:
    """Return the mean kinetic energies of the lower and the upper half after the preparation, in units of the whole."""
    atoms = read(Path(job.get_remote_workdir()) / "prepared.data", format="lammps-data")
    energies = (atoms.get_velocities() ** 2).sum(axis=1)
    lower = atoms.get_scaled_positions()[:, 2] < 0.5
    return energies[lower].mean() / energies.mean(), energies[~lower].mean() / energies.mean()


@pytest.mark.parametrize("phase", ["liquid", "interface"])
def test_other_phases_are_molten_first(lmp_deepmd_code, models, phase):
    job = explored(lmp_deepmd_code, models, phase)
    assert job.is_finished_ok, job.exit_message
    assert job.outputs.trajectory.base.attributes.get("phase") == phase
    log = read_log(job.outputs.retrieved.base.repository.get_object_content("log.lammps").splitlines(keepends=True))
    preparation = [block for block in log.blocks if block.stage == "preparation"]
    assert len(preparation) == (1 if phase == "liquid" else 2)
    hot = 2.5 * max(TEMPERATURES)
    lower, upper = half_temperatures(job)
    if phase == "liquid":
        assert preparation[-1]["Temp"][-1] == pytest.approx(hot, rel=0.4)
        assert 0.6 < lower < 1.4
    else:
        assert lower > 1.4 * upper


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperatures": []}, r"temperatures: \[\] must be different numbers in 0 < T <= 20000 K"),
        ({"temperatures": [300.0, 300.0]}, r"temperatures: \[300\.0, 300\.0\] must be different"),
        ({"temperatures": [-1.0]}, r"temperatures: \[-1\.0\] must be"),
        ({"temperatures": ["hot"]}, r"temperatures: \['hot'\] must be"),
        ({"phase": "gas"}, "phase: 'gas' is not one of solid, liquid, interface"),
        ({"pressure": 2000.0}, "pressure: 2000 GPa is outside the allowed range"),
        ({"seed": 0}, "seed: 0 is outside the allowed range"),
        ({"repetitions": [1, 2]}, r"repetitions: \[1, 2\] must be three whole numbers"),
        ({"time_ps": 0.01}, r"settings: .*deviation_interval_ps = 0\.02 must not exceed time_ps = 0\.01"),
        ({"timestep_fs": 11}, r"settings\.timestep_fs: Input should be less than or equal to 10 \(got 11\)"),
        ({"structure": orm.StructureData}, "structure: its cell has no positive volume"),
    ],
)
def test_bad_input_is_refused_with_key_and_range(lmp_deepmd_code, models, changes, message):
    if "structure" in changes:
        atoms = bulk("Cu", cubic=True)
        atoms.set_cell(atoms.cell.array[[1, 0, 2]])
        changes = {"structure": orm.StructureData(ase=atoms)}
    with pytest.raises(ValueError, match=message):
        run_get_node(LammpsExplorationCalculation, **exploration_inputs(lmp_deepmd_code, models, **changes))


def test_committee_of_one_of_an_eam_or_of_two_type_maps_is_refused(lmp_deepmd_code, models, potentials_folder):
    eam = PotentialData.get_or_create(potentials_folder / "Cu_mishin1.eam.alloy")
    other = PotentialData(models[1], pair_style="deepmd", type_map=["Cu"], cutoff=3.5)
    one, two = committee(*models).values()
    for potentials, message in (
        ({"a": one}, "potentials: 1 given, a committee has 2 to 20"),
        ({"a": one, "b": eam}, r"potentials\.b: its pair style is 'eam/alloy', only 'deepmd' has deviations"),
        ({"a": one, "b": other}, r"potentials: their type maps differ, \['Cu'\] and \['Cu', 'Ni'\]"),
    ):
        inputs = exploration_inputs(lmp_deepmd_code, models, potentials=potentials)
        with pytest.raises(ValueError, match=message):
            run_get_node(LammpsExplorationCalculation, **inputs)
    inputs = exploration_inputs(lmp_deepmd_code, models, potentials={"a": one, "b": two})
    inputs["structure"] = orm.StructureData(ase=bulk("Al", cubic=True))
    with pytest.raises(ValueError, match="potential: it has no Al, it knows Cu, Ni"):
        run_get_node(LammpsExplorationCalculation, **inputs)
