"""Explore with a committee of models, have frames labelled, and compare the models with their teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, Process, ProcessSpec, WorkChain
from aiida.orm import StructureData
from aiida.plugins import WorkflowFactory
from ase import Atoms

from aiida_dnpmelt.calculations.comparison import compare_with_teacher
from aiida_dnpmelt.calculations.exploration_runs import ExplorationRuns, exploration_jobs, runs_of
from aiida_dnpmelt.calculations.exploration_settings import ExplorationSettings
from aiida_dnpmelt.calculations.label_settings import LabelSettings
from aiida_dnpmelt.calculations.lammps_exploration import LammpsExplorationCalculation
from aiida_dnpmelt.calculations.selection import check_frames, select_frames
from aiida_dnpmelt.calculations.validators import fits, positive, unfit_models
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.trajectories import trajectory
from aiida_dnpmelt.physics.learning import TemperatureState, shortfall
from aiida_dnpmelt.physics.selection import SelectionSettings
from aiida_dnpmelt.workchains.labelling.reference import ReferenceLabelWorkChain
from aiida_dnpmelt.workchains.steps import submit_once, why

CANDIDATES, CHECK = "candidates", "check"
"""Beginnings of the names of the sets: frames chosen by their deviation, and unbiased ones."""
_CHECKED_PHASES = ("solid", "liquid")
_OPTIONS_OF_THE_JOB = ("parser_name", "input_filename", "output_filename")
_LABELLER_PORTS = {"frames", "settings", "seed"}


def labeller_of(name: str) -> type[Process]:
    """Return the labelling work chain of an entry point.

    :raises ValueError: if there is none, or it lacks what the others have: inputs ``frames``, ``settings`` and
        ``seed``, output ``frames``.
    """
    try:
        labeller: type[Process] = WorkflowFactory(name)
    except Exception as exception:  # whatever an entry point of somebody else's raises when it is loaded
        raise ValueError(f"labeller: '{name}' is no work chain that can be loaded: {exception}") from exception
    spec = labeller.spec()
    missing = [f"input {port}" for port in sorted(_LABELLER_PORTS - set(spec.inputs))]
    missing += [f"output {port}" for port in sorted({"frames"} - set(spec.outputs))]
    if missing:
        raise ValueError(f"labeller: '{name}' is no labeller, it lacks {', '.join(missing)}")
    return labeller


def validate_labeller(node: orm.Str | None, _: Any) -> str | None:
    """Check that a labeller can be loaded and is one."""
    try:
        labeller_of(node.value if node is not None else "dnpmelt.label_reference")
    except ValueError as exception:
        return str(exception)
    return None


def declare_labelling(spec: ProcessSpec) -> None:
    """Declare who labels frames, and what it needs."""
    spec.input(
        "labeller",
        valid_type=orm.Str,
        serializer=orm.to_aiida_type,
        validator=validate_labeller,
        default=lambda: orm.Str("dnpmelt.label_reference"),
        help="Entry point of the work chain that labels frames: the teacher.",
    )
    spec.input_namespace(
        "labelling",
        dynamic=True,
        help="Inputs of the labeller, such as `code` and `potential`; it gets `frames`, `settings` and `seed` beside "
        "them.",
    )
    spec.input(
        "labelling_options",
        valid_type=orm.Dict,
        serializer=orm.to_aiida_type,
        required=False,
        help="Options of the labeller's jobs, such as `max_wallclock_seconds`.",
    )
    spec.input(
        "label_settings",
        valid_type=orm.Dict,
        serializer=orm.to_aiida_type,
        validator=fits(LabelSettings, "label_settings"),
        default=lambda: orm.Dict({}),
        help="How chosen frames are labelled, see LabelSettings; unbiased frames are labelled as they are.",
    )


def labeller_inputs(
    inputs: Mapping[str, Any], frames: Mapping[str, Any], settings: orm.Dict, seed: orm.Int
) -> dict[str, Any]:
    """Return the inputs of a labelling: what the work chain was given for it, and the frames."""
    found = {**inputs["labelling"], "frames": dict(frames), "settings": settings, "seed": seed}
    if "labelling_options" in inputs:
        found["job"] = {"metadata": {"options": inputs["labelling_options"].get_dict()}}
    return found


def labelling_refusal(inputs: Mapping[str, Any], cell: Atoms) -> str | None:
    """Return what the labeller would refuse, tried with the crystal as a frame; None if it takes it."""
    frame = trajectory(
        cell.get_chemical_symbols(), cell.cell.array[None], cell.positions[None], np.array([300.0]), "solid"
    )
    tried = labeller_inputs(inputs, {"crystal": frame}, orm.Dict({}), orm.Int(1))
    spec = labeller_of(inputs["labeller"].value).spec()
    problem = spec.inputs.validate(spec.inputs.pre_process(tried))
    return None if problem is None else f"labelling: {problem.message} ({problem.port})"


class ExplorationWorkChain(WorkChain):
    """Explore with a committee, choose frames, have them labelled, and compare the models with the labels.

    Two kinds of frames are labelled: those in which the models disagree, and some at equal distances of the bulk
    phases at the reference temperature, whatever their deviation. None of them has been trained on.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.input("structure", valid_type=StructureData, help="Orthogonal cell of the crystal.")
        spec.expose_inputs(LammpsExplorationCalculation, include=("potentials", "pressure", "seed"))
        spec.input(
            "temperature",
            valid_type=orm.Float,
            serializer=orm.to_aiida_type,
            validator=positive("temperature", "K", 20_000),
            help="Reference temperature in K, near T_m: factors are in its units, and the phases are compared at it.",
        )
        spec.input(
            "runs",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(ExplorationRuns, "runs"),
            help="Key `runs`: phase, temperatures and size of each run by name, see ExplorationRun.",
        )
        spec.input(
            "exploration_settings",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(ExplorationSettings, "exploration_settings"),
            help="Settings of the runs, see ExplorationSettings.",
        )
        spec.input(
            "selection",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(SelectionSettings, "selection"),
            required=False,
            help="How frames are chosen by their deviation, see SelectionSettings; without it none are.",
        )
        spec.input_namespace(
            "check_frames",
            dynamic=True,
            valid_type=orm.Int,
            help="Number of unbiased frames at the reference temperature, by phase: `solid`, `liquid`.",
        )
        declare_labelling(spec)
        spec.expose_inputs(LammpsExplorationCalculation, namespace="exploration", include=("code", "metadata"))
        spec.inputs.validator = cls.validate_inputs

        spec.outline(
            cls.setup,
            cls.explore,
            cls.inspect_exploration,
            cls.select,
            cls.label,
            cls.inspect_labels,
            cls.test_models,
            cls.inspect_tests,
            cls.compare,
        )
        spec.output_namespace(
            "frames", valid_type=FramesData, help="Labelled frames, as `candidates_` or `check_` and the run."
        )
        spec.output_namespace("deviations", valid_type=orm.ArrayData, help="Deviations of all frames, by run.")
        spec.output_namespace("selection", valid_type=orm.Dict, help="What was chosen and why, by run.")
        spec.output_namespace("checks", valid_type=orm.Dict, help="Of the unbiased frames: phase and number, by run.")
        spec.output("comparison", valid_type=orm.Dict, required=False, help="The models against the labels.")
        spec.output("arrays", valid_type=orm.ArrayData, required=False, help="The same, frame by frame.")
        spec.exit_code(401, "ERROR_NO_EXPLORATION", message="No run left a frame: the models fail at once. {reason}")
        spec.exit_code(402, "ERROR_NO_LABELS", message="No frame was labelled. {reason}")
        spec.exit_code(403, "ERROR_TEST_FAILED", message="A model could not be evaluated on the labels. {reason}")

    @classmethod
    def validate_inputs(cls, inputs: Mapping[str, Any], _: Any) -> str | None:
        """Check what depends on more than one input."""
        if any(name not in inputs for name in ("structure", "potentials", "labeller")):
            return None
        atoms = inputs["structure"].get_ase()
        if any(abs(angle - 90) > 1e-6 for angle in atoms.cell.angles()):
            return f"structure: its angles are {atoms.cell.angles().tolist()}, an orthogonal cell is needed"
        unknown = sorted(set(inputs.get("check_frames", {})) - set(_CHECKED_PHASES))
        if unknown:
            return f"check_frames.{unknown[0]}: it can be one of {', '.join(_CHECKED_PHASES)}"
        few = sorted(name for name, number in inputs.get("check_frames", {}).items() if not 2 <= number.value <= 10_000)
        if few:
            return f"check_frames.{few[0]}: {inputs['check_frames'][few[0]].value} is outside the allowed 2 to 10000"
        if "selection" not in inputs and not inputs.get("check_frames"):
            return "selection, check_frames: give one of them, or nothing is labelled"
        return unfit_models("potentials", inputs["potentials"], set(atoms.get_chemical_symbols())) or labelling_refusal(
            inputs, atoms
        )

    def setup(self) -> None:
        """Name everything that the context holds: plain values and stored nodes."""
        self.ctx.jobs = {}
        self.ctx.explored = {}
        self.ctx.chosen = {}
        self.ctx.unbiased = {}
        self.ctx.labelled = {}
        self.ctx.tested = {}

    def explore(self) -> None:
        """Submit a job for each run."""
        found = exploration_jobs(
            self.inputs.structure,
            self.inputs.temperature,
            self.inputs.runs,
            self.inputs.seed,
            metadata={"call_link_label": "jobs"},
        )
        for name in runs_of(self.inputs.runs.get_dict()):
            inputs = self.exposed_inputs(LammpsExplorationCalculation, "exploration")
            inputs.update(
                structure=self.inputs.structure,
                potentials=dict(self.inputs.potentials),
                pressure=self.inputs.pressure,
                settings=self.inputs.exploration_settings,
                **{key: found[f"{key}_{name}"] for key in ("phase", "temperatures", "repetitions", "seed")},
            )
            self.ctx.jobs[name] = submit_once(self, LammpsExplorationCalculation, f"explore_{name}", inputs)
            temperatures = ", ".join(f"{value:.0f}" for value in found[f"temperatures_{name}"].get_list())
            self.report(f"exploring {name} ({found[f'phase_{name}'].value}) at {temperatures} K")
        self.to_context(**{f"explore_{name}": node for name, node in self.ctx.jobs.items()})

    def inspect_exploration(self) -> ExitCode | None:
        """Keep the runs that left frames; the others are named."""
        reasons = []
        for name, node in self.ctx.jobs.items():
            if "trajectory" in node.outputs:
                self.ctx.explored[name] = node
                self.out(f"deviations.{name}", node.outputs.deviation)
                self._tell_shortfalls(name, node.outputs.results)
                continue
            reasons.append(f"{name}: {why(node)}")
            self.report(f"exploration of {name} ({node.pk}) left no frame: {why(node)}")
        if not self.ctx.explored:
            return self.exit_codes.ERROR_NO_EXPLORATION.format(reason="; ".join(reasons))
        return None

    def select(self) -> None:
        """Choose unbiased frames, and frames by their deviation."""
        for name, node in self.ctx.explored.items():
            phase = node.inputs.phase.value
            if phase in self.inputs.get("check_frames", {}):
                found = check_frames(
                    node.outputs.trajectory,
                    self.inputs.temperature,
                    self.inputs.check_frames[phase],
                    metadata={"call_link_label": f"check_frames_{name}"},
                )
                self.out(f"checks.{name}", found["report"])
                if found["report"]["left_phase"]:
                    self.report(f"{name}: {found['report']['left_phase']} frames are no {phase} any more: left out")
                if "frames" in found:
                    self.ctx.unbiased[f"{CHECK}_{name}"] = found["frames"]
            if "selection" in self.inputs:
                self._select(name, node)

    def label(self) -> None:
        """Have both kinds of frames labelled, a work chain for each."""
        asked = {
            f"label_{CANDIDATES}": (self.ctx.chosen, self.inputs.label_settings),
            f"label_{CHECK}": (self.ctx.unbiased, orm.Dict({})),
        }
        for label, (frames, settings) in asked.items():
            if not frames:
                continue
            self.report(f"{label}: {sum(len(node.get_array('cells')) for node in frames.values())} frames")
            inputs = labeller_inputs(self.inputs, frames, settings, self.inputs.seed)
            node = submit_once(self, labeller_of(self.inputs.labeller.value), label, inputs)
            self.to_context(**{label: node})

    def inspect_labels(self) -> ExitCode | None:
        """Collect the labelled frames; a labelling that failed is named."""
        reasons = []
        for label in (f"label_{CANDIDATES}", f"label_{CHECK}"):
            node = self.ctx.get(label)
            if node is None:
                continue
            if not node.is_finished_ok:
                reasons.append(f"{label}: {why(node)}")
                self.report(f"{label} ({node.pk}) failed: {why(node)}")
            self.ctx.labelled.update(node.outputs.frames if "frames" in node.outputs else {})
        for name, frames in self.ctx.labelled.items():
            self.out(f"frames.{name}", frames)
        if not self.ctx.labelled and reasons:
            return self.exit_codes.ERROR_NO_LABELS.format(reason="; ".join(reasons))
        return None

    def test_models(self) -> None:
        """Evaluate each model on the labelled frames."""
        if not self.ctx.labelled:
            return
        exploration = self.exposed_inputs(LammpsExplorationCalculation, "exploration")
        given = exploration.metadata.get("options", {})
        options = {name: value for name, value in given.items() if name not in _OPTIONS_OF_THE_JOB}
        for name, potential in self.inputs.potentials.items():
            inputs = {
                "code": exploration.code,
                "potential": potential,
                "frames": dict(self.ctx.labelled),
                "settings": orm.Dict({"maximum_force_ev_per_angstrom": 1e6}),
                "job": {"metadata": {"options": options}},
            }
            self.to_context(**{f"test_{name}": submit_once(self, ReferenceLabelWorkChain, f"test_{name}", inputs)})

    def inspect_tests(self) -> ExitCode | None:
        """Collect what the models say of the frames; all must have answered."""
        for name in self.inputs.potentials if self.ctx.labelled else ():
            node = self.ctx[f"test_{name}"]
            if not node.is_finished_ok:
                return self.exit_codes.ERROR_TEST_FAILED.format(reason=f"{name}: {why(node)}")
            self.ctx.tested[name] = node
        return None

    def compare(self) -> None:
        """Compare the models with the labels; without new labels there is nothing to compare."""
        if not self.ctx.tested:
            self.report("no frame was chosen: the models agree everywhere")
            return
        nodes = {f"teacher_{name}": frames for name, frames in self.ctx.labelled.items()}
        for model, node in self.ctx.tested.items():
            nodes.update({f"model_{model}__{name}": frames for name, frames in node.outputs.frames.items()})
        for name, node in self.ctx.explored.items():
            if f"{CHECK}_{name}" in self.ctx.unbiased:
                nodes.setdefault(f"enthalpy_{node.inputs.phase.value}", node.outputs.deviation)
        found = compare_with_teacher(
            temperature=self.inputs.temperature,
            pressure=self.inputs.pressure,
            metadata={"call_link_label": "comparison"},
            **nodes,
        )
        self.out("comparison", found["report"])
        self.out("arrays", found["arrays"])

    def _tell_shortfalls(self, name: str, results: orm.Dict) -> None:
        """Report temperatures at which a run did not come to its end."""
        planned = ExplorationSettings(**self.inputs.exploration_settings.get_dict()).frames
        for row in results["by_temperature"]:
            state = TemperatureState(name, row["temperature_k"], None, row["frames"], planned, ended=row["ended"])
            if (text := shortfall(state)) is not None:
                self.report(text)

    def _select(self, name: str, node: orm.CalcJobNode) -> None:
        """Choose frames of a run by their deviation."""
        taken = self.ctx.unbiased.get(f"{CHECK}_{name}")
        found = select_frames(
            node.outputs.trajectory,
            node.outputs.deviation,
            self.inputs.selection,
            self.inputs.seed,
            results=node.outputs.results,
            metadata={"call_link_label": f"select_{name}"},
            **({} if taken is None else {"taken": taken}),
        )
        report = found["report"]
        self.out(f"selection.{name}", report)
        self.report(
            f"{name}: {report['accurate']} frames accurate, {report['candidate']} candidates, {report['failed']} "
            f"failed, {report['taken']} chosen, largest deviation "
            f"{report['largest_deviation_ev_per_angstrom']:.2f} eV/Angstrom"
        )
        if "frames" in found:
            self.ctx.chosen[f"{CANDIDATES}_{name}"] = found["frames"]
