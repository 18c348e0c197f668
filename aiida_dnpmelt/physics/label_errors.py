"""Errors of labels: how far those of a model are from those that it should have given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aiida_dnpmelt.physics.frames import LabelledFrames

Array = NDArray[np.float64]


def label_errors(pairs: Sequence[tuple[LabelledFrames, LabelledFrames]]) -> dict[str, float | int]:
    """Return the errors of a model over sets of frames: root mean squares, and largest absolute values.

    Energies and virials are divided by the number of atoms, and each frame counts alike; forces and virials are taken
    by components, as DeePMD-kit does. The rms force is that of the labels, to compare the errors of the forces with.

    :param pairs: labels and those of the model, of the same frames in the same order.
    :raises ValueError: if there is no frame, or a pair differs in its shape.
    """
    if not pairs:
        raise ValueError("no frame is given")
    if any(label.positions.shape != model.positions.shape for label, model in pairs):
        raise ValueError("the model labelled another number of frames or atoms")
    energy = 1000 * np.concatenate([model.energies_per_atom_ev - label.energies_per_atom_ev for label, model in pairs])
    force = _joined([model.forces_ev_per_angstrom - label.forces_ev_per_angstrom for label, model in pairs])
    virial = 1000 * _joined([(model.virials_ev - label.virials_ev) / len(label.symbols) for label, model in pairs])
    return {
        "frames": len(energy),
        "energy_offset_mev_per_atom": float(energy.mean()),
        "rmse_energy_mev_per_atom": _rms(energy),
        "max_energy_mev_per_atom": float(np.abs(energy).max()),
        "rmse_force_ev_per_angstrom": _rms(force),
        "max_force_ev_per_angstrom": float(np.abs(force).max()),
        "rms_force_ev_per_angstrom": _rms(_joined([label.forces_ev_per_angstrom for label, _ in pairs])),
        "rmse_virial_mev_per_atom": _rms(virial),
        "max_virial_mev_per_atom": float(np.abs(virial).max()),
    }


def _joined(parts: Sequence[Array]) -> Array:
    return np.concatenate([part.ravel() for part in parts])


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))
