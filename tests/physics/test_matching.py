from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from physics.labelled import labelled

from aiida_dnpmelt.physics.matching import TOLERANCE, match


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
