from __future__ import annotations

from random import Random

import pytest

from aiida_dnpmelt.physics.ordering import by_number, ordered


@pytest.mark.parametrize(
    "names",
    [
        [f"iteration_{number:02d}" for number in range(1, 121)],
        ["seed_1", "seed_2", "seed_10", "seed_11", "seed_100"],
        ["seed_2_piece_999", "seed_2_piece_1000", "seed_10_piece_001"],
        ["loop_2_iteration_10", "loop_10_iteration_02"],
        ["", "2", "10", "a", "a1", "a01b", "a1b", "b"],
        ["seed_01", "seed_1"],
    ],
)
def test_names_are_in_the_order_of_their_numbers(names):
    shuffled = list(names)
    Random(1).shuffle(shuffled)
    assert sorted(shuffled, key=by_number) == names
    assert max(shuffled, key=by_number) == names[-1]


def test_named_values_follow_their_names():
    assert list(ordered({"seed_10": "b", "seed_9": "a"}).items()) == [("seed_9", "a"), ("seed_10", "b")]
