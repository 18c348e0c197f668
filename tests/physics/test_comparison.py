from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from physics.labelled import labelled, labels_of

from aiida_dnpmelt.physics.comparison import compare, errors_by_phase, match_frames, sample


def test_frames_are_matched_by_their_contents():
    frames = labelled(5)
    assert match_frames("x", frames, frames) == {index: index for index in range(5)}
    assert match_frames("x", frames, frames.take([4, 1, 2])) == {1: 1, 2: 2, 4: 0}


def test_atoms_in_other_images_of_oblique_cells_are_the_same():
    frames = labelled(3)
    moves = np.random.default_rng(1).integers(-2, 3, frames.positions.shape)
    moved = replace(frames, positions=frames.positions + moves @ frames.cells + 1e-8)
    assert match_frames("x", frames, moved) == {0: 0, 1: 1, 2: 2}


def test_same_frame_twice_is_matched_twice():
    frames = labelled(2).take([0, 0, 1])
    assert match_frames("x", frames, frames) == {0: 0, 1: 1, 2: 2}


@pytest.mark.parametrize("name", ["cells", "positions"])
def test_other_frames_are_refused(name):
    frames = labelled(3)
    other = replace(frames, **{name: getattr(frames, name) + 0.001 * np.random.default_rng(2).normal(size=(3, 1, 3))})
    with pytest.raises(ValueError, match="check_solid: cells or positions of all its 3 frames differ"):
        match_frames("check_solid", frames, other)


def test_other_atoms_are_refused():
    frames = labelled(2)
    other = replace(frames, symbols=(*frames.symbols[:-1], "Ni"))
    with pytest.raises(
        ValueError, match="check_solid: atoms are 4: Cu Cu Cu Ni, those of the teacher are 4: Cu Cu Cu Cu"
    ):
        match_frames("check_solid", frames, other)


def test_frames_that_one_lacks_are_left_out_for_all():
    teacher = labelled(6)
    one, two = labels_of(teacher, 1).take([0, 2, 3, 5]), labels_of(teacher, 2).take([5, 4, 3, 2])
    found = compare("s", "solid", teacher, {"one": one, "two": two})
    assert found.left_out == 3
    np.testing.assert_array_equal(found.teacher.energies_ev, teacher.energies_ev[[2, 3, 5]])
    np.testing.assert_array_equal(found.models["one"].energies_ev, one.energies_ev[[1, 2, 3]])
    np.testing.assert_array_equal(found.models["two"].energies_ev, two.energies_ev[[3, 2, 0]])
    assert found.calibration is not None and found.calibration.deviation.shape == (3, 4)


def test_models_without_a_common_frame_are_refused():
    teacher = labelled(4)
    models = {"one": teacher.take([0, 1]), "two": teacher.take([2, 3])}
    with pytest.raises(ValueError, match="s: no frame of the teacher was labelled by all of one, two"):
        compare("s", "solid", teacher, models)


def test_errors_of_a_model_by_hand():
    teacher = labelled(2)
    model = replace(
        teacher,
        energies_ev=teacher.energies_ev + np.array([0.004, 0.012]),
        forces_ev_per_angstrom=teacher.forces_ev_per_angstrom + np.array([0.3, 0.0, 0.0]),
    )
    found = compare("s", "solid", teacher, {"one": model})
    assert found.calibration is None
    assert found.rms_force == pytest.approx(np.sqrt(np.mean(teacher.forces_ev_per_angstrom**2)))
    assert found.errors("one") == pytest.approx(
        {
            "energy_offset_mev_per_atom": 2.0,
            "energy_offset_uncertainty_mev_per_atom": 1.0,
            "energy_scatter_mev_per_atom": np.sqrt(2),
            "rmse_energy_mev_per_atom": np.sqrt(5),
            "rmse_force_ev_per_angstrom": 0.3 / np.sqrt(3),
        }
    )


def test_single_frame_has_no_scatter():
    teacher = labelled(1)
    errors = compare("s", "solid", teacher, {"one": labels_of(teacher, 1)}).errors("one")
    assert (errors["energy_scatter_mev_per_atom"], errors["energy_offset_uncertainty_mev_per_atom"]) == (None, None)
    assert errors["energy_offset_mev_per_atom"] is not None


def test_errors_of_a_phase_are_those_of_the_worst_model_over_all_its_sets():
    def shifted(frames, by):
        return replace(frames, forces_ev_per_angstrom=frames.forces_ev_per_angstrom + by)

    first, second = labelled(1, seed=1), labelled(3, seed=2)
    sets = {
        "a": compare("a", "solid", first, {"one": shifted(first, 0.4), "two": shifted(first, 0.1)}),
        "b": compare("b", "solid", second, {"one": shifted(second, 0.0), "two": shifted(second, 0.1)}),
        "c": compare("c", "liquid", second, {"one": shifted(second, 0.0), "two": shifted(second, 0.5)}),
    }
    found = errors_by_phase(sets)
    assert (found["solid"]["model"], found["liquid"]["model"]) == ("one", "two")
    assert found["solid"]["largest_rmse_force_ev_per_angstrom"] == pytest.approx(0.2)
    assert found["liquid"]["largest_rmse_force_ev_per_angstrom"] == pytest.approx(0.5)
    assert (found["solid"]["frames"], found["liquid"]["frames"]) == (4, 3)


def test_sample_joins_the_frames_of_one_phase_at_one_temperature():
    cold, hot = labelled(3, temperature_k=1000.0), labelled(2, seed=4, temperature_k=1300.0)
    sets = {
        "cold": compare("cold", "solid", cold, {"one": labels_of(cold, 1)}),
        "hot": compare("hot", "solid", hot, {"one": labels_of(hot, 2)}),
        "hot_2": compare("hot_2", "solid", hot, {"one": labels_of(hot, 3)}),
        "liquid": compare("liquid", "liquid", hot, {"one": labels_of(hot, 4)}),
    }
    found = sample(sets, "solid", 1300.0)
    assert found is not None and found.n_atoms == 4
    np.testing.assert_array_equal(found.energies_ev["teacher"], np.tile(hot.energies_ev, 2))
    expected = [*labels_of(hot, 2).energies_ev, *labels_of(hot, 3).energies_ev]
    np.testing.assert_array_equal(found.energies_ev["one"], expected)
    assert found.mean_volume_angstrom3 == pytest.approx(np.linalg.det(hot.cells).mean())
    assert sample(sets, "liquid", 1000.0) is None


def test_sample_of_different_numbers_of_atoms_is_refused():
    small, large = labelled(2), labelled(2, atoms=6)
    sets = {
        "check_a": compare("a", "solid", small, {"one": small}),
        "check_b": compare("b", "solid", large, {"one": large}),
    }
    with pytest.raises(ValueError, match=r"frames of the solid .*: 4 \(check_a\), 6 \(check_b\)"):
        sample(sets, "solid", 1300.0)


def test_offset_of_the_mean_is_the_mean_of_the_offsets():
    teacher = labelled(5)
    models = {name: labels_of(teacher, seed) for seed, name in enumerate(("one", "two"), start=1)}
    found = sample({"s": compare("s", "solid", teacher, models)}, "solid", 1300.0)
    assert found is not None
    one, two, mean = (found.offset(name, "one", 1300.0) for name in ("one", "two", None))
    assert mean.mean_ev_per_atom == pytest.approx((one.mean_ev_per_atom + two.mean_ev_per_atom) / 2)
    assert one.second_order_ev_per_atom > 0 > found.offset("one", "teacher", 1300.0).second_order_ev_per_atom
