"""Choose the frames of an exploration that are labelled."""

from __future__ import annotations

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from numpy.typing import NDArray

from aiida_dnpmelt.data import trajectories
from aiida_dnpmelt.physics.order import averaged_q6, solid_fraction
from aiida_dnpmelt.physics.selection import SelectionSettings, evenly_spaced, select


@calcfunction
def select_frames(
    trajectory: orm.TrajectoryData,
    deviation: orm.ArrayData,
    settings: orm.Dict,
    seed: orm.Int,
    taken: orm.TrajectoryData | None = None,
    results: orm.Dict | None = None,
) -> dict[str, orm.Data]:
    """Return the frames that are worth a label (``frames``, none if there is none), and why (``report``).

    :param trajectory: output ``trajectory`` of an exploration.
    :param deviation: its output ``deviation``: arrays of the same frames in the same order.
    :param settings: see `SelectionSettings`.
    :param seed: seed of the mode ``random``.
    :param taken: frames of the same trajectory that are labelled anyway, and not taken again.
    :param results: output ``results`` of the exploration: temperatures that left no frame are told, too.
    :return: ``report`` has counts ``accurate``, ``candidate``, ``failed`` and ``taken``, the largest deviation and its
        95 % quantile (eV/Angstrom), a histogram, the same ``by_temperature`` with what ``ended`` the run there, and
        of each taken frame its temperature, step, time and deviation (``frames``).
    :raises ValueError: if the frames and deviations do not belong together.
    """
    steps, temperatures = deviation.get_array("step"), deviation.get_array("temperature_k")
    if not (
        np.array_equal(steps, trajectory.get_stepids())
        and np.array_equal(temperatures, trajectory.get_array("temperatures"))
    ):
        raise ValueError("trajectory and deviation: they are not of the same exploration")
    ended = {} if results is None else {row["temperature_k"]: row["ended"] for row in results["by_temperature"]}
    found = select(
        temperatures,
        deviation.get_array("time_ps"),
        deviation.get_array("max_force_ev_per_angstrom"),
        SelectionSettings(**settings.get_dict()),
        seed.value,
        () if taken is None else _positions_of(taken, steps, temperatures),
        tuple(ended),
    )
    parts = [{**part, "ended": ended.get(part["temperature_k"])} for part in found.report["by_temperature"]]
    frames = [{**frame, "step": int(steps[frame["index"]])} for frame in found.report["frames"]]
    phase = trajectory.base.attributes.get("phase")
    report = orm.Dict({**found.report, "by_temperature": parts, "phase": phase, "frames": frames})
    if not found.indices:
        return {"report": report}
    return {"frames": _part(trajectory, list(found.indices)), "report": report}


@calcfunction
def check_frames(trajectory: orm.TrajectoryData, temperature: orm.Float, number: orm.Int) -> dict[str, orm.Data]:
    """Return frames for an unbiased comparison with the teacher (``frames``, none if there is none), and a ``report``.

    They are taken at equal distances from the run at one temperature, whatever their deviation. A frame that has
    left its phase is left out: more than half of its atoms are of the other one by their averaged q6.

    :param trajectory: output ``trajectory`` of an exploration in an orthogonal cell; phase `solid` or `liquid`.
    :param temperature: in K.
    :param number: most frames that are taken.
    :return: ``report`` has the numbers of frames ``seen``, ``taken`` and ``left_phase``, their ``temperature_k``,
        ``phase``, and the ``solid_fraction`` of each frame that was looked at.
    """
    phase = trajectory.base.attributes.get("phase")
    members = np.flatnonzero(trajectory.get_array("temperatures") == temperature.value)
    looked_at = evenly_spaced(members, number.value)
    cells, positions = trajectory.get_array("cells"), trajectory.get_array("positions")
    solid = [solid_fraction(averaged_q6(np.diag(cells[index]), positions[index])) for index in looked_at]
    kept = [int(index) for index, share in zip(looked_at, solid, strict=True) if (share > 0.5) == (phase == "solid")]
    report = {
        "temperature_k": temperature.value,
        "phase": phase,
        "seen": len(members),
        "taken": len(kept),
        "left_phase": len(solid) - len(kept),
        "solid_fraction": solid,
    }
    frames = {"frames": _part(trajectory, kept)} if kept else {}
    return {**frames, "report": orm.Dict(report)}


def _part(trajectory: orm.TrajectoryData, indices: list[int]) -> orm.TrajectoryData:
    """Return some frames of a trajectory."""
    return trajectories.trajectory(
        trajectory.symbols,
        trajectory.get_array("cells")[indices],
        trajectory.get_array("positions")[indices],
        trajectory.get_array("temperatures")[indices],
        trajectory.base.attributes.get("phase"),
        trajectory.get_stepids()[indices],
    )


def _positions_of(part: orm.TrajectoryData, steps: NDArray[np.int64], temperatures: NDArray[np.float64]) -> list[int]:
    """Return where the frames of a part are, by step and temperature."""
    wanted = set(zip(part.get_stepids().tolist(), part.get_array("temperatures").tolist(), strict=True))
    return [index for index, key in enumerate(zip(steps.tolist(), temperatures.tolist(), strict=True)) if key in wanted]
