"""One coexistence run to its end, through wall times, cut jobs and time steps that were too long."""

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

from aiida_dnpmelt.calculations.lammps_coexistence import LammpsCoexistenceCalculation
from aiida_dnpmelt.calculations.lammps_job import EXPLODED, NO_OUTPUT, REFUSED, exit_codes_of
from aiida_dnpmelt.calculations.melting_point import join_pieces, shorter_timestep

_JOB = LammpsCoexistenceCalculation


class CoexistenceWorkChain(BaseRestartWorkChain):
    """Run one seed until its production has the length asked for, or one phase is gone."""

    _process_class = _JOB
    _shorter_steps_allowed = 2

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(LammpsCoexistenceCalculation, namespace="calc")
        # A long run may take many wall times: what bounds them is that each job comes further than the one before.
        spec.inputs["max_iterations"].default = lambda: orm.Int(1000)
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),
            cls.results,
        )
        spec.expose_outputs(LammpsCoexistenceCalculation, include=("run", "results", "restart", "remote_folder"))
        spec.output("parameters", valid_type=orm.Dict, help="Settings of the last job: its time step may be shorter.")
        spec.exit_code(
            410,
            "ERROR_NO_PROGRESS",
            message="A restarted job did not come further than the one before it: raise the wall time.",
        )
        spec.exit_code(
            411,
            "ERROR_UNSTABLE",
            message="The dynamics exploded with the shortest time step that was tried: check potential and pressure.",
        )
        spec.exit_code(412, "ERROR_INPUT_REFUSED", message="LAMMPS refused the input. {reason}")
        spec.exit_code(413, "ERROR_NO_OUTPUT", message="Two jobs left nothing that can be read. {reason}")

    def setup(self) -> None:
        """Prepare the inputs of the first job; a run that goes on brings its restart file."""
        super().setup()
        self.ctx.inputs = AttributeDict(self.exposed_inputs(LammpsCoexistenceCalculation, "calc"))
        self.ctx.pieces = []
        self.ctx.shorter_steps = 0
        self.ctx.left_nothing = False

    @process_handler(priority=600, exit_codes=exit_codes_of(_JOB, REFUSED))
    def handle_refused_input(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Stop: the same input would be refused again."""
        self.report(f"job {node.pk} cannot be mended by running it again: {node.exit_message}")
        return ProcessHandlerReport(True, self.exit_codes.ERROR_INPUT_REFUSED.format(reason=node.exit_message))

    @process_handler(priority=500, exit_codes=exit_codes_of(_JOB, EXPLODED))
    def handle_unstable_dynamics(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Start the run anew with half the time step."""
        if self.ctx.shorter_steps >= self._shorter_steps_allowed:
            return ProcessHandlerReport(True, self.exit_codes.ERROR_UNSTABLE)
        self.ctx.shorter_steps += 1
        self.ctx.pieces = []
        self.ctx.inputs.parameters = shorter_timestep(self.ctx.inputs.parameters)
        self.ctx.inputs.pop("parent_folder", None)
        self.ctx.inputs.pop("restart", None)
        step = self.ctx.inputs.parameters["timestep_fs"]
        self.report(f"job {node.pk} exploded: starting anew with a time step of {step:g} fs")
        return ProcessHandlerReport(True)

    @process_handler(priority=400, exit_codes=exit_codes_of(_JOB, ("ERROR_OUT_OF_WALLTIME", "ERROR_INTERRUPTED")))
    def handle_cut_run(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Go on from the last state that the job left; from the start if it left none."""
        state = node.outputs.restart if "restart" in node.outputs else None
        if self._stands_still(state):
            return ProcessHandlerReport(True, self.exit_codes.ERROR_NO_PROGRESS)
        if "run" in node.outputs:
            self.ctx.pieces.append(node)
        if state is None:
            self.report(f"job {node.pk} was cut before its first restart file: starting anew")
            return ProcessHandlerReport(True)
        self.ctx.inputs.restart = state
        self.ctx.inputs.parent_folder = node.outputs.remote_folder
        self.report(f"job {node.pk} was cut: going on from step {state['step']} of stage '{state['stage']}'")
        return ProcessHandlerReport(True)

    @process_handler(priority=300, exit_codes=exit_codes_of(_JOB, NO_OUTPUT))
    def handle_missing_output(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Run the same job once more: the machine may have failed, not the run."""
        if self.ctx.left_nothing:
            return ProcessHandlerReport(True, self.exit_codes.ERROR_NO_OUTPUT.format(reason=node.exit_message))
        self.ctx.left_nothing = True
        self.report(f"job {node.pk} left nothing to go on from, running it once more: {node.exit_message}")
        return ProcessHandlerReport(True)

    def results(self) -> ExitCode | None:
        """Attach the outputs: the pieces of the run as one, and what all jobs cost, also those that exploded."""
        node = self.ctx.children[self.ctx.iteration - 1]
        for name in ("restart", "remote_folder"):
            if name in node.outputs:
                self.out(name, node.outputs[name])
        self.out("parameters", self.ctx.inputs.parameters)
        jobs = [job for job in self.ctx.children[: self.ctx.iteration] if "results" in job.outputs]
        if len(jobs) == 1:
            joined: Any = {name: node.outputs[name] for name in ("run", "results")}
        else:
            pieces = [*self.ctx.pieces, node]
            nodes = {f"run_{index:04d}": piece.outputs.run for index, piece in enumerate(pieces)}
            nodes |= {f"results_{index:04d}": job.outputs.results for index, job in enumerate(jobs)}
            joined = join_pieces(**nodes)
        for name, output in joined.items():
            self.out(name, output)
        return None

    def _stands_still(self, state: orm.Dict | None) -> bool:
        """Tell whether a job that was cut left no later state than the one that it began with."""
        if self.ctx.iteration == 1:
            return False
        begin = self.ctx.inputs.get("restart", None)
        if state is None or begin is None:
            return state is None
        return state.get_dict() == begin.get_dict()
