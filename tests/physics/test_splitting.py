from __future__ import annotations

import pytest

from aiida_dnpmelt.physics.splitting import split


@pytest.mark.parametrize(
    ("number", "share", "kept"), [(1, 0.9, 0), (2, 0.9, 1), (8, 0.25, 2), (8, 0.0, 0), (9, 0.1, 1)]
)
def test_share_is_rounded_and_something_is_left_for_training(number, share, kept):
    found = split(number, share, seed=1)
    assert len(found.validation) == kept
    assert sorted(found.training + found.validation) == list(range(number))


def test_same_arguments_give_the_same_split_and_others_another():
    assert split(100, 0.2, 1, "a") == split(100, 0.2, 1, "a")
    assert len({split(100, 0.2, seed, name).validation for seed in (1, 2) for name in ("a", "b")}) == 4
