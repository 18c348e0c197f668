"""One coexistence run in LAMMPS: preparation, melting of one half, production; or the rest of a run that was cut."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm
from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec
from ase import Atoms
from ase.io import write
from pydantic import BaseModel, ConfigDict, Field

from aiida_dnpmelt.calculations.coexistence_script import DATA_FILE, LOG_FILE, Resume, build_script, probe_file
from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.calculations.coexistence_stages import (
    FRAMES_FILE,
    PRODUCTION,
    RunSpec,
    Stage,
    preparation_steps,
    stages_of,
)
from aiida_dnpmelt.calculations.lammps_job import (
    INPUT_FILE,
    OUTPUT_FILE,
    declare_failures,
    declare_options,
    lammps_call,
    missing_species,
    write_potential,
)
from aiida_dnpmelt.calculations.validators import (
    fits,
    may_run,
    positive,
    validate_pressure,
    validate_repetitions,
    validate_seed,
)
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import MOST_ATOMS, coupled_lengths, in_plane_reflections
from aiida_dnpmelt.physics.units import gpa_to_bar

SLAB_THICKNESS_ANGSTROM = 3.5
"""Least thickness of the slabs of the in-run order parameter."""
WALL_TIME_SHARE = 0.95
"""Share of the wall time after which LAMMPS stops by itself and writes a restart file."""


class RestartState(BaseModel):
    """What a job says of the state that it left."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    step: int = Field(ge=0)
    file: str = Field(pattern=r"^[a-z]+\.([0-9]+|end)\.restart$")


