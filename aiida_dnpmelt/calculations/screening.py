"""Drop labels that cannot be true."""

from __future__ import annotations

from collections import Counter

from aiida import orm
from aiida.engine import calcfunction

from aiida_dnpmelt.data.frames import CONVERGED, FramesData
from aiida_dnpmelt.physics.screening import ScreeningSettings, screen


@calcfunction
def screen_frames(frames: FramesData, settings: orm.Dict) -> dict[str, orm.Data]:
    """Return the frames that can be trained on (``frames``, none if there is none), and what was dropped (``report``).

    :param settings: see `ScreeningSettings`.
    :return: ``report`` has the numbers ``seen`` and ``kept``, ``dropped`` by reason (`unconverged`, `energy`, `force`,
        `outlier`), the ``indices`` that are kept, and of each dropped frame its index, reason, energy (eV/atom) and
        largest force (eV/Angstrom); ``convergence_known`` tells whether the labeller said it.
    """
    known = CONVERGED in frames.get_arraynames()
    converged = frames.get_array(CONVERGED).astype(bool) if known else None
    found = screen(frames.frames, ScreeningSettings(**settings.get_dict()), converged)
    report = {
        "seen": len(frames.frames),
        "kept": len(found.kept),
        "dropped": dict(Counter(frame["reason"] for frame in found.dropped)),
        "dropped_frames": found.dropped,
        "indices": found.kept,
        "convergence_known": known,
    }
    outputs: dict[str, orm.Data] = {"report": orm.Dict(report)}
    if found.kept:
        outputs["frames"] = FramesData(
            frames.frames.take(found.kept),
            phase=frames.phase,
            labeller=frames.labeller,
            functional=frames.functional,
            label=frames.label,
        )
    return outputs
