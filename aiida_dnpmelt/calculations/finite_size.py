"""Sizes of a study, and what melting points of cells of several sizes say together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase import Atoms
from pydantic import BaseModel, ConfigDict, Field, model_validator

from aiida_dnpmelt.calculations.known_points import no_melting_point
from aiida_dnpmelt.calculations.melting_point import PAPER_WINDOW_PS, measured, whole_runs
from aiida_dnpmelt.data.runs import from_node
from aiida_dnpmelt.physics.crystals import MOST_ATOMS, repetitions
from aiida_dnpmelt.physics.error_budget import Measured, mean_of
from aiida_dnpmelt.physics.estimate import Series, last_window
from aiida_dnpmelt.physics.finite_size import FEWEST_SIZES, ErrorLaw, SizeEffect, SizeFit, fit_error_law, fit_sizes
from aiida_dnpmelt.physics.melting_curve import Quantity

SCHEMA = "dnpmelt.finite_size"
SCHEMA_VERSION = 1
_SAME = ("element", "lattice", "pressure_gpa", "potential_uuid")
_PREFIX = "atoms_"
_IMPROBABLE = 0.05
"""Probability of a chi2 below which the line does not describe the cells."""


class SizeStudy(BaseModel):
    """Which cells a study runs: by numbers of atoms, for any lattice, or by repetitions of the conventional cell."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum_atoms: list[int] | None = Field(None, description="Least numbers of atoms, one a cell.")
    aspect: float = Field(2.0, gt=0, le=100, description="Length of these cells along z over their width.")
    repetitions: list[tuple[int, int, int]] | None = Field(
        None, description="Repetitions of the conventional cell along x, y, z instead, three numbers a cell."
    )
    fewest_sizes: int = Field(
        FEWEST_SIZES, ge=FEWEST_SIZES, le=100, description="Sizes with a T_m that the study needs."
    )
    at_once: int | None = Field(
        None, ge=1, le=100, description="Sizes that are run side by side; without it, all of them."
    )

    @model_validator(mode="after")
    def _one_way(self) -> SizeStudy:
        if (self.minimum_atoms is None) == (self.repetitions is None):
            raise ValueError("give minimum_atoms, or repetitions")
        sizes: Sequence[Any] = self.minimum_atoms if self.minimum_atoms is not None else self.repetitions or ()
        if not self.fewest_sizes <= len(sizes) <= 100:
            raise ValueError(f"{len(sizes)} sizes given, from {self.fewest_sizes} (fewest_sizes) to 100 can be run")
        for number in self.minimum_atoms or ():
            if not 1 <= number <= MOST_ATOMS:
                raise ValueError(f"minimum_atoms: {number} is outside the allowed range 1 to {MOST_ATOMS}")
        for counts in self.repetitions or ():
            if not all(1 <= count <= 1000 for count in counts):
                raise ValueError(f"repetitions: {list(counts)} must be three whole numbers from 1 to 1000")
        return self


def cells_of(atoms: Atoms, study: Mapping[str, Any]) -> dict[int, tuple[int, int, int]]:
    """Return the repetitions of the conventional cell by the number of atoms of each size, the smallest first.

    :raises ValueError: if two sizes have the same number of atoms.
    """
    asked = SizeStudy(**study)
    counts = asked.repetitions or [repetitions(atoms, number, asked.aspect) for number in asked.minimum_atoms or ()]
    sizes = sorted((len(atoms) * math.prod(count), count) for count in counts)
    for (number, first), (same, second) in pairwise(sizes):
        if number == same:
            raise ValueError(f"two cells have {number} atoms: {_cross(first)} and {_cross(second)} conventional cells")
    return dict(sizes)


def _cross(counts: Sequence[int]) -> str:
    return " x ".join(map(str, counts))


def size_name(n_atoms: int) -> str:
    """Return the name of a size in links and outputs, such as ``atoms_4096``."""
    return f"{_PREFIX}{n_atoms}"


def atoms_of(name: str) -> int:
    """Return the number of atoms of a size by its name."""
    return int(name.rpartition(_PREFIX)[2])


