from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from aiida import orm
from label_jobs import copper_cell, frames_of, oblique_cell, run_label
from physics.labelled import labelled, labels_of

from aiida_dnpmelt.calculations.comparison import compare_with_teacher
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.energy_offset import latent_heat, melting_shift, phase_offset

T_K = 1300.0
ATOMS = 4
FRAMES = 10
OFFSETS = {"seed_1": {"solid": 0.002, "liquid": -0.003}, "seed_2": {"solid": 0.0, "liquid": 0.001}}


def enthalpy(level: float, points: int = 80, volume: float = 12.0 * ATOMS) -> orm.ArrayData:
    """Return what an exploration says of energies in eV an atom and volumes, at T_K and, far off, at 900 K."""
    random = np.random.default_rng(3)
    energies = ATOMS * (level + 0.01 * random.normal(size=points))
    arrays = {
        "temperature_k": np.repeat([900.0, T_K], points),
        "potential_energy_ev": np.concatenate([energies - 7.0, energies]),
        "volume_angstrom3": np.full(2 * points, volume),
    }
    return orm.ArrayData(arrays)


@pytest.fixture(scope="module")
def stored(aiida_profile) -> dict[str, orm.Data]:
    """Give the nodes of all tests, which are stored once."""
    found: dict[str, orm.Data] = {"enthalpy_solid": enthalpy(-3.40), "enthalpy_liquid": enthalpy(-3.28)}
    for number, phase in enumerate(("solid", "liquid")):
        teacher = labelled(FRAMES, ATOMS, seed=number)
        found[f"teacher_check_{phase}"] = FramesData(teacher, phase=phase, labeller="teacher")
        for seed, (name, offsets) in enumerate(OFFSETS.items()):
            labels = labels_of(teacher, 10 * seed + number, offsets[phase])
            found[f"model_{name}__check_{phase}"] = FramesData(labels, phase=phase, labeller=name)
    return {name: node.store() for name, node in found.items()}


@pytest.fixture
def nodes(stored) -> dict[str, orm.Data]:
    """Give two models of a teacher on solid and liquid, with all that the shift of T_m needs."""
    return dict(stored)


def report_of(nodes: dict[str, orm.Data], **changes: Any) -> dict[str, Any]:
    return compare_with_teacher(orm.Float(T_K), **{**nodes, **changes})["report"].get_dict()


def test_report_is_plain_and_finite(nodes):
    report = report_of(nodes)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert (report["temperature_k"], report["pressure_gpa"]) == (T_K, 0.0)
    assert (report["models"], report["sampled_by"]) == (["seed_1", "seed_2"], "seed_1")
    assert (report["sets_left_out"], report["offset_reason"]) == ({}, None)
    solid = report["by_set"]["check_solid"]
    assert (solid["phase"], solid["frames"], solid["frames_left_out"], solid["atoms"]) == ("solid", FRAMES, 0, ATOMS)
    assert solid["temperatures_k"] == [T_K]
    assert solid["by_model"]["seed_1"]["energy_offset_mev_per_atom"] == pytest.approx(2.0, abs=1.0)
    assert solid["by_model"]["seed_1"]["rmse_force_ev_per_angstrom"] == pytest.approx(0.05, rel=0.3)
    assert set(report["by_phase"]) == {"solid", "liquid"}
    assert solid["calibration"]["frames"] == FRAMES
    assert (report["calibration"]["frames"], report["calibration"]["atoms"]) == (2 * FRAMES, 2 * FRAMES * ATOMS)


def test_provenance_has_the_labels(nodes):
    found, node = compare_with_teacher.run_get_node(orm.Float(T_K), **nodes)
    assert node.is_finished_ok
    assert set(found) == {"report", "arrays"}
    labels = {link.link_label for link in node.base.links.get_incoming()}
    assert {"model_seed_1__check_solid", "teacher_check_liquid", "enthalpy_solid"} <= labels


def test_shift_of_each_model_is_that_of_the_physics(nodes):
    offset = report_of(nodes)["offset"]
    heat = latent_heat(
        *(nodes[f"enthalpy_{phase}"].get_array("potential_energy_ev")[80:] / ATOMS for phase in ("solid", "liquid"))
    )
    assert offset["latent_heat_ev_per_atom"] == pytest.approx(0.12)
    assert offset["latent_heat_uncertainty_ev_per_atom"] == pytest.approx(heat.standard_uncertainty_ev_per_atom)
    energies = {name: node.frames.energies_ev for name, node in nodes.items() if isinstance(node, FramesData)}
    for model in OFFSETS:
        parts = [
            phase_offset(
                energies[f"model_{model}__check_{phase}"],
                energies[f"teacher_check_{phase}"],
                ATOMS,
                T_K,
                energies[f"model_seed_1__check_{phase}"],
            )
            for phase in ("solid", "liquid")
        ]
        expected = melting_shift(*parts, heat, T_K)
        found = offset["by_model"][model]
        assert found["predicted_shift_k"] == pytest.approx(expected.first_order_k)
        assert found["predicted_shift_uncertainty_k"] == pytest.approx(expected.standard_uncertainty_k)
        assert found["predicted_shift_95_k"] == pytest.approx(list(expected.interval_k))
        assert found["second_order_k"] == pytest.approx(expected.second_order_k)
        assert found["offset_solid_mev_per_atom"] == pytest.approx(1000 * parts[0].mean_ev_per_atom)
        assert found["offset_uncertainty_liquid_mev_per_atom"] == pytest.approx(
            1000 * parts[1].standard_uncertainty_ev_per_atom
        )


