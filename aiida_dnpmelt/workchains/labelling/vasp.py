"""Label frames with VASP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, WorkChain, while_
from aiida_vasp.data.potcar import PotcarData
from pydantic import ValidationError

from aiida_dnpmelt.calculations.job_resources import takes_resources, vasp_options
from aiida_dnpmelt.calculations.label_settings import LABEL, MELT, LabelSettings
from aiida_dnpmelt.calculations.lammps_label import LammpsLabelCalculation, starts_of
from aiida_dnpmelt.calculations.screening import screen_frames
from aiida_dnpmelt.calculations.validators import both, explain, fits, may_run, runs
from aiida_dnpmelt.calculations.vasp_frames import (
    label_report,
    label_starts,
    starts_by_name,
    take_labels,
)
from aiida_dnpmelt.calculations.vasp_settings import VaspSettings
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.physics.screening import ScreeningSettings
from aiida_dnpmelt.workchains.protocols import load_protocol, merge
from aiida_dnpmelt.workchains.steps import submit_once, why
from aiida_dnpmelt.workchains.vasp_md import VaspMdWorkChain


class VaspLabelWorkChain(WorkChain):
    """Label frames with VASP: as they are, or after a run from each of them at constant volume.

    Each starting frame is a run of its own, which goes on through wall times. Frames whose labels cannot be true are
    dropped and counted. Runs that fail are named, and end it only if too few are left.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(LammpsLabelCalculation, include=("frames", "settings", "seed"))
        spec.input("code", valid_type=orm.AbstractCode, validator=both(may_run, runs("VASP")), help="VASP.")
        spec.input(
            "potential_family",
            valid_type=orm.Str,
            serializer=orm.to_aiida_type,
            help="Family of POTCAR files, as `aiida-vasp potcar uploadfamily` stored it.",
        )
        spec.input(
            "potential_mapping",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            required=False,
            help="Name of the POTCAR of each element, such as {'Ti': 'Ti_pv'}; its symbol if not given.",
        )
        spec.input(
            "vasp",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(VaspSettings, "vasp"),
            help="Tags of the INCAR and the mesh of k-points, see VaspSettings.",
        )
        spec.input(
            "screening",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(ScreeningSettings, "screening"),
            default=lambda: orm.Dict({}),
            help="Which labels are dropped, see ScreeningSettings.",
        )
        spec.input(
            "quorum",
            valid_type=orm.Float,
            serializer=orm.to_aiida_type,
            validator=_validate_quorum,
            default=lambda: orm.Float(0.5),
            help="Least share of the starting frames whose runs end as planned.",
        )
        spec.input("job.metadata.options", valid_type=dict, required=False, non_db=True, help="Options of the jobs.")
        spec.inputs.validator = both(takes_resources, cls.validate_inputs)

        spec.outline(
            cls.setup,
            while_(cls.should_run)(cls.run_stage, cls.inspect_stage),
            cls.collect,
        )
        spec.output_namespace(
            "frames", dynamic=True, valid_type=FramesData, help="Labelled frames, under the names of the inputs."
        )
        spec.output("report", valid_type=orm.Dict, required=False, help="Counts of frames, see label_report.")
        spec.exit_code(
            413, "ERROR_QUORUM", message="{failed} of {starts} runs failed, more than the quorum allows. {reason}"
        )
        spec.exit_code(
            420, "ERROR_NOTHING_LABELLED", message="No frame got a label that can be used: look at the report."
        )

    @classmethod
    def validate_inputs(cls, inputs: Mapping[str, Any], _: Any) -> str | None:
        """Check that there is a POTCAR of each element."""
        if any(name not in inputs for name in ("frames", "potential_family")):
            return None
        symbols = sorted({symbol for start in starts_of(inputs["frames"]) for symbol in start.symbols})
        try:
            PotcarData.get_potcars_dict(symbols, inputs["potential_family"].value, _mapping(inputs, symbols))
        except Exception as exception:  # aiida-vasp raises several kinds
            return f"potential_family: {exception}"
        return None

    @classmethod
    def get_labelling_from_protocol(
        cls,
        code: orm.AbstractCode,
        potential_family: str,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        potential_mapping: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Return what a learning needs as ``labelling`` to be taught by VASP.

        :param code: VASP.
        :param potential_family: family of POTCAR files.
        :param protocol: ``balanced`` (default) or ``paper``.
        :param overrides: values over the protocol's, see `VaspSettings`.
        :param potential_mapping: name of the POTCAR of each element, if it is not its symbol.
        :raises ValueError: for an unknown protocol or setting.
        """
        values = merge(load_protocol("vasp_label", protocol), dict(overrides or {}))
        settings = {name: value for name, value in values.items() if name not in ("name", "description")}
        try:
            VaspSettings(**settings)
        except ValidationError as exception:
            raise ValueError(explain(exception, "vasp")) from exception
        mapping = {"potential_mapping": orm.Dict(dict(potential_mapping))} if potential_mapping else {}
        return {"code": code, "potential_family": orm.Str(potential_family), "vasp": orm.Dict(settings), **mapping}

    def setup(self) -> None:
        """Draw velocities and make the parameters of all runs."""
        self.ctx.inputs_of = label_starts(
            settings=self.inputs.settings,
            vasp=self.inputs.vasp,
            seed=self.inputs.seed,
            metadata={"call_link_label": "starts"},
            **self.inputs.frames,
        )
        self.ctx.starts = starts_by_name(self.inputs.frames)
        self.ctx.stages = list(LabelSettings(**self.inputs.settings.get_dict()).stages)
        self.ctx.stage = 0
        self.ctx.reached = ""
        self.ctx.ends = {}
        self.ctx.failed = {}

    def should_run(self) -> bool:
        """Tell whether there is a stage to run."""
        return self.ctx.stage < len(self.ctx.stages)

    def run_stage(self) -> None:
        """Submit a run for each starting frame that has come so far."""
        stage = self.ctx.reached = self.ctx.stages[self.ctx.stage]
        frames = starts_of(self.inputs.frames)
        self.report(f"{stage}: {len(frames) - len(self.ctx.failed)} runs")
        for index, start in enumerate(frames):
            if str(index) in self.ctx.failed:
                continue
            submitted = submit_once(self, VaspMdWorkChain, f"{stage}_{index:04d}", self._inputs(stage, index, start))
            self.to_context(**{f"run_{index}": submitted})

    def inspect_stage(self) -> None:
        """Keep the ends of the runs; those that failed are named and left out."""
        stage = self.ctx.reached
        starts = starts_of(self.inputs.frames)
        for index in range(len(starts)):
            if str(index) in self.ctx.failed:
                continue
            node = self.ctx[f"run_{index}"]
            if node.is_finished_ok and (stage == LABEL or "last_structure" in node.outputs):
                self.ctx.ends[str(index)] = node
                continue
            reason = "its end cannot be read" if node.is_finished_ok else why(node)
            self.ctx.failed[str(index)] = f"{stage}: {reason}"
            self.report(f"run {node.pk} of frame {index} ({starts[index].name}) failed: {reason}")
            if stage == LABEL and "frames" in node.outputs:
                self.ctx.ends[str(index)] = node
            else:
                self.ctx.ends.pop(str(index), None)
        self.ctx.stage += 1
        if len(self.ctx.failed) > (1 - self.inputs.quorum.value) * len(starts):
            self.ctx.stage = len(self.ctx.stages)

    def collect(self) -> ExitCode | None:
        """Take the labels out of the runs, drop what cannot be true, and say what became of all."""
        screened = {}
        for name, indices in self.ctx.starts.items():
            runs = {
                f"run_{index:04d}": self.ctx.ends[str(index)].outputs.frames
                for index in indices
                if str(index) in self.ctx.ends and "frames" in self.ctx.ends[str(index)].outputs
            }
            if not runs or self.ctx.reached != LABEL:
                continue
            taken = take_labels(settings=self.inputs.settings, metadata={"call_link_label": f"labels_{name}"}, **runs)
            if "frames" not in taken:
                continue
            metadata = {"call_link_label": f"screen_{name}"}
            found = screen_frames(taken["frames"], self.inputs.screening, metadata=metadata)
            screened[name] = found["report"]
            if "frames" in found:
                self.out(f"frames.{name}", found["frames"])
        counts = {name: len(indices) for name, indices in self.ctx.starts.items()}
        report = label_report(
            settings=self.inputs.settings,
            runs=orm.Dict({"starts": counts, "failed": self.ctx.failed}),
            metadata={"call_link_label": "report"},
            **screened,
        )
        self.out("report", report)
        self.report(f"{report['labelled']} of {report['expected']} frames labelled")
        starts = sum(counts.values())
        if len(self.ctx.failed) > (1 - self.inputs.quorum.value) * starts:
            reason = "; ".join(sorted(set(self.ctx.failed.values())))
            return self.exit_codes.ERROR_QUORUM.format(failed=len(self.ctx.failed), starts=starts, reason=reason)
        return None if report["labelled"] else self.exit_codes.ERROR_NOTHING_LABELLED

    def _inputs(self, stage: str, index: int, start: Any) -> dict[str, Any]:
        """Return the inputs of a run: from the frame itself, or from the end of the stage before."""
        made = self.ctx.inputs_of
        before = self.ctx.ends.get(str(index))
        inputs: dict[str, Any] = {
            "code": self.inputs.code,
            "structure": made[f"structure_{index}"],
            "kpoints": made[f"kpoints_{index}"],
            "parameters": made[f"{stage}_{index}"],
            "potential_family": self.inputs.potential_family,
            "potential_mapping": orm.Dict(_mapping(self.inputs, sorted(set(start.symbols)))),
            "phase": orm.Str("liquid" if MELT in self.ctx.stages else self._phase(start.name)),
            "temperature": orm.Float(start.temperature_k),
            "settings": orm.Dict({"parser_settings": {"check_ionic_convergence": False}}),
            "calc": {"metadata": {"options": self._options()}},
        }
        if f"velocities_{index}" in made:
            inputs["velocities"] = made[f"velocities_{index}"]
        if before is not None:
            inputs["structure"] = before.outputs.last_structure
            inputs["velocities"] = before.outputs.last_velocities
        return inputs

    def _phase(self, name: str) -> str:
        return str(self.inputs.frames[name].base.attributes.get("phase"))

    def _options(self) -> dict[str, Any]:
        given: dict[str, Any] = dict(self.inputs.get("job", {}).get("metadata", {}).get("options", {}))
        return vasp_options(self.inputs.code, given)


def _mapping(inputs: Mapping[str, Any], symbols: list[str]) -> dict[str, str]:
    given = inputs["potential_mapping"].get_dict() if "potential_mapping" in inputs else {}
    return {symbol: given.get(symbol, symbol) for symbol in symbols}


def _validate_quorum(node: orm.Float | None, _: Any) -> str | None:
    if node is not None and not 0 < node.value <= 1:
        return f"quorum: {node.value:g} is outside the allowed range 0 < quorum <= 1"
    return None