@calcfunction
def study_sizes(cell: orm.StructureData, study: orm.Dict) -> dict[str, orm.Dict]:
    """Return the sizes of a study by their names, each as the input ``size`` of a coexistence.

    :param cell: conventional cell, along x, y and z.
    :param study: see `SizeStudy`.
    """
    atoms = cell.get_ase()
    return {
        size_name(number): orm.Dict({"by_atoms_in_cell": {str(len(atoms)): list(counts)}})
        for number, counts in cells_of(atoms, study.get_dict()).items()
    }


@calcfunction
def living_window(melting_point: orm.Dict, **runs: orm.ArrayData) -> orm.Dict:
    """Return the published statistic of the last 20 ps over the runs that held both phases.

    :param melting_point: that of these runs.
    :param runs: pieces of runs, their names ending in the number of the piece, in the order in which they ran.
    :return: ``window_ps``; ``runs``, those that are long enough; ``mean_k``, ``std_k`` and ``sem_k``, null without a
        run or, for the last, without two.
    """
    pieces = [from_node(runs[name]) for name in sorted(runs, key=lambda name: int(name.rpartition("_")[2]))]
    living = set(melting_point["seeds_used"])
    series = [
        Series(run.time_ps, run.temperature_k)
        for run in whole_runs([piece for piece in pieces if piece.seed in living]).values()
    ]
    whole = [run for run in series if run.length_ps > PAPER_WINDOW_PS - run.spacing_ps / 2]
    found: dict[str, Any] = {"window_ps": PAPER_WINDOW_PS, "runs": len(whole), "mean_k": None, "std_k": None}
    if whole:
        statistic = last_window(whole, PAPER_WINDOW_PS)
        found |= {"mean_k": statistic.temperature_k, "std_k": statistic.standard_deviation_k}
        found["sem_k"] = statistic.standard_error_k if len(whole) > 1 else None
    return orm.Dict({"sem_k": None, **found})


@calcfunction
def finite_size(study: orm.Dict, failed: orm.Dict, **nodes: orm.Dict) -> orm.Dict:
    """Return what cells of several sizes say of T_m at infinite size, and of its error.

    :param study: see `SizeStudy`.
    :param failed: why a size has no melting point at all, by the number of its atoms.
    :param nodes: melting points as ``point_atoms_N``, and what `living_window` makes of their runs as
        ``window_atoms_N``, for sizes of N atoms.
    :return: see the reference of the finite-size study.
    :raises ValueError: if there is no melting point, or they are of different elements, lattices, pressures or
        potentials.
    """
    points = _by_size(nodes, "point_")
    windows = _by_size(nodes, "window_")
    _check_same(list(points.values()))
    used = {number: point for number, point in points.items() if _counts(point)}
    gaps = {number: "; ".join(point["reasons"]) for number, point in points.items() if number not in used}
    gaps |= {int(number): reason for number, reason in failed.get_dict().items()}
    enough = len(used) >= SizeStudy(**study.get_dict()).fewest_sizes
    effect = _effect(used) if enough else None
    first = next(iter(points.values()))
    return orm.Dict(
        {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            **{key: first[key] for key in (*_SAME, "potential_label", "potential_sha256", "protocol")},
            **_columns(used, windows),
            "gaps": [{"atoms": number, "reason": reason} for number, reason in sorted(gaps.items())],
            **_at_infinity(used, effect),
            **_laws(used, windows),
            **_verdict(used, len(used) + len(gaps), enough, effect),
        }
    )


def _by_size(nodes: Mapping[str, orm.Dict], prefix: str) -> dict[int, dict[str, Any]]:
    """Return the dictionaries whose names begin with a prefix by number of atoms, the smallest first."""
    found = {atoms_of(name): node.get_dict() for name, node in nodes.items() if name.startswith(prefix)}
    return dict(sorted(found.items()))


def _check_same(points: Sequence[Mapping[str, Any]]) -> None:
    if not points:
        raise ValueError("no size has a melting point")
    for key in _SAME:
        values = sorted({str(point[key]) for point in points})
        if len(values) > 1:
            raise ValueError(f"the points differ in {key}: {', '.join(values)}")