def test_shifts_are_summed_up_over_the_models(nodes):
    offset = report_of(nodes)["offset"]
    first, second = (offset["by_model"][name] for name in OFFSETS)
    shifts = [first["predicted_shift_k"], second["predicted_shift_k"]]
    assert shifts[0] < -30 < 0 < shifts[1]
    assert offset["mean_of_models"]["predicted_shift_k"] == pytest.approx(np.mean(shifts))
    assert offset["spread_k"] == pytest.approx(np.std(shifts, ddof=1))
    assert offset["largest_absolute_shift_k"] == pytest.approx(-shifts[0])
    assert offset["largest_absolute_shift_model"] == "seed_1"
    bounds = [*first["predicted_shift_95_k"], *second["predicted_shift_95_k"]]
    assert offset["largest_absolute_bound_k"] == pytest.approx(max(map(abs, bounds)))
    assert (offset["frames_solid"], offset["frames_liquid"]) == (FRAMES, FRAMES)


def test_second_order_knows_who_moved_the_atoms(nodes):
    by_model = report_of(nodes)["offset"]["by_model"]["seed_1"]
    by_teacher = report_of(nodes, sampled_by=orm.Str("teacher"))["offset"]["by_model"]["seed_1"]
    assert by_teacher["second_order_k"] == pytest.approx(-by_model["second_order_k"])
    assert by_teacher["predicted_shift_k"] == by_model["predicted_shift_k"]


def test_pressure_enters_the_latent_heat(nodes):
    nodes["enthalpy_liquid"] = enthalpy(-3.28, volume=13.0 * ATOMS)
    found = report_of(nodes, pressure=orm.Float(10.0))["offset"]["latent_heat_ev_per_atom"]
    assert found == pytest.approx(0.12 + 10.0 * 0.00624151)  # 1 GPa Angstrom^3


def test_sets_that_are_no_unbiased_sample_count_for_forces_alone(nodes):
    plain = report_of(nodes)
    liquid = labelled(6, 8, seed=9, temperature_k=T_K)
    for name, labels in {
        "teacher_": liquid,
        "model_seed_1__": labels_of(liquid, 5, 0.1),
        "model_seed_2__": liquid,
    }.items():
        nodes[f"{name}selected"] = FramesData(labels, phase="liquid", labeller="x")
    report = report_of(nodes)
    assert report["offset"] == plain["offset"]
    assert report["by_set"]["selected"]["atoms"] == 8
    assert report["by_phase"]["liquid"]["frames"] == FRAMES + 6
    assert report["calibration"]["atoms"] == 2 * FRAMES * ATOMS + 6 * 8


def test_other_temperatures_do_not_count_for_the_shift(nodes):
    assert compare_with_teacher(orm.Float(900.0), **nodes)["report"]["offset_reason"] == (
        "sets named check_... hold 0 frames of the solid at 900 K, at least 2 are needed"
    )


def test_without_enthalpies_there_is_no_shift(nodes):
    del nodes["enthalpy_liquid"]
    report = report_of(nodes)
    assert report["offset"] is None
    assert report["offset_reason"] == "no enthalpy of the liquid at 1300 K is given, which the latent heat needs"
    assert report["by_set"]["check_liquid"]["frames"] == FRAMES


@pytest.mark.parametrize(
    ("level", "points", "reason"), [(-3.6, 80, "has a phase changed"), (-3.28, 7, "at least 8 points")]
)
def test_enthalpies_that_give_no_latent_heat_are_the_reason(nodes, level, points, reason):
    report = report_of({**nodes, "enthalpy_liquid": enthalpy(level, points)})
    assert report["offset"] is None
    assert reason in report["offset_reason"]


def test_run_of_another_number_of_atoms_is_refused(nodes):
    with pytest.raises(ValueError, match=r"enthalpy_solid: its mean volume is 2\.0. times that .* as many atoms, 4"):
        report_of({**nodes, "enthalpy_solid": enthalpy(-3.4, volume=24.0 * ATOMS)})


