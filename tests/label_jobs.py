"""Small real labelling jobs of copper, run once and shared by the tests that look at them."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import run_get_node
from ase import Atoms
from ase.build import bulk
from coexistence_jobs import once
from scipy.spatial.transform import Rotation

from aiida_dnpmelt.calculations.lammps_label import LammpsLabelCalculation
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.data.trajectories import trajectory

STEP = 1e-3
"""Displacement in Angstrom, and strain, of the finite differences."""
MOVED = (0, 5)
"""Atoms that are displaced."""


def frames_of(*cells: Atoms, phase: str = "solid", temperature: float = 300.0) -> orm.TrajectoryData:
    """Return cells of the same atoms as a node."""
    return trajectory(
        cells[0].get_chemical_symbols(),
        np.array([atoms.cell.array for atoms in cells]),
        np.array([atoms.positions for atoms in cells]),
        np.full(len(cells), temperature),
        phase,
    )


def copper_cell(repeat: int = 2) -> Atoms:
    """Return a cubic cell of copper, repeated."""
    return bulk("Cu", "fcc", a=3.615, cubic=True).repeat(repeat)


def oblique_cell() -> Atoms:
    """Return eight rattled atoms of copper in a strained, oblique cell with axes along nothing."""
    random = np.random.default_rng(3)
    atoms = bulk("Cu", "fcc", a=3.615).repeat(2)
    turn = Rotation.from_euler("xyz", [20, 50, 70], degrees=True).as_matrix()
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.04 * random.normal(size=(3, 3))) @ turn, scale_atoms=True)
    atoms.positions += 0.15 * random.normal(size=atoms.positions.shape)
    return atoms


def displaced(atoms: Atoms, atom: int, axis: int, by: float) -> Atoms:
    """Return the cell with one atom moved."""
    moved = atoms.copy()
    moved.positions[atom, axis] += by
    return moved


def strained(atoms: Atoms, row: int, column: int, by: float) -> Atoms:
    """Return the cell with one component of the strain."""
    strain = np.eye(3)
    strain[row, column] += by
    moved = atoms.copy()
    moved.set_cell(atoms.cell.array @ strain, scale_atoms=True)
    return moved


def difference_cells() -> list[Atoms]:
    """Return the oblique cell, and all cells of the finite differences, minus before plus."""
    atoms = oblique_cell()
    signs = (-STEP, STEP)
    moved = [displaced(atoms, atom, axis, by) for atom in MOVED for axis in range(3) for by in signs]
    return [atoms, *moved, *(strained(atoms, i, j, by) for i in range(3) for j in range(3) for by in signs)]


def label_inputs(code: orm.InstalledCode, potential: PotentialData, **changes: Any) -> dict[str, Any]:
    """Return the inputs of a job of less than a second: settings and inputs are changed by their names."""
    names = set(LammpsLabelCalculation.spec().inputs)
    settings = {key: changes.pop(key) for key in list(changes) if key not in names}
    inputs = {"frames": {"crystal": frames_of(copper_cell())}, "settings": settings, "seed": 7}
    return {"code": code, "potential": potential, **inputs, **changes}


def run_label(code: orm.InstalledCode, potential: PotentialData, **changes: Any) -> orm.CalcJobNode:
    """Run a job and return its node."""
    return run_get_node(LammpsLabelCalculation, **label_inputs(code, potential, **changes)).node


def single_points(code: orm.InstalledCode, potential: PotentialData) -> orm.CalcJobNode:
    """Return the job of the finite differences, and of a cell and its repetition."""
    frames = {
        "oblique": frames_of(*difference_cells(), phase="interface"),
        "one": frames_of(oblique_cell()),
        "eight": frames_of(oblique_cell().repeat(2)),
    }
    return once("single_points", lambda: run_label(code, potential, frames=frames))


def dynamics(code: orm.InstalledCode, potential: PotentialData) -> orm.CalcJobNode:
    """Return a job that labels frames of short runs from three starts of two kinds."""
    frames = {
        "cubic": frames_of(copper_cell(), copper_cell(), temperature=1000.0),
        "oblique": frames_of(oblique_cell(), temperature=300.0),
    }
    settings = {"steps": 200, "frames_per_start": 4, "timestep_fs": 2.0}
    return once("label_dynamics", lambda: run_label(code, potential, frames=frames, **settings))
