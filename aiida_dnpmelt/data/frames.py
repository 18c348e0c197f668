"""Labelled frames as a node: what potentials are trained on, whoever labelled it."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from aiida.common.exceptions import ValidationError
from aiida.orm import TrajectoryData
from numpy.typing import NDArray

from aiida_dnpmelt.physics.frames import LabelledFrames, Phase

CONVERGED = "converged"
"""Optional array: whether the electrons of each frame are self-consistent, where the labeller says it."""

PHASES: tuple[str, ...] = get_args(Phase)
_LABELS = {
    "energies": "energies_ev",
    "forces": "forces_ev_per_angstrom",
    "virials": "virials_ev",
    "temperatures": "temperatures_k",
}


class FramesData(TrajectoryData):
    """A trajectory with labels: frames of one list of atoms in one phase.

    Arrays, beside those of a trajectory (``cells``, ``positions`` in Angstrom): ``energies`` (eV), ``forces``
    (eV/Angstrom), ``virials`` (eV, +P V), ``temperatures`` (K). Attributes to query: ``symbols``, ``phase``
    (``solid``, ``liquid`` or ``interface``), ``labeller`` (what gave the labels, in words), ``number_of_frames``.
    """

    def __init__(
        self,
        frames: LabelledFrames | None = None,
        *,
        phase: str = "solid",
        labeller: str = "",
        functional: str = "",
        converged: NDArray[np.bool_] | None = None,
        **kwargs: Any,
    ) -> None:
        """Take the frames.

        :param functional: density functional of the labels, if they are of one.
        :param converged: whether the electrons of each frame are self-consistent, shape (f,), if it is known.
        :raises ValueError: if the phase is unknown.
        """
        super().__init__(**kwargs)
        if frames is None:
            return
        if phase not in PHASES:
            raise ValueError(f"phase is '{phase}', it can be one of {', '.join(PHASES)}")
        self.set_trajectory(
            symbols=list(frames.symbols),
            positions=np.asarray(frames.positions, dtype=float),
            cells=np.asarray(frames.cells, dtype=float),
            pbc=[True, True, True],
        )
        for name, field in _LABELS.items():
            self.set_array(name, np.asarray(getattr(frames, field), dtype=float))
        if converged is not None:
            self.set_array(CONVERGED, np.asarray(converged, dtype=bool))
        self.base.attributes.set_many({"phase": phase, "labeller": labeller, "number_of_frames": len(frames)})
        if functional:
            self.base.attributes.set("functional", functional)

    @property
    def frames(self) -> LabelledFrames:
        """Return the frames.

        :raises ValueError: if the node does not hold what it should.
        """
        if missing := lacking_labels(self):
            raise ValueError(f"node {self.pk} holds no labelled frames: it lacks {', '.join(missing)}")
        return LabelledFrames(
            symbols=tuple(self.base.attributes.get("symbols")),
            cells=self.get_array("cells"),
            positions=self.get_array("positions"),
            **{field: self.get_array(name) for name, field in _LABELS.items()},
        )

    @property
    def phase(self) -> str:
        """Return the phase of all frames: `solid`, `liquid` or `interface`."""
        return str(self.base.attributes.get("phase"))

    @property
    def labeller(self) -> str:
        """Return what gave the labels, in words."""
        return str(self.base.attributes.get("labeller"))

    @property
    def functional(self) -> str:
        """Return the density functional of the labels, empty if there is none or it is not known."""
        return str(self.base.attributes.get("functional", ""))

    def _validate(self) -> bool:
        super()._validate()
        try:
            frames = self.frames
            if self.phase not in PHASES or len(frames) != self.base.attributes.get("number_of_frames"):
                raise ValueError(f"phase '{self.phase}' or number_of_frames does not fit")
        except (AttributeError, KeyError, ValueError) as error:
            raise ValidationError(f"the labelled frames are not valid: {error}") from error
        return True


def lacking_labels(node: TrajectoryData) -> list[str]:
    """Return what a node of labelled frames should have and has not, without reading its arrays."""
    missing = {*_LABELS, "cells", "positions"} - set(node.get_arraynames())
    if not node.base.attributes.get("symbols", None):
        missing.add("symbols")
    return sorted(missing)
