"""Forces and energies of the models beside those of their teacher, on frames that the models were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_dnpmelt.physics.comparison import Comparison, compare
from aiida_dnpmelt.physics.ordering import by_number, ordered
from aiida_dnpmelt.report.chains import Chain, called, namespace, output

Array = NDArray[np.float64]
_TEST = "test_"


@dataclass(frozen=True, eq=False)
class Parity:
    """Labels of one phase by the teacher and by the models.

    :param frames: number of frames.
    :param force: components of the teacher's forces in eV/Angstrom, shape (n,).
    :param force_by_model: the same of the models.
    :param energy: the teacher's energies in meV an atom over the mean of their set, shape (f,).
    :param energy_by_model: the models' energies in meV an atom over that same mean.
    """

    phase: str
    frames: int
    force: Array
    force_by_model: dict[str, Array]
    energy: Array
    energy_by_model: dict[str, Array]


@dataclass(frozen=True)
class Errors:
    """Errors of a model on a set of frames, as the comparison has them."""

    exploration: str
    frames_of: str
    phase: str
    model: str
    frames: int
    rms_force_ev_per_angstrom: float
    rmse_force_ev_per_angstrom: float
    rmse_energy_mev_per_atom: float
    energy_offset_mev_per_atom: float


def held_out(chain: Chain) -> list[tuple[str, Any]]:
    """Return the explorations whose frames no model in them has seen: the last of the learning, and that at T_m.

    Models are always compared with frames before they are trained on them.
    """
    learned = [
        (f"iteration {each.number}", each.exploration)
        for each in chain.iterations
        if output(each.exploration, "comparison") is not None
    ]
    found = learned[-1:]
    if output(chain.correction, "comparison") is not None:
        found.append(("at T_m", chain.correction))
    return found


def parity(explorations: Sequence[tuple[str, Any]]) -> list[Parity]:
    """Return the labels of explorations, all frames of a phase together."""
    sets: dict[str, list[Comparison]] = {}
    for _, node in explorations:
        for each in _comparisons(node):
            sets.setdefault(each.phase, []).append(each)
    return [_parity(phase, sets[phase]) for phase in ("solid", "liquid", "interface") if phase in sets]


def errors(explorations: Sequence[tuple[str, Any]]) -> list[Errors]:
    """Return the errors of all models on all sets of explorations."""
    return [
        Errors(
            name,
            of_set,
            values["phase"],
            model,
            values["frames"],
            values["rms_force_ev_per_angstrom"],
            found["rmse_force_ev_per_angstrom"],
            found["rmse_energy_mev_per_atom"],
            found["energy_offset_mev_per_atom"],
        )
        for name, node in explorations
        for of_set, values in ordered(output(node, "comparison")["by_set"]).items()
        for model, found in ordered(values["by_model"]).items()
    ]


def _comparisons(node: Any) -> list[Comparison]:
    """Return the frames of an exploration that the teacher and all models labelled, set by set."""
    tests = {label: child for label, child in called(node).items() if label.startswith(_TEST)}
    answers = {label.removeprefix(_TEST): namespace(child, "frames") for label, child in tests.items()}
    found = []
    for name, teacher in namespace(node, "frames").items():
        if answers and all(name in sets for sets in answers.values()):
            models = {model: sets[name].frames for model, sets in ordered(answers).items()}
            found.append(compare(name, teacher.phase, teacher.frames, models))
    return found


def _parity(phase: str, sets: Sequence[Comparison]) -> Parity:
    models = sorted(set.intersection(*(set(each.models) for each in sets)), key=by_number)
    means = [float(each.teacher.energies_per_atom_ev.mean()) for each in sets]

    def forces(labels: Sequence[Any]) -> Array:
        return np.concatenate([each.forces_ev_per_angstrom.ravel() for each in labels])

    def energies(labels: Sequence[Any]) -> Array:
        parts = zip(labels, means, strict=True)
        return 1000 * np.concatenate([each.energies_per_atom_ev - mean for each, mean in parts])

    return Parity(
        phase=phase,
        frames=sum(len(each.teacher) for each in sets),
        force=forces([each.teacher for each in sets]),
        force_by_model={model: forces([each.models[model] for each in sets]) for model in models},
        energy=energies([each.teacher for each in sets]),
        energy_by_model={model: energies([each.models[model] for each in sets]) for model in models},
    )
