"""Labelled frames with known numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.units import GPa

from aiida_dnpmelt.physics.frames import LabelledFrames


def copper_frames(number: int = 4, *, seed: int = 1, rattle: float = 0.1, **changes: Any) -> LabelledFrames:
    """Return rattled copper of 32 atoms, labelled by the EMT potential of ase.

    EMT is a true potential: its forces and its virial are derivatives of its energy.
    """
    random = np.random.default_rng(seed)
    cells, positions, energies, forces, virials = [], [], [], [], []
    for _ in range(number):
        atoms = bulk("Cu", cubic=True).repeat(2)
        atoms.set_cell(atoms.cell * (1 + 0.02 * random.normal()), scale_atoms=True)
        atoms.positions += rattle * random.normal(size=atoms.positions.shape)
        atoms.calc = EMT()
        cells.append(atoms.cell.array)
        positions.append(atoms.positions)
        energies.append(atoms.get_potential_energy())
        forces.append(atoms.get_forces())
        virials.append(-atoms.get_stress(voigt=False) * atoms.get_volume())
    values = {
        "cells": np.array(cells),
        "positions": np.array(positions),
        "energies_ev": np.array(energies),
        "forces_ev_per_angstrom": np.array(forces),
        "virials_ev": np.array(virials),
        "temperatures_k": np.full(number, 300.0),
    }
    return LabelledFrames(("Cu",) * 32, **{**values, **changes})


def pressure_of(frames: LabelledFrames, index: int) -> float:
    """Return the mean potential pressure of a frame in GPa, from its virial."""
    volume = float(np.linalg.det(frames.cells[index]))
    return float(np.trace(frames.virials_ev[index])) / 3 / volume / GPa
