"""The whole chain: adaptive learning, coexistence with each model, and what its energies mean for T_m."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, WorkChain

from aiida_dnpmelt.calculations.melting import (
    CorrectionSettings,
    correction_inputs,
    guess_of_model,
    melting_result,
    temperature_of_teacher,
)
from aiida_dnpmelt.calculations.melting_point import tabulated_melting_temperature
from aiida_dnpmelt.calculations.validators import fits, may_run, validate_seed
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.notation import notation
from aiida_dnpmelt.physics.ordering import by_number
from aiida_dnpmelt.workchains.adaptive_learning import AdaptiveLearningWorkChain
from aiida_dnpmelt.workchains.exploration import ExplorationWorkChain
from aiida_dnpmelt.workchains.protocols import load_protocol, merge
from aiida_dnpmelt.workchains.steps import submit_once, why
from aiida_dnpmelt.workchains.tpc import TPCWorkChain, summary

_SECTIONS = ("learning", "tpc", "teacher_tpc", "correction", "seed")
_SHARED = ("structure", "temperature", "pressure")
_TEACHER = "teacher"
_NOT_CONVERGED = AdaptiveLearningWorkChain.exit_codes.ERROR_NOT_CONVERGED.status


class MeltingWorkChain(WorkChain):
    """Compute a melting temperature with models that are learned from a teacher.

    Models are grown by adaptive learning, and the teacher's own T_m is computed beside it if it is a potential. Each
    model goes through two-phase coexistence, which starts from that T_m and the shift that the learning predicts; bulk
    frames at their T_m are labelled by the teacher, and tell how far its own T_m is. The result has all parts of the
    uncertainty apart.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(AdaptiveLearningWorkChain, include=_SHARED)
        spec.expose_inputs(AdaptiveLearningWorkChain, namespace="learning", exclude=_SHARED)
        spec.expose_inputs(TPCWorkChain, namespace="tpc", exclude=(*_SHARED, "potential"))
        spec.input(
            "teacher",
            valid_type=PotentialData,
            validator=may_run,
            required=False,
            help="The teacher, where it is a potential: its own T_m is computed as well, for comparison, and the "
            "coexistence of the models starts from it.",
        )
        spec.expose_inputs(
            TPCWorkChain,
            namespace="teacher_tpc",
            exclude=(*_SHARED, "potential"),
            namespace_options={"required": False, "populate_defaults": False},
        )
        spec.input(
            "correction",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(CorrectionSettings, "correction"),
            help="Bulk runs at the T_m that was found, see CorrectionSettings.",
        )
        spec.input(
            "seed",
            valid_type=orm.Int,
            serializer=orm.to_aiida_type,
            validator=validate_seed,
            help="Seed of these bulk runs.",
        )
        spec.input(
            "protocol",
            valid_type=orm.Str,
            serializer=orm.to_aiida_type,
            default=lambda: orm.Str("custom"),
            help="Name of the protocol that the settings come from.",
        )
        spec.inputs.validator = cls.validate_inputs

        spec.outline(
            cls.setup,
            cls.learn,
            cls.inspect_learning,
            cls.melt,
            cls.inspect_melting,
            cls.correct,
            cls.inspect_correction,
            cls.results,
        )
        spec.output("melting", valid_type=orm.Dict, help="T_m with its parts, see the reference of the schema.")
        spec.output_namespace("melting_points", valid_type=orm.Dict, help="Melting points of the models by name.")
        spec.output("teacher_melting_point", valid_type=orm.Dict, required=False, help="Melting point of the teacher.")
        spec.output_namespace("potentials", valid_type=PotentialData, help="The models, as `seed_1`, ...")
        spec.output("learning", valid_type=orm.Dict, required=False, help="Course of the learning.")
        spec.output("comparison", valid_type=orm.Dict, required=False, help="The models against the teacher at T_m.")
        spec.exit_code(401, "ERROR_LEARNING_FAILED", message="The learning left no models. {reason}")
        spec.exit_code(402, "ERROR_NO_MELTING_POINT", message="No model has a melting temperature. {reason}")

    @classmethod
    def validate_inputs(cls, inputs: Mapping[str, Any], _: Any) -> str | None:
        """Check what depends on more than one input."""
        if ("teacher" in inputs) != bool(inputs.get("teacher_tpc")):
            return "teacher and teacher_tpc: give both to compute the teacher's T_m, or none"
        shared = {name: inputs[name] for name in _SHARED if name in inputs}
        problem = AdaptiveLearningWorkChain.validate_inputs({**inputs.get("learning", {}), **shared}, None)
        if problem is None:
            problem = TPCWorkChain.validate_inputs({**inputs.get("tpc", {}), **shared}, None)
        if problem is None and "teacher" in inputs:
            own = {**inputs["teacher_tpc"], **shared, "potential": inputs["teacher"]}
            problem = TPCWorkChain.validate_inputs(own, None)
        return problem

    @classmethod
    def get_builder_from_protocol(
        cls,
        training_code: orm.InstalledCode,
        lammps_code: orm.InstalledCode,
        structure: orm.StructureData,
        labelling: Mapping[str, Any],
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        teacher: bool = False,
        labeller: str = "dnpmelt.label_reference",
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with the settings of a protocol.

        :param training_code: DeePMD-kit.
        :param lammps_code: LAMMPS that knows the pair style ``deepmd``.
        :param labelling: inputs of the labeller, for the default one ``code`` and ``potential``.
        :param protocol: ``balanced`` (default) or ``fast``.
        :param overrides: values over the protocol's, in its sections ``learning``, ``tpc``, ``teacher_tpc``,
            ``correction`` and ``seed``.
        :param teacher: whether the T_m of the reference is computed as well; it must be a potential.
        :param labeller: entry point of the work chain that labels frames.
        :param options: options of all jobs, such as ``account``, or ``resources`` with the ``parallel_env`` of SGE.
        :raises ValueError: for an unknown protocol or section.
        """
        values = load_protocol("melting", protocol)
        unknown = set(overrides or {}) - set(_SECTIONS)
        if unknown:
            raise ValueError(f"overrides: {', '.join(sorted(unknown))} unknown, there are {', '.join(_SECTIONS)}")
        name = values["name"]
        values = merge(values, dict(overrides or {}))
        learning = AdaptiveLearningWorkChain.get_builder_from_protocol(
            training_code, lammps_code, structure, labelling, name, values.get("learning", {}), labeller, options
        )
        builder = cls.get_builder()
        builder.structure = structure
        builder.learning = _without_shared(learning)
        coexistence = TPCWorkChain.get_builder_from_protocol
        builder.tpc = _without_shared(coexistence(lammps_code, structure, None, name, values.get("tpc"), options))
        if teacher:
            builder.teacher = labelling["potential"]
            own = coexistence(labelling["code"], structure, None, name, values.get("teacher_tpc"), options)
            builder.teacher_tpc = _without_shared(own)
        builder.correction = orm.Dict(values["correction"])
        builder.seed = orm.Int(values["seed"])
        builder.protocol = orm.Str(name)
        return builder

    def setup(self) -> None:
        """Name everything that the context holds: plain values and stored nodes."""
        self.ctx.temperature = None
        self.ctx.learned = None
        self.ctx.summary = None
        self.ctx.points = {}
        self.ctx.melted = {}
        self.ctx.teacher_point = None
        self.ctx.exploration = None
        self.ctx.comparison = None

    def learn(self) -> None:
        """Submit the learning, and the coexistence of the teacher beside it."""
        self.ctx.temperature = (
            self.inputs.temperature
            if "temperature" in self.inputs
            else tabulated_melting_temperature(self.inputs.structure, metadata={"call_link_label": "guess"})
        )
        inputs = {**self.exposed_inputs(AdaptiveLearningWorkChain, "learning"), **self._shared()}
        self.to_context(learned=submit_once(self, AdaptiveLearningWorkChain, "learning", inputs))
        if "teacher" in self.inputs:
            self.to_context(teacher=self._melt(_TEACHER, "teacher_tpc", self.inputs.teacher, self.ctx.temperature))

    def inspect_learning(self) -> ExitCode | None:
        """Take the models over, and the T_m of the teacher, which has ended by now as well.

        That the models did not converge is a reason in the result, not its end.
        """
        self._inspect_teacher()
        node = self.ctx.learned
        if "summary" in node.outputs:
            self.ctx.summary = node.outputs.summary
            self.out("learning", node.outputs.summary)
        for name, potential in (node.outputs.potentials if "potentials" in node.outputs else {}).items():
            self.out(f"potentials.{name}", potential)
        if not node.is_finished_ok and node.exit_status != _NOT_CONVERGED:
            return self.exit_codes.ERROR_LEARNING_FAILED.format(reason=why(node))
        if not node.is_finished_ok:
            self.report(f"going on with models that did not converge: {why(node)}")
        return None

    def melt(self) -> None:
        """Submit the coexistence of each model, from the T_m of the teacher and the predicted shift of the model."""
        learned = self.ctx.learned
        start, origin = self._start()
        for name, potential in learned.outputs.potentials.items():
            guess = self._guess(name, start)
            self.report(f"{name} starts from {guess.value:.0f} K: {origin}{_shift_text(guess.value - start.value)}")
            self.to_context(**{name: self._melt(name, "tpc", potential, guess)})
        self.report(f"coexistence with {len(learned.outputs.potentials)} models")

    def inspect_melting(self) -> ExitCode | None:
        """Collect the melting points; models without one are named."""
        reasons = []
        for name in self.ctx.learned.outputs.potentials:
            node = self.ctx[name]
            point = self._point(name, node)
            if point is None:
                reasons.append(f"{name}: {why(node)}")
                continue
            self.ctx.points[name] = point
            self.ctx.melted[name] = node
            self.out(f"melting_points.{name}", point)
        if not self.ctx.points:
            return self.exit_codes.ERROR_NO_MELTING_POINT.format(reason="; ".join(reasons))
        return None

    def correct(self) -> None:
        """Have bulk frames at the T_m of the models labelled by the teacher."""
        found = correction_inputs(
            self.inputs.correction,
            self.inputs.seed,
            metadata={"call_link_label": "correction_inputs"},
            **self.ctx.points,
        )
        learning = self.inputs.learning
        given = ("labeller", "labelling", "labelling_options")
        inputs = {
            "structure": next(iter(self.ctx.melted.values())).outputs.cell,
            "potentials": dict(self.ctx.learned.outputs.potentials),
            "pressure": self.inputs.pressure,
            "check_frames": {"solid": found["check_frames"], "liquid": found["check_frames"]},
            "exploration": self.exposed_inputs(AdaptiveLearningWorkChain, "learning").exploration,
            **{name: found[name] for name in ("temperature", "runs", "exploration_settings", "seed")},
            **{name: learning[name] for name in given if name in learning},
        }
        self.report(f"bulk runs at {found['temperature'].value:.0f} K, {found['check_frames'].value} frames a phase")
        self.to_context(exploration=submit_once(self, ExplorationWorkChain, "correction", inputs))

    def inspect_correction(self) -> None:
        """Take the comparison over; without it the result says so."""
        node = self.ctx.exploration
        if "comparison" in node.outputs:
            self.ctx.comparison = node.outputs.comparison
            self.out("comparison", node.outputs.comparison)
        else:
            self.report(f"bulk runs at T_m ({node.pk}) told nothing: {why(node)}")

    def results(self) -> None:
        """Put the parts together."""
        optional = {"comparison": self.ctx.comparison, _TEACHER: self.ctx.teacher_point}
        result = melting_result(
            learning=self.ctx.summary,
            metadata={"call_link_label": "result"},
            **{name: node for name, node in optional.items() if node is not None},
            **{f"point_{name}": point for name, point in self.ctx.points.items()},
        )
        self.out("melting", result)
        self.node.description = melting_summary(result.get_dict())
        self.report(self.node.description)

    def _shared(self) -> dict[str, Any]:
        return {
            "structure": self.inputs.structure,
            "pressure": self.inputs.pressure,
            "temperature": self.ctx.temperature,
        }

    def _melt(self, name: str, namespace: str, potential: PotentialData, guess: orm.Float) -> orm.ProcessNode:
        """Submit the coexistence of a potential."""
        inputs = {**self.exposed_inputs(TPCWorkChain, namespace), **self._shared()}
        inputs.update(potential=potential, temperature=guess)
        return submit_once(self, TPCWorkChain, f"coexistence_{name}", inputs)

    def _point(self, name: str, node: orm.ProcessNode) -> orm.Dict | None:
        """Return the melting point of a coexistence, None if it has no T_m; report either."""
        point: orm.Dict | None = node.outputs.melting_point if "melting_point" in node.outputs else None
        if point is None or point["melting_temperature_k"] is None:
            self.report(f"{name} ({node.pk}) has no T_m: {why(node)}")
            return None
        self.report(f"{name}: {summary(point.get_dict())}")
        return point

    def _inspect_teacher(self) -> None:
        """Take the melting point of the teacher over, if it has one."""
        if "teacher" not in self.inputs:
            return
        self.ctx.teacher_point = self._point(_TEACHER, self.ctx[_TEACHER])
        if self.ctx.teacher_point is not None:
            self.out("teacher_melting_point", self.ctx.teacher_point)

    def _start(self) -> tuple[orm.Float, str]:
        """Return what the guesses for the models start from, and where it is from, in words.

        A T_m of the teacher is taken whether it is valid or unfinished: both phases lived at it, so it lies in the
        window in which a guess must lie, which a handbook's T_m, of no potential at all, may miss.
        """
        point = self.ctx.teacher_point
        if point is not None and point["verdict"] != "invalid":
            start = temperature_of_teacher(point, metadata={"call_link_label": "guess_teacher"})
            return start, f"T_m of the teacher, {start.value:.0f} K ({point['verdict']})"
        start = self.ctx.temperature
        what = "the guess that was given" if "temperature" in self.inputs else "the experimental T_m"
        return start, f"{what}, {start.value:.0f} K"

    def _guess(self, name: str, start: orm.Float) -> orm.Float:
        """Return the first guess of a model's T_m."""
        comparisons = self.ctx.learned.outputs.comparisons if "comparisons" in self.ctx.learned.outputs else {}
        if not comparisons:
            return start
        return guess_of_model(
            start,
            comparisons[max(comparisons, key=by_number)],
            orm.Str(name),
            metadata={"call_link_label": f"guess_{name}"},
        )


def _shift_text(shift_k: float) -> str:
    """Return in words what was added to the T_m that a guess starts from."""
    return f", and {shift_k:+.0f} K of predicted shift" if shift_k else ", no shift is known"


def melting_summary(result: Mapping[str, Any]) -> str:
    """Return the result of the whole chain in a line."""
    text = f"T_m = {notation(result['melting_temperature_k'], result['standard_uncertainty_k'])} K"
    if result["corrected_melting_temperature_k"] is not None:
        corrected = notation(result["corrected_melting_temperature_k"], result["corrected_uncertainty_k"])
        text += f", corrected to the teacher {corrected} K"
    if result["teacher_melting_temperature_k"] is not None:
        own = notation(result["teacher_melting_temperature_k"], result["teacher_uncertainty_k"])
        text += f"; the teacher's own {own} K"
    return f"{text} ({result['verdict']})"


def _without_shared(builder: ProcessBuilder) -> dict[str, Any]:
    inputs: dict[str, Any] = builder._inputs(prune=True)
    return {name: value for name, value in inputs.items() if name not in _SHARED}
