"""Frames that a teacher and models labelled, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_dnpmelt.physics.calibration import Calibration, calibrate
from aiida_dnpmelt.physics.energy_offset import PhaseOffset, phase_offset
from aiida_dnpmelt.physics.frames import LabelledFrames

Array = NDArray[np.float64]

TEACHER = "teacher"
"""Name of the teacher among those who label, which no model can have."""

_TOLERANCE_ANGSTROM = 1e-4


@dataclass(frozen=True, eq=False)
class Comparison:
    """Frames of one set that the teacher and all models labelled, in the order of the teacher.

    :param phase: `solid`, `liquid` or `interface`.
    :param teacher: labels of the teacher.
    :param models: labels of each model by its name.
    :param left_out: frames of the set that the teacher or a model lacks.
    :param calibration: deviations and errors of the forces; None for a single model.
    """

    phase: str
    teacher: LabelledFrames
    models: dict[str, LabelledFrames]
    left_out: int
    calibration: Calibration | None

    @property
    def n_atoms(self) -> int:
        """Return the number of atoms in a frame."""
        return len(self.teacher.symbols)

    @property
    def rms_force(self) -> float:
        """Return the root mean square of the components of the teacher's forces in eV/Angstrom."""
        return _rms([self.teacher.forces_ev_per_angstrom])

    def force_errors(self, model: str) -> Array:
        """Return the errors of the components of all forces in eV/Angstrom, shape (f, n, 3)."""
        errors: Array = self.models[model].forces_ev_per_angstrom - self.teacher.forces_ev_per_angstrom
        return errors

    def errors(self, model: str) -> dict[str, float | None]:
        """Return the errors of a model: energies with their sign, forces by components as DeePMD-kit has them.

        The scatter of the energies is their standard deviation about the offset, None for a single frame.
        """
        offsets = 1000 * (self.models[model].energies_per_atom_ev - self.teacher.energies_per_atom_ev)
        scatter = float(offsets.std(ddof=1)) if len(offsets) > 1 else None
        return {
            "energy_offset_mev_per_atom": float(offsets.mean()),
            "energy_offset_uncertainty_mev_per_atom": None if scatter is None else scatter / len(offsets) ** 0.5,
            "energy_scatter_mev_per_atom": scatter,
            "rmse_energy_mev_per_atom": _rms([offsets]),
            "rmse_force_ev_per_angstrom": _rms([self.force_errors(model)]),
        }


@dataclass(frozen=True, eq=False)
class Sample:
    """Frames of one phase at one temperature.

    :param n_atoms: atoms of a frame.
    :param energies_ev: energies of the cells in eV by who labelled them, models and ``teacher``, each of shape (f,).
    :param mean_volume_angstrom3: of the cells.
    """

    n_atoms: int
    energies_ev: dict[str, Array]
    mean_volume_angstrom3: float

    def offset(self, model: str | None, sampler: str, temperature_k: float) -> PhaseOffset:
        """Return the offset of a model, or of the mean of all models for None.

        :param sampler: name of the one whose ensemble the frames are from.
        """
        named = self.energies_ev
        mean = np.mean([energies for name, energies in named.items() if name != TEACHER], axis=0)
        return phase_offset(
            mean if model is None else named[model], named[TEACHER], self.n_atoms, temperature_k, named[sampler]
        )


def compare(name: str, phase: str, teacher: LabelledFrames, models: Mapping[str, LabelledFrames]) -> Comparison:
    """Return the frames of a set that all labelled.

    :param name: of the set, for errors.
    :raises ValueError: if atoms differ, or no frame was labelled by all.
    """
    matches = {model: match_frames(f"{name}, {model}", teacher, frames) for model, frames in models.items()}
    common = [index for index in range(len(teacher)) if all(index in match for match in matches.values())]
    if not common:
        raise ValueError(f"{name}: no frame of the teacher was labelled by all of {', '.join(models)}")
    labels = {model: frames.take([matches[model][index] for index in common]) for model, frames in models.items()}
    taken = teacher.take(common)
    forces = np.array([each.forces_ev_per_angstrom for each in labels.values()])
    return Comparison(
        phase=phase,
        teacher=taken,
        models=labels,
        left_out=max(len(frames) for frames in (teacher, *models.values())) - len(common),
        calibration=calibrate(forces, taken.forces_ev_per_angstrom) if len(labels) > 1 else None,
    )


