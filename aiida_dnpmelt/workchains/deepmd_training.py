"""One training to its last step, through wall times and jobs that were cut."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import (
    BaseRestartWorkChain,
    ExitCode,
    ProcessHandlerReport,
    ProcessSpec,
    process_handler,
    while_,
)

from aiida_dnpmelt.calculations.deepmd_train import DeepmdTrainCalculation
from aiida_dnpmelt.calculations.training import join_training

_EXIT = DeepmdTrainCalculation.exit_codes


class DeepmdTrainingWorkChain(BaseRestartWorkChain):
    """Train one model until its last step, and go on from the last checkpoint whenever a job is cut."""

    _process_class = DeepmdTrainCalculation

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(DeepmdTrainCalculation, namespace="calc")
        # A long training may take many wall times: what bounds them is that each job comes further than the last.
        spec.inputs["max_iterations"].default = lambda: orm.Int(1000)
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),
            cls.results,
        )
        spec.expose_outputs(DeepmdTrainCalculation, include=("learning_curve", "potential", "uncompressed"))
        spec.output("results", valid_type=orm.Dict, help="Errors, costs of all jobs, seeds; units in the keys.")
        spec.output("remote_folder", valid_type=orm.RemoteData, help="Folder of the last job.")
        spec.exit_code(
            410,
            "ERROR_NO_PROGRESS",
            message="A restarted job did not come further than the one before it: raise the wall time, or save "
            "checkpoints more often (settings.training.save_freq).",
        )
        spec.exit_code(411, "ERROR_TRAINING_FAILED", message="The training failed, and would again. {reason}")
        spec.exit_code(412, "ERROR_NO_OUTPUT", message="Two jobs left nothing that can be used. {reason}")

    def setup(self) -> None:
        """Prepare the inputs of the first job; a training that goes on brings its folder."""
        super().setup()
        self.ctx.inputs = AttributeDict(self.exposed_inputs(DeepmdTrainCalculation, "calc"))
        self.ctx.checkpoint_step = None
        self.ctx.began_anew = False
        self.ctx.left_nothing = False

    @process_handler(
        priority=600,
        exit_codes=[
            _EXIT.ERROR_OUT_OF_MEMORY,
            _EXIT.ERROR_NOT_FINITE,
            _EXIT.ERROR_SETTINGS_REFUSED,
            _EXIT.ERROR_DEEPMD,
        ],
    )
    def handle_failed_training(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Stop: the same inputs would fail again."""
        self.report(f"job {node.pk} cannot be mended by running it again: {node.exit_message}")
        return ProcessHandlerReport(True, self.exit_codes.ERROR_TRAINING_FAILED.format(reason=node.exit_message))

    @process_handler(priority=400, exit_codes=[_EXIT.ERROR_OUT_OF_WALLTIME, _EXIT.ERROR_INTERRUPTED])
    def handle_cut_training(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Go on from the last checkpoint, as long as each job leaves a later one; from the start if there is none."""
        step = node.outputs.results["checkpoint_step"]
        before = self.ctx.checkpoint_step
        if step is None:
            if self.ctx.began_anew:
                return ProcessHandlerReport(True, self.exit_codes.ERROR_NO_PROGRESS)
            self.ctx.began_anew = True
            self.report(f"job {node.pk} was cut before its first checkpoint: starting anew")
            return ProcessHandlerReport(True)
        if before is not None and step <= before:
            return ProcessHandlerReport(True, self.exit_codes.ERROR_NO_PROGRESS)
        self._go_on_from(node, step)
        self.report(f"job {node.pk} was cut: going on from the checkpoint of step {step}")
        return ProcessHandlerReport(True)

    @process_handler(
        priority=300,
        exit_codes=[
            _EXIT.ERROR_NO_OUTPUT,
            _EXIT.ERROR_LEARNING_CURVE_MISSING,
            _EXIT.ERROR_FREEZE_FAILED,
            _EXIT.ERROR_COMPRESS_FAILED,
            _EXIT.ERROR_TEST_FAILED,
        ],
    )
    def handle_missing_output(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Try once more, from the last checkpoint if there is one: the machine may have failed."""
        if self.ctx.left_nothing:
            return ProcessHandlerReport(True, self.exit_codes.ERROR_NO_OUTPUT.format(reason=node.exit_message))
        self.ctx.left_nothing = True
        step = node.outputs.results["checkpoint_step"] if "results" in node.outputs else None
        # A model that could not be made is made from the checkpoint: the training itself need not be run again.
        if step is not None and "learning_curve" in node.outputs:
            self._go_on_from(node, step)
        self.report(f"job {node.pk} left no model, trying once more: {node.exit_message}")
        return ProcessHandlerReport(True)

    def results(self) -> ExitCode | None:
        """Attach the outputs: the learning curves of all jobs as one, and what they cost together."""
        node = self.ctx.children[self.ctx.iteration - 1]
        for name in ("potential", "uncompressed", "remote_folder"):
            if name in node.outputs:
                self.out(name, node.outputs[name])
        jobs = [job for job in self.ctx.children[: self.ctx.iteration] if "results" in job.outputs]
        joined: Any = node.outputs
        if len(jobs) > 1:
            nodes: dict[str, orm.Data] = {}
            for index, job in enumerate(jobs):
                nodes[f"results_{index:04d}"] = job.outputs.results
                if "learning_curve" in job.outputs:
                    nodes[f"curve_{index:04d}"] = job.outputs.learning_curve
            joined = join_training(**nodes)
        for name in ("learning_curve", "results"):
            if name in joined:
                self.out(name, joined[name])
        return None

    def _go_on_from(self, node: orm.CalcJobNode, step: int) -> None:
        self.ctx.checkpoint_step = step
        self.ctx.inputs.parent_folder = node.outputs.remote_folder
        self.ctx.inputs.checkpoint_step = step
        self.ctx.inputs.pop("parent_model", None)