def _counts(point: Mapping[str, Any]) -> bool:
    return no_melting_point(point) is None


def _columns(used: Mapping[int, Mapping[str, Any]], windows: Mapping[int, Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return what is known of each size with a T_m, as lists in the order of the sizes."""
    columns = {
        "repetitions": "repetitions",
        "melting_temperatures_k": "melting_temperature_k",
        "standard_uncertainties_k": "standard_uncertainty_k",
        "statistical_uncertainties_k": "statistical_uncertainty_k",
        "verdicts": "verdict",
        "production_times_ps": "production_time_ps",
        "relaxation_times_ps": "relaxation_time_ps",
        "paper_means_k": "paper_mean_k",
        "paper_sems_k": "paper_sem_k",
    }
    return {
        "atoms": list(used),
        **{name: [point[key] for point in used.values()] for name, key in columns.items()},
        "living_runs": [len(point["seeds_used"]) for point in used.values()],
        "lost_runs": [_lost(point) for point in used.values()],
        "window_runs": [windows[number]["runs"] if number in windows else 0 for number in used],
        "window_sems_k": [windows[number]["sem_k"] if number in windows else None for number in used],
    }


def _lost(point: Mapping[str, Any]) -> int:
    """Return the number of runs that were lost."""
    return sum(len(point[key]) for key in ("seeds_froze", "seeds_melted", "seeds_invalid"))


def _effect(used: Mapping[int, Mapping[str, Any]]) -> SizeEffect:
    """Return the fits of T_m; the uncertainty of the time step is common to all sizes, and no part of them."""
    temperatures, uncertainties = (
        [point[key] for point in used.values()] for key in ("melting_temperature_k", "statistical_uncertainty_k")
    )
    return fit_sizes(list(used), temperatures, uncertainties)


def _at_infinity(used: Mapping[int, Mapping[str, Any]], effect: SizeEffect | None) -> dict[str, Any]:
    """Return T_m at infinite size, both fits, and what each size contributes."""
    if effect is None:
        names = ("infinite_temperature_k", "infinite_uncertainty_k", "interval_low_k", "interval_high_k")
        more = ("size_effect_resolved", "significance", "constant", "line")
        each = ("size_shifts_k", "size_shift_uncertainties_k", "size_uncertainties_k")
        return dict.fromkeys((*names, *more, *each))
    line = effect.line.temperature_k(math.inf)
    timestep = mean_of([measured(point) for point in used.values()]).common_k
    infinite = Measured(line.value, line.uncertainty, timestep)
    low, high = infinite.interval_k
    shifts = [effect.line.shift_k(number) for number in used]
    return {
        "infinite_temperature_k": infinite.value_k,
        "infinite_uncertainty_k": infinite.total_k,
        "interval_low_k": low,
        "interval_high_k": high,
        "coverage": 0.95,
        "timestep_uncertainty_k": timestep,
        "size_effect_resolved": bool(effect.resolved),
        "significance": effect.significance,
        "constant": _fit(effect.constant),
        "line": _fit(effect.line),
        "size_shifts_k": [shift.value for shift in shifts],
        "size_shift_uncertainties_k": [shift.uncertainty for shift in shifts],
        "size_uncertainties_k": [effect.line.size_uncertainty_k(number) for number in used],
    }


def _fit(fit: SizeFit) -> dict[str, Any]:
    infinite = fit.temperature_k(math.inf)
    slope = fit.shift_k(1.0)
    return {
        "temperature_k": infinite.value,
        "temperature_uncertainty_k": infinite.uncertainty,
        "slope_k_atoms": slope.value,
        "slope_uncertainty_k_atoms": slope.uncertainty,
        "covariance": fit.covariance.tolist(),
        "chi2": fit.chi2,
        "degrees_of_freedom": fit.degrees_of_freedom,
        "probability": fit.probability,
        "widening": fit.widening,
        "aicc": fit.aicc if math.isfinite(fit.aicc) else None,
    }


def _laws(used: Mapping[int, Mapping[str, Any]], windows: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Return how the error at equal production time, and the published statistic, fall with the size."""
    errors = {
        number: point["statistical_uncertainty_k"] * math.sqrt(point["production_time_ps"])
        for number, point in used.items()
    }
    sems = {number: windows[number] for number in used if number in windows and windows[number]["sem_k"]}
    return {
        "errors_k_ps05": list(errors.values()),
        "error_law": _law(errors),
        "sem_law": _law(
            {number: window["sem_k"] for number, window in sems.items()},
            [window["runs"] - 1 for window in sems.values()],
        ),
    }


def _law(errors: Mapping[int, float], degrees_of_freedom: list[int] | None = None) -> dict[str, Any] | None:
    """Return a law as plain values, None if there are too few sizes for one."""
    if len(errors) < FEWEST_SIZES:
        return None
    law = fit_error_law(list(errors), list(errors.values()), degrees_of_freedom)
    return {
        "atoms": list(errors),
        "exponent": law.exponent.value,
        "exponent_uncertainty": law.exponent.uncertainty,
        "exponent_low": law.exponent_interval[0],
        "exponent_high": law.exponent_interval[1],
        "agrees_with_paper": law.agrees_with_paper,
        "reference_atoms": law.reference_atoms,
        "reference_error": law.reference_error,
        "prefactor": law.prefactor.value,
        "prefactor_uncertainty": law.prefactor.uncertainty,
    }


def _verdict(
    used: Mapping[int, Mapping[str, Any]], sizes: int, enough: bool, effect: SizeEffect | None
) -> dict[str, Any]:
    """Return the verdict on the study and the reasons for it."""
    reasons = [f"{len(used)} of {sizes} sizes have a T_m"]
    doubtful = [str(number) for number, point in used.items() if _lost(point) > len(point["seeds_used"])]
    if doubtful:
        reasons.append(
            f"more runs were lost than lived: the cells of {', '.join(doubtful)} atoms; the survivors may be a choice"
        )
    unfinished = [str(number) for number, point in used.items() if point["verdict"] != "valid"]
    if unfinished:
        reasons.append(f"unfinished: the cells of {', '.join(unfinished)} atoms")
    poor = effect is not None and effect.line.probability < _IMPROBABLE
    if effect is not None and poor:
        reasons.append(
            f"the line does not describe the cells: chi2 = {effect.line.chi2:.1f} with "
            f"{effect.line.degrees_of_freedom} degrees of freedom; uncertainties are widened "
            f"by {effect.line.widening:.1f}"
        )
    verdict = "invalid" if not enough else "unfinished" if unfinished or poor else "valid"
    return {"verdict": verdict, "reasons": reasons}


def stored_line(study: Mapping[str, Any]) -> SizeFit:
    """Return the line of a stored study, to take T_m and the contribution of the size at other sizes from.

    :raises ValueError: if the study has too few sizes for one.
    """
    found = study["line"]
    if found is None:
        raise ValueError(f"the study has no line: {'; '.join(study['reasons'])}")
    return SizeFit(
        coefficients=np.array([found["temperature_k"], found["slope_k_atoms"]]),
        covariance=np.array(found["covariance"]),
        chi2=found["chi2"],
        degrees_of_freedom=found["degrees_of_freedom"],
        aicc=math.inf if found["aicc"] is None else found["aicc"],
    )


def stored_law(study: Mapping[str, Any], name: str) -> ErrorLaw:
    """Return the law ``error_law`` or ``sem_law`` of a stored study.

    :raises ValueError: if the study has too few sizes for it.
    """
    found = study[name]
    if found is None:
        raise ValueError(f"the study has no {name}: it needs {FEWEST_SIZES} sizes")
    return ErrorLaw(
        exponent=Quantity(found["exponent"], found["exponent_uncertainty"]),
        exponent_interval=(found["exponent_low"], found["exponent_high"]),
        reference_atoms=found["reference_atoms"],
        reference_error=found["reference_error"],
        prefactor=Quantity(found["prefactor"], found["prefactor_uncertainty"]),
    )
