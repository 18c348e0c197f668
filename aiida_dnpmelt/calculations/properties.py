"""Properties of a crystal from the numbers of a job, and their comparison with what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, model_validator

from aiida_dnpmelt import __version__
from aiida_dnpmelt.calculations.properties_settings import PropertiesSettings
from aiida_dnpmelt.calculations.validators import explain
from aiida_dnpmelt.data.elements import Element, elements
from aiida_dnpmelt.data.potential import DEEPMD, PotentialData
from aiida_dnpmelt.physics.crystals import lattice_name
from aiida_dnpmelt.physics.elasticity import (
    independent_constants,
    lowest_eigenvalue,
    moduli,
    stiffness,
    symmetric_stiffness,
)
from aiida_dnpmelt.physics.equation_of_state import MinimumOutsideError, fit_equation_of_state, valley

SCHEMA = "dnpmelt.properties"
SCHEMA_VERSION = 1
TABLE_SCHEMA = "dnpmelt.property_table"
TABLE_SCHEMA_VERSION = 1

UNITS: Mapping[str, str] = {
    "lattice_a_angstrom": "Angstrom",
    "lattice_c_angstrom": "Angstrom",
    "axial_ratio": "",
    "volume_angstrom3": "Angstrom^3/atom",
    "cohesive_energy_ev": "eV/atom",
    "bulk_modulus_gpa": "GPa",
    "bulk_modulus_derivative": "",
    "c11_gpa": "GPa",
    "c12_gpa": "GPa",
    "c13_gpa": "GPa",
    "c33_gpa": "GPa",
    "c44_gpa": "GPa",
    "bulk_modulus_hill_gpa": "GPa",
    "shear_modulus_hill_gpa": "GPa",
    "vacancy_formation_energy_ev": "eV",
}
"""Properties that are compared, in the order of the table, with their units."""
OTHERS = (
    "energy_ev",
    "residual_pressure_gpa",
    "eos_volumes_angstrom3",
    "eos_energies_ev",
    "eos_axial_ratios",
    "eos_energy_ev",
    "eos_volume_angstrom3",
    "eos_residual_ev",
    "stiffness_gpa",
    "elastic_asymmetry_gpa",
    "lowest_stiffness_gpa",
    "mechanically_stable",
    "bulk_modulus_voigt_gpa",
    "bulk_modulus_reuss_gpa",
    "shear_modulus_voigt_gpa",
    "shear_modulus_reuss_gpa",
    "vacancy_atoms",
    "vacancy_pressure_gpa",
    "atom_energy_ev",
    "released_lattice",
    "released_gain_ev",
)
"""What else is derived of a crystal; all of it is in each result, None if it is not known."""
SHARED_ATOM = "cohesive_energy_teachers_atom_ev"
"""Key of the cohesive energy against the free atom of another potential with the same zero of energy."""

EXPERIMENT, GIVEN, OTHER = "experiment", "given", "other"

RESIDUAL_GPA = 0.01
"""Pressure of a relaxed crystal above which it is none: the volume is off by some 0.01 %."""
SAME_ENERGY_EV = 1e-3
"""Energy an atom by which a released crystal must be lower to have gone elsewhere."""
SAME_VOLUME = 0.005
"""Relative difference of the volumes of relaxation and equation of state above which they disagree."""
SYMMETRIC = 0.05
"""Largest deviation of elastic constants from the symmetry of the lattice, relative to the largest one."""
MODULI = 0.05
"""Relative difference of the bulk moduli of both sources above which they disagree."""
COHESION = 0.2
"""Relative error of the cohesive energy above which the free atom is doubted."""


class GivenValue(BaseModel):
    """A value of a reference set, with its source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float = Field(allow_inf_nan=False, description="In the unit of the property.")
    source: str = Field(min_length=1, description="Where it is from: text, DOI or URL.")


class GivenValues(RootModel[dict[str, GivenValue]]):
    """A reference set: properties by their keys, as in ``UNITS``."""

    @model_validator(mode="after")
    def _known(self) -> GivenValues:
        unknown = sorted(set(self.root) - set(UNITS))
        if unknown:
            raise ValueError(f"{', '.join(unknown)} unknown, there are {', '.join(UNITS)}")
        return self


