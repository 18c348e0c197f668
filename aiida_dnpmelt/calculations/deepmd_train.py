"""Train a DeePMD model on labelled frames, freeze it, compress it and test it, in one job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeRunMode
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec

from aiida_dnpmelt.calculations.deepmd_input import (
    CHECKPOINT_FOLDER,
    CHECKPOINT_PREFIX,
    LEARNING_CURVE_FILE,
    build_input,
    to_json,
)
from aiida_dnpmelt.calculations.deepmd_job import VERSION_FILE, declare_job, dp_call, version_call
from aiida_dnpmelt.calculations.deepmd_settings import counted_cutoffs, refusal, sel_refusal
from aiida_dnpmelt.calculations.deepmd_systems import (
    DATA_FOLDER,
    TRAINING,
    VALIDATION,
    splits_of,
    system_path,
    write_systems,
)
from aiida_dnpmelt.calculations.job_inputs import inputs_of
from aiida_dnpmelt.calculations.label_consistency import mixed_labels
from aiida_dnpmelt.calculations.validators import both, may_run, validate_seed
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import DEEPMD, PotentialData
from aiida_dnpmelt.physics.neighbours import most_neighbours
from aiida_dnpmelt.physics.splitting import Split

INPUT_FILE = "input.json"
PARENT_FILE = "parent.pb"
MODEL_FILE = "model.pb"
COMPRESSED_FILE = "compressed.pb"
TRAIN_LOG = "train.log"
TEST_LOG = "test.log"
TEST_PREFIX = "test"
ENERGIES_FILE = f"{TEST_PREFIX}.e_peratom.out"
WALL_TIME_FILE = "wall_time.txt"
CPU_TIME_FILE = "cpu_time.txt"
CHECKPOINT_FILE = f"{CHECKPOINT_FOLDER}/checkpoint"
STEPS = ("version", "train", "freeze", "compress", "test")

WALL_TIME_SHARE = 0.95
"""Share of the wall time after which the training is stopped, so that the job ends by itself."""
LARGEST_STEPS = 1_000_000_000
COMPRESSED = b"compressed_model"
"""What DeePMD-kit writes into a compressed model as its type."""

_ON_EXIT = f"""\
# What follows a command that failed would fail, too.
set -e
trap 'times > {CPU_TIME_FILE}' EXIT"""

_STOP_IN_TIME = """\
# Stop what runs before the wall time of the job is over: the training goes on from its last checkpoint.
(
    set +e
    watch=$BASHPID
    end=$(( $(date +%s) + {seconds} ))
    while kill -0 $$ && [ "$(date +%s)" -lt "$end" ]; do sleep 1; done
    running=$(ps -A -o pid= -o ppid= | awk -v shell=$$ -v watch=$watch '$2 == shell && $1 != watch {{ print $1 }}')
    if [ -n "$running" ]; then
        echo {seconds} > {file}
        kill -s TERM $running
    fi
) < /dev/null > /dev/null 2>&1 &"""


def error_file(step: str) -> str:
    """Return the name of the file with the error stream of a step."""
    return f"{step}.err"


def validate_share(node: orm.Float | None, _: Any) -> str | None:
    """Check that a share leaves something for training."""
    if node is not None and not 0 <= node.value < 1:
        return f"validation_share: {node.value:g} is outside the allowed range 0 <= validation_share < 1"
    return None


def validate_split_seed(node: orm.Int | None, _: Any) -> str | None:
    """Check that the seed of the split is one that numpy takes."""
    if node is not None and not 0 <= node.value < 900_000_000:
        return f"split_seed: {node.value} is outside the allowed range 0 to 899999999"
    return None


def validate_steps(node: orm.Int | None, _: Any) -> str | None:
    """Check the number of training steps."""
    if node is not None and not 1 <= node.value <= LARGEST_STEPS:
        return f"steps: {node.value} is outside the allowed range 1 to {LARGEST_STEPS}"
    return None


def validate_checkpoint_step(node: orm.Int | None, _: Any) -> str | None:
    """Check the step of a checkpoint."""
    if node is not None and not 1 <= node.value <= LARGEST_STEPS:
        return f"checkpoint_step: {node.value} is outside the allowed range 1 to {LARGEST_STEPS}"
    return None


def validate_settings(node: orm.Dict | None, _: Any) -> str | None:
    """Check the settings by themselves."""
    return refusal(node.get_dict()) if node is not None else None


def validate_parent_model(node: PotentialData | None, _: Any) -> str | None:
    """Check that a training can begin with a model."""
    if node is None:
        return None
    if node.pair_style != DEEPMD or node.format != "pb":
        return f"parent_model: '{node.label}' is {node.pair_style} ({node.format}), it must be a deepmd model (pb)"
    if COMPRESSED in node.get_content(mode="rb"):
        return (
            f"parent_model: '{node.label}' is compressed, which would keep its embedding net as it is: give the "
            "model from before the compression, the output `uncompressed` of its training"
        )
    return None


def validate_job(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Check what depends on more than one input of a job."""
    if "parent_model" in inputs and "parent_folder" in inputs:
        return "parent_model and parent_folder: give one of them, to begin with a model or to go on with a training"
    if ("parent_folder" in inputs) != ("checkpoint_step" in inputs):
        return "parent_folder and checkpoint_step: give both to go on with a training, or none to start one"
    if "frames" in inputs and not inputs["frames"]:
        return "frames: no node given, at least one is needed"
    if any(name not in inputs for name in ("frames", "settings")):
        return None
    settings = inputs["settings"].get_dict()
    return validate_frames(inputs["frames"], settings) or _validate_parent(inputs.get("parent_model"), settings)