def test_frames_that_a_model_dropped_are_left_out(nodes):
    node = nodes["model_seed_2__check_liquid"]
    kept = FramesData(node.frames.take([0, 1, 3, 4, 5, 6, 7, 8]), phase="liquid", labeller="x")
    report = report_of({**nodes, "model_seed_2__check_liquid": kept})
    liquid = report["by_set"]["check_liquid"]
    assert (liquid["frames"], liquid["frames_left_out"]) == (8, 2)
    assert (report["offset"]["frames_solid"], report["offset"]["frames_liquid"]) == (10, 8)


def test_sets_that_one_lacks_whole_are_left_out_and_told(nodes):
    del nodes["model_seed_2__check_liquid"]
    report = report_of(nodes)
    assert report["sets_left_out"] == {"check_liquid": "no frame was labelled by seed_2"}
    assert "0 frames of the liquid" in report["offset_reason"]
    del nodes["teacher_check_solid"]
    with pytest.raises(
        ValueError, match="no set was labelled by the teacher and by all models: check_liquid, check_solid"
    ):
        report_of(nodes)


def test_one_model_has_no_deviation_but_a_shift(nodes):
    alone = {name: node for name, node in nodes.items() if "seed_2" not in name}
    report = report_of(alone)
    assert (report["calibration"], report["by_set"]["check_solid"]["calibration"]) == (None, None)
    assert report["offset"]["spread_k"] is None
    assert report["offset"]["mean_of_models"] == report["offset"]["by_model"]["seed_1"]


def test_arrays_have_what_pictures_need(nodes):
    arrays = dict(compare_with_teacher(orm.Float(T_K), **nodes)["arrays"].get_iterarrays())
    assert arrays["check_solid_deviation_ev_per_angstrom"].shape == (FRAMES, ATOMS)
    np.testing.assert_allclose(
        arrays["check_solid_model_error_ev_per_angstrom"] ** 2,
        arrays["check_solid_mean_error_ev_per_angstrom"] ** 2 + arrays["check_solid_deviation_ev_per_angstrom"] ** 2,
    )
    np.testing.assert_array_equal(
        arrays["check_liquid_model_seed_2_energy_ev_per_atom"],
        nodes["model_seed_2__check_liquid"].frames.energies_per_atom_ev,
    )
    assert arrays["check_liquid_temperature_k"].tolist() == [T_K] * FRAMES


@pytest.mark.parametrize(
    "name", ["students_check", "model_seed_1_check", "model___x", "enthalpy_gas", "model_teacher__a"]
)
def test_names_that_cannot_be_read_are_refused(nodes, name):
    with pytest.raises(ValueError, match=f"{name}: names are teacher_<set>"):
        report_of({**nodes, name: nodes["teacher_check_solid"]})


def test_wrong_inputs_are_refused(nodes):
    with pytest.raises(ValueError, match="sampled_by: 'seed_9' given, can be teacher or one of seed_1, seed_2"):
        report_of(nodes, sampled_by=orm.Str("seed_9"))
    with pytest.raises(ValueError, match="1 sets of the teacher and 0 models given"):
        report_of({"teacher_check_solid": nodes["teacher_check_solid"]})
    other = FramesData(labelled(FRAMES, ATOMS, seed=77), phase="solid", labeller="x")
    with pytest.raises(ValueError, match="check_solid, seed_1: cells or positions of all its 10 frames differ"):
        report_of({**nodes, "model_seed_1__check_solid": other})


def test_labels_of_two_real_potentials(lmp_code, potentials_folder):
    """The model labels what the teacher labelled, and drops a frame with atoms that are too close."""
    teacher, model = (
        PotentialData.get_or_create(potentials_folder / name) for name in ("Cu_u3.eam", "Cu_mishin1.eam.alloy")
    )
    random = np.random.default_rng(4)
    cells = [copper_cell() for _ in range(4)]
    for atoms in cells:
        atoms.positions += 0.1 * random.normal(size=atoms.positions.shape) + atoms.cell.array[0] * 1.3
    cells[2].positions[1] = cells[2].positions[0] + [1.2, 0.0, 0.0]
    frames = {"check_solid": frames_of(*cells, temperature=T_K), "oblique": frames_of(oblique_cell())}
    labels = run_label(lmp_code, teacher, frames=frames, maximum_force_ev_per_angstrom=1e5).outputs.frames
    again = run_label(lmp_code, model, frames=dict(labels)).outputs.frames
    report = report_of(
        {
            **{f"teacher_{name}": labels[name] for name in frames},
            **{f"model_mishin__{name}": again[name] for name in frames},
        }
    )
    solid = report["by_set"]["check_solid"]
    assert (solid["frames"], solid["frames_left_out"], solid["atoms"]) == (3, 1, 32)
    errors = solid["by_model"]["mishin"]
    assert 0 < errors["rmse_force_ev_per_angstrom"] < solid["rms_force_ev_per_angstrom"]
    assert abs(errors["energy_offset_mev_per_atom"]) < 100
    assert report["by_set"]["oblique"]["frames"] == 1
