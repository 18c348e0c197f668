"""Explore with a committee of models in LAMMPS: the first moves the atoms, all of them say how much they differ."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec
from ase import Atoms
from ase.io import write

from aiida_dnpmelt.calculations.coexistence_script import DATA_FILE, LOG_FILE
from aiida_dnpmelt.calculations.exploration_script import ExplorationSpec, build_script, deviation_file, frames_file
from aiida_dnpmelt.calculations.exploration_settings import ExplorationSettings
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
    both,
    fits,
    may_run,
    validate_pressure,
    validate_repetitions,
    validate_seed,
)
from aiida_dnpmelt.data.frames import PHASES
from aiida_dnpmelt.data.potential import DEEPMD, PotentialData
from aiida_dnpmelt.physics.crystals import coupled_lengths
from aiida_dnpmelt.physics.units import gpa_to_bar

MAX_MODELS = 20
MAX_TEMPERATURES = 1000


def validate_committee(potentials: Mapping[str, PotentialData], _: Any) -> str | None:
    """Check that the potentials are models that LAMMPS can compare."""
    if not 2 <= len(potentials) <= MAX_MODELS:
        return f"potentials: {len(potentials)} given, a committee has 2 to {MAX_MODELS}"
    for name, potential in sorted(potentials.items()):
        if potential.pair_style != DEEPMD:
            return f"potentials.{name}: its pair style is '{potential.pair_style}', only '{DEEPMD}' has deviations"
    maps = {tuple(potential.type_map) for potential in potentials.values()}
    if len(maps) > 1:
        return f"potentials: their type maps differ, {' and '.join(str(list(each)) for each in sorted(maps))}"
    return None


def validate_temperatures(node: orm.List | None, _: Any) -> str | None:
    """Check that there are temperatures, different ones in the range of matter."""
    values = node.get_list() if node is not None else [300.0]
    numbers = all(isinstance(value, int | float) and 0 < value <= 20_000 for value in values)
    if not numbers or not 1 <= len(values) <= MAX_TEMPERATURES or len(set(values)) < len(values):
        return f"temperatures: {values} must be different numbers in 0 < T <= 20000 K, at least one"
    return None


def validate_phase(node: orm.Str | None, _: Any) -> str | None:
    """Check that a phase is known."""
    if node is not None and node.value not in PHASES:
        return f"phase: '{node.value}' is not one of {', '.join(PHASES)}"
    return None


def validate_exploration(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Check that the models know the species of the structure."""
    if any(name not in inputs for name in ("structure", "potentials")):
        return None
    atoms = inputs["structure"].get_ase()
    if atoms.cell.volume == 0 or not atoms.cell.handedness > 0:
        return "structure: its cell has no positive volume, its vectors must be right-handed"
    return missing_species(next(iter(inputs["potentials"].values())), atoms.get_chemical_symbols())