def validate_values(node: orm.Dict | None, _: Any) -> str | None:
    """Check that a reference set has known properties, each with a number and a source."""
    try:
        GivenValues(node.get_dict() if node is not None else {})
    except ValidationError as exception:
        return explain(exception, "values")
    return None


class _Findings:
    """What is to be told of a crystal: names, each with a sentence."""

    def __init__(self) -> None:
        self.flags: list[str] = []
        self.warnings: list[str] = []

    def add(self, flag: str, sentence: str) -> None:
        self.flags.append(flag)
        self.warnings.append(sentence)


@calcfunction
def crystal_properties(
    structure: orm.StructureData,
    potential: PotentialData,
    settings: orm.Dict,
    results: orm.Dict,
    **more: orm.Data,
) -> orm.Dict:
    """Return the properties of a crystal, see the reference of the properties.

    What was not computed, or makes no sense, is None; `missing` and `warnings` say why.

    :param structure: cell that the job began with.
    :param results: of `LammpsPropertiesCalculation`.
    :param more: its ``series`` and ``released``, if it has them.
    """
    atoms, found = structure.get_ase(), results.get_dict()
    lattice, tell = lattice_name(atoms), _Findings()
    values: dict[str, Any] = dict.fromkeys((*UNITS, *OTHERS))
    done = found["done"]
    values |= _relaxed(found, len(atoms), lattice, tell)
    if "equation_of_state" in done:
        values |= _equation(more["series"], len(atoms), values["volume_angstrom3"], tell)
    if "elastic" in done:
        values |= _elastic(more["series"], lattice, tell)
    _compare_moduli(values, tell)
    if "vacancy" in done:
        values |= _vacancy(found, tell)
    if "atom" in done:
        symbol = atoms.get_chemical_symbols()[0]
        values |= _cohesion(found, values["energy_ev"], elements().get(symbol), potential.pair_style, tell)
    if "release" in done:
        values |= _release(found, more["released"], values["energy_ev"], lattice, tell)
    return orm.Dict(
        {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "element": atoms.get_chemical_symbols()[0],
            "lattice": lattice,
            "potential_label": potential.label,
            "potential_uuid": potential.uuid,
            "potential_sha256": potential.sha256,
            "pair_style": potential.pair_style,
            "parts": list(PropertiesSettings(**settings.get_dict()).parts),
            **values,
            "missing": found["missing"],
            "flags": tell.flags,
            "warnings": tell.warnings,
            "core_hours": found["core_hours"],
            "lammps_version": found["lammps_version"],
            "package_version": __version__,
        }
    )


def _relaxed(found: Mapping[str, Any], atoms: int, lattice: str, tell: _Findings) -> dict[str, Any]:
    """Return energy, lengths and volume of the relaxed crystal; nothing if the relaxation left it."""
    if found["relaxed_energy_ev"] is None:
        what = "or the given cell is far from that of the potential"
        tell.add(
            "crystal_lost", f"the {lattice} crystal was lost in the relaxation: the potential does not hold it, {what}"
        )
        return {}
    pressure = float(np.abs(found["relaxed_pressures_gpa"]).max())
    if pressure > RESIDUAL_GPA:
        tell.add("not_relaxed", f"the relaxed crystal has a pressure of {pressure:.2g} GPa: allow more steps")
    a, _, c = found["relaxed_lengths_angstrom"]
    hexagonal = lattice == "hcp"
    return {
        "energy_ev": found["relaxed_energy_ev"] / atoms,
        "lattice_a_angstrom": a,
        "lattice_c_angstrom": c if hexagonal else None,
        "axial_ratio": c / a if hexagonal else None,
        "volume_angstrom3": found["relaxed_volume_angstrom3"] / atoms,
        "residual_pressure_gpa": pressure,
    }


