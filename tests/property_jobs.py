"""Small real jobs of properties, run once and shared by the tests that look at them."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk
from coexistence_jobs import once

from aiida_dnpmelt.calculations.lammps_properties import LammpsPropertiesCalculation
from aiida_dnpmelt.calculations.properties import crystal_properties
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import crystal
from aiida_dnpmelt.workchains.potential_benchmark import PotentialBenchmarkWorkChain

CRYSTALS = {
    "Cu": ("Cu_mishin1.eam.alloy", "fcc", 3.6, None),
    "Mg": ("Mg_mm.eam.fs", "hcp", 3.2, 5.2),
    "Fe": ("Fe_mm.eam.fs", "bcc", 2.86, None),
}
"""Potential of the LAMMPS distribution, lattice, a and c (Angstrom) near the relaxed ones."""
SMALL: dict[str, Any] = {"minimum_atoms": 32, "relaxations": 2}
VALUES = {"c44_gpa": {"value": 81.8, "source": "Overton and Gaffney, Phys. Rev. 98, 969 (1955)"}}
NOTHING_MORE: dict[str, Any] = {"parts": [], **SMALL}


def potential_of(folder: Any, symbol: str) -> PotentialData:
    """Return the potential of an element."""
    return PotentialData.get_or_create(folder / CRYSTALS[symbol][0])


def cell_of(symbol: str, lattice: str | None = None, a: float | None = None) -> orm.StructureData:
    """Return a new conventional cell of an element, of another lattice if one is given."""
    _, usual, length, c = CRYSTALS[symbol]
    cell = crystal(symbol, usual, length, c) if lattice is None else crystal(symbol, lattice, float(a or length))
    return orm.StructureData(ase=cell)


def run_properties(code: Any, potential: Any, structure: Any, **settings: Any) -> orm.CalcJobNode:
    """Run a job of less than two seconds and return its node."""
    inputs = {"code": code, "potential": potential, "structure": structure, "settings": {**SMALL, **settings}}
    return run_get_node(LammpsPropertiesCalculation, **inputs).node


def derived(job: orm.CalcJobNode) -> dict[str, Any]:
    """Return the properties from the numbers of a job."""
    more = {name: job.outputs[name] for name in ("series", "released") if name in job.outputs}
    inputs = {name: job.inputs[name] for name in ("structure", "potential", "settings")}
    return crystal_properties(results=job.outputs.results, **inputs, **more).get_dict()


@pytest.fixture
def properties_job(lmp_code: Any, potentials_folder: Any) -> Any:
    """Give a function that returns the finished job of an element with all parts; the vacancy in a fair cell for Cu."""

    def job(symbol: str) -> orm.CalcJobNode:
        settings = {"minimum_atoms": 250} if symbol == "Cu" else {}
        potential = potential_of(potentials_folder, symbol)
        return once(f"properties_{symbol}", lambda: run_properties(lmp_code, potential, cell_of(symbol), **settings))

    return job


@pytest.fixture
def compared(lmp_code: Any, potentials_folder: Any) -> orm.WorkChainNode:
    """Give the benchmark of a potential beside another one and beside a value of the literature."""

    def run() -> orm.WorkChainNode:
        builder = PotentialBenchmarkWorkChain.get_builder_from_protocol(
            lmp_code,
            orm.StructureData(ase=bulk("Cu", a=3.6)),
            potential_of(potentials_folder, "Cu"),
            "fast",
            {**SMALL, "parts": ["equation_of_state", "elastic", "atom"]},
            reference_potential=PotentialData.get_or_create(potentials_folder / "Cu_u3.eam"),
            values=VALUES,
        )
        return run_get_node(builder).node

    return once("compared", run)
