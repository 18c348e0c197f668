"""Which frames a potential is trained on, and which it is only tested on."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np


@dataclass(frozen=True)
class Split:
    """Indices of the frames for training and for validation, each in rising order."""

    training: tuple[int, ...]
    validation: tuple[int, ...]


def split(number: int, share: float, seed: int, name: str = "") -> Split:
    """Return a random split of frames, always the same for the same arguments.

    The share is rounded to whole frames; at least one is left for training.

    :param number: number of frames, at least 1.
    :param share: share of the frames that is kept for validation, from 0 to below 1.
    :param seed: seed of the choice, not negative.
    :param name: name of the set: sets of one size are split independently, and adding one leaves the others.
    """
    kept = min(number - 1, round(share * number))
    random = np.random.default_rng([seed, crc32(name.encode())])
    chosen = {int(index) for index in random.permutation(number)[:kept]}
    indices = range(number)
    return Split(
        training=tuple(index for index in indices if index not in chosen),
        validation=tuple(index for index in indices if index in chosen),
    )
