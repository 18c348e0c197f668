"""Label frames with a potential in LAMMPS: energies, forces and virials of a batch in one job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec
from ase import Atoms
from ase.io import write
from numpy.typing import NDArray

from aiida_dnpmelt.calculations.coexistence_script import LOG_FILE
from aiida_dnpmelt.calculations.label_script import DUMP_FILE, LabelSpec, build_script, data_file
from aiida_dnpmelt.calculations.label_settings import LabelSettings
from aiida_dnpmelt.calculations.lammps_job import (
    INPUT_FILE,
    OUTPUT_FILE,
    declare_failures,
    declare_options,
    lammps_call,
    missing_species,
    write_potential,
)
from aiida_dnpmelt.calculations.validators import fits, may_run, validate_seed
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.data.trajectories import describe_flaw

MAX_STARTS = 20_000


@dataclass(frozen=True)
class Start:
    """A starting frame.

    :param name: name of its node in the namespace ``frames``.
    :param symbols: chemical symbols of its n atoms.
    :param cell: cell vectors as rows in Angstrom, shape (3, 3).
    :param positions: in Angstrom, shape (n, 3).
    :param temperature_k: in K.
    """

    name: str
    symbols: tuple[str, ...]
    cell: NDArray[np.float64]
    positions: NDArray[np.float64]
    temperature_k: float


def starts_of(frames: Mapping[str, orm.TrajectoryData]) -> list[Start]:
    """Return the starting frames of a job in the order in which it labels them: by name of the node, then frame."""
    return [
        Start(name, tuple(node.symbols), cell, positions, float(temperature))
        for name, node in sorted(frames.items())
        for cell, positions, temperature in zip(
            node.get_array("cells"), node.get_array("positions"), node.get_array("temperatures"), strict=True
        )
    ]


def validate_frames(frames: Mapping[str, orm.TrajectoryData], _: Any) -> str | None:
    """Check that there are frames, and that each can be labelled."""
    if not frames:
        return "frames: at least one node of frames is needed"
    for name, node in sorted(frames.items()):
        if (flaw := describe_flaw(node)) is not None:
            return f"frames.{name}: {flaw}"
    number = sum(len(node.get_array("cells")) for node in frames.values())
    if number > MAX_STARTS:
        return f"frames: {number} frames are outside the allowed range 1 to {MAX_STARTS} of one job"
    return None


def validate_label(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Check that the potential knows the species of all frames."""
    if any(name not in inputs for name in ("frames", "potential")):
        return None
    return missing_species(inputs["potential"], _species(inputs["frames"]))


class LammpsLabelCalculation(CalcJob):
    """Label frames with a reference potential: as they are, or after a short run from each of them.

    All frames go through one LAMMPS process. Cells may be oblique and have any orientation: LAMMPS gets them turned,
    and the labels are turned back.
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare inputs, outputs and exit codes."""
        super().define(spec)
        spec.input("potential", valid_type=PotentialData, validator=may_run, help="Potential that gives the labels.")
        spec.input_namespace(
            "frames",
            dynamic=True,
            valid_type=orm.TrajectoryData,
            validator=validate_frames,
            help="Starting frames, a node for each list of atoms and phase: arrays `cells`, `positions` (Angstrom), "
            "`temperatures` (K), attribute `phase`.",
        )
        spec.input(
            "settings",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(LabelSettings, "settings"),
            default=lambda: orm.Dict({}),
            help="How the frames are labelled, see LabelSettings.",
        )
        spec.input(
            "seed",
            valid_type=orm.Int,
            serializer=orm.to_aiida_type,
            validator=validate_seed,
            default=lambda: orm.Int(1),
            help="Seed of all random numbers of the job.",
        )
        declare_options(spec, "dnpmelt.label", validate_label)

        spec.output_namespace(
            "frames",
            dynamic=True,
            valid_type=FramesData,
            required=False,
            help="Labelled frames, under the names of the starting frames; a node without a good frame is left out.",
        )
        spec.output(
            "results",
            valid_type=orm.Dict,
            help="Counts of frames (`expected`, `labelled`, `not_finite`, `large_force`, `missing`, `by_name`), cost, "
            "version, warnings and errors.",
        )
        spec.default_output_node = "results"
        declare_failures(spec)
        spec.exit_code(
            420,
            "ERROR_NOTHING_LABELLED",
            message="No frame got a label that is finite, with forces within the bound: look at the starting frames.",
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input, a data file for each starting frame, and the potential."""
        inputs = self.inputs
        potential: PotentialData = inputs.potential
        species = _species(inputs.frames)
        starts = starts_of(inputs.frames)
        spec = LabelSpec(
            temperatures_k=tuple(start.temperature_k for start in starts),
            seed=inputs.seed.value,
            pair_commands=tuple(potential.lammps_commands(potential.filename, species)),
        )
        with folder.open(INPUT_FILE, "w", encoding="utf-8") as handle:
            handle.write(build_script(LabelSettings(**inputs.settings.get_dict()), spec))
        for index, start in enumerate(starts, start=1):
            with folder.open(data_file(index), "w", encoding="utf-8") as handle:
                handle.write(_data(start, species))
        write_potential(folder, potential, potential.filename)

        calcinfo = CalcInfo()
        # The cells are in the graph already: the data files are not stored a second time.
        data_files = [data_file(index) for index in range(1, len(starts) + 1)]
        calcinfo.provenance_exclude_list = [potential.filename, *data_files]
        calcinfo.codes_info = [lammps_call(inputs.code)]
        calcinfo.retrieve_list = [LOG_FILE, OUTPUT_FILE]
        calcinfo.retrieve_temporary_list = [DUMP_FILE]
        return calcinfo


def _species(frames: Mapping[str, orm.TrajectoryData]) -> list[str]:
    return sorted({symbol for node in frames.values() for symbol in node.symbols})


def _data(start: Start, species: list[str]) -> str:
    atoms = Atoms(start.symbols, positions=start.positions, cell=start.cell, pbc=True)
    text = StringIO()
    write(text, atoms, format="lammps-data", specorder=species, masses=True)
    return text.getvalue()
