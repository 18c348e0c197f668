"""One coexistence run as numbers: what the parser reads, and what the verdict and the estimate are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from aiida_dnpmelt.physics.lattices import LATTICES

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CoexistenceRun:
    """Series of the production of one run, or of a piece of it, and of its preparation.

    Times are counted from the start of the production (or of the preparation).

    :param seed: seed of its random numbers.
    :param n_atoms: number of atoms.
    :param mass_amu: mean atomic mass in amu.
    :param timestep_fs: time step in fs.
    :param guess_k: temperature of the preparation in K.
    :param target_pressure_gpa: pressure of the barostat in GPa.
    :param bulk_melted: the crystal melted whole before a half was to be molten.
    :param halted: production ended by itself because one phase was gone.
    :param time_ps: times of the samples, shape (n,), ps.
    :param temperature_k: kinetic temperature, shape (n,), K.
    :param pressure_gpa: diagonal of the pressure tensor, shape (n, 3), GPa.
    :param enthalpy_ev: enthalpy per atom, shape (n,), eV.
    :param conserved_ev: conserved quantity of the integrator per atom, shape (n,), eV.
    :param box_angstrom: box lengths, shape (n, 3), Angstrom.
    :param probe_time_ps: times of the in-run probes, shape (p,), ps.
    :param mean_square_force: mean square force on an atom, shape (p,), eV^2/Angstrom^2.
    :param bragg_solid_fraction: share of crystalline slabs by Bragg intensity, shape (p,).
    :param frame_time_ps: times of the frames, shape (f,), ps.
    :param solid_fraction: share of atoms in a solid surrounding by averaged q6, shape (f,).
    :param interfaces: number of solid-liquid boundaries along z, shape (f,).
    :param order_profile: mean averaged q6 in equal slabs along z, shape (f, slabs).
    :param preparation_time_ps: times of the samples of all earlier stages, shape (m,), ps.
    :param preparation_temperature_k: kinetic temperature there, shape (m,), K.
    :param preparation_pressure_gpa: diagonal of the pressure tensor there, shape (m, 3), GPa.
    :param found_lattices: shares of the solid atoms of the last frame in each of
        `aiida_dnpmelt.physics.lattices.LATTICES`, shape (4,); NaN without a solid atom, or where nobody looked.
    """

    seed: int
    n_atoms: int
    mass_amu: float
    timestep_fs: float
    guess_k: float
    target_pressure_gpa: float
    bulk_melted: bool
    halted: bool
    time_ps: Array
    temperature_k: Array
    pressure_gpa: Array
    enthalpy_ev: Array
    conserved_ev: Array
    box_angstrom: Array
    probe_time_ps: Array
    mean_square_force: Array
    bragg_solid_fraction: Array
    frame_time_ps: Array
    solid_fraction: Array
    interfaces: Array
    order_profile: Array
    preparation_time_ps: Array
    preparation_temperature_k: Array
    preparation_pressure_gpa: Array
    found_lattices: Array = field(default_factory=lambda: np.full(len(LATTICES), np.nan))

    @property
    def length_ps(self) -> float:
        """Return the length of the production in ps."""
        return float(self.time_ps[-1]) if len(self.time_ps) else 0.0


SCALARS = tuple(f.name for f in fields(CoexistenceRun) if f.type != "Array")
ARRAYS = tuple(f.name for f in fields(CoexistenceRun) if f.type == "Array")
OPTIONAL = tuple(f.name for f in fields(CoexistenceRun) if f.default_factory is not MISSING)
"""What runs of earlier versions do not have."""

_CLOCKS = {
    "time_ps": ("temperature_k", "pressure_gpa", "enthalpy_ev", "conserved_ev", "box_angstrom"),
    "probe_time_ps": ("mean_square_force", "bragg_solid_fraction"),
    "frame_time_ps": ("solid_fraction", "interfaces", "order_profile"),
    "preparation_time_ps": ("preparation_temperature_k", "preparation_pressure_gpa"),
}


def join(pieces: Sequence[CoexistenceRun]) -> CoexistenceRun:
    """Return the pieces of one run as a whole; where two overlap in time the later piece counts.

    :param pieces: in the order in which they were run.
    :raises ValueError: if there is none, or if they are not pieces of the same run.
    """
    if not pieces:
        raise ValueError("no piece of a run to join")
    whole = pieces[0]
    for piece in pieces[1:]:
        if (piece.seed, piece.n_atoms, piece.guess_k) != (whole.seed, whole.n_atoms, whole.guess_k):
            raise ValueError(f"pieces of different runs: seeds {whole.seed} and {piece.seed}")
        changes: dict[str, Array] = {}
        for clock, columns in _CLOCKS.items():
            early, late = getattr(whole, clock), getattr(piece, clock)
            keep = early < late[0] - 1e-9 if len(late) else np.ones(len(early), dtype=bool)
            for name in (clock, *columns):
                old, new = getattr(whole, name)[keep], getattr(piece, name)
                changes[name] = np.concatenate([old, new]) if len(old) and len(new) else (new if len(new) else old)
        whole = replace(
            whole,
            **changes,  # type: ignore[arg-type]
            timestep_fs=piece.timestep_fs,
            found_lattices=piece.found_lattices if np.isfinite(piece.found_lattices).all() else whole.found_lattices,
            halted=piece.halted,
            bulk_melted=whole.bulk_melted or piece.bulk_melted,
        )
    return whole
