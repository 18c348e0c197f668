"""Cohesive energies: of a crystal against the free atom, from a potential or from VASP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase import Atoms
from ase.data import atomic_numbers, ground_state_magnetic_moments
from numpy.typing import NDArray

from aiida_dnpmelt import __version__
from aiida_dnpmelt.calculations.cohesive_settings import VaspCohesiveSettings
from aiida_dnpmelt.calculations.properties import COHESION, relative_error_percent
from aiida_dnpmelt.calculations.vasp_frames import kpoints_of, read_retrieved, static_incar
from aiida_dnpmelt.data.elements import elements
from aiida_dnpmelt.physics.cohesion import LARGEST_EV, RELATIONS
from aiida_dnpmelt.physics.crystals import lattice_name, primitive_cell
from aiida_dnpmelt.physics.equation_of_state import FEWEST_VOLUMES, fit_equation_of_state, valley
from aiida_dnpmelt.physics.ordering import by_number, ordered

SCHEMA = "dnpmelt.cohesive_energy"
SCHEMA_VERSION = 1

ATOM, STATIC = "atom", "static_"
STDOUT = "vasp_output"
_MOMENT = re.compile(r"mag=\s*(-?\d+\.?\d*)")
_SAME_MOMENT = 0.1
"""Bohr magnetons by which the moment of the free atom may differ from that of Hund's rules."""


def hund_moment(symbol: str) -> float:
    """Return the spin moment of the ground state of a free atom in Bohr magnetons, from `ase.data`."""
    return float(ground_state_magnetic_moments[atomic_numbers[symbol]])


def static_label(volume: int, ratio: int) -> str:
    """Return the name of a static run of the crystal, by its place among volumes and ratios c/a."""
    return f"{STATIC}{volume:02d}_{ratio:02d}"


@calcfunction
def cohesive_runs(structure: orm.StructureData, vasp: orm.Dict) -> dict[str, orm.Data]:
    """Return ``structure_NAME``, ``kpoints_NAME`` and ``parameters_NAME`` of each run of VASP.

    Names are ``atom``, and ``static_VV_RR`` by volume and ratio c/a. The crystal is its primitive cell.

    :param vasp: see `VaspCohesiveSettings`.
    """
    settings = VaspCohesiveSettings(**vasp.get_dict())
    primitive = primitive_cell(structure.get_ase())
    symbol = primitive.get_chemical_symbols()[0]
    runs: dict[str, tuple[Atoms, dict[str, Any]]] = {}
    bulk = static_incar(settings.bulk, primitive.get_chemical_symbols())
    volumes, ratios = settings.factors(lattice_name(structure.get_ase()))
    for place in np.ndindex(volumes.shape):
        runs[static_label(*place)] = _scaled(primitive, float(volumes[place]), float(ratios[place])), bulk
    moment = settings.atom_magnetic_moment_mu_b
    atom = Atoms(symbol, cell=settings.atom_box_angstrom, pbc=True)
    atom.center()
    runs[ATOM] = atom, settings.atom_tags(hund_moment(symbol) if moment is None else moment)
    found: dict[str, orm.Data] = {}
    for name, (atoms, tags) in runs.items():
        found[f"structure_{name}"] = orm.StructureData(ase=atoms)
        found[f"parameters_{name}"] = orm.Dict({"incar": tags})
        found[f"kpoints_{name}"] = _gamma(atoms) if name == ATOM else kpoints_of(atoms, settings.bulk)
    return found


def _scaled(atoms: Atoms, volume: float, ratio: float) -> Atoms:
    """Return a cell with its volume, and its length along z over the others, changed by factors."""
    plane, axis = (volume / ratio) ** (1 / 3), (volume * ratio**2) ** (1 / 3)
    scaled = atoms.copy()
    scaled.set_cell(atoms.cell.array * np.array([plane, plane, axis]), scale_atoms=True)
    return scaled


def _gamma(atoms: Atoms) -> orm.KpointsData:
    kpoints = orm.KpointsData()
    kpoints.set_cell(atoms.cell.array)
    kpoints.set_kpoints_mesh([1, 1, 1])
    return kpoints


