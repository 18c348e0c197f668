"""Finite-size study: the melting temperature of cells of several sizes, and what they say together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, WorkChain, while_

from aiida_dnpmelt.calculations.finite_size import (
    SizeStudy,
    atoms_of,
    cells_of,
    finite_size,
    living_window,
    study_sizes,
)
from aiida_dnpmelt.calculations.structures import coexistence_cell
from aiida_dnpmelt.calculations.validators import fits
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import orthogonal_cell
from aiida_dnpmelt.physics.notation import notation
from aiida_dnpmelt.workchains.protocols import load_protocol, merge
from aiida_dnpmelt.workchains.steps import submit_once, why
from aiida_dnpmelt.workchains.tpc import TPCWorkChain, summary

_SECTIONS = ("study", "tpc")
_OWN = ("size", "repetitions")


class FiniteSizeWorkChain(WorkChain):
    """Compute a melting temperature in cells of several sizes, and extrapolate it to infinite size.

    Each size goes through two-phase coexistence with the same seeds. A size without a T_m is a gap with its reason; the
    others tell whether T_m depends on the size, and how its error falls with the number of atoms.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(TPCWorkChain, namespace="tpc", exclude=_OWN)
        spec.input(
            "study",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(SizeStudy, "study"),
            help="Sizes, how many of them are needed, and how many are run side by side, see SizeStudy.",
        )
        spec.inputs.validator = cls.validate_inputs

        spec.outline(
            cls.setup,
            cls.prepare_sizes,
            while_(cls.should_run_sizes)(cls.run_sizes, cls.inspect_sizes),
            cls.results,
        )
        spec.output(
            "finite_size",
            valid_type=orm.Dict,
            required=False,
            help="T_m over the size, see the reference of the study; absent if no size has a melting point.",
        )
        spec.output_namespace("melting_points", valid_type=orm.Dict, help="Melting points of the sizes by name.")
        spec.exit_code(401, "ERROR_NO_MELTING_POINT", message="No size came to an end. {reason}")
        spec.exit_code(
            501,
            "ERROR_TOO_FEW_SIZES",
            message="Only {found} sizes have a T_m, {needed} are needed. {reason}. Try larger cells, or another guess.",
        )

    @classmethod
    def validate_inputs(cls, inputs: Mapping[str, Any], _: Any) -> str | None:
        """Check each size as its coexistence would."""
        if "study" not in inputs or "structure" not in inputs.get("tpc", {}):
            return None
        try:
            cell = orthogonal_cell(inputs["tpc"]["structure"].get_ase())
            sizes = cells_of(cell, inputs["study"].get_dict())
        except ValueError as exception:
            return f"structure, study: {exception}"
        size = orm.Dict({"minimum_atoms": 1})  # not looked at beside repetitions
        for number, counts in sizes.items():
            own = {**inputs["tpc"], "size": size, "repetitions": orm.List(list(counts))}
            problem = TPCWorkChain.validate_inputs(own, None)
            if problem is not None:
                return f"study, {number} atoms: {problem}"
        return None

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.InstalledCode,
        structure: orm.StructureData,
        potential: PotentialData,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with the settings of a protocol.

        :param code: LAMMPS that knows the pair style of the potential.
        :param protocol: ``balanced`` (default), ``fast`` or ``paper``; of the coexistence as well.
        :param overrides: values over the protocol's, in its sections ``study`` and ``tpc``.
        :param options: options of the LAMMPS jobs, such as ``max_wallclock_seconds``.
        :raises ValueError: for an unknown protocol or section.
        """
        values = load_protocol("finite_size", protocol)
        unknown = set(overrides or {}) - set(_SECTIONS)
        if unknown:
            raise ValueError(f"overrides: {', '.join(sorted(unknown))} unknown, there are {', '.join(_SECTIONS)}")
        values = merge(values, dict(overrides or {}))
        if "size" in values.get("tpc", {}):
            raise ValueError("overrides: tpc.size unknown, the sizes are in study")
        coexistence = TPCWorkChain.get_builder_from_protocol(
            code, structure, potential, values["name"], values.get("tpc"), options
        )
        own: dict[str, Any] = coexistence._inputs(prune=True)
        builder = cls.get_builder()
        builder.tpc = {name: value for name, value in own.items() if name not in _OWN}
        # A name of its own, so that a look at melting points by protocol does not mix them with others.
        builder.tpc.protocol = orm.Str(f"{values['name']}-size")
        builder.study = orm.Dict(_given(values["study"], overrides))
        return builder

    def setup(self) -> None:
        """Name everything that the context holds: plain values and stored nodes."""
        self.ctx.sizes = {}
        self.ctx.waiting = []
        self.ctx.running = []
        self.ctx.points = {}
        self.ctx.windows = {}
        self.ctx.failed = {}

    def prepare_sizes(self) -> None:
        """Find the conventional cell and its repetitions."""
        cell = coexistence_cell(self.inputs.tpc.structure, metadata={"call_link_label": "cell"})
        self.ctx.sizes = study_sizes(cell, self.inputs.study, metadata={"call_link_label": "sizes"})
        self.ctx.waiting = sorted(self.ctx.sizes, key=atoms_of)
        self.report(f"cells of {', '.join(str(atoms_of(name)) for name in self.ctx.waiting)} atoms")

    def should_run_sizes(self) -> bool:
        """Tell whether there are sizes that have not been run."""
        if self.ctx.waiting:
            return True
        self.report(f"done: {len(self.ctx.points)} of {len(self.ctx.sizes)} sizes have a melting point")
        return False

    def run_sizes(self) -> None:
        """Submit the coexistence of as many sizes as may run side by side."""
        most = SizeStudy(**self.inputs.study.get_dict()).at_once or len(self.ctx.waiting)
        self.ctx.running = self.ctx.waiting[:most]
        self.report(f"coexistence in cells of {', '.join(str(atoms_of(name)) for name in self.ctx.running)} atoms")
        formula = self.inputs.tpc.structure.get_ase().get_chemical_formula(empirical=True)
        for name in self.ctx.running:
            inputs = {**self.exposed_inputs(TPCWorkChain, "tpc"), "size": self.ctx.sizes[name]}
            node = submit_once(self, TPCWorkChain, name, inputs, f"{formula}_{name}".lower())
            self.to_context(**{name: node})

    def inspect_sizes(self) -> None:
        """Collect the melting points; sizes without one are named."""
        for name in self.ctx.running:
            node = self.ctx[name]
            if "melting_point" not in node.outputs:
                self.ctx.failed[str(atoms_of(name))] = why(node)
                self.report(f"{atoms_of(name)} atoms ({node.pk}) have no melting point: {why(node)}")
                continue
            point = node.outputs.melting_point
            self.ctx.points[name] = point
            self.out(f"melting_points.{name}", point)
            self.report(f"{atoms_of(name)} atoms: {summary(point.get_dict())}")
            if point["melting_temperature_k"] is not None:
                self.ctx.windows[name] = living_window(
                    point, metadata={"call_link_label": f"window_{name}"}, **node.outputs.runs
                )
        self.ctx.waiting = [name for name in self.ctx.waiting if name not in self.ctx.running]
        self.ctx.running = []

    def results(self) -> ExitCode | None:
        """Put the sizes together."""
        if not self.ctx.points:
            reason = "; ".join(f"{number} atoms: {reason}" for number, reason in self.ctx.failed.items())
            return self.exit_codes.ERROR_NO_MELTING_POINT.format(reason=reason)
        found = finite_size(
            self.inputs.study,
            orm.Dict(self.ctx.failed),
            metadata={"call_link_label": "finite_size"},
            **{f"point_{name}": point for name, point in self.ctx.points.items()},
            **{f"window_{name}": window for name, window in self.ctx.windows.items()},
        )
        self.out("finite_size", found)
        values = found.get_dict()
        self.node.description = size_summary(values)
        self.report(self.node.description)
        if values["verdict"] == "invalid":
            reason = "; ".join(f"{gap['atoms']} atoms: {gap['reason']}" for gap in values["gaps"])
            needed = SizeStudy(**self.inputs.study.get_dict()).fewest_sizes
            return self.exit_codes.ERROR_TOO_FEW_SIZES.format(found=len(values["atoms"]), needed=needed, reason=reason)
        return None


def size_summary(study: Mapping[str, Any]) -> str:
    """Return a finite-size study in a line."""
    number = f"{len(study['atoms'])} of {len(study['atoms']) + len(study['gaps'])} sizes"
    if study["infinite_temperature_k"] is None:
        return f"no extrapolation ({study['verdict']}, {number})"
    effect = (
        "an effect of the size is resolved" if study["size_effect_resolved"] else "no effect of the size is resolved"
    )
    return (
        f"T_m at infinite size = {notation(study['infinite_temperature_k'], study['infinite_uncertainty_k'])} K, "
        f"{effect} ({study['verdict']}, {number})"
    )


def _given(study: dict[str, Any], overrides: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the settings of a study; sizes that are given in one way replace those of the protocol in the other."""
    given = (overrides or {}).get("study", {})
    ways = {"minimum_atoms", "repetitions"}
    if len(ways & set(given)) != 1:
        return study
    (other,) = ways - set(given)
    return {name: value for name, value in study.items() if name != other}
