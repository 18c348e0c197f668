"""Several models of the same frames that differ by their seeds: an ensemble that knows where it is unsure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, WorkChain, append_

from aiida_dnpmelt.calculations.deepmd_settings import SECTIONS
from aiida_dnpmelt.calculations.deepmd_train import DeepmdTrainCalculation
from aiida_dnpmelt.calculations.job_resources import fitted_options
from aiida_dnpmelt.calculations.training import complete_settings, frames_arguments, summarise_trainings
from aiida_dnpmelt.calculations.validators import may_run, positive, validate_seeds
from aiida_dnpmelt.data.frames import FramesData, lacking_labels
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.ordering import ordered
from aiida_dnpmelt.workchains.deepmd_training import DeepmdTrainingWorkChain
from aiida_dnpmelt.workchains.protocols import load_protocol, merge
from aiida_dnpmelt.workchains.steps import submit_once, why

_SECTIONS = (
    "settings",
    "steps",
    "seeds",
    "quorum",
    "validation_share",
    "split_seed",
    "compress",
    "sel_margin",
)
_OWN = ("frames", "settings", "seed", "steps", "validation_share", "split_seed", "compress", "parent_model")
_PASSED_ON = ("frames", "steps", "validation_share", "split_seed", "compress")


def validate_sections(node: orm.Dict | None, _: Any) -> str | None:
    """Check that the settings have the sections that are filled further."""
    if node is None:
        return None
    settings = node.get_dict()
    missing = [name for name in SECTIONS if not isinstance(settings.get(name), dict)]
    return f"settings.{missing[0]}: this section is needed, as a dictionary" if missing else None


def model_name(seed: int) -> str:
    """Return the name of the model of a seed among the outputs."""
    return f"seed_{seed}"


class TrainingWorkChain(WorkChain):
    """Train several models on the same frames, in parallel; they differ by their seeds alone.

    A training that fails is left out and named. The work chain fails if fewer than `quorum` are left.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(
            DeepmdTrainingWorkChain,
            namespace="training",
            exclude=(*(f"calc.{name}" for name in _OWN), "calc.parent_folder", "calc.checkpoint_step", "clean_workdir"),
        )
        spec.expose_inputs(DeepmdTrainCalculation, include=_PASSED_ON)
        spec.input(
            "settings",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=validate_sections,
            help="Settings of DeePMD-kit, see the job; `type_map` and `sel` are filled from the frames if they are "
            "not given.",
        )
        spec.input(
            "seeds",
            valid_type=orm.List,
            serializer=orm.to_aiida_type,
            validator=validate_seeds,
            help="Seeds, one a model.",
        )
        spec.input(
            "quorum",
            valid_type=orm.Int,
            serializer=orm.to_aiida_type,
            help="Least number of models that must come to their end, from 1 to the number of seeds.",
        )
        spec.input(
            "sel_margin",
            valid_type=orm.Float,
            serializer=orm.to_aiida_type,
            validator=positive("sel_margin", "", 10),
            default=lambda: orm.Float(1.2),
            help="Factor over the largest counted number of neighbours where `sel` is filled; it is rounded up to a "
            "multiple of 4.",
        )
        spec.input_namespace(
            "parent_models",
            valid_type=PotentialData,
            validator=may_run,
            dynamic=True,
            required=False,
            help="Models to begin with, not compressed, as `seed_1`, ... for each seed that has one.",
        )
        spec.input(
            "protocol",
            valid_type=orm.Str,
            serializer=orm.to_aiida_type,
            default=lambda: orm.Str("custom"),
            help="Name of the protocol that the settings come from.",
        )
        spec.inputs.validator = cls.validate_inputs

        spec.outline(cls.setup, cls.prepare_settings, cls.run_trainings, cls.inspect_trainings, cls.results)
        spec.output_namespace("potentials", valid_type=PotentialData, help="The models, as `seed_1`, ...")
        spec.output_namespace(
            "uncompressed", valid_type=PotentialData, help="The same before compression, to begin with later."
        )
        spec.output("settings", valid_type=orm.Dict, help="Settings with `type_map` and `sel`.")
        spec.output("results", valid_type=orm.Dict, help="Errors of the models side by side, units in the keys.")
        spec.exit_code(
            401,
            "ERROR_BELOW_QUORUM",
            message="{done} of {number} trainings came to their end, {quorum} are needed. {reason}",
        )

    @classmethod
    def validate_inputs(cls, inputs: Mapping[str, Any], _: Any) -> str | None:
        """Check what depends on more than one input."""
        if "frames" in inputs and not inputs["frames"]:
            return "frames: no node given, at least one is needed"
        if (problem := _frames_refusal(inputs)) is not None:
            return problem
        if "seeds" not in inputs:
            return None
        seeds = inputs["seeds"].get_list()
        if "quorum" in inputs and not 1 <= inputs["quorum"].value <= len(seeds):
            return f"quorum: {inputs['quorum'].value} is outside the allowed range 1 to {len(seeds)}, the seeds"
        unknown = sorted(set(inputs.get("parent_models", {})) - {model_name(seed) for seed in seeds})
        if unknown:
            names = ", ".join(model_name(seed) for seed in seeds)
            return f"parent_models.{unknown[0]}: there is no such seed, the names are {names}"
        return None

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.InstalledCode,
        frames: Mapping[str, FramesData],
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with the settings of a protocol.

        :param code: DeePMD-kit.
        :param frames: labelled frames by name.
        :param protocol: ``balanced`` (default), ``fast`` or ``paper``.
        :param overrides: values over the protocol's, in its sections ``settings``, ``steps``, ``seeds``, ``quorum``,
            ``validation_share``, ``split_seed``, ``compress`` and ``sel_margin``.
        :param options: options of the jobs, such as ``max_wallclock_seconds``.
        :raises ValueError: for an unknown protocol or section.
        """
        values = load_protocol("training", protocol)
        unknown = set(overrides or {}) - set(_SECTIONS)
        if unknown:
            raise ValueError(f"overrides: {', '.join(sorted(unknown))} unknown, there are {', '.join(_SECTIONS)}")
        values = merge(values, dict(overrides or {}))
        builder = cls.get_builder()
        builder.frames = dict(frames)
        builder.settings = orm.Dict(values["settings"])
        builder.steps = orm.Int(values["steps"])
        builder.seeds = orm.List(values["seeds"])
        builder.quorum = orm.Int(values["quorum"])
        builder.validation_share = orm.Float(values["validation_share"])
        builder.split_seed = orm.Int(values["split_seed"])
        builder.compress = orm.Bool(values["compress"])
        builder.sel_margin = orm.Float(values["sel_margin"])
        builder.protocol = orm.Str(values["name"])
        builder.training.calc.code = code
        for name, value in fitted_options(code, options or {}).items():
            builder.training.calc.metadata.options[name] = value
        return builder

    def setup(self) -> None:
        """Name everything that the context holds: plain values and stored nodes."""
        self.ctx.settings = None
        self.ctx.children = []
        self.ctx.done = {}

    def prepare_settings(self) -> None:
        """Fill the type map and the numbers of neighbours from the frames."""
        self.ctx.settings = complete_settings(
            settings=self.inputs.settings,
            sel_margin=self.inputs.sel_margin,
            metadata={"call_link_label": "settings"},
            **frames_arguments(dict(self.inputs.frames)),
        )

    def run_trainings(self) -> None:
        """Submit one training for each seed."""
        seeds = self.inputs.seeds.get_list()
        frames = sum(node.base.attributes.get("number_of_frames") for node in self.inputs.frames.values())
        self.report(
            f"training {len(seeds)} models on {frames} frames, {self.inputs.steps.value} steps each, seeds "
            + ", ".join(map(str, seeds))
        )
        for node in [self._submit(seed) for seed in seeds]:
            self.to_context(children=append_(node))

    def inspect_trainings(self) -> ExitCode | None:
        """Count the trainings that came to their end; the others are named."""
        reasons = []
        for node in self.ctx.children:
            name = str(node.label)
            if node.is_finished_ok:
                self.ctx.done[name] = node
                continue
            reasons.append(f"{name}: {why(node)}")
            self.report(f"{name} ({node.pk}) failed: {why(node)}")
        if len(self.ctx.done) < self.inputs.quorum.value:
            return self.exit_codes.ERROR_BELOW_QUORUM.format(
                done=len(self.ctx.done),
                number=len(self.ctx.children),
                quorum=self.inputs.quorum.value,
                reason="; ".join(reasons),
            )
        return None

    def results(self) -> None:
        """Attach the models and their errors side by side."""
        for name, node in self.ctx.done.items():
            self.out(f"potentials.{name}", node.outputs.potential)
            before = node.outputs.uncompressed if "uncompressed" in node.outputs else node.outputs.potential
            self.out(f"uncompressed.{name}", before)
        self.out("settings", self.ctx.settings)
        summary = summarise_trainings(
            metadata={"call_link_label": "summary"},
            **{name: node.outputs.results for name, node in self.ctx.done.items()},
        )
        self.out("results", summary)
        force = summary["largest_rmse_force_validation_ev_per_angstrom"]
        shown = "no validation" if force is None else f"largest force error on validation {force:.3f} eV/Angstrom"
        self.report(f"{len(self.ctx.done)} models, {shown}")

    def _submit(self, seed: int) -> orm.ProcessNode:
        """Submit one training, or return it if this step had already done so before it was cut."""
        label = model_name(seed)
        inputs = self.exposed_inputs(DeepmdTrainingWorkChain, "training")
        inputs.calc.update(
            {name: self.inputs[name] for name in _PASSED_ON}, settings=self.ctx.settings, seed=orm.Int(seed)
        )
        parents = self.inputs.get("parent_models", {})
        if label in parents:
            inputs.calc["parent_model"] = parents[label]
        return submit_once(self, DeepmdTrainingWorkChain, label, inputs)


def _frames_refusal(inputs: Mapping[str, Any]) -> str | None:
    """Return which frames the given type map or the models to begin with do not know."""
    if any(name not in inputs for name in ("frames", "settings")):
        return None
    maps = {"settings.model.type_map": inputs["settings"].get_dict()["model"].get("type_map")}
    maps |= {f"parent_models.{name}": node.type_map for name, node in inputs.get("parent_models", {}).items()}
    for name, node in ordered(inputs["frames"]).items():
        if lacking := lacking_labels(node):
            return f"frames.{name}: it cannot be trained on: it lacks {', '.join(lacking)}"
        own = set(node.base.attributes.get("symbols"))
        for key, known in maps.items():
            if known is not None and (missing := sorted(own - set(known))):
                return f"frames.{name}: it holds {', '.join(missing)}, {key} has {', '.join(known)}"
    return None