@calcfunction
def energies_of_potential(properties: orm.Dict, **given: orm.Float) -> orm.Dict:
    """Return the energies that a cohesive energy is made of, from properties that a potential has.

    :param given: ``atom_energy``: energy of the free atom in eV, on the scale of the potential, instead of its own.
    """
    values = properties.get_dict()
    atom, source = values["atom_energy_ev"], "potential"
    flags, warnings = list(values["flags"]), list(values["warnings"])
    if "atom_energy" in given:
        atom, source = given["atom_energy"].value, "given"
        kept = [index for index, flag in enumerate(flags) if flag not in ("lone_atom", "cohesive_energy")]
        flags, warnings = [flags[index] for index in kept], [warnings[index] for index in kept]
    checksum = f"sha256 {values['potential_sha256'][:12]}"
    return _energies(
        {
            "element": values["element"],
            "lattice": values["lattice"],
            "labeller": f"{values['potential_label']} ({values['pair_style']}, {checksum})",
            "potential_uuid": values["potential_uuid"],
            "bulk_energy_ev": values["energy_ev"],
            "atom_energy_ev": atom,
            "atom_source": source,
            "volume_angstrom3": values["volume_angstrom3"],
            "axial_ratio": values["axial_ratio"],
            "bulk_modulus_gpa": values["bulk_modulus_gpa"],
            "atom_moment_mu_b": None,
            "flags": flags,
            "warnings": warnings,
        }
    )


@calcfunction
def energies_of_vasp(
    structure: orm.StructureData, vasp: orm.Dict, failed: orm.Dict, **runs: orm.FolderData
) -> orm.Dict:
    """Return the energies that a cohesive energy is made of, from runs of VASP: free energies of the electrons.

    The crystal has the lowest energy over volume, and over c/a; a run that did not come to self-consistency is none.

    :param failed: why a run is missing, by its name.
    :param runs: retrieved folders by the names of `cohesive_runs`.
    """
    settings = VaspCohesiveSettings(**vasp.get_dict())
    atoms = structure.get_ase()
    lattice, symbol = lattice_name(atoms), atoms.get_chemical_symbols()[0]
    flags, warnings = [], [f"{name}: {reason}" for name, reason in ordered(failed.get_dict()).items()]
    flags += ["run_failed"] * len(warnings)
    energies: dict[str, float] = {}
    labeller = "VASP"
    for name in sorted(runs, key=by_number):
        run = read_retrieved(runs[name])
        labeller = f"VASP {run.version}, {', '.join(run.potcars)}" if run.potcars else labeller
        if run.steps and run.converged[-1] and np.isfinite(run.steps[-1].energy_ev):
            energies[name] = run.steps[-1].energy_ev
        else:
            flags.append("unconverged")
            warnings.append(f"{name}: {run.flaw or 'the electrons did not come to self-consistency'}")
    values: dict[str, Any] = {"bulk_energy_ev": None, "volume_angstrom3": None, "axial_ratio": None}
    try:
        values |= _lowest(settings, structure, energies, lattice)
    except ValueError as exception:
        flags.append("no_crystal")
        warnings.append(str(exception))
    moment = last_moment(runs[ATOM]) if ATOM in runs else None
    if moment is not None and abs(abs(moment) - hund_moment(symbol)) > _SAME_MOMENT:
        flags.append("atom_moment")
        warnings.append(f"the free atom has {moment:g} Bohr magnetons, by Hund's rules {hund_moment(symbol):g}")
    return _energies(
        {
            "element": symbol,
            "lattice": lattice,
            "labeller": labeller,
            "potential_uuid": None,
            **values,
            "bulk_modulus_gpa": values.get("bulk_modulus_gpa"),
            "atom_energy_ev": energies.get(ATOM),
            "atom_source": "vasp",
            "atom_moment_mu_b": moment,
            "flags": flags,
            "warnings": warnings,
        }
    )


