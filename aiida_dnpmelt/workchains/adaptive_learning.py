"""Adaptive learning: train a committee, explore with it, label what it does not know, until it is enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, WorkChain, if_, while_

from aiida_dnpmelt.calculations.initial_frames import initial_frames
from aiida_dnpmelt.calculations.job_resources import fitted_options
from aiida_dnpmelt.calculations.label_consistency import mixed_labels, other_functional
from aiida_dnpmelt.calculations.lammps_exploration import LammpsExplorationCalculation
from aiida_dnpmelt.calculations.learning import (
    GIVEN,
    decide_learning,
    exploration_inputs,
    first_frames_inputs,
    sel_suffices,
    summarise_learning,
    warm_training,
)
from aiida_dnpmelt.calculations.learning_plan import LearningPlan, WarmStart
from aiida_dnpmelt.calculations.melting_point import tabulated_melting_temperature
from aiida_dnpmelt.calculations.structures import coexistence_cell
from aiida_dnpmelt.calculations.training import frames_arguments
from aiida_dnpmelt.calculations.validators import fits, may_run, validate_seed
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import orthogonal_cell
from aiida_dnpmelt.physics.ordering import by_number
from aiida_dnpmelt.workchains.exploration import (
    ExplorationWorkChain,
    declare_labelling,
    labeller_inputs,
    labeller_of,
)
from aiida_dnpmelt.workchains.learning_inputs import ITERATION, prefix_beside, refusal
from aiida_dnpmelt.workchains.protocols import load_protocol, merge
from aiida_dnpmelt.workchains.steps import submit_once, why
from aiida_dnpmelt.workchains.tpc import TPCWorkChain, missing_guess
from aiida_dnpmelt.workchains.training import TrainingWorkChain

_SECTIONS = ("plan", "training", "warm", "seed")
_CHECKS = ("check_solid", "check_liquid")


class AdaptiveLearningWorkChain(WorkChain):
    """Grow a training set, and models of it, until the models are good enough for a melting temperature.

    Each iteration trains a committee, explores with it, has the frames labelled on which it disagrees, and compares
    it with the labels before it is trained on them. It ends when the committee agrees at all temperatures and, if a
    target is given, when the predicted shift of T_m of each model is below it; or at a bound.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(TPCWorkChain, include=("structure", "temperature", "pressure", "protocol"))
        spec.input(
            "plan",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(LearningPlan, "plan"),
            help="Stages, thresholds, target, bounds and first frames, see LearningPlan.",
        )
        spec.input(
            "seed",
            valid_type=orm.Int,
            serializer=orm.to_aiida_type,
            validator=validate_seed,
            help="Seed of first frames and explorations; the models have their own in `training.seeds`.",
        )
        spec.input(
            "warm",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(WarmStart, "warm"),
            required=False,
            help="How a training begins with the models of the one before, see WarmStart; without it each begins anew.",
        )
        spec.input_namespace(
            "frames",
            dynamic=True,
            valid_type=FramesData,
            validator=mixed_labels,
            required=False,
            help="Labelled frames to begin with, of the elements of the structure; without them the plan's first "
            "frames are labelled.",
        )
        spec.input_namespace(
            "potentials",
            dynamic=True,
            valid_type=PotentialData,
            validator=may_run,
            required=False,
            help="Models to explore with before any training, as `seed_1`, ... for each seed of the training.",
        )
        spec.input_namespace(
            "uncompressed",
            dynamic=True,
            valid_type=PotentialData,
            validator=may_run,
            required=False,
            help="The same models, not compressed: with them also the first training begins warm.",
        )
        declare_labelling(spec)
        del spec.inputs["label_settings"]  # they are part of the plan
        spec.expose_inputs(TrainingWorkChain, namespace="training", exclude=("frames", "parent_models"))
        spec.expose_inputs(LammpsExplorationCalculation, namespace="exploration", include=("code", "metadata"))
        spec.inputs.validator = cls.validate_inputs

        spec.outline(
            cls.setup,
            cls.prepare_cell,
            if_(cls.should_label_first_frames)(cls.label_first_frames, cls.inspect_first_frames),
            while_(cls.should_iterate)(
                if_(cls.should_train)(cls.train, cls.inspect_training),
                cls.explore,
                cls.inspect_exploration,
            ),
            cls.results,
        )
        spec.output_namespace("potentials", valid_type=PotentialData, help="The last models, as `seed_1`, ...")
        spec.output_namespace("uncompressed", valid_type=PotentialData, help="The same before compression.")
        spec.output_namespace(
            "frames",
            valid_type=FramesData,
            help="All labelled frames: those that were given, under their names, and those of each iteration here.",
        )
        spec.output_namespace("decisions", valid_type=orm.Dict, help="What came next and why, by iteration.")
        spec.output_namespace("comparisons", valid_type=orm.Dict, help="Models against labels, by iteration.")
        spec.output("settings", valid_type=orm.Dict, required=False, help="Settings of the training with `sel`.")
        spec.output("training", valid_type=orm.Dict, required=False, help="Errors of the last models side by side.")
        spec.output("summary", valid_type=orm.Dict, required=False, help="Course of the loop, an entry an iteration.")
        spec.exit_code(401, "ERROR_NO_FIRST_FRAMES", message="The first frames could not be labelled. {reason}")
        spec.exit_code(402, "ERROR_TRAINING_FAILED", message="The training failed; all labels are kept. {reason}")
        spec.exit_code(
            403, "ERROR_EXPLORATION_FAILED", message="The exploration failed; models and labels are kept. {reason}"
        )
        spec.exit_code(
            501,
            "ERROR_NOT_CONVERGED",
            message="The models are not good enough for the plan: {reason}. Go on from the outputs.",
        )

    @classmethod
    def validate_inputs(cls, inputs: Mapping[str, Any], _: Any) -> str | None:
        """Check what depends on more than one input."""
        if any(name not in inputs for name in ("structure", "plan", "labeller", "training")):
            return None
        try:
            cell = orthogonal_cell(inputs["structure"].get_ase())
        except ValueError as exception:
            return f"structure: {exception}"
        problem = missing_guess(inputs)
        if problem is not None:
            return problem
        plan = LearningPlan(**inputs["plan"].get_dict())
        if not inputs.get("frames") and not plan.first_frames:
            if not inputs.get("potentials"):
                return "frames, potentials, plan.first_frames: one of them is needed to begin with"
            if plan.thresholds.unit == "rms_force":
                return "frames, plan.first_frames: thresholds in units of the rms force need labelled frames"
        return other_functional(inputs.get("frames", {}), inputs.get("labelling", {})) or refusal(inputs, cell)

    @classmethod
    def get_builder_from_protocol(
        cls,
        training_code: orm.InstalledCode,
        lammps_code: orm.InstalledCode,
        structure: orm.StructureData,
        labelling: Mapping[str, Any],
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        labeller: str = "dnpmelt.label_reference",
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with the settings of a protocol.

        :param training_code: DeePMD-kit.
        :param lammps_code: LAMMPS that knows the pair style ``deepmd``.
        :param labelling: inputs of the labeller, for the default one ``code`` and ``potential``.
        :param protocol: ``balanced`` (default), ``fast`` or ``paper``; of the training as well.
        :param overrides: values over the protocol's, in its sections ``plan``, ``training``, ``warm``, ``seed``.
        :param labeller: entry point of the work chain that labels frames.
        :param options: options of all jobs, such as ``account``, or ``resources`` with the ``parallel_env`` of SGE.
        :raises ValueError: for an unknown protocol or section.
        """
        values = load_protocol("adaptive_learning", protocol)
        unknown = set(overrides or {}) - set(_SECTIONS)
        if unknown:
            raise ValueError(f"overrides: {', '.join(sorted(unknown))} unknown, there are {', '.join(_SECTIONS)}")
        values = merge(values, dict(overrides or {}))
        training = TrainingWorkChain.get_builder_from_protocol(
            training_code, {}, values["name"], values.get("training", {}), options
        )
        del training["frames"]
        builder = cls.get_builder()
        builder.structure = structure
        builder.plan = orm.Dict(values["plan"])
        builder.seed = orm.Int(values["seed"])
        if values.get("warm"):
            builder.warm = orm.Dict(values["warm"])
        builder.protocol = orm.Str(values["name"])
        builder.training = training._inputs(prune=True)
        builder.exploration.code = lammps_code
        builder.exploration.metadata.options = fitted_options(lammps_code, options or {})
        builder.labeller = orm.Str(labeller)
        builder.labelling = dict(labelling)
        of_labels = fitted_options(labelling["code"], options or {}) if "code" in labelling else {}
        if of_labels:
            builder.labelling_options = orm.Dict(of_labels)
        return builder

    def setup(self) -> None:
        """Name everything that the context holds: plain values and stored nodes."""
        self.ctx.iteration = 0
        self.ctx.stage = 0
        self.ctx.cell = None
        self.ctx.temperature = None
        self.ctx.starts = {}
        self.ctx.frames = dict(self.inputs.get("frames", {}))
        for name, frames in self.ctx.frames.items():
            self.out(f"frames.{name}", frames)
        self.ctx.potentials = dict(self.inputs.get("potentials", {}))
        self.ctx.uncompressed = dict(self.inputs.get("uncompressed", {}))
        self.ctx.settings = None
        self.ctx.trainings = {}
        self.ctx.explorations = {}
        self.ctx.decisions = {}
        self.ctx.selection = None
        self.ctx.action = "again"

    def prepare_cell(self) -> None:
        """Find the orthogonal cell and the reference temperature."""
        self.ctx.cell = coexistence_cell(self.inputs.structure, metadata={"call_link_label": "cell"})
        self.ctx.temperature = (
            self.inputs.temperature
            if "temperature" in self.inputs
            else tabulated_melting_temperature(self.ctx.cell, metadata={"call_link_label": "guess"})
        )

    def should_label_first_frames(self) -> bool:
        """Tell whether there are no labels to begin with; models alone bring none to measure forces by."""
        return not self.ctx.frames and bool(LearningPlan(**self.inputs.plan.get_dict()).first_frames)

    def label_first_frames(self) -> None:
        """Have the first frames labelled, a work chain for each kind."""
        found = first_frames_inputs(
            self.ctx.cell,
            self.ctx.temperature,
            self.inputs.pressure,
            self.inputs.plan,
            self.inputs.seed,
            metadata={"call_link_label": "first_frames"},
        )
        for name, first in LearningPlan(**self.inputs.plan.get_dict()).first_frames.items():
            starts = initial_frames(
                self.ctx.cell,
                found[f"settings_{name}"],
                found[f"seed_{name}"],
                metadata={"call_link_label": f"starts_{name}"},
            )
            inputs = labeller_inputs(
                self.inputs, {f"first_{name}": starts}, found[f"label_{name}"], found[f"seed_{name}"]
            )
            label = f"label_first_{name}"
            self.ctx.starts[name] = submit_once(self, labeller_of(self.inputs.labeller.value), label, inputs)
            self.report(f"first frames: {first.labels} labels of {name}")
        self.to_context(**{f"first_{name}": node for name, node in self.ctx.starts.items()})

    def inspect_first_frames(self) -> ExitCode | None:
        """Collect the first labels; a kind that failed is named."""
        reasons = []
        for name, node in self.ctx.starts.items():
            if not node.is_finished_ok:
                reasons.append(f"{name}: {why(node)}")
                self.report(f"labelling of {name} ({node.pk}) failed: {why(node)}")
            self._keep(node)
        if not self.ctx.frames:
            return self.exit_codes.ERROR_NO_FIRST_FRAMES.format(reason="; ".join(reasons))
        return None

    def should_iterate(self) -> bool:
        """Tell whether the last decision asks for another exploration."""
        if self.ctx.action != "stop":
            return True
        decision = self.ctx.decisions[_numbered(self.ctx.iteration)]
        self.report(f"stopping after {self.ctx.iteration} iterations: {'; '.join(decision['reasons'])}")
        return False

    def should_train(self) -> bool:
        """Tell whether there are frames that the models have not seen; models that were given explore first."""
        self.ctx.iteration += 1
        return self.ctx.iteration > 1 or not self.ctx.potentials

    def train(self) -> None:
        """Train the committee on all frames, warm if there are models to begin with and room for all neighbours."""
        inputs = self.exposed_inputs(TrainingWorkChain, "training")
        inputs.frames = dict(self.ctx.frames)
        if self.ctx.settings is not None:
            inputs.settings = self.ctx.settings
        number = _numbered(self.ctx.iteration)
        if "warm" in self.inputs and self._can_begin_warm(inputs.settings):
            found = warm_training(inputs.settings, self.inputs.warm, metadata={"call_link_label": f"warm_{number}"})
            inputs.update(found)
            inputs.parent_models = dict(self.ctx.uncompressed)
        elif self.ctx.settings is not None:
            inputs.settings = self.inputs.training.settings
        label = f"training_{number}"
        how = "warm" if "parent_models" in inputs else "anew"
        self.report(f"iteration {self.ctx.iteration}: training {how} on {self._labels()} frames")
        self.to_context(training=submit_once(self, TrainingWorkChain, label, inputs))

    def inspect_training(self) -> ExitCode | None:
        """Take the models over."""
        node = self.ctx.training
        if not node.is_finished_ok:
            self._attach()
            return self.exit_codes.ERROR_TRAINING_FAILED.format(reason=why(node))
        self.ctx.potentials = dict(node.outputs.potentials)
        self.ctx.uncompressed = dict(node.outputs.uncompressed)
        if self.ctx.settings is None or "parent_models" not in node.inputs:
            self.ctx.settings = node.outputs.settings  # those of a warm one begin with its own learning rate
        self.ctx.trainings[_numbered(self.ctx.iteration)] = node
        return None

    def explore(self) -> None:
        """Explore with the committee, and have it compared with the labels."""
        number = _numbered(self.ctx.iteration)
        before = self.ctx.decisions.get(_numbered(self.ctx.iteration - 1))
        found = exploration_inputs(
            plan=self.inputs.plan,
            stage=orm.Int(self.ctx.stage),
            iteration=orm.Int(self.ctx.iteration),
            seed=self.inputs.seed,
            metadata={"call_link_label": f"exploration_inputs_{number}"},
            **({} if before is None else {"decision": before}),
            **frames_arguments(self.ctx.frames),
        )
        self.ctx.selection = found["selection"]
        passed = ("runs", "exploration_settings", "selection", "label_settings", "seed")
        given = ("pressure", "labeller", "labelling", "labelling_options")
        inputs = {
            "structure": self.ctx.cell,
            "temperature": self.ctx.temperature,
            "potentials": dict(self.ctx.potentials),
            "check_frames": {name.removeprefix("check_"): found[name] for name in _CHECKS if name in found},
            "exploration": self.exposed_inputs(LammpsExplorationCalculation, "exploration"),
            **{name: found[name] for name in passed},
            **{name: self.inputs[name] for name in given if name in self.inputs},
        }
        self.to_context(exploration=submit_once(self, ExplorationWorkChain, f"exploration_{number}", inputs))

    def inspect_exploration(self) -> ExitCode | None:
        """Keep the new labels, and decide."""
        number = _numbered(self.ctx.iteration)
        node = self.ctx.exploration
        self._keep(node, f"{prefix_beside(self._given())}{ITERATION}{number}_")
        if not node.is_finished_ok:
            self._attach()
            return self.exit_codes.ERROR_EXPLORATION_FAILED.format(reason=why(node))
        self.ctx.explorations[number] = node
        comparison = {"comparison": node.outputs.comparison} if "comparison" in node.outputs else {}
        decision = decide_learning(
            plan=self.inputs.plan,
            stage=orm.Int(self.ctx.stage),
            iteration=orm.Int(self.ctx.iteration),
            selection=self.ctx.selection,
            metadata={"call_link_label": f"decision_{number}"},
            **comparison,
            **{f"report_{name}": report for name, report in node.outputs.selection.items()},
            **frames_arguments({name: node for name, node in self.ctx.frames.items() if name not in self._given()}),
            **{f"{GIVEN}{name}": node for name, node in self._given().items()},
        )
        self.ctx.decisions[number] = decision
        self.ctx.action = decision["action"]
        self.ctx.stage = decision["next_stage"]
        text = f"iteration {self.ctx.iteration} ({decision['stage']}): {'; '.join(decision['reasons'])}"
        self.report(text)
        self.node.description = text
        return None

    def results(self) -> ExitCode | None:
        """Attach everything, and tell whether it is good enough."""
        self._attach()
        decision = self.ctx.decisions[_numbered(self.ctx.iteration)]
        if not decision["converged"] or self.ctx.stage + 1 < len(self.inputs.plan["stages"]):
            return self.exit_codes.ERROR_NOT_CONVERGED.format(reason="; ".join(decision["reasons"]))
        return None

    def _keep(self, node: orm.ProcessNode, prefix: str = "") -> None:
        """Keep the labelled frames of a process, and attach them at once."""
        for name, frames in (node.outputs.frames if "frames" in node.outputs else {}).items():
            self.ctx.frames[f"{prefix}{name}"] = frames
            self.out(f"frames.{prefix}{name}", frames)

    def _attach(self) -> None:
        """Attach what there is so far."""
        for name, node in self.ctx.potentials.items():
            self.out(f"potentials.{name}", node)
        for name, node in self.ctx.uncompressed.items():
            self.out(f"uncompressed.{name}", node)
        if self.ctx.settings is not None:
            self.out("settings", self.ctx.settings)
        if self.ctx.trainings:
            last = max(self.ctx.trainings, key=by_number)
            self.out("training", self.ctx.trainings[last].outputs.results)
        for number, decision in self.ctx.decisions.items():
            self.out(f"decisions.{ITERATION}{number}", decision)
        comparisons = {
            number: node.outputs.comparison
            for number, node in self.ctx.explorations.items()
            if "comparison" in node.outputs
        }
        for number, comparison in comparisons.items():
            self.out(f"comparisons.{ITERATION}{number}", comparison)
        if self.ctx.decisions:
            summary = summarise_learning(
                metadata={"call_link_label": "summary"},
                **{f"decision_{number}": node for number, node in self.ctx.decisions.items()},
                **{f"comparison_{number}": node for number, node in comparisons.items()},
                **{f"training_{number}": node.outputs.results for number, node in self.ctx.trainings.items()},
            )
            self.out("summary", summary)

    def _given(self) -> Mapping[str, FramesData]:
        """Return the frames that the loop began with."""
        return self.inputs.frames if "frames" in self.inputs else {}

    def _can_begin_warm(self, settings: orm.Dict) -> bool:
        """Tell whether there are models of these settings, and room in them for the neighbours of all frames."""
        if not self.ctx.uncompressed:
            return False
        label = f"sel_suffices_{_numbered(self.ctx.iteration)}"
        fits_all = sel_suffices(settings, metadata={"call_link_label": label}, **frames_arguments(self.ctx.frames))
        if not fits_all.value:
            self.report("denser frames than before: `sel` of the models is too small for them, training anew")
        return bool(fits_all.value)

    def _labels(self) -> int:
        return sum(node.base.attributes.get("number_of_frames") for node in self.ctx.frames.values())


def _numbered(iteration: int) -> str:
    return f"{iteration:02d}"
