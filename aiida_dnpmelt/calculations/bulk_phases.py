"""Calculation functions of bulk phases: their cell and settings, and what melting changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import calcfunction
from ase import Atoms
from pydantic import BaseModel, ConfigDict, Field

from aiida_dnpmelt import __version__
from aiida_dnpmelt.calculations.coexistence_settings import ONE_PHASE, CoexistenceSettings
from aiida_dnpmelt.calculations.exploration_runs import derived_seed
from aiida_dnpmelt.data.runs import from_node
from aiida_dnpmelt.physics.bulk_phases import FEWEST_SAMPLES, melting
from aiida_dnpmelt.physics.crystals import lattice_name, repetitions
from aiida_dnpmelt.physics.melting_curve import Quantity

SCHEMA = "dnpmelt.melting_properties"
SCHEMA_VERSION = 1
_GROWTH = 1.2
_QUANTITIES = {
    "solid_volume": "angstrom3",
    "liquid_volume": "angstrom3",
    "solid_enthalpy": "ev",
    "liquid_enthalpy": "ev",
    "volume_of_melting": "angstrom3",
    "enthalpy_of_melting": "ev",
    "entropy_of_melting": "kb",
    "slope": "k_per_gpa",
}


class BulkSettings(BaseModel):
    """Runs of crystal and melt by themselves at T_m, which tell volume and enthalpy of melting."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum_atoms: int = Field(500, ge=64, le=1_000_000, description="Least number of atoms of the cell.")
    time_ps: float = Field(60.0, ge=3, le=100_000, description="Length of the run of each phase, in ps.")
    equilibrate_ps: float = Field(6.0, gt=0, le=1000, description="Before it, at the temperature, in ps.")
    melt_ps: float = Field(6.0, gt=0, le=1000, description="Melting of the melt, at constant volume, in ps.")
    melt_factor: float = Field(2.5, gt=1, le=10, description="Temperature of the melting in units of T_m.")


def bulk_repetitions(cell: Atoms, minimum_atoms: int, cutoff_angstrom: float) -> list[int]:
    """Return the repetitions of a cell about as long as it is wide, each length at least twice the cutoff."""
    atoms = float(minimum_atoms)
    while True:
        counts = repetitions(cell, int(atoms), aspect=1.0)
        if min(cell.cell.lengths() * counts) >= 2 * cutoff_angstrom:
            return list(counts)
        atoms *= _GROWTH


def bulk_flaw(bulk: Mapping[str, Any], parameters: Mapping[str, Any]) -> str | None:
    """Return in words why the runs of both phases could not be evaluated at their end, None if they can.

    :param bulk: see `BulkSettings`; ``parameters`` are those of coexistence runs, see `CoexistenceSettings`.
    """
    time, run = BulkSettings(**bulk).time_ps, CoexistenceSettings(**parameters)
    samples = run.steps(time) // run.sample_steps + 1
    if samples < FEWEST_SAMPLES:
        most = 1000 * time / FEWEST_SAMPLES
        return (
            f"parameters.sample_interval_fs: {run.sample_interval_fs:g} fs make {samples} samples in bulk.time_ps = "
            f"{time:g} ps, a mean needs {FEWEST_SAMPLES}: at most {most:g} fs, or a longer time_ps"
        )
    if run.frame_steps > run.steps(time):
        return (
            f"parameters.frame_interval_ps: {run.frame_interval_ps:g} ps is longer than bulk.time_ps = {time:g} ps, no "
            "frame would tell the phases at their end: at most as long"
        )
    return None


@calcfunction
def bulk_inputs(
    melting_point: orm.Dict,
    cell: orm.StructureData,
    potential: orm.Data,
    bulk: orm.Dict,
    parameters: orm.Dict,
    seed: orm.Int,
) -> dict[str, orm.Data]:
    """Return what the runs of both phases take.

    :param melting_point: T_m at a pressure, at which both are run.
    :param bulk: see `BulkSettings`.
    :param parameters: settings of coexistence runs, see `CoexistenceSettings`; what `bulk` does not set is theirs.
    :param seed: from which the seeds of both are derived.
    :return: ``temperature`` (K), ``pressure`` (GPa), ``repetitions``, ``production_time`` (ps), and of each phase
        ``parameters_crystal``, ``seed_crystal``, ...
    """
    settings = BulkSettings(**bulk.get_dict())
    own = settings.model_dump(include={"equilibrate_ps", "melt_ps", "melt_factor"})
    nodes: dict[str, orm.Data] = {
        "temperature": orm.Float(melting_point["melting_temperature_k"]),
        "pressure": orm.Float(melting_point["pressure_gpa"]),
        "repetitions": orm.List(bulk_repetitions(cell.get_ase(), settings.minimum_atoms, potential.cutoff)),
        "production_time": orm.Float(settings.time_ps),
    }
    for phase in ONE_PHASE:
        nodes[f"parameters_{phase}"] = orm.Dict({**parameters.get_dict(), **own, "method": phase})
        nodes[f"seed_{phase}"] = orm.Int(derived_seed(seed.value, phase))
    return nodes


@calcfunction
def melting_properties(
    melting_point: orm.Dict, cell: orm.StructureData, crystal: orm.ArrayData, melt: orm.ArrayData, **results: orm.Dict
) -> orm.Dict:
    """Return volume, enthalpy and entropy of melting, and the slope of Clausius and Clapeyron; see its reference.

    :param melting_point: T_m with its uncertainty, at which both phases were run.
    :param crystal: run of the solid; ``melt`` is that of the liquid.
    :param results: what the jobs cost.
    """
    temperature = Quantity(melting_point["melting_temperature_k"], melting_point["standard_uncertainty_k"])
    solid, liquid = from_node(crystal), from_node(melt)
    lattice = lattice_name(cell.get_ase())
    found = melting(solid, liquid, temperature, lattice)
    numbers: dict[str, float | None] = {}
    for name in _QUANTITIES:
        value, uncertainty = _keys(name)
        quantity: Quantity | None = getattr(found, value)
        numbers[value] = None if quantity is None else quantity.value
        numbers[uncertainty] = None if quantity is None else quantity.uncertainty
    return orm.Dict(
        {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "verdict": "invalid" if found.reasons else "valid",
            "reasons": list(found.reasons),
            **{key: melting_point[key] for key in ("element", "pressure_gpa", "melting_temperature_k")},
            "lattice": lattice,
            "found_lattice": found.found_lattice,
            "found_lattice_share": found.found_lattice_share,
            **numbers,
            **{key: melting_point[key] for key in ("potential_label", "potential_uuid", "potential_sha256")},
            "atoms": solid.n_atoms,
            "time_ps": min(solid.length_ps, liquid.length_ps),
            "atom_steps": sum(node["atom_steps"] for node in results.values()),
            "core_hours": sum(node["core_hours"] for node in results.values()),
            "lammps_version": next((node["lammps_version"] for _, node in sorted(results.items())), None),
            "dnpmelt_version": __version__,
        }
    )


def quantity_of(properties: Mapping[str, Any], name: str) -> Quantity | None:
    """Return a quantity of stored properties, None if it is not known.

    :param name: such as ``enthalpy_of_melting`` or ``slope``.
    """
    value, uncertainty = (properties[key] for key in _keys(name))
    return None if value is None else Quantity(value, uncertainty)


def _keys(name: str) -> tuple[str, str]:
    unit = _QUANTITIES[name]
    return f"{name}_{unit}", f"{name}_uncertainty_{unit}"