def _lowest(
    settings: VaspCohesiveSettings, structure: orm.StructureData, energies: Mapping[str, float], lattice: str
) -> dict[str, Any]:
    """Return energy and volume of the crystal an atom at its minimum.

    :raises ValueError: if too few runs are there, or the minimum lies outside of them.
    """
    atoms = structure.get_ase()
    primitive = primitive_cell(atoms)
    volumes, factors = settings.factors(lattice)
    number = len(primitive)
    table = np.full(volumes.shape, np.nan)
    for place in np.ndindex(volumes.shape):
        table[place] = energies.get(static_label(*place), np.nan) / number
    whole = np.isfinite(table).all(axis=1)
    if whole.sum() < FEWEST_VOLUMES:
        raise ValueError(f"{whole.sum()} of {len(whole)} volumes of the crystal are there, {FEWEST_VOLUMES} are needed")
    ratios = factors * _axial_ratio(primitive, lattice)
    lowest = valley(ratios[whole], table[whole])
    at = volumes[whole, 0] * primitive.get_volume() / number
    equation = fit_equation_of_state(at, lowest.energies_ev)
    if not lowest.inside:
        raise ValueError("the energy is lowest at an end of the ratios c/a: begin from a better structure")
    hexagonal = lattice == "hcp"
    return {
        "bulk_energy_ev": equation.energy_ev,
        "volume_angstrom3": equation.volume_angstrom3,
        "axial_ratio": _between(at, lowest.axial_ratios, equation.volume_angstrom3) if hexagonal else None,
        "bulk_modulus_gpa": equation.bulk_modulus_gpa,
    }


def _between(x: NDArray[np.float64], y: NDArray[np.float64], where: float) -> float:
    return float(np.interp(where, x, y))


def _axial_ratio(primitive: Atoms, lattice: str) -> float:
    lengths = primitive.cell.lengths()
    return float(lengths[2] / lengths[0]) if lattice == "hcp" else 1.0


def last_moment(retrieved: orm.FolderData) -> float | None:
    """Return the total magnetic moment in Bohr magnetons that VASP printed last, None if it printed none."""
    if STDOUT not in retrieved.base.repository.list_object_names():
        return None
    found = _MOMENT.findall(retrieved.base.repository.get_object_content(STDOUT))
    return float(found[-1]) if found else None


def _energies(values: dict[str, Any]) -> orm.Dict:
    """Return the energies with the cohesive energy, None if one of both is missing."""
    bulk, atom = values["bulk_energy_ev"], values["atom_energy_ev"]
    return orm.Dict({**values, "cohesive_energy_ev": None if bulk is None or atom is None else atom - bulk})


@calcfunction
def cohesive_energy_of(energies: orm.Dict) -> orm.Float:
    """Return the cohesive energy in eV/atom, positive for what is bound."""
    return orm.Float(energies["cohesive_energy_ev"])


def has_estimate(energies: Mapping[str, Any]) -> str | None:
    """Return in words why there is no estimate of T_m, None if there can be one."""
    if energies["element"] not in elements():
        return f"the table of the elements has no {energies['element']}"
    energy = energies["cohesive_energy_ev"]
    if energy is None or not 0 < energy <= LARGEST_EV:
        shown = "is not known" if energy is None else f"of {energy:.4g} eV/atom is none"
        return f"the cohesive energy {shown}"
    return None


@calcfunction
def cohesive_energy_result(energies: orm.Dict, relation: orm.Str, **estimates: orm.Dict) -> orm.Dict:
    """Return a cohesive energy with the melting temperatures that relations give, beside the experimental values.

    :param relation: the one that ``melting_temperature_k`` is from, see `aiida_dnpmelt.physics.cohesion`.
    :param estimates: of `temperature_from_cohesion`, by the name of the relation; none if there can be none.
    """
    values = energies.get_dict()
    entry = elements().get(values["element"])
    experiment = None if entry is None else entry.cohesive_energy
    error = relative_error_percent(values["cohesive_energy_ev"], experiment)
    flags, warnings = list(values["flags"]), list(values["warnings"])
    if error is not None and abs(error) > 100 * COHESION and "cohesive_energy" not in flags:
        flags.append("cohesive_energy")
        known = f"{experiment:g} eV/atom in experiment"
        warnings.append(
            f"the cohesive energy is {values['cohesive_energy_ev']:.3g} eV/atom, {known}: look at the free atom"
        )
    chosen = estimates.get(relation.value)
    return orm.Dict(
        {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            **values,
            "experiment_ev": experiment,
            "experiment_error_percent": error,
            "relation": relation.value,
            "melting_temperature_k": None if chosen is None else chosen["melting_temperature_k"],
            **{
                f"melting_temperature_{name}_k": estimates[name]["melting_temperature_k"] if name in estimates else None
                for name in RELATIONS
            },
            "equation": None if chosen is None else chosen["equation"],
            "experiment_melting_temperature_k": None if entry is None else entry.melting_temperature,
            "flags": flags,
            "warnings": warnings,
            "package_version": __version__,
        }
    )
