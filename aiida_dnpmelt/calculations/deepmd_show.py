"""Ask DeePMD-kit what a model is, in a job: a model file is never opened by the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeRunMode
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec

from aiida_dnpmelt.calculations.deepmd_job import VERSION_FILE, declare_job, dp_call, version_call
from aiida_dnpmelt.calculations.validators import both, may_run
from aiida_dnpmelt.data.potential import DEEPMD_SUFFIXES, PotentialData, no_model

LOG_FILE = "show.log"
ERROR_FILE = "show.err"


def validate_model(node: orm.SinglefileData, _: Any) -> str | None:
    """Return what is wrong with the name of a model file: DeePMD-kit chooses the backend by its suffix."""
    if Path(node.filename).suffix in DEEPMD_SUFFIXES:
        return None
    return f"model: {no_model(node.filename)}"


class DeepmdShowCalculation(CalcJob):
    """Make a potential of a DeePMD model by `dp show`, which opens it and prints type map and descriptor."""

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare inputs, outputs and exit codes."""
        super().define(spec)
        spec.input(
            "model",
            valid_type=orm.SinglefileData,
            validator=both(may_run, validate_model),
            help=f"Model in one file, {', '.join(DEEPMD_SUFFIXES)}.",
        )
        for name, text in (
            ("origin", "Where the model comes from: text, DOI or URL."),
            ("licence", "Its licence."),
        ):
            spec.input(name, valid_type=orm.Str, serializer=orm.to_aiida_type, required=False, help=text)
        for name, text in (
            ("training_settings", "Settings that the model was trained with: `input.json` or `out.json`."),
            ("learning_curve", "Learning curve of that training: `lcurve.out`."),
        ):
            spec.input(name, valid_type=orm.SinglefileData, required=False, help=text)
        spec.input(
            "models_beside",
            valid_type=orm.Int,
            serializer=orm.to_aiida_type,
            required=False,
            help="Number of models in the folder that these files were found in: they are those of one of them.",
        )
        declare_job(spec, "dnpmelt.deepmd_show")

        spec.output("potential", valid_type=PotentialData, required=False, help="The model as a potential.")
        spec.output(
            "information",
            valid_type=orm.Dict,
            required=False,
            help="What DeePMD-kit said: deepmd_version, type_map, cutoff (Angstrom), descriptor_type and the "
            "printed descriptor.",
        )
        spec.default_output_node = "information"

        spec.exit_code(
            302,
            "ERROR_OUTPUT_INCOMPLETE",
            message="DeePMD-kit ended before it named the type map and the descriptor: run it again.",
            invalidates_cache=True,
        )
        spec.exit_code(
            410,
            "ERROR_NOT_A_MODEL",
            message="DeePMD-kit cannot open the file: give a frozen model of this version. {reason}",
        )
        spec.exit_code(
            411,
            "ERROR_BACKEND_MISSING",
            message="DeePMD-kit lacks the backend of this model: use a code that has it, or convert the "
            "model by `dp convert-backend`. {reason}",
            invalidates_cache=True,
        )
        spec.exit_code(
            412,
            "ERROR_MULTITASK_MODEL",
            message="The model has several branches: freeze the one to use with `dp freeze --head`.",
        )
        spec.exit_code(
            413,
            "ERROR_NO_CUTOFF",
            message="The model does not say its cutoff: freeze its checkpoint again, in this version.",
        )
        spec.exit_code(
            414,
            "ERROR_NOT_A_POTENTIAL",
            message="The model is no potential for chemical elements: {reason}",
        )
        spec.exit_code(
            415,
            "ERROR_OTHER_TRAINING",
            message="The training is that of another model: {reason}",
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Call `dp --version`, which takes no time, and `dp show`, on the model under a name of our own."""
        model: orm.SinglefileData = self.inputs.model
        model_file = f"model{Path(model.filename).suffix}"

        arguments = ["show", "--log-path", LOG_FILE, model_file, "type-map", "descriptor"]
        calcinfo = CalcInfo()
        calcinfo.codes_info = [
            version_call(self.inputs.code),
            dp_call(self.inputs.code, arguments, ERROR_FILE),
        ]
        calcinfo.codes_run_mode = CodeRunMode.SERIAL
        calcinfo.local_copy_list = [(model.uuid, model.filename, model_file)]
        calcinfo.retrieve_list = [VERSION_FILE, LOG_FILE, ERROR_FILE]
        return calcinfo
