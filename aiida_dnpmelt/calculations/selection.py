"""Choose the frames of an exploration that are labelled."""

from __future__ import annotations

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_dnpmelt.data import trajectories
from aiida_dnpmelt.physics.selection import SelectionSettings, select


@calcfunction
def select_frames(
    trajectory: orm.TrajectoryData, deviation: orm.ArrayData, settings: orm.Dict, seed: orm.Int
) -> dict[str, orm.Data]:
    """Return the frames that are worth a label (``frames``, none if there is none), and why (``report``).

    :param trajectory: output ``trajectory`` of an exploration.
    :param deviation: its output ``deviation``: arrays of the same frames in the same order.
    :param settings: see `SelectionSettings`.
    :param seed: seed of the mode ``random``.
    :return: ``report`` has counts ``accurate``, ``candidate``, ``failed`` and ``taken``, the largest deviation and its
        95 % quantile (eV/Angstrom), a histogram, the same ``by_temperature``, and of each taken frame its temperature,
        step, time and deviation (``frames``).
    :raises ValueError: if the frames and deviations do not belong together.
    """
    steps, temperatures = deviation.get_array("step"), deviation.get_array("temperature_k")
    if not (
        np.array_equal(steps, trajectory.get_stepids())
        and np.array_equal(temperatures, trajectory.get_array("temperatures"))
    ):
        raise ValueError("trajectory and deviation: they are not of the same exploration")
    found = select(
        temperatures,
        deviation.get_array("time_ps"),
        deviation.get_array("max_force_ev_per_angstrom"),
        SelectionSettings(**settings.get_dict()),
        seed.value,
    )
    frames = [{**frame, "step": int(steps[frame["index"]])} for frame in found.report["frames"]]
    report = orm.Dict({**found.report, "phase": trajectory.base.attributes.get("phase"), "frames": frames})
    if not found.indices:
        return {"report": report}
    chosen = list(found.indices)
    taken = trajectories.trajectory(
        trajectory.symbols,
        trajectory.get_array("cells")[chosen],
        trajectory.get_array("positions")[chosen],
        temperatures[chosen],
        trajectory.base.attributes.get("phase"),
        steps[chosen],
    )
    return {"frames": taken, "report": report}
