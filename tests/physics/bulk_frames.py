"""Frames of bulk crystals and melts at their melting temperatures, made by LAMMPS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lammps_runs import run_lammps

from aiida_dnpmelt.physics.lammps_dump import Frame, read_frames

Size = tuple[int, int, int]


@dataclass(frozen=True)
class Crystal:
    """A potential of the LAMMPS distribution and its melting temperature in the literature."""

    lattice: str  # and its length at the melting temperature
    mass: float
    pair_style: str
    potential: str
    element: str
    melting_k: float
    timestep_ps: float
    bulk: Size
    slab: Size


CRYSTALS = {
    "fcc": Crystal("fcc 3.69", 63.5, "eam/alloy/opt", "Cu_mishin1.eam.alloy", "Cu", 1327, 0.003, (6, 6, 7), (5, 5, 13)),
    "bcc": Crystal("bcc 2.94", 55.8, "eam/fs/opt", "Fe_mm.eam.fs", "Fe", 1772, 0.003, (8, 8, 8), (6, 6, 17)),
    "hcp": Crystal("hcp 3.25", 24.3, "eam/fs/opt", "Mg_mm.eam.fs", "Mg", 914, 0.003, (8, 5, 6), (6, 4, 10)),
    "diamond": Crystal("diamond 5.46", 28.1, "sw", "Si.sw", "Si", 1691, 0.002, (5, 5, 5), (4, 4, 9)),
}


def head(crystal: Crystal, size: Size, potentials: Path) -> str:
    nx, ny, nz = size
    return f"""
units metal
lattice {crystal.lattice}
region box block 0 {nx} 0 {ny} 0 {nz}
create_box 1 box
create_atoms 1 box
mass 1 {crystal.mass}
pair_style {crystal.pair_style}
pair_coeff * * {potentials / crystal.potential} {crystal.element}
timestep {crystal.timestep_ps}
neighbor 1.0 bin
velocity all create {2 * crystal.melting_k} 11 mom yes dist gaussian
"""


def bulk_script(crystal: Crystal, potentials: Path) -> str:
    def npt(factor: float, steps: int) -> str:
        t = factor * crystal.melting_k
        return f"fix move all npt temp {t} {t} 0.1 iso 1 1 0.5\nrun {steps}\n"

    def frames(name: str) -> str:
        return f"dump frames all custom 100 {name}.dump id x y z\nrun 100\nundump frames\n"

    return head(crystal, crystal.bulk, potentials) + "".join(
        [npt(1, 400), frames("solid"), npt(3, 500), npt(1, 600), frames("liquid")]
    )


def frames_of(path: Path) -> list[Frame]:
    with path.open() as handle:
        return list(read_frames(handle))


def bulk_frames(crystal: Crystal, potentials: Path, folder: Path) -> dict[str, list[Frame]]:
    """Run a crystal and its melt at the melting temperature, and return frames of both."""
    run_lammps(bulk_script(crystal, potentials), folder)
    return {phase: frames_of(folder / f"{phase}.dump") for phase in ("solid", "liquid")}