class LammpsExplorationCalculation(CalcJob):
    """Run a crystal, its melt, or both side by side at several temperatures, and keep frames with their deviations.

    The input is written from nodes; what the script does is in `aiida_dnpmelt.calculations.exploration_script`.
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare inputs, outputs and exit codes."""
        super().define(spec)
        spec.input("structure", valid_type=orm.StructureData, help="Cell of the crystal, right-handed.")
        spec.input_namespace(
            "potentials",
            dynamic=True,
            valid_type=PotentialData,
            validator=both(may_run, validate_committee),
            help="Committee of DeePMD models of one type map, in the order of their names: the first moves the atoms.",
        )
        spec.input(
            "temperatures",
            valid_type=orm.List,
            serializer=orm.to_aiida_type,
            validator=validate_temperatures,
            help="Temperatures in K, one run each, in this order: the coldest first loses least if one explodes.",
        )
        spec.input(
            "pressure",
            valid_type=orm.Float,
            serializer=orm.to_aiida_type,
            validator=validate_pressure,
            default=lambda: orm.Float(0.0),
            help="Pressure in GPa.",
        )
        spec.input(
            "phase",
            valid_type=orm.Str,
            serializer=orm.to_aiida_type,
            validator=validate_phase,
            default=lambda: orm.Str("solid"),
            help="`solid` starts from the crystal, `liquid` from its melt, `interface` from a crystal whose lower half "
            "along z was molten.",
        )
        spec.input(
            "repetitions",
            valid_type=orm.List,
            serializer=orm.to_aiida_type,
            validator=validate_repetitions,
            default=lambda: orm.List([1, 1, 1]),
            help="Repetitions of the cell along its vectors.",
        )
        spec.input(
            "settings",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(ExplorationSettings, "settings"),
            help="Settings of the runs, see ExplorationSettings.",
        )
        spec.input(
            "seed",
            valid_type=orm.Int,
            serializer=orm.to_aiida_type,
            validator=validate_seed,
            help="Seed of all random numbers of the job.",
        )
        declare_options(spec, "dnpmelt.exploration", validate_exploration)

        spec.output(
            "trajectory",
            valid_type=orm.TrajectoryData,
            required=False,
            help="Frames with a deviation: `cells`, `positions` (Angstrom), `steps`, `temperatures` (K), attribute "
            "`phase`.",
        )
        spec.output(
            "deviation",
            valid_type=orm.ArrayData,
            required=False,
            help="Of the same frames in the same order, units in the names: deviations of forces and virials, time, "
            "instantaneous temperature, energy and volume.",
        )
        spec.output(
            "results",
            valid_type=orm.Dict,
            help="How far each temperature came and what ended it (`by_temperature`), cost, version, warnings, errors.",
        )
        spec.default_output_node = "results"
        declare_failures(spec)
        spec.exit_code(
            421,
            "ERROR_NO_FRAMES",
            message="No frame was reached within the bounds: the models fail at once, or the start is bad. {reason}",
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input, the repeated cell, and the models under names of our own."""
        inputs = self.inputs
        atoms = repeated_cell(self.node)
        models = models_of(inputs.potentials)
        spec = ExplorationSpec(
            temperatures_k=tuple(inputs.temperatures.get_list()),
            pressure_bar=gpa_to_bar(inputs.pressure.value),
            phase=inputs.phase.value,
            seed=inputs.seed.value,
            models=tuple(models),
            species=tuple(sorted(set(atoms.get_chemical_symbols()))),
            couple=coupled_lengths(inputs.structure.get_ase()),
        )
        with folder.open(INPUT_FILE, "w", encoding="utf-8") as handle:
            handle.write(build_script(ExplorationSettings(**inputs.settings.get_dict()), spec))
        with folder.open(DATA_FILE, "w", encoding="utf-8") as handle:
            write(handle, atoms, format="lammps-data", specorder=list(spec.species), masses=True)
        for name, potential in models.items():
            write_potential(folder, potential, name)

        runs = range(1, len(spec.temperatures_k) + 1)
        calcinfo = CalcInfo()
        calcinfo.provenance_exclude_list = list(models)
        calcinfo.codes_info = [lammps_call(inputs.code)]
        calcinfo.retrieve_list = [LOG_FILE, OUTPUT_FILE]
        calcinfo.retrieve_temporary_list = [name(run) for run in runs for name in (frames_file, deviation_file)]
        return calcinfo


def models_of(potentials: Mapping[str, PotentialData]) -> dict[str, PotentialData]:
    """Return the models by the names of their files in a job, in the order of the committee."""
    ordered = [potential for _, potential in sorted(potentials.items())]
    return {
        f"model_{index}{Path(potential.filename).suffix}": potential for index, potential in enumerate(ordered, start=1)
    }


def repeated_cell(node: orm.CalcJobNode) -> Atoms:
    """Return the atoms that a job starts from, in the order of their ids."""
    atoms: Atoms = node.inputs.structure.get_ase().repeat(node.inputs.repetitions.get_list())
    return atoms
