"""Compute properties of a crystal with a potential in LAMMPS: all of them in one job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec
from ase.io import write

from aiida_dnpmelt.calculations.coexistence_script import DATA_FILE, LOG_FILE
from aiida_dnpmelt.calculations.lammps_job import (
    INPUT_FILE,
    OUTPUT_FILE,
    declare_failures,
    declare_options,
    lammps_call,
    missing_species,
    write_potential,
)
from aiida_dnpmelt.calculations.properties_script import RELEASED_FILE, PropertiesSpec, build_script
from aiida_dnpmelt.calculations.properties_settings import PropertiesSettings
from aiida_dnpmelt.calculations.validators import fits, may_run, validate_seed
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import LATTICES, lattice_name, repetitions

_CUTOFFS = 3
"""Edge of the box of the free atom over the cutoff, at least: no atom sees another one, nor DeePMD-kit half a box."""


def validate_crystal(structure: orm.StructureData, _: Any) -> str | None:
    """Check that a structure is one of the four lattices of an element."""
    atoms = structure.get_ase()
    lattice = lattice_name(atoms)
    if lattice not in LATTICES.values():
        known = ", ".join(LATTICES.values())
        return (
            f"structure: {atoms.get_chemical_formula()} is '{lattice}', properties are computed of elements in {known}"
        )
    return None


def _validate_cell(structure: orm.StructureData, _: Any) -> str | None:
    cell = structure.get_ase().cell
    if not np.allclose(cell.array, np.diag(cell.lengths()), atol=1e-6):
        return "structure: its cell is not along x, y, z: `coexistence_cell` makes one that is"
    return validate_crystal(structure, _)


def _validate_inputs(inputs: Mapping[str, Any], _: Any) -> str | None:
    if any(name not in inputs for name in ("structure", "potential")):
        return None
    return missing_species(inputs["potential"], inputs["structure"].get_ase().get_chemical_symbols())


class LammpsPropertiesCalculation(CalcJob):
    """Relax a crystal, and compute what is asked for of it, all in one LAMMPS process at zero temperature.

    Energies at volumes (and ratios c/a), stresses under strains with the atoms relaxed, a vacancy relaxed at constant
    volume, the free atom, and the crystal with displaced atoms and a cell that may take any shape.
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare inputs, outputs and exit codes."""
        super().define(spec)
        spec.input("potential", valid_type=PotentialData, validator=may_run, help="Interatomic potential.")
        spec.input(
            "structure",
            valid_type=orm.StructureData,
            validator=_validate_cell,
            help="Conventional cell of an element along x, y, z: fcc, bcc, diamond, or hcp as a x sqrt(3) a x c.",
        )
        spec.input(
            "settings",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(PropertiesSettings, "settings"),
            default=lambda: orm.Dict({}),
            help="What is computed, see PropertiesSettings.",
        )
        spec.input(
            "seed",
            valid_type=orm.Int,
            serializer=orm.to_aiida_type,
            validator=validate_seed,
            default=lambda: orm.Int(1),
            help="Seed of the displacements before the release.",
        )
        declare_options(spec, "dnpmelt.properties", _validate_inputs)

        spec.output(
            "results",
            valid_type=orm.Dict,
            help="Energies (eV) and pressures (GPa) of the relaxed crystal and of the parts with one state; parts "
            "`done` and `missing`; cost, version, warnings and errors.",
        )
        spec.output(
            "series",
            valid_type=orm.ArrayData,
            required=False,
            help="Of the equation of state `volumes_angstrom3`, `axial_ratios`, `energies_ev`, shape (volumes, "
            "ratios); of the strains `strains`, `pressures_gpa`, shape (12, 6), in the order xx, yy, zz, yz, xz, xy.",
        )
        spec.output(
            "released", valid_type=orm.StructureData, required=False, help="The released crystal after its relaxation."
        )
        spec.default_output_node = "results"
        declare_failures(spec)

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input, the cell and the potential."""
        inputs = self.inputs
        potential: PotentialData = inputs.potential
        atoms = inputs.structure.get_ase()
        settings = PropertiesSettings(**inputs.settings.get_dict())
        spec = PropertiesSpec(
            lattice=lattice_name(atoms),
            repetitions=repetitions(atoms, settings.minimum_atoms, aspect=1.0),
            atom_box_angstrom=max(settings.atom_box_angstrom, _CUTOFFS * potential.cutoff),
            seed=inputs.seed.value,
            pair_commands=tuple(potential.lammps_commands(potential.filename, [atoms.get_chemical_symbols()[0]])),
        )
        with folder.open(INPUT_FILE, "w", encoding="utf-8") as handle:
            handle.write(build_script(settings, spec))
        with folder.open(DATA_FILE, "w", encoding="utf-8") as handle:
            write(handle, atoms, format="lammps-data", masses=True)
        write_potential(folder, potential, potential.filename)

        calcinfo = CalcInfo()
        calcinfo.provenance_exclude_list = [potential.filename]
        calcinfo.codes_info = [lammps_call(inputs.code)]
        calcinfo.retrieve_list = [LOG_FILE, OUTPUT_FILE]
        calcinfo.retrieve_temporary_list = [RELEASED_FILE]
        return calcinfo