def _equation(series: orm.ArrayData, atoms: int, relaxed: float, tell: _Findings) -> dict[str, Any]:
    """Return the equation of state, an atom."""
    volumes = series.get_array("volumes_angstrom3")[:, 0] / atoms
    lowest = valley(series.get_array("axial_ratios"), series.get_array("energies_ev") / atoms)
    values = {
        "eos_volumes_angstrom3": volumes.tolist(),
        "eos_energies_ev": lowest.energies_ev.tolist(),
        "eos_axial_ratios": lowest.axial_ratios.tolist(),
    }
    if not lowest.inside:
        tell.add("axial_ratio_outside", "the lowest energies over c/a lie at an end of the ratios: raise axial_range")
    try:
        equation = fit_equation_of_state(volumes, lowest.energies_ev)
    except ValueError as exception:
        outside = isinstance(exception, MinimumOutsideError)
        tell.add("minimum_outside" if outside else "no_equation_of_state", str(exception))
        return values
    if abs(equation.volume_angstrom3 / relaxed - 1) > SAME_VOLUME:
        off = 100 * (equation.volume_angstrom3 / relaxed - 1)
        tell.add("volumes_disagree", f"the volume of the equation of state is {off:+.2g} % off that of the relaxation")
    return {
        **values,
        "eos_energy_ev": equation.energy_ev,
        "eos_volume_angstrom3": equation.volume_angstrom3,
        "bulk_modulus_gpa": equation.bulk_modulus_gpa,
        "bulk_modulus_derivative": equation.derivative,
        "eos_residual_ev": equation.residual_ev,
    }


def _elastic(series: orm.ArrayData, lattice: str, tell: _Findings) -> dict[str, Any]:
    """Return the elastic constants, the moduli of a polycrystal, and whether the crystal is stable."""
    measured = stiffness(series.get_array("strains"), series.get_array("pressures_gpa"))
    constants = independent_constants(measured, lattice)
    matrix = symmetric_stiffness(constants, lattice)
    deviation = float(np.abs(measured - matrix).max())
    if deviation > SYMMETRIC * float(np.abs(matrix).max()):
        tell.add("asymmetric", f"elastic constants deviate by {deviation:.3g} GPa from the symmetry of {lattice}")
    lowest = lowest_eigenvalue(matrix)
    values = {
        **{f"{name}_gpa": value for name, value in constants.items()},
        "stiffness_gpa": measured.tolist(),
        "elastic_asymmetry_gpa": deviation,
        "lowest_stiffness_gpa": lowest,
        "mechanically_stable": lowest > 0,
    }
    if lowest <= 0:
        tell.add("unstable", f"the crystal is not stable against a strain: its lowest stiffness is {lowest:.3g} GPa")
        return values
    return values | {_modulus_key(name): value for name, value in asdict(moduli(matrix)).items()}


def _compare_moduli(values: Mapping[str, Any], tell: _Findings) -> None:
    """Tell that the curvature of the energy and the stresses do not agree on the bulk modulus."""
    curve, stress = values["bulk_modulus_gpa"], values["bulk_modulus_hill_gpa"]
    if curve is None or stress is None or abs(curve / stress - 1) <= MODULI:
        return
    both = f"{curve:.4g} GPa from the equation of state and {stress:.4g} GPa from stresses"
    tell.add("moduli_disagree", f"the bulk modulus is {both}: the energies are no smooth curve, look at the picture")


def _modulus_key(name: str) -> str:
    kind, bound = name.split("_")
    return f"{kind}_modulus_{bound}_gpa"


def _vacancy(found: Mapping[str, Any], tell: _Findings) -> dict[str, Any]:
    atoms = found["supercell_atoms"]
    energy: float | None = found["vacancy_energy_ev"] - (atoms - 1) / atoms * found["supercell_energy_ev"]
    if energy is not None and energy <= 0:
        tell.add(
            "vacancy_collapsed", f"the vacancy has {energy:.3g} eV: around it the crystal fell into something else"
        )
        energy = None
    return {
        "vacancy_formation_energy_ev": energy,
        "vacancy_atoms": atoms,
        "vacancy_pressure_gpa": float(np.mean(found["vacancy_pressures_gpa"][:3])),
    }


def _cohesion(
    found: Mapping[str, Any], energy: float, entry: Element | None, pair_style: str, tell: _Findings
) -> dict[str, Any]:
    """Return the cohesive energy; a free atom that the potential may not know is told."""
    atom = found["atom_energy_ev"]
    cohesive = atom - energy
    if pair_style == DEEPMD:
        tell.add("lone_atom", "a DeePMD model extrapolates to a free atom, unless it was trained on one")
    if entry is not None and abs(cohesive / entry.cohesive_energy - 1) > COHESION:
        known = f"{entry.cohesive_energy:g} eV/atom in experiment"
        tell.add("cohesive_energy", f"the cohesive energy is {cohesive:.3g} eV/atom, {known}: look at the free atom")
    return {"atom_energy_ev": atom, "cohesive_energy_ev": cohesive}