def validate_job(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Check what depends on more than one input of a job."""
    if ("parent_folder" in inputs) != ("restart" in inputs):
        return "parent_folder and restart: give both to go on with a run, or none to start one"
    if "restart" in inputs and "parameters" in inputs:
        settings = CoexistenceSettings(**inputs["parameters"].get_dict())
        names = [*preparation_steps(settings), PRODUCTION]
        if inputs["restart"]["stage"] not in names:
            return f"restart.stage: {inputs['restart']['stage']!r} is not a stage of {settings.method!r}: {names}"
    if any(name not in inputs for name in ("structure", "potential", "repetitions")):
        return None
    return validate_cell(inputs["structure"].get_ase(), inputs["repetitions"].get_list(), inputs["potential"])


def validate_atoms(cell: Atoms, repetitions: Sequence[int]) -> str | None:
    """Check that a repeated cell is not larger than what can be run."""
    number = len(cell) * math.prod(repetitions)
    if number > MOST_ATOMS:
        return f"repetitions: {list(repetitions)} make a cell of {number} atoms, at most {MOST_ATOMS} can be run"
    return None


def validate_cell(cell: Atoms, repetitions: Sequence[int], potential: PotentialData) -> str | None:
    """Check that the potential knows the species, and that the repeated cell exceeds its reach and can be run."""
    too_many = validate_atoms(cell, repetitions)
    if too_many is not None:
        return too_many
    missing = missing_species(potential, cell.get_chemical_symbols())
    if missing is not None:
        return missing
    lengths = cell.cell.lengths() * repetitions
    if min(lengths) < 2 * potential.cutoff:
        size = " x ".join(f"{length:.1f}" for length in lengths)
        return (
            f"repetitions: {list(repetitions)} make a cell of {size} Angstrom, it must be at least twice the "
            f"cutoff of {potential.cutoff:g} Angstrom along each axis"
        )
    return None


class LammpsCoexistenceCalculation(CalcJob):
    """Run solid and liquid of one crystal side by side in LAMMPS, or one of them alone.

    The job writes its own input from nodes, one stage after another; what the script does is in
    `aiida_dnpmelt.calculations.coexistence_stages`. It does not stand on the raw calculation of aiida-lammps,
    whose only addition would be a ready script as an input: a number in such a script has no link to where it
    came from.
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare inputs, outputs and exit codes."""
        super().define(spec)
        spec.input("structure", valid_type=orm.StructureData, help="Orthogonal cell of the crystal, z the long axis.")
        spec.input("potential", valid_type=PotentialData, validator=may_run, help="Interatomic potential.")
        spec.input(
            "temperature",
            valid_type=orm.Float,
            serializer=orm.to_aiida_type,
            validator=positive("temperature", "K", 20_000),
            help="Temperature of the preparation, the guess of T_m, in K.",
        )
        spec.input(
            "pressure",
            valid_type=orm.Float,
            serializer=orm.to_aiida_type,
            validator=validate_pressure,
            help="Pressure in GPa.",
        )
        spec.input(
            "seed",
            valid_type=orm.Int,
            serializer=orm.to_aiida_type,
            validator=validate_seed,
            help="Seed of all random numbers of the run.",
        )
        spec.input(
            "repetitions",
            valid_type=orm.List,
            serializer=orm.to_aiida_type,
            validator=validate_repetitions,
            help="Repetitions of the cell along x, y, z.",
        )
        spec.input(
            "production_time",
            valid_type=orm.Float,
            serializer=orm.to_aiida_type,
            validator=positive("production_time", "ps", 1_000_000),
            help="Length of the production in ps, counted from its start, also for a run that goes on.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(CoexistenceSettings, "parameters"),
            help="Settings of the run, see CoexistenceSettings.",
        )
        spec.input(
            "parent_folder",
            valid_type=orm.RemoteData,
            validator=may_run,
            required=False,
            help="Folder of the job that left the restart file.",
        )
        spec.input(
            "restart",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(RestartState, "restart"),
            required=False,
            help="Where to go on: `stage`, `step` and `file`, as a former job gave it in its output `restart`.",
        )
        declare_options(spec, "dnpmelt.coexistence", validate_job)

        spec.output("results", valid_type=orm.Dict, help="How the job ended, what it cost; units in the keys.")
        spec.output("run", valid_type=orm.ArrayData, required=False, help="Series, frames and profiles of the run.")
        spec.output("restart", valid_type=orm.Dict, required=False, help="Where the run can be taken up.")
        spec.default_output_node = "results"

        declare_failures(spec)
        spec.exit_code(
            400,
            "ERROR_OUT_OF_WALLTIME",
            message="The wall time ended the run in stage {stage}: go on from the output `restart`.",
        )
        spec.exit_code(
            401,
            "ERROR_INTERRUPTED",
            message="The run was cut in stage {stage}: go on from the output `restart`, if there is one.",
            invalidates_cache=True,
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input, the cell and the potential; a run that goes on gets its restart file instead."""
        inputs = self.inputs
        atoms = inputs.structure.get_ase()
        species = sorted(set(atoms.get_chemical_symbols()))
        settings = CoexistenceSettings(**inputs.parameters.get_dict())
        resume = Resume(**inputs.restart.get_dict()) if "restart" in inputs else None
        wall_seconds = inputs.metadata.options.get("max_wallclock_seconds")
        spec = run_spec(inputs, int(WALL_TIME_SHARE * wall_seconds) if wall_seconds else None)
        potential: PotentialData = inputs.potential

        with folder.open(INPUT_FILE, "w", encoding="utf-8") as handle:
            handle.write(build_script(settings, spec, resume))
        write_potential(folder, potential, potential.filename)

        calcinfo = CalcInfo()
        calcinfo.provenance_exclude_list = [potential.filename]
        if resume is None:
            with folder.open(DATA_FILE, "w", encoding="utf-8") as handle:
                write(handle, atoms, format="lammps-data", specorder=species, masses=True)
        else:
            parent: orm.RemoteData = inputs.parent_folder
            source = f"{parent.get_remote_path()}/{resume.file}"
            calcinfo.remote_copy_list = [(parent.computer.uuid, source, resume.file)]

        optimised = ["-sf", "opt"] if potential.pair_style.startswith("eam") else []
        calcinfo.codes_info = [lammps_call(inputs.code, optimised)]
        calcinfo.retrieve_list = [LOG_FILE, OUTPUT_FILE, probe_file(PRODUCTION)]
        calcinfo.retrieve_temporary_list = [FRAMES_FILE]
        return calcinfo


def run_spec(inputs: Mapping[str, Any], wall_seconds: int | None = None) -> RunSpec:
    """Return what the inputs of a job say of its run."""
    atoms, potential = inputs["structure"].get_ase(), inputs["potential"]
    repetitions = inputs["repetitions"].get_list()
    species = sorted(set(atoms.get_chemical_symbols()))
    length = float(atoms.cell.lengths()[2]) * repetitions[2]
    return RunSpec(
        temperature_k=inputs["temperature"].value,
        pressure_bar=gpa_to_bar(inputs["pressure"].value),
        seed=inputs["seed"].value,
        repetitions=(repetitions[0], repetitions[1], repetitions[2]),
        pair_commands=tuple(potential.lammps_commands(potential.filename, species)),
        reflections=tuple(in_plane_reflections(atoms)),
        n_slabs=max(4, int(length / SLAB_THICKNESS_ANGSTROM)),
        couple=coupled_lengths(atoms),
        production_ps=inputs["production_time"].value,
        wall_seconds=wall_seconds,
    )


def stages(inputs: Mapping[str, Any]) -> list[Stage]:
    """Return the stages of the run that the inputs of a job describe, in their order."""
    return stages_of(CoexistenceSettings(**inputs["parameters"].get_dict()), run_spec(inputs))
