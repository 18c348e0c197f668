"""A run of VASP, through wall times and crashes, as one trajectory."""

from __future__ import annotations

from aiida import orm
from aiida.engine import ExitCode, ProcessHandlerReport, ProcessSpec, process_handler
from aiida_vasp.workchains.v2.vasp import VaspWorkChain

from aiida_dnpmelt.calculations.lammps_exploration import validate_phase
from aiida_dnpmelt.calculations.validators import guard_job, positive
from aiida_dnpmelt.calculations.vasp_frames import XML, go_on_from, join_pieces
from aiida_dnpmelt.calculations.vasp_md import VaspMdCalculation
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.workchains.steps import why

_MOST_PIECES = 20
_FRUITLESS = 2
"""Jobs in a row without a whole ionic step after which a run is given up."""


class VaspMdWorkChain(VaspWorkChain):
    """Run molecular dynamics, or a static step, in VASP.

    It is the work chain of aiida-vasp for the same inputs. A job that was cut goes on from its last positions and
    velocities, and the pieces are joined. Electrons that did not converge do not end a run: the frames say which ones
    are concerned.
    """

    _process_class = VaspMdCalculation

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare what is not aiida-vasp's."""
        super().define(spec)
        spec.input(
            "phase",
            valid_type=orm.Str,
            serializer=orm.to_aiida_type,
            validator=validate_phase,
            help="Phase of the frames: `solid`, `liquid` or `interface`.",
        )
        spec.input(
            "temperature",
            valid_type=orm.Float,
            serializer=orm.to_aiida_type,
            validator=positive("temperature", "K", 20_000),
            help="Temperature in K that the frames are from or meant for.",
        )
        guard_job(spec, "VASP")
        spec.inputs["max_iterations"].default = lambda: orm.Int(_MOST_PIECES)
        for port in spec.outputs.values():
            port.required = False  # a job that was cut has not all of them
        spec.output(
            "frames",
            valid_type=FramesData,
            required=False,
            help="All whole ionic steps; the array `converged` tells which ones are self-consistent.",
        )
        spec.output(
            "last_structure", valid_type=orm.StructureData, required=False, help="Positions after the last step."
        )
        spec.output("last_velocities", valid_type=orm.ArrayData, required=False, help="The velocities, Angstrom/fs.")
        spec.output("report", valid_type=orm.Dict, required=False, help="Counts of steps and pieces, see join_pieces.")
        spec.exit_code(
            410, "ERROR_NO_STEP", message="VASP ended without a whole ionic step, {times} times in a row. {reason}"
        )
        spec.exit_code(
            411, "ERROR_STEPS_MISSING", message="{done} of {planned} ionic steps are there after {pieces} jobs."
        )

    def setup(self) -> None:
        """Name what the context holds beside what aiida-vasp keeps there."""
        super().setup()
        self.ctx.pieces = {}
        self.ctx.ending = {}
        self.ctx.done = 0
        self.ctx.repeated = 0
        self.ctx.fruitless = 0

    @process_handler(priority=10_000)
    def handle_piece(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Keep the steps of a job, and go on from its end until there are enough; nothing else looks at it."""
        planned = self._planned()
        retrieved = node.outputs.retrieved if "retrieved" in node.outputs else None
        steps = 0
        if retrieved is not None and XML in retrieved.base.repository.list_object_names():
            number = f"piece_{len(self.ctx.pieces):02d}"
            found = go_on_from(retrieved, node.inputs.structure, metadata={"call_link_label": f"go_on_from_{number}"})
            self.ctx.pieces[number] = retrieved
            steps = found["steps"].value - self.ctx.repeated
            self.ctx.repeated = found["repeated"].value
            self.ctx.ending = {name: found[name] for name in ("structure", "velocities") if name in found}
            self.ctx.inputs.update(self.ctx.ending)
        self.ctx.done += steps
        self.ctx.fruitless = 0 if steps > 0 else self.ctx.fruitless + 1
        last = self.ctx.iteration >= self.inputs.max_iterations.value
        if self.ctx.done >= planned or self.ctx.fruitless >= _FRUITLESS or last:
            self.ctx.is_finished = True
            self.ctx.reason = why(node)
            return ProcessHandlerReport(True)
        if planned > 1:
            self.ctx.inputs.parameters["nsw"] = planned - self.ctx.done + self.ctx.repeated
        self.report(f"job {node.pk} left {steps} steps, {self.ctx.done} of {planned} are there, going on: {why(node)}")
        return ProcessHandlerReport(True)

    def results(self) -> ExitCode | None:
        """Join the pieces; what there is is attached also if it is not all."""
        super().results()
        if self.ctx.pieces:
            found = join_pieces(
                phase=self.inputs.phase,
                temperature=self.inputs.temperature,
                metadata={"call_link_label": "join_pieces"},
                **self.ctx.pieces,
            )
            for name, node in found.items():
                self.out(name, node)
        for name, node in self.ctx.ending.items():
            self.out(f"last_{name}", node)
        planned = self._planned()
        if self.ctx.done >= planned:
            return None
        self.ctx.is_finished = False  # aiida-vasp clears the folders of what is finished: these are for the eye
        if self.ctx.fruitless >= _FRUITLESS:
            return self.exit_codes.ERROR_NO_STEP.format(times=self.ctx.fruitless, reason=self.ctx.reason)
        return self.exit_codes.ERROR_STEPS_MISSING.format(
            done=self.ctx.done, planned=planned, pieces=self.ctx.iteration
        )

    def _planned(self) -> int:
        """Return the number of ionic steps that were asked for; a static run has one."""
        return max(1, int(self.inputs.parameters["incar"].get("nsw", 0)))