def _release(
    found: Mapping[str, Any], released: orm.StructureData, energy: float, lattice: str, tell: _Findings
) -> dict[str, Any]:
    """Return the phase that the displaced crystal relaxed to, and how much lower its energy is."""
    phase = lattice_name(released.get_ase())
    gain = energy - found["release_energy_ev"] / found["release_atoms"]
    if gain > SAME_ENERGY_EV or phase != lattice:
        where = "another structure" if phase == "other" else phase
        tell.add("another_phase", f"with displaced atoms {lattice} relaxes to {where}, {gain:.3g} eV/atom lower")
    return {"released_lattice": phase, "released_gain_ev": gain}


@calcfunction
def property_table(properties: orm.Dict, gaps: orm.Dict, **references: orm.Dict) -> orm.Dict:
    """Return properties beside those that are known, with relative errors; see the reference of the properties.

    Experimental values are those of the table of the elements, if it has the same lattice.

    :param gaps: why a reference that was asked for is missing, by its name.
    :param references: ``given``: a reference set, see `GivenValues`; ``other``: properties of another potential.
    """
    mine = properties.get_dict()
    columns: dict[str, Callable[[str], float | None]] = {EXPERIMENT: _experiment(mine["element"], mine["lattice"]).get}
    sources: dict[str, Any] = {EXPERIMENT: _sources(mine["element"])}
    if GIVEN in references:
        given = references[GIVEN].get_dict()
        columns[GIVEN] = lambda key: given[key]["value"] if key in given else None
        sources[GIVEN] = {key: given[key]["source"] for key in sorted(given)}
    if OTHER in references:
        other = references[OTHER].get_dict()
        columns[OTHER] = other.get
        sources[OTHER] = f"{other['potential_label']} ({other['potential_sha256'][:12]})"
        mine = {**mine, SHARED_ATOM: _shared_atom(mine, other)}
    return orm.Dict(
        {
            "schema": TABLE_SCHEMA,
            "schema_version": TABLE_SCHEMA_VERSION,
            **{key: mine[key] for key in ("element", "lattice", "potential_label", "potential_uuid")},
            "references": list(columns),
            "sources": sources,
            "rows": _rows(mine, columns),
            "flags": mine["flags"],
            "warnings": mine["warnings"],
            "missing": mine["missing"],
            "gaps": gaps.get_dict(),
        }
    )


def _rows(mine: Mapping[str, Any], columns: Mapping[str, Callable[[str], float | None]]) -> list[dict[str, Any]]:
    """Return a row for each property that is known of the potential or of a reference."""
    rows = []
    for key, unit in {**UNITS, SHARED_ATOM: UNITS["cohesive_energy_ev"]}.items():
        known = "cohesive_energy_ev" if key == SHARED_ATOM else key
        if key == SHARED_ATOM and mine.get(key) is None:
            continue
        row: dict[str, Any] = {"property": key, "unit": unit, "value": mine.get(key)}
        for name, column in columns.items():
            row[name] = column(known)
            row[f"{name}_error_percent"] = relative_error_percent(row["value"], row[name])
        if any(row[name] is not None for name in ("value", *columns)):
            rows.append(row)
    return rows


def relative_error_percent(value: float | None, reference: float | None) -> float | None:
    """Return how far a value is off in percent, None if one of both is not known or the reference is zero."""
    if value is None or not reference:
        return None
    return 100 * (value - reference) / abs(reference)


def _experiment(symbol: str, lattice: str) -> dict[str, float]:
    entry = elements().get(symbol)
    if entry is None:
        return {}
    found = {"cohesive_energy_ev": entry.cohesive_energy}
    if entry.lattice != lattice or entry.a is None:
        return found
    found["lattice_a_angstrom"] = entry.a
    if entry.c is not None:
        found |= {"lattice_c_angstrom": entry.c, "axial_ratio": entry.c / entry.a}
    return found


def _sources(symbol: str) -> str:
    entry = elements().get(symbol)
    return "" if entry is None else f"table of the elements: {entry.sources}; lattice at room temperature"


def _shared_atom(mine: Mapping[str, Any], other: Mapping[str, Any]) -> float | None:
    """Return the cohesive energy of a potential against the free atom of another one; None if one of both lacks."""
    if mine["energy_ev"] is None or other["atom_energy_ev"] is None:
        return None
    return float(other["atom_energy_ev"] - mine["energy_ev"])
