"""The files of a coexistence run as numbers, with no AiiDA in it: the parser and the benchmarks read them alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aiida_dnpmelt.calculations.coexistence_stages import PRODUCTION, Stage
from aiida_dnpmelt.physics.lammps_dump import Frame, read_frames
from aiida_dnpmelt.physics.lammps_log import Log, ThermoBlock
from aiida_dnpmelt.physics.lattices import LATTICES, lattice_shares
from aiida_dnpmelt.physics.order import averaged_q6, interfaces, profile, profile_bins, solid_atoms, solid_fraction
from aiida_dnpmelt.physics.run import CoexistenceRun
from aiida_dnpmelt.physics.units import bar_to_gpa

Array = NDArray[np.float64]

BULK_MELTED_BELOW = 0.5
"""In-run solid fraction of the bulk crystal, at the end of its stage, below which it has melted whole."""


@dataclass(frozen=True)
class RunFacts:
    """What the files do not say of a run.

    :param seed: seed of its random numbers.
    :param n_atoms: number of atoms.
    :param mass_amu: mean atomic mass in amu.
    :param length_angstrom: length of the cell along z before the run, which fixes the bins of profiles.
    :param guess_k: temperature of the preparation in K.
    :param pressure_gpa: target pressure in GPa.
    :param timestep_fs: time step in fs.
    :param sample_steps: time steps between samples.
    :param stages: stages of the run.
    """

    seed: int
    n_atoms: int
    mass_amu: float
    length_angstrom: float
    guess_k: float
    pressure_gpa: float
    timestep_fs: float
    sample_steps: int
    stages: tuple[Stage, ...]

    @property
    def starts(self) -> dict[str, int]:
        """Return the number of time steps before each stage."""
        before = np.cumsum([0, *(stage.steps for stage in self.stages)])
        return {stage.name: int(start) for stage, start in zip(self.stages, before, strict=False)}


def dynamics(log: Log, facts: RunFacts) -> list[ThermoBlock]:
    """Return the thermo tables of the stages, without that of the minimisation."""
    return [block for block in log.blocks if block.stage in facts.starts]


def read_run(log: Log, probes: Iterable[str], frames: Iterable[str], facts: RunFacts) -> CoexistenceRun:
    """Return a run, or the piece of it that these files hold.

    :param probes: lines of the file of in-run probes of the production.
    :param frames: lines of the dump of the production; one frame at a time is in memory.
    :raises ValueError: if the frames are no dump.
    """
    tables = dynamics(log, facts)
    production = [_on_beat(block, facts.sample_steps) for block in tables if block.stage == PRODUCTION]
    earlier = [block for block in tables if block.stage != PRODUCTION]
    step_ps = facts.timestep_fs / 1000
    probe = _probes(probes)
    frame = _frames(frames, profile_bins(facts.length_angstrom))
    clocks = [(block["Step"] + facts.starts[block.stage]) * step_ps for block in earlier]
    return CoexistenceRun(
        seed=facts.seed,
        n_atoms=facts.n_atoms,
        mass_amu=facts.mass_amu,
        timestep_fs=facts.timestep_fs,
        guess_k=facts.guess_k,
        target_pressure_gpa=facts.pressure_gpa,
        bulk_melted=log.values.get("bulk_solid_fraction", 1.0) < BULK_MELTED_BELOW,
        halted=log.halted,
        time_ps=_column(production, "Step") * step_ps,
        temperature_k=_column(production, "Temp"),
        pressure_gpa=_pressure(production),
        enthalpy_ev=_column(production, "Enthalpy") / facts.n_atoms,
        conserved_ev=_column(production, "Econserve") / facts.n_atoms,
        box_angstrom=np.stack([_column(production, name) for name in ("Lx", "Ly", "Lz")], axis=1),
        probe_time_ps=probe[:, 0] * step_ps,
        bragg_solid_fraction=probe[:, 1],
        mean_square_force=probe[:, 2],
        frame_time_ps=frame["step"] * step_ps,
        solid_fraction=frame["solid"],
        interfaces=frame["interfaces"],
        order_profile=frame["profile"],
        preparation_time_ps=np.concatenate([*clocks, np.empty(0)]),
        preparation_temperature_k=_column(earlier, "Temp"),
        preparation_pressure_gpa=_pressure(earlier),
        found_lattices=frame["lattices"],
    )


def _on_beat(block: ThermoBlock, every: int) -> ThermoBlock:
    """Return a table without the first and last row of a run that stand between two samples."""
    return replace(block, rows=block.rows[block["Step"] % every == 0])


def _probes(lines: Iterable[str]) -> Array:
    """Return step, solid fraction and mean square force of the whole lines, shape (p, 3)."""
    rows = [line.split() for line in lines if line.endswith("\n") and not line.startswith("#")]
    return np.array([row for row in rows if len(row) == 3], dtype=float).reshape(-1, 3)


def _frames(lines: Iterable[str], bins: int) -> Mapping[str, Array]:
    """Return steps, solid fractions, numbers of interfaces, shapes (f,), and order profiles, shape (f, bins).

    Of the last frame, also the shares of its solid atoms in each lattice, shape (4,).
    """
    steps: list[int] = []
    fractions, boundaries, profiles = [], [], []
    last: tuple[Frame, Array] | None = None
    for frame in read_frames(lines):
        if steps and frame.step <= steps[-1]:
            continue  # the last frame is written once more when a run is cut short
        order = averaged_q6(frame.lengths, frame.positions)
        along_z = profile(frame.lengths, frame.positions, order, bins)
        steps.append(frame.step)
        fractions.append(solid_fraction(order))
        boundaries.append(interfaces(along_z.solid))
        profiles.append(along_z.order)
        last = frame, order
    lattices = np.full(len(LATTICES), np.nan)
    if last is not None:
        lattices = lattice_shares(last[0].lengths, last[0].positions, solid_atoms(last[1]))
    return {
        "step": np.array(steps, dtype=float),
        "solid": np.array(fractions, dtype=float),
        "interfaces": np.array(boundaries, dtype=float),
        "profile": np.array(profiles, dtype=float).reshape(-1, bins),
        "lattices": lattices,
    }


def _column(blocks: list[ThermoBlock], name: str) -> Array:
    return np.concatenate([*(block[name] for block in blocks), np.empty(0)])


def _pressure(blocks: list[ThermoBlock]) -> Array:
    return bar_to_gpa(1.0) * np.stack([_column(blocks, name) for name in ("Pxx", "Pyy", "Pzz")], axis=1)
