"""Compare models with the teacher that labelled the same frames: forces, their deviation, and T_m in kelvin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from numpy.typing import NDArray

from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.physics.calibration import Calibration, summarise
from aiida_dnpmelt.physics.comparison import TEACHER, Comparison, Sample, compare, errors_by_phase, sample
from aiida_dnpmelt.physics.energy_offset import LEAST_FRAMES, LatentHeat, MeltingShift, latent_heat, melting_shift
from aiida_dnpmelt.physics.ordering import by_number, ordered
from aiida_dnpmelt.physics.units import gpa_a3_to_ev

Array = NDArray[np.float64]

UNBIASED = "check_"
"""Start of the names of sets that are an unbiased sample of an ensemble."""

_TEACHER, _MODEL, _ENTHALPY = f"{TEACHER}_", "model_", "enthalpy_"
_BETWEEN = "__"
_BULK = ("solid", "liquid")
_VOLUME_FACTOR = 1.25  # between the mean volumes of two samples of one phase


@dataclass(frozen=True, eq=False)
class _Run:
    """A run of one phase: enthalpies of the cell in eV, without their kinetic part, and volumes in Angstrom^3."""

    enthalpies_ev: Array
    volumes_angstrom3: Array


@calcfunction
def compare_with_teacher(
    temperature: orm.Float, pressure: orm.Float | None = None, sampled_by: orm.Str | None = None, **nodes: orm.Data
) -> dict[str, orm.Data]:
    """Return how far models are from their teacher: numbers (``report``), and those of frames and atoms (``arrays``).

    :param temperature: near T_m in K; shifts of T_m come from frames of this temperature alone.
    :param pressure: of the runs behind the enthalpies in GPa; 0 if not given.
    :param sampled_by: name of the model that moved the atoms, or ``teacher``; if not given, the first model by name,
        which moves them in an exploration.
    :param nodes: ``teacher_<set>`` and ``model_<name>__<set>``: `FramesData` of the same frames, which are matched by
        their cells and positions. Sets of solid and liquid whose names begin with ``check_`` must be unbiased samples
        of an ensemble at this pressure, not frames chosen by deviation: from them come shifts of T_m. For these also
        ``enthalpy_solid`` and ``enthalpy_liquid``: outputs ``deviation`` of explorations with as many atoms as these
        frames.
    :return: all keys and arrays are in the reference.
    :raises ValueError: if a name is none of these, atoms or their number differ, or no frame was labelled by all.
    """
    sets, left_out = _comparisons(nodes)
    models = sorted(next(iter(sets.values())).models, key=by_number)
    # As text, as the jobs of explorations order their models.
    sampler = min(models) if sampled_by is None else sampled_by.value
    if sampler not in {TEACHER, *models}:
        raise ValueError(f"sampled_by: '{sampler}' given, can be {TEACHER} or one of {', '.join(models)}")
    pressure_gpa = 0.0 if pressure is None else pressure.value
    samples = _samples(sets, temperature.value)
    runs = _runs(nodes, temperature.value, pressure_gpa)
    _check_volumes(samples, runs)
    reason = _flaw(samples, runs, temperature.value)
    calibrations = [each.calibration for each in sets.values() if each.calibration is not None]
    report: dict[str, Any] = {
        "temperature_k": temperature.value,
        "pressure_gpa": pressure_gpa,
        "models": models,
        "sampled_by": sampler,
        "by_set": {name: _of_set(each) for name, each in sets.items()},
        "sets_left_out": left_out,
        "by_phase": errors_by_phase(sets),
        "calibration": _numbers(calibrations) if calibrations else None,
        "offset": None,
        "offset_reason": reason,
    }
    if reason is None:
        report["offset"], report["offset_reason"] = _offset(samples, runs, models, sampler, temperature.value)
    return {"report": orm.Dict(report), "arrays": orm.ArrayData(_arrays(sets))}


def _comparisons(nodes: Mapping[str, orm.Data]) -> tuple[dict[str, Comparison], dict[str, str]]:
    """Return the sets that the teacher and all models labelled, and why others are left out."""
    teacher, models = _by_name(nodes)
    found, left_out = {}, {}
    for name in sorted({*teacher, *(name for sets in models.values() for name in sets)}, key=by_number):
        lacking = [model for model, sets in models.items() if name not in sets]
        lacking += [] if name in teacher else [TEACHER]
        if lacking:
            left_out[name] = f"no frame was labelled by {', '.join(lacking)}"
            continue
        labels = {model: sets[name].frames for model, sets in models.items()}
        found[name] = compare(name, teacher[name].phase, teacher[name].frames, labels)
    if not found:
        raise ValueError(f"no set was labelled by the teacher and by all models: {', '.join(left_out)}")
    return found, left_out


def _by_name(nodes: Mapping[str, orm.Data]) -> tuple[dict[str, FramesData], dict[str, dict[str, FramesData]]]:
    """Return the sets of the teacher, and those of each model.

    :raises ValueError: if there is none of either, or a name cannot be read.
    """
    teacher: dict[str, FramesData] = {}
    models: dict[str, dict[str, FramesData]] = {}
    for name, node in ordered(nodes).items():
        model, between, of_set = name.removeprefix(_MODEL).partition(_BETWEEN)
        if name.startswith(_TEACHER):
            teacher[name.removeprefix(_TEACHER)] = node
        elif name.startswith(_MODEL) and model not in {"", TEACHER} and between and of_set:
            models.setdefault(model, {})[of_set] = node
        elif name not in {f"{_ENTHALPY}{phase}" for phase in _BULK}:
            raise ValueError(
                f"{name}: names are {_TEACHER}<set>, {_MODEL}<name>{_BETWEEN}<set> (no model is named {TEACHER}), "
                f"{_ENTHALPY}solid and {_ENTHALPY}liquid"
            )
    if not teacher or not models:
        raise ValueError(f"{len(teacher)} sets of the teacher and {len(models)} models given, one of each is needed")
    return teacher, models


def _of_set(each: Comparison) -> dict[str, Any]:
    return {
        "phase": each.phase,
        "frames": len(each.teacher),
        "frames_left_out": each.left_out,
        "atoms": each.n_atoms,
        "temperatures_k": sorted({float(value) for value in each.teacher.temperatures_k}),
        "rms_force_ev_per_angstrom": each.rms_force,
        "by_model": {model: each.errors(model) for model in each.models},
        "calibration": None if each.calibration is None else _numbers([each.calibration]),
    }


def _numbers(calibrations: list[Calibration]) -> dict[str, Any]:
    numbers = asdict(summarise(calibrations))
    return {key: list(value) if isinstance(value, tuple) else value for key, value in numbers.items()}


def _samples(sets: Mapping[str, Comparison], temperature_k: float) -> dict[str, Sample]:
    """Return the unbiased samples of both phases, as far as there are any."""
    unbiased = {name: each for name, each in sets.items() if name.startswith(UNBIASED)}
    found = {phase: sample(unbiased, phase, temperature_k) for phase in _BULK}
    return {phase: each for phase, each in found.items() if each is not None}


def _runs(nodes: Mapping[str, orm.Data], temperature_k: float, pressure_gpa: float) -> dict[str, _Run]:
    """Return the parts of the runs that are at the temperature."""
    found = {}
    for phase in _BULK:
        node = nodes.get(f"{_ENTHALPY}{phase}")
        if node is None:
            continue
        here = np.isclose(node.get_array("temperature_k"), temperature_k)
        volumes = node.get_array("volume_angstrom3")[here]
        energies = node.get_array("potential_energy_ev")[here]
        if len(volumes):
            found[phase] = _Run(energies + gpa_a3_to_ev(pressure_gpa * volumes), volumes)
    return found


def _check_volumes(samples: Mapping[str, Sample], runs: Mapping[str, _Run]) -> None:
    """Check that the runs have as many atoms as the frames, which their volumes tell.

    :raises ValueError: if they have not.
    """
    for phase in samples.keys() & runs.keys():
        ratio = runs[phase].volumes_angstrom3.mean() / samples[phase].mean_volume_angstrom3
        if not 1 / _VOLUME_FACTOR < ratio < _VOLUME_FACTOR:
            raise ValueError(
                f"{_ENTHALPY}{phase}: its mean volume is {ratio:.2f} times that of the frames of the {phase}, it must "
                f"be of as many atoms, {samples[phase].n_atoms}"
            )


def _flaw(samples: Mapping[str, Sample], runs: Mapping[str, _Run], temperature_k: float) -> str | None:
    """Return why no shift of T_m can be told, None if it can."""
    for phase in _BULK:
        frames = len(samples[phase].energies_ev[TEACHER]) if phase in samples else 0
        if frames < LEAST_FRAMES:
            return (
                f"sets named {UNBIASED}... hold {frames} frames of the {phase} at {temperature_k:g} K, at least "
                f"{LEAST_FRAMES} are needed"
            )
        if phase not in runs:
            return f"no enthalpy of the {phase} at {temperature_k:g} K is given, which the latent heat needs"
    return None


def _offset(
    samples: Mapping[str, Sample], runs: Mapping[str, _Run], models: list[str], sampler: str, temperature_k: float
) -> tuple[dict[str, Any] | None, str | None]:
    """Return the shifts of T_m, or why they cannot be told."""
    try:
        heat = latent_heat(*(runs[phase].enthalpies_ev / samples[phase].n_atoms for phase in _BULK))
    except ValueError as error:
        return None, str(error)

    def shift(model: str | None) -> MeltingShift:
        solid, liquid = (samples[phase].offset(model, sampler, temperature_k) for phase in _BULK)
        return melting_shift(solid, liquid, heat, temperature_k)

    return _shifts({model: shift(model) for model in models}, shift(None), heat), None


def _shifts(by_model: Mapping[str, MeltingShift], mean: MeltingShift, heat: LatentHeat) -> dict[str, Any]:
    shifts = {model: each.first_order_k for model, each in by_model.items()}
    return {
        "latent_heat_ev_per_atom": heat.ev_per_atom,
        "latent_heat_uncertainty_ev_per_atom": heat.standard_uncertainty_ev_per_atom,
        "frames_solid": mean.solid.frames,
        "frames_liquid": mean.liquid.frames,
        "by_model": {model: _shift(each) for model, each in by_model.items()},
        "mean_of_models": _shift(mean),
        "spread_k": float(np.std(list(shifts.values()), ddof=1)) if len(shifts) > 1 else None,
        "largest_absolute_shift_k": max(abs(value) for value in shifts.values()),
        "largest_absolute_shift_model": max(shifts, key=lambda model: abs(shifts[model])),
        "largest_absolute_bound_k": max(abs(bound) for each in by_model.values() for bound in each.interval_k),
        "largest_absolute_second_order_k": max(abs(each.second_order_k) for each in by_model.values()),
    }


def _shift(each: MeltingShift) -> dict[str, Any]:
    return {
        **{
            f"{quantity}_{phase}_mev_per_atom": 1000 * value
            for phase, offset in (("solid", each.solid), ("liquid", each.liquid))
            for quantity, value in (
                ("offset", offset.mean_ev_per_atom),
                ("offset_uncertainty", offset.standard_uncertainty_ev_per_atom),
                ("offset_scatter", offset.standard_deviation_ev_per_atom),
            )
        },
        "predicted_shift_k": each.first_order_k,
        "predicted_shift_uncertainty_k": each.standard_uncertainty_k,
        "predicted_shift_degrees_of_freedom": each.degrees_of_freedom,
        "predicted_shift_95_k": list(each.interval_k),
        "second_order_k": each.second_order_k,
        "second_order_uncertainty_k": each.second_order_uncertainty_k,
    }


def _arrays(sets: Mapping[str, Comparison]) -> dict[str, Array]:
    """Return, by names that begin with that of the set, what pictures need; forces are in the nodes of the frames."""
    arrays = {}
    for name, each in sets.items():
        labellers = {_TEACHER: each.teacher, **{f"{_MODEL}{model}_": labels for model, labels in each.models.items()}}
        arrays[f"{name}_temperature_k"] = each.teacher.temperatures_k
        for labeller, frames in labellers.items():
            arrays[f"{name}_{labeller}energy_ev_per_atom"] = frames.energies_per_atom_ev
        if each.calibration is not None:
            arrays[f"{name}_deviation_ev_per_angstrom"] = each.calibration.deviation
            arrays[f"{name}_model_error_ev_per_angstrom"] = each.calibration.model_error
            arrays[f"{name}_mean_error_ev_per_angstrom"] = each.calibration.mean_error
    return arrays
