"""Labelled frames with numbers of no meaning, for tests that compare labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aiida_dnpmelt.physics.frames import LabelledFrames


def labelled(frames: int, atoms: int = 4, seed: int = 0, temperature_k: float = 1300.0) -> LabelledFrames:
    """Return frames of copper in oblique cells of some 12 cubic Angstrom an atom."""
    random = np.random.default_rng(seed)
    edge = (12 * atoms) ** (1 / 3)
    cells = np.tile(edge * np.eye(3), (frames, 1, 1)) + 0.1 * random.normal(size=(frames, 3, 3))
    return LabelledFrames(
        symbols=("Cu",) * atoms,
        cells=cells,
        positions=random.random((frames, atoms, 3)) @ cells,
        energies_ev=-3.5 * atoms + random.normal(size=frames),
        forces_ev_per_angstrom=random.normal(size=(frames, atoms, 3)),
        virials_ev=random.normal(size=(frames, 3, 3)),
        temperatures_k=np.full(frames, temperature_k),
    )


def labels_of(
    frames: LabelledFrames, seed: int, offset_ev_per_atom: float = 0.0, scatter_ev_per_atom: float = 0.001
) -> LabelledFrames:
    """Return labels of the same frames by a model that is off by a little."""
    random = np.random.default_rng(100 + seed)
    errors = offset_ev_per_atom + scatter_ev_per_atom * random.normal(size=len(frames))
    return replace(
        frames,
        energies_ev=frames.energies_ev + len(frames.symbols) * errors,
        forces_ev_per_angstrom=frames.forces_ev_per_angstrom
        + 0.05 * random.normal(size=frames.forces_ev_per_angstrom.shape),
    )