def match_frames(name: str, reference: LabelledFrames, frames: LabelledFrames) -> dict[int, int]:
    """Return the index of each frame among others by its index in the reference; those that either lacks are left out.

    Who labels may put an atom into another image of the cell, and drop frames.

    :param name: of the frames, for the errors.
    :raises ValueError: if atoms differ, or no frame is in both.
    """
    if frames.symbols != reference.symbols:
        raise ValueError(f"{name}: atoms are {_atoms(frames)}, those of the teacher are {_atoms(reference)}")
    free, found = list(range(len(frames))), {}
    for index in range(len(reference)):
        for place, other in enumerate(free):
            if _same(reference, index, frames, other):
                found[index] = free.pop(place)
                break
    if not found:
        raise ValueError(
            f"{name}: cells or positions of all its {len(frames)} frames differ from those of the teacher's "
            f"{len(reference)} by more than {_TOLERANCE_ANGSTROM:g} Angstrom"
        )
    return found


def _atoms(frames: LabelledFrames) -> str:
    """Return the atoms in words, with the length of each run of one species."""
    text = " ".join(frames.symbols[:6])
    return f"{len(frames.symbols)}: {text}{' ...' if len(frames.symbols) > 6 else ''}"


def _same(reference: LabelledFrames, index: int, frames: LabelledFrames, other: int) -> bool:
    cell = reference.cells[index]
    if np.abs(frames.cells[other] - cell).max() > _TOLERANCE_ANGSTROM:
        return False
    fractions = (frames.positions[other] - reference.positions[index]) @ np.linalg.inv(cell)
    return bool(np.abs((fractions - np.rint(fractions)) @ cell).max() <= _TOLERANCE_ANGSTROM)


def errors_by_phase(sets: Mapping[str, Comparison]) -> dict[str, dict[str, Any]]:
    """Return, by phase over all its sets: the rms force of the teacher, the largest force RMSE, and of which model."""
    phases: dict[str, list[Comparison]] = {}
    for each in sets.values():
        phases.setdefault(each.phase, []).append(each)
    found = {}
    for phase, members in phases.items():
        rmse = {model: _rms([each.force_errors(model) for each in members]) for model in members[0].models}
        found[phase] = {
            "frames": sum(len(each.teacher) for each in members),
            "rms_force_ev_per_angstrom": _rms([each.teacher.forces_ev_per_angstrom for each in members]),
            "largest_rmse_force_ev_per_angstrom": max(rmse.values()),
            "model": max(rmse, key=lambda model: rmse[model]),
        }
    return found


def sample(sets: Mapping[str, Comparison], phase: str, temperature_k: float) -> Sample | None:
    """Return all frames of a phase at a temperature, None if there is none.

    :raises ValueError: if frames have different numbers of atoms.
    """
    parts = []
    for name, each in sets.items():
        here = np.flatnonzero(np.isclose(each.teacher.temperatures_k, temperature_k))
        if each.phase == phase and len(here):
            parts.append((name, each, here))
    if not parts:
        return None
    atoms = {name: each.n_atoms for name, each, _ in parts}
    if len(set(atoms.values())) > 1:
        listed = ", ".join(f"{number} ({name})" for name, number in atoms.items())
        raise ValueError(f"frames of the {phase} have different numbers of atoms: {listed}; one number is needed")
    labellers = [{TEACHER: each.teacher, **each.models} for _, each, _ in parts]
    energies = {
        name: np.concatenate([by[name].energies_ev[here] for by, (_, _, here) in zip(labellers, parts, strict=True)])
        for name in labellers[0]
    }
    volumes = np.concatenate([np.linalg.det(each.teacher.cells[here]) for _, each, here in parts])
    return Sample(next(iter(atoms.values())), energies, float(volumes.mean()))


def _rms(parts: Iterable[Array]) -> float:
    values = np.concatenate([part.ravel() for part in parts])
    return float(np.sqrt(np.mean(values**2)))
