"""Test a DeePMD model on labelled frames by `dp test`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeRunMode
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec

from aiida_dnpmelt.calculations.deepmd_job import VERSION_FILE, declare_job, dp_call, version_call
from aiida_dnpmelt.calculations.deepmd_systems import DATA_FOLDER, write_system
from aiida_dnpmelt.calculations.lammps_job import missing_species
from aiida_dnpmelt.calculations.validators import both, may_run
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import DEEPMD, PotentialData

SYSTEMS_FILE = "systems.txt"
LOG_FILE = "test.log"
ERROR_FILE = "test.err"
DETAILS = "test"
DETAIL_FILES = {kind: f"{DETAILS}.{kind}.out" for kind in ("e", "f", "v")}
"""Energies, forces and virials of all frames: labels and those of the model."""


def system_of(name: str) -> str:
    """Return the folder of a set of frames inside of the folder of the job."""
    return f"{DATA_FOLDER}/{name}"


def validate_potential(node: PotentialData, _: Any) -> str | None:
    """Check that DeePMD-kit can open the potential."""
    if node.pair_style == DEEPMD:
        return None
    return f"potential: '{node.label}' is {node.pair_style}, `dp test` opens {DEEPMD} models only"


def validate_test(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Check that there are frames, and that the model knows their species."""
    if "potential" not in inputs or "frames" not in inputs:
        return None
    if not inputs["frames"]:
        return "frames: no node given, at least one is needed"
    species = sorted({symbol for node in inputs["frames"].values() for symbol in node.frames.symbols})
    return missing_species(inputs["potential"], species)


class DeepmdTestCalculation(CalcJob):
    """Let a DeePMD model label frames that are labelled already, and tell how far it is off."""

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare inputs, outputs and exit codes."""
        super().define(spec)
        spec.input(
            "potential",
            valid_type=PotentialData,
            validator=both(may_run, validate_potential),
            help="DeePMD model to test.",
        )
        spec.input_namespace("frames", valid_type=FramesData, dynamic=True, help="Labelled frames to test it on.")
        declare_job(spec, "dnpmelt.deepmd_test", validate_test)

        spec.output(
            "results",
            valid_type=orm.Dict,
            required=False,
            help="Root mean square and largest errors over all frames, and by set in `sets`; units in the keys.",
        )
        spec.output_namespace(
            "frames",
            valid_type=FramesData,
            dynamic=True,
            required=False,
            help="The frames as the model labels them, under the names of the inputs.",
        )
        spec.default_output_node = "results"

        spec.exit_code(
            302,
            "ERROR_OUTPUT_INCOMPLETE",
            message="The test was cut, {done} of {planned} sets are there: run it again, with a longer wall time.",
            invalidates_cache=True,
        )
        spec.exit_code(
            402,
            "ERROR_OUT_OF_MEMORY",
            message="Memory was not enough: ask for more, or set DP_INFER_BATCH_SIZE lower in the code. {reason}",
            invalidates_cache=True,
        )
        spec.exit_code(410, "ERROR_DEEPMD", message="DeePMD-kit ended with an error. {reason}")

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the frames and the list of their folders, which gives them their order."""
        potential: PotentialData = self.inputs.potential
        model_file = f"model.{potential.format}"
        names = sorted(self.inputs.frames)
        for name in names:
            write_system(Path(folder.abspath) / system_of(name), self.inputs.frames[name].frames, potential.type_map)
        with folder.open(SYSTEMS_FILE, "w", encoding="ascii") as handle:
            handle.writelines(f"{system_of(name)}\n" for name in names)

        arguments = ["test", "-m", model_file, "-f", SYSTEMS_FILE, "-n", "0", "-d", DETAILS, "--log-path", LOG_FILE]
        calcinfo = CalcInfo()
        calcinfo.codes_info = [
            version_call(self.inputs.code),
            dp_call(self.inputs.code, arguments, ERROR_FILE),
        ]
        calcinfo.codes_run_mode = CodeRunMode.SERIAL
        calcinfo.local_copy_list = [(potential.uuid, potential.filename, model_file)]
        calcinfo.provenance_exclude_list = [DATA_FOLDER]
        calcinfo.retrieve_list = [VERSION_FILE, LOG_FILE, ERROR_FILE]
        calcinfo.retrieve_temporary_list = list(DETAIL_FILES.values())
        return calcinfo
