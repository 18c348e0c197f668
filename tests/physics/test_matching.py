from __future__ import annotations

from dataclasses import replace

import dpdata
import numpy as np
import pytest
from physics.labelled import labelled
from scipy.spatial.transform import Rotation

from aiida_dnpmelt.physics.frames import LabelledFrames
from aiida_dnpmelt.physics.matching import TOLERANCE, match


def turned(frames: LabelledFrames, seed: int = 0) -> LabelledFrames:
    """Return each of the frames turned by another rotation, labels and all."""
    turn = Rotation.random(len(frames), np.random.default_rng(seed)).as_matrix()
    return replace(
        frames,
        cells=frames.cells @ turn,
        positions=frames.positions @ turn,
        forces_ev_per_angstrom=frames.forces_ev_per_angstrom @ turn,
        virials_ev=turn.transpose(0, 2, 1) @ frames.virials_ev @ turn,
    )


def sorted_by(frames: LabelledFrames, order) -> LabelledFrames:
    return replace(
        frames,
        symbols=tuple(frames.symbols[index] for index in order),
        positions=frames.positions[:, order],
        forces_ev_per_angstrom=frames.forces_ev_per_angstrom[:, order],
    )


def test_frames_are_found_and_their_labels_compared():
    frames, other = labelled(4, seed=1), labelled(3, seed=2)
    written = replace(
        frames.take([2, 0]),
        positions=np.round(frames.take([2, 0]).positions, 4),
        energies_ev=frames.energies_ev[[2, 0]] + [1e-3, -2e-3],
        virials_ev=frames.virials_ev[[2, 0]] + 0.5,
    )
    found = match(written, [other, frames])
    assert found.new == []
    assert found.differences == pytest.approx((2e-3, 0.0, 0.5))


def test_frames_that_are_new_are_not_found():
    frames = labelled(3)
    moved = frames.positions.copy()
    moved[1, -1, 2] += 3 * TOLERANCE
    found = match(replace(frames, positions=moved), [frames])
    assert found.new == [1]


def test_frames_of_other_atoms_are_not_compared():
    frames = labelled(2)
    silver = replace(frames, symbols=("Ag",) * 4)
    for others in ([], [silver]):
        found = match(frames, others)
        assert found.new == [0, 1]
        assert found.differences is None


def test_frame_that_was_computed_twice_is_compared_with_the_nearest_energy():
    first = labelled(1)
    again = replace(first, energies_ev=first.energies_ev + 30.0)
    assert match(first, [again, first]).differences.energy_ev == 0


@pytest.mark.parametrize("seed", range(3))
def test_frames_that_were_turned_are_found_with_their_labels(seed):
    frames = labelled(6, seed=seed)
    found = match(turned(frames, seed).take([4, 1, 0]), [labelled(3, seed=9), frames])
    assert found.partners == [(1, 4), (1, 1), (1, 0)]
    assert found.differences == pytest.approx((0, 0, 0), abs=1e-12)
    wrong = replace(frames, forces_ev_per_angstrom=frames.forces_ev_per_angstrom @ Rotation.random(1, 1).as_matrix()[0])
    assert match(turned(wrong, seed), [frames]).differences.force_ev_per_angstrom > 0.1


def test_frames_as_dpdata_turns_and_writes_them(tmp_path):
    """In single precision, with the cell lower triangular."""
    frames = labelled(4, atoms=6)
    data = {
        "atom_names": ["Cu"],
        "atom_numbs": [6],
        "atom_types": np.zeros(6, int),
        "orig": np.zeros(3),
        "cells": turned(frames).cells,
        "coords": turned(frames).positions,
        "energies": frames.energies_ev,
        "forces": turned(frames).forces_ev_per_angstrom,
        "virials": turned(frames).virials_ev,
    }
    system = dpdata.LabeledSystem(data=data)
    system.rot_lower_triangular()
    single = {
        name: np.float32(system[name]).astype(float) for name in ("cells", "coords", "energies", "forces", "virials")
    }
    written = LabelledFrames(frames.symbols, *single.values(), frames.temperatures_k)
    found = match(written, [frames])
    assert found.new == []
    assert max(found.differences) < 1e-5


def test_atoms_in_other_cells_and_in_another_order_are_the_same_frame():
    random = np.random.default_rng(3)
    frames = labelled(5, atoms=12, seed=3)
    frames = replace(frames, symbols=("Cu", "Ag", "Cu", "Au") * 3)
    folded = replace(frames, positions=frames.positions + random.integers(-2, 3, (5, 12, 3)) @ frames.cells)
    assert match(folded, [frames]).new == []
    by_element = np.argsort(frames.symbols, kind="stable")
    for order in (by_element, random.permutation(12)):
        found = match(turned(sorted_by(folded, order)), [frames])
        assert found.partners == [(0, index) for index in range(5)]
        assert found.differences == pytest.approx((0, 0, 0), abs=1e-9)


def test_atom_on_the_face_of_the_cell_is_the_same_on_both_sides():
    frames = labelled(1)
    positions = frames.positions.copy()
    positions[0, 0] = 1e-5 * frames.cells[0, 0]
    frames = replace(frames, positions=positions)
    other = positions.copy()
    other[0, 0] = -1e-5 * frames.cells[0, 0]
    for order in (range(4), [2, 1, 0, 3]):
        assert match(sorted_by(replace(frames, positions=other), list(order)), [frames]).new == []


def test_elements_that_changed_places_are_another_frame():
    frames = replace(labelled(1), symbols=("Cu", "Ag", "Cu", "Ag"))
    assert match(replace(frames, symbols=("Ag", "Cu", "Cu", "Ag")), [frames]).new == [0]


def test_mirror_image_and_other_strain_are_other_frames():
    frames = labelled(2)
    mirror = np.diag([1.0, 1.0, -1.0])
    # Left-handed as it is, the mirror image has other vectors once it is turned.
    image = replace(frames, cells=-frames.cells @ mirror, positions=frames.positions @ mirror)
    assert match(image, [frames]).new == [0, 1]
    strained = replace(frames, cells=1.001 * frames.cells, positions=1.001 * frames.positions)
    assert match(strained, [frames]).new == [0, 1]


def test_trajectories_of_one_cell_are_told_apart():
    """Positions of a crystal that hardly differ, in one cell, as of a cold run."""
    random = np.random.default_rng(5)
    frames = labelled(1, atoms=32)
    number = 400
    positions = frames.positions + 0.02 * random.normal(size=(number, 32, 3))
    run = LabelledFrames(
        frames.symbols,
        np.tile(frames.cells, (number, 1, 1)),
        positions,
        random.normal(size=number),
        random.normal(size=(number, 32, 3)),
        random.normal(size=(number, 3, 3)),
        np.full(number, 100.0),
    )
    chosen = random.permutation(number)[:150]
    found = match(turned(sorted_by(run.take(chosen), random.permutation(32))), [labelled(5, atoms=32), run])
    assert found.partners == [(1, int(index)) for index in chosen]
