"""Label frames with a reference potential."""

from __future__ import annotations

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

from aiida_dnpmelt.calculations.lammps_job import EXPLODED, NO_OUTPUT, REFUSED, exit_codes_of
from aiida_dnpmelt.calculations.lammps_label import LammpsLabelCalculation
from aiida_dnpmelt.data.frames import FramesData

_JOB = LammpsLabelCalculation


class ReferenceLabelWorkChain(BaseRestartWorkChain):
    """Label frames with a reference potential in one job, which is run once more if it leaves nothing or is cut."""

    _process_class = _JOB

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(LammpsLabelCalculation, exclude=("metadata",))
        spec.expose_inputs(LammpsLabelCalculation, namespace="job", include=("metadata",))
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),
            cls.results,
        )
        spec.output_namespace(
            "frames", dynamic=True, valid_type=FramesData, help="Labelled frames, under the names of the inputs."
        )
        spec.output(
            "report",
            valid_type=orm.Dict,
            help="Counts of frames: `expected`, `labelled`, `not_finite`, `large_force`, `missing`; cost and version.",
        )
        spec.exit_code(410, "ERROR_INPUT_REFUSED", message="LAMMPS refused the input. {reason}")
        spec.exit_code(411, "ERROR_UNSTABLE", message="The dynamics exploded before a frame was labelled. {reason}")
        spec.exit_code(412, "ERROR_NO_OUTPUT", message="Two jobs came to no end. {reason}")
        spec.exit_code(
            420, "ERROR_NOTHING_LABELLED", message="No frame got a label that can be used: look at the frames."
        )

    def setup(self) -> None:
        """Prepare the inputs of the job."""
        super().setup()
        inputs = AttributeDict(self.exposed_inputs(LammpsLabelCalculation))
        inputs.metadata = self.exposed_inputs(LammpsLabelCalculation, "job")["metadata"]
        self.ctx.inputs = inputs
        self.ctx.cut = False

    @process_handler(priority=600, exit_codes=exit_codes_of(_JOB, REFUSED))
    def handle_refused_input(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Stop: the same input would be refused again."""
        self.report(f"job {node.pk} cannot be mended by running it again: {node.exit_message}")
        return ProcessHandlerReport(True, self.exit_codes.ERROR_INPUT_REFUSED.format(reason=node.exit_message))

    @process_handler(priority=500, exit_codes=exit_codes_of(_JOB, EXPLODED))
    def handle_unstable_dynamics(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Keep the frames that were labelled before one exploded; stop if there is none."""
        if "frames" not in node.outputs:
            return ProcessHandlerReport(True, self.exit_codes.ERROR_UNSTABLE.format(reason=node.exit_message))
        missing = node.outputs.results["missing"]
        self.report(f"job {node.pk} exploded: {missing} frames are missing, the others are kept")
        self.ctx.is_finished = True
        return ProcessHandlerReport(True)

    @process_handler(priority=400, exit_codes=exit_codes_of(_JOB, (*NO_OUTPUT, "ERROR_INTERRUPTED")))
    def handle_cut_job(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Run the same job once more."""
        if self.ctx.cut:
            return ProcessHandlerReport(True, self.exit_codes.ERROR_NO_OUTPUT.format(reason=node.exit_message))
        self.ctx.cut = True
        self.report(f"job {node.pk} came to no end, running it once more: {node.exit_message}")
        return ProcessHandlerReport(True)

    @process_handler(priority=300, exit_codes=exit_codes_of(_JOB, ("ERROR_NOTHING_LABELLED",)))
    def handle_nothing_labelled(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Stop: the same frames would be dropped again."""
        self.report(f"job {node.pk} labelled nothing: {node.outputs.results['by_name']}")
        return ProcessHandlerReport(True, self.exit_codes.ERROR_NOTHING_LABELLED)

    def results(self) -> ExitCode | None:
        """Pass the labelled frames and the report on."""
        if not self.ctx.is_finished:
            return super().results()
        node = self.ctx.children[-1]
        self.report(f"{node.outputs.results['labelled']} of {node.outputs.results['expected']} frames labelled")
        for name, frames in node.outputs.frames.items():
            self.out(f"frames.{name}", frames)
        self.out("report", node.outputs.results)
        return None