def validate_frames(frames: Mapping[str, FramesData], settings: Mapping[str, Any]) -> str | None:
    """Check that the settings know the species of the frames, and have room for the neighbours."""
    parts = [frames[name].frames for name in sorted(frames)]
    missing = sorted({symbol for part in parts for symbol in part.symbols} - set(settings["model"]["type_map"]))
    if missing:
        known = ", ".join(settings["model"]["type_map"])
        return f"settings.model.type_map: {', '.join(missing)} of the frames missing, it has {known}"
    most = {cutoff: most_neighbours(parts, cutoff) for cutoff in counted_cutoffs(settings)}
    return sel_refusal(settings, most)


def _validate_parent(parent: PotentialData | None, settings: Mapping[str, Any]) -> str | None:
    if parent is None or parent.type_map == settings["model"]["type_map"]:
        return None
    return f"parent_model: its type_map is {parent.type_map}, that of the settings {settings['model']['type_map']}"


class DeepmdTrainCalculation(CalcJob):
    """Train one DeePMD model: `dp train`, `dp freeze`, `dp compress` if asked, and `dp test` on all frames.

    The job writes the systems and the input of DeePMD-kit itself, from nodes. With a wall time it stops itself in
    time; that needs bash, `ps` and `awk` on the computer. Without them, the scheduler cuts it.
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare inputs, outputs and exit codes."""
        super().define(spec)
        spec.input_namespace(
            "frames",
            valid_type=FramesData,
            dynamic=True,
            validator=mixed_labels,
            help="Labelled frames to train on, a system of DeePMD-kit for each node.",
        )
        spec.input(
            "settings",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=validate_settings,
            help="Sections `model`, `learning_rate`, `loss` and `training` of the input of DeePMD-kit, in its own "
            "units (eV, Angstrom); without systems, seeds and steps, which have their own inputs.",
        )
        spec.input(
            "seed",
            valid_type=orm.Int,
            serializer=orm.to_aiida_type,
            validator=validate_seed,
            help="Seed from which those of descriptor, fitting net and batches are derived.",
        )
        spec.input(
            "steps",
            valid_type=orm.Int,
            serializer=orm.to_aiida_type,
            validator=validate_steps,
            help="Training steps in all, counted from the start, also for a training that goes on.",
        )
        spec.input(
            "validation_share",
            valid_type=orm.Float,
            serializer=orm.to_aiida_type,
            validator=validate_share,
            help="Share of the frames of each node that is not trained on, from 0 to below 1.",
        )
        spec.input(
            "split_seed",
            valid_type=orm.Int,
            serializer=orm.to_aiida_type,
            validator=validate_split_seed,
            help="Seed of the choice of these frames.",
        )
        spec.input(
            "compress",
            valid_type=orm.Bool,
            serializer=orm.to_aiida_type,
            default=lambda: orm.Bool(False),
            help="Compress the model: it runs faster, but no training can begin with it.",
        )
        spec.input(
            "parent_model",
            valid_type=PotentialData,
            validator=both(may_run, validate_parent_model),
            required=False,
            help="Model to begin with (warm start), not compressed, of the same network, type map and `sel`.",
        )
        spec.input(
            "parent_folder",
            valid_type=orm.RemoteData,
            validator=may_run,
            required=False,
            help="Folder of a job of the same inputs that was cut, to go on from one of its checkpoints.",
        )
        spec.input(
            "checkpoint_step",
            valid_type=orm.Int,
            serializer=orm.to_aiida_type,
            validator=validate_checkpoint_step,
            required=False,
            help="Step of that checkpoint, as the job gave it in `results`.",
        )
        declare_job(spec, "dnpmelt.deepmd_train", validate_job)

        spec.output(
            "learning_curve",
            valid_type=orm.ArrayData,
            required=False,
            help="Root mean square errors of single batches by step, units in the names.",
        )
        spec.output("results", valid_type=orm.Dict, required=False, help="Errors, costs, seeds; units in the keys.")
        spec.output("potential", valid_type=PotentialData, required=False, help="The model, compressed if asked.")
        spec.output(
            "uncompressed",
            valid_type=PotentialData,
            required=False,
            help="The model from before the compression, for a training that begins with it.",
        )
        spec.default_output_node = "results"

        spec.exit_code(
            302,
            "ERROR_LEARNING_CURVE_MISSING",
            message="The training came to its end, but left no learning curve: train again.",
            invalidates_cache=True,
        )
        spec.exit_code(
            303,
            "ERROR_FREEZE_FAILED",
            message="The model could not be frozen: go on from the last checkpoint. {reason}",
            invalidates_cache=True,
        )
        spec.exit_code(
            304,
            "ERROR_COMPRESS_FAILED",
            message="The model could not be compressed: go on from the last checkpoint, or without it. {reason}",
            invalidates_cache=True,
        )
        spec.exit_code(
            305,
            "ERROR_TEST_FAILED",
            message="The model could not be tested on the frames: go on from the last checkpoint. {reason}",
            invalidates_cache=True,
        )
        spec.exit_code(
            400,
            "ERROR_OUT_OF_WALLTIME",
            message="The wall time ended the training at step {step}: go on from its last checkpoint.",
        )
        spec.exit_code(
            401,
            "ERROR_INTERRUPTED",
            message="The job was cut at step {step}: go on from its last checkpoint, if there is one.",
            invalidates_cache=True,
        )
        spec.exit_code(
            402,
            "ERROR_OUT_OF_MEMORY",
            message="Memory was not enough: ask for more, or take smaller batches or networks. {reason}",
            invalidates_cache=True,
        )
        spec.exit_code(
            410,
            "ERROR_NOT_FINITE",
            message="The loss is not a number after step {step}: lower the learning rate, or check the labels.",
        )
        spec.exit_code(
            411,
            "ERROR_SETTINGS_REFUSED",
            message="DeePMD-kit refused the settings or the frames. {reason}",
        )
        spec.exit_code(412, "ERROR_DEEPMD", message="The training ended with an error. {reason}")

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the systems and the input; the commands follow each other as long as none fails."""
        inputs = self.inputs
        frames = {name: inputs.frames[name] for name in sorted(inputs.frames)}
        settings = inputs.settings.get_dict()
        splits = splits_of_inputs(inputs)
        write_systems(
            Path(folder.abspath),
            {name: node.frames for name, node in frames.items()},
            splits,
            settings["model"]["type_map"],
        )
        content = build_input(
            settings,
            training=systems_of(splits, TRAINING),
            validation=systems_of(splits, VALIDATION),
            seed=inputs.seed.value,
            steps=inputs.steps.value,
        )
        with folder.open(INPUT_FILE, "w", encoding="utf-8") as handle:
            handle.write(to_json(content))

        calcinfo = CalcInfo()
        calcinfo.provenance_exclude_list = [DATA_FOLDER]
        origin = self._take_over(calcinfo)
        calcinfo.prepend_text = prepend_text(inputs.metadata.options.get("max_wallclock_seconds"))
        calcinfo.codes_info = [
            version_call(inputs.code, error_file("version")),
            *(
                dp_call(inputs.code, arguments, error_file(step))
                for step, arguments in commands(origin, inputs.compress.value).items()
            ),
        ]
        calcinfo.codes_run_mode = CodeRunMode.SERIAL
        models = [MODEL_FILE, *([COMPRESSED_FILE] if inputs.compress.value else [])]
        logs = [LEARNING_CURVE_FILE, VERSION_FILE, TRAIN_LOG, TEST_LOG, WALL_TIME_FILE, CPU_TIME_FILE]
        calcinfo.retrieve_list = [
            *logs,
            *(error_file(step) for step in STEPS),
            (CHECKPOINT_FILE, ".", 0),
        ]
        calcinfo.retrieve_temporary_list = [*models, ENERGIES_FILE]
        return calcinfo

    def _take_over(self, calcinfo: CalcInfo) -> list[str]:
        """Let the job have what it begins with, and return the options of `dp train` that name it."""
        if "parent_folder" in self.inputs:
            parent: orm.RemoteData = self.inputs.parent_folder
            source = f"{parent.get_remote_path()}/{CHECKPOINT_FOLDER}"
            calcinfo.remote_copy_list = [(parent.computer.uuid, source, CHECKPOINT_FOLDER)]
            # The name without the step is a link that DeePMD-kit makes last: a job may be cut before it does.
            return ["--restart", f"{CHECKPOINT_PREFIX}-{self.inputs.checkpoint_step.value}"]
        if "parent_model" in self.inputs:
            model: PotentialData = self.inputs.parent_model
            calcinfo.local_copy_list = [(model.uuid, model.filename, PARENT_FILE)]
            return ["--init-frz-model", PARENT_FILE]
        return []


def commands(origin: Sequence[str], compress: bool) -> dict[str, list[str]]:
    """Return the arguments of `dp` for each step of the job after `dp --version`.

    :param origin: options of the training that name what it begins with.
    """
    steps = {
        "train": ["train", INPUT_FILE, *origin, "--log-path", TRAIN_LOG],
        "freeze": ["freeze", "-c", CHECKPOINT_FOLDER, "-o", MODEL_FILE],
    }
    if compress:
        steps["compress"] = ["compress", "-i", MODEL_FILE, "-o", COMPRESSED_FILE, "-t", INPUT_FILE]
    model = COMPRESSED_FILE if compress else MODEL_FILE
    steps["test"] = ["test", "-m", model, "-s", DATA_FOLDER, "-n", "0", "-d", TEST_PREFIX, "--log-path", TEST_LOG]
    return steps


def prepend_text(wall_seconds: int | None) -> str:
    """Return what the job script does before the first command.

    :param wall_seconds: wall time of the job in s, None for no limit.
    """
    if wall_seconds is None:
        return _ON_EXIT
    seconds = int(WALL_TIME_SHARE * wall_seconds)
    return f"{_ON_EXIT}\n{_STOP_IN_TIME.format(seconds=seconds, file=WALL_TIME_FILE)}"


def frame_numbers(frames: Mapping[str, FramesData]) -> dict[str, int]:
    """Return the number of frames of each node."""
    return {name: int(node.base.attributes.get("number_of_frames")) for name, node in frames.items()}


def systems_of(splits: Mapping[str, Split], part: str) -> list[str]:
    """Return the folders of the systems of one part, training or validation."""
    return [system_path(part, name) for name, found in splits.items() if getattr(found, part)]


def splits_of_job(node: orm.CalcJobNode) -> dict[str, Split]:
    """Return which frames of each node a job trained on, and which it only tested: indices by the name of the node."""
    return splits_of_inputs(inputs_of(node))


def splits_of_inputs(inputs: Mapping[str, Any]) -> dict[str, Split]:
    """Return the same from the inputs of the job."""
    share, seed = inputs["validation_share"].value, inputs["split_seed"].value
    return splits_of(frame_numbers(inputs["frames"]), share, seed)
