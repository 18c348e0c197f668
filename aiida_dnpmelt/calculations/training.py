"""Calculation functions of trainings: settings filled from the frames, pieces joined, trainings summed up."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_dnpmelt.calculations.deepmd_settings import counted_cutoffs, with_sel
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.parsers.training_files import join_curves
from aiida_dnpmelt.physics.neighbours import most_neighbours
from aiida_dnpmelt.physics.ordering import ordered

FRAMES = "frames_"
_SUMMED = ("wall_time_s", "core_hours")
_COMPARED = (
    "rmse_energy_training_mev_per_atom",
    "rmse_force_training_ev_per_angstrom",
    "rmse_virial_training_mev_per_atom",
    "rmse_energy_validation_mev_per_atom",
    "rmse_force_validation_ev_per_angstrom",
    "rmse_virial_validation_mev_per_atom",
)


@calcfunction
def complete_settings(settings: orm.Dict, sel_margin: orm.Float, **frames: FramesData) -> orm.Dict:
    """Return the settings with `type_map` and `sel` filled from the frames, wherever they are not given.

    :param sel_margin: factor over the largest counted number of neighbours; rounded up to a multiple of 4.
    :param frames: nodes of frames, as ``frames_`` and a name.
    """
    parts = [frames[name].frames for name in sorted(frames)]
    filled = settings.get_dict()
    filled["model"].setdefault("type_map", sorted({symbol for part in parts for symbol in part.symbols}))
    most = {cutoff: most_neighbours(parts, cutoff) for cutoff in counted_cutoffs(filled)}
    return orm.Dict(with_sel(filled, most, sel_margin.value))


def frames_arguments(frames: dict[str, FramesData]) -> dict[str, FramesData]:
    """Return nodes of frames under the names that the calculation functions take."""
    return {f"{FRAMES}{name}": node for name, node in frames.items()}


@calcfunction
def join_training(**nodes: orm.Data) -> dict[str, orm.Data]:
    """Join the jobs of one training: one learning curve, and the results of the last job with the costs of all.

    :param nodes: ``curve_0000``, ... and ``results_0000``, ... in their order; a job that left no curve has none.
    """
    curves = [node for name, node in ordered(nodes).items() if name.startswith("curve_")]
    results = [node.get_dict() for name, node in ordered(nodes).items() if name.startswith("results_")]
    joined = join_curves([{name: node.get_array(name) for name in node.get_arraynames()} for node in curves])
    costs = {key: _sum([result[key] for result in results]) for key in _SUMMED}
    rate = joined.get("learning_rate", np.array([]))
    last = {**results[-1], **costs, "jobs": len(results)}
    if last["learning_rate"] is None and len(rate):
        last["learning_rate"] = float(rate[-1])
    return {"learning_curve": orm.ArrayData(joined), "results": orm.Dict(last)}


@calcfunction
def summarise_trainings(**results: orm.Dict) -> orm.Dict:
    """Return the errors of several trainings side by side.

    :param results: results of each training that came to its end, under its name.
    """
    trainings = {name: node.get_dict() for name, node in ordered(results).items()}
    errors = {key: [training[key] for training in trainings.values()] for key in _COMPARED}
    return orm.Dict(
        {
            "number_of_potentials": len(trainings),
            "trainings": {
                name: {
                    "seeds": training["seeds"],
                    "steps": training["steps"],
                    "core_hours": training["core_hours"],
                    **{key: training[key] for key in _COMPARED},
                }
                for name, training in trainings.items()
            },
            **{f"largest_{key}": None if None in values else max(values) for key, values in errors.items()},
            "frames_training": next(iter(trainings.values()))["frames_training"],
            "frames_validation": next(iter(trainings.values()))["frames_validation"],
            "core_hours": _sum([training["core_hours"] for training in trainings.values()]),
        }
    )


def _sum(values: list[Any]) -> float | None:
    """Return the sum of what is known, None if nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
