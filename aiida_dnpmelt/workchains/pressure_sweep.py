"""Melting temperatures over pressure, with a curve through them and a check that does not depend on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, WorkChain, while_

from aiida_dnpmelt.calculations.bulk_phases import SCHEMA as PROPERTIES_SCHEMA
from aiida_dnpmelt.calculations.bulk_phases import bulk_flaw
from aiida_dnpmelt.calculations.known_points import Wanted, known_flaw
from aiida_dnpmelt.calculations.melting_curve import melting_curve
from aiida_dnpmelt.calculations.melting_point import SCHEMA as POINT_SCHEMA
from aiida_dnpmelt.calculations.melting_point import tabulated_melting_temperature
from aiida_dnpmelt.calculations.pressure_sweep import (
    GUESS,
    POINT,
    PRESSURE,
    PROPERTIES,
    SweepSettings,
    index_of,
    name_of,
    pressure_sweep,
    sweep_guesses,
)
from aiida_dnpmelt.calculations.validators import fits, validate_pressures
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.melting_curve import FEWEST_PRESSURES
from aiida_dnpmelt.physics.ordering import by_number, ordered
from aiida_dnpmelt.workchains.melting_properties import MeltingPropertiesWorkChain, properties_summary
from aiida_dnpmelt.workchains.protocols import load_protocol, merge
from aiida_dnpmelt.workchains.steps import submit_once, why
from aiida_dnpmelt.workchains.tpc import TPCWorkChain, summary

_SECTIONS = ("tpc", "bulk", "sweep", "seed", "pressures_gpa")
_OWN = ("structure", "potential", "pressure", "temperature")


class PressureSweepWorkChain(WorkChain):
    """Compute melting temperatures at several pressures, and the curve through them.

    The first point starts from a guess. At each point that is found, crystal and melt are run by themselves: their
    volumes and enthalpies give the slope dT_m/dP, and that the guesses of the next points. At the end, the slopes
    of the law that is fitted to the points are compared with these slopes, which the fit has not seen.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(TPCWorkChain, include=("structure", "potential", "temperature"))
        spec.inputs[
            "temperature"
        ].help = "Guess of T_m in K at the first pressure; without it, the experimental T_m of the element."
        spec.input(
            "pressures",
            valid_type=orm.List,
            serializer=orm.to_aiida_type,
            validator=validate_pressures(FEWEST_PRESSURES),
            help="Pressures in GPa, at least three; the first one is where the sweep begins.",
        )
        spec.input_namespace(
            "structures",
            dynamic=True,
            valid_type=orm.StructureData,
            help="Another crystal at some pressures, as `point_003` for the fourth one of `pressures`.",
        )
        spec.input_namespace(
            "known",
            dynamic=True,
            valid_type=orm.Dict,
            help="Melting points and properties of this potential and of the crystal that melts there, at some of the "
            "pressures: they are taken over.",
        )
        spec.expose_inputs(TPCWorkChain, namespace="tpc", exclude=_OWN)
        spec.expose_inputs(MeltingPropertiesWorkChain, include=("bulk", "seed"))
        spec.input(
            "sweep",
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=fits(SweepSettings, "sweep"),
            default=lambda: orm.Dict({}),
            help="How the sweep goes from pressure to pressure, see SweepSettings.",
        )
        spec.inputs.validator = cls.validate_inputs
        spec.outline(
            cls.setup,
            while_(cls.should_run_points)(
                cls.run_points,
                cls.inspect_points,
                cls.run_properties,
                cls.inspect_properties,
            ),
            cls.results,
        )
        spec.output("sweep", valid_type=orm.Dict, help="The result, see the reference of the pressure sweep.")
        spec.output("curve", valid_type=orm.Dict, required=False, help="See the reference of the melting curve.")
        spec.output_namespace("melting_points", valid_type=orm.Dict, help="Melting points, as `point_000`, ...")
        spec.output_namespace("properties", valid_type=orm.Dict, help="Melting properties, as `properties_000`, ...")
        spec.exit_code(401, "ERROR_NO_POINT", message="No pressure has a melting temperature: {reason}")
        spec.exit_code(
            501,
            "ERROR_NO_CURVE",
            message=f"A curve needs {FEWEST_PRESSURES} pressures with a melting temperature, there are {{number}}: "
            "{reason}. Give the points that are there as `known`.",
        )

    @classmethod
    def validate_inputs(cls, inputs: Mapping[str, Any], _: Any) -> str | None:
        """Check what depends on more than one input."""
        if any(name not in inputs for name in ("structure", "potential", "pressures", "tpc")):
            return None
        pressures = inputs["pressures"].get_list()
        crystals = {"structure": inputs["structure"]}
        for name, structure in inputs.get("structures", {}).items():
            if name not in [name_of(POINT, index) for index in range(len(pressures))]:
                last = name_of(POINT, len(pressures) - 1)
                return f"structures.{name}: the names are {name_of(POINT, 0)} to {last}, one for each of `pressures`"
            crystals[f"structures.{name}"] = structure
        shared = {name: inputs[name] for name in ("potential", "temperature") if name in inputs}
        for name, structure in crystals.items():
            problem = TPCWorkChain.validate_inputs({**inputs["tpc"], **shared, "structure": structure}, None)
            if problem is not None:
                return f"{name}: {problem}"
        formulas = {name: each.get_ase().get_chemical_formula(empirical=True) for name, each in crystals.items()}
        for name, formula in formulas.items():
            if formula != formulas["structure"]:
                return f"{name}: it is {formula}, all crystals of a sweep must be {formulas['structure']}"
        if "bulk" in inputs and "parameters" in inputs["tpc"]:
            problem = bulk_flaw(inputs["bulk"].get_dict(), inputs["tpc"]["parameters"].get_dict())
            if problem is not None:
                return problem
        at = {
            pressure: crystals.get(f"structures.{name_of(POINT, index)}", crystals["structure"])
            for index, pressure in enumerate(pressures)
        }
        return _validate_known(inputs.get("known", {}), pressures, at, inputs["potential"])

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
        :param protocol: ``balanced`` (default), ``fast``, ``stringent`` or ``paper``.
        :param overrides: values over the protocol's, in its sections ``tpc``, ``bulk``, ``sweep``, ``seed`` and
            ``pressures_gpa``.
        :param options: options of the LAMMPS jobs, such as ``max_wallclock_seconds``.
        :raises ValueError: for an unknown protocol or section.
        """
        values = load_protocol("pressure_sweep", protocol)
        unknown = set(overrides or {}) - set(_SECTIONS)
        if unknown:
            raise ValueError(f"overrides: {', '.join(sorted(unknown))} unknown, there are {', '.join(_SECTIONS)}")
        name = values["name"]
        values = merge(values, dict(overrides or {}))
        coexistence = TPCWorkChain.get_builder_from_protocol(
            code, structure, potential, name, values.get("tpc"), options
        )
        builder = cls.get_builder()
        builder.structure = structure
        builder.potential = potential
        builder.pressures = orm.List(values["pressures_gpa"])
        builder.tpc = {key: value for key, value in coexistence._inputs(prune=True).items() if key not in _OWN}
        builder.bulk = orm.Dict(values["bulk"])
        builder.sweep = orm.Dict(values["sweep"])
        builder.seed = orm.Int(values["seed"])
        return builder

    def setup(self) -> None:
        """Name everything that the context holds: plain values and stored nodes; take over what is known."""
        self.ctx.pressures = [float(value) for value in self.inputs.pressures.get_list()]
        self.ctx.temperature = None
        self.ctx.points = {}
        self.ctx.properties = {}
        self.ctx.gaps = {}
        self.ctx.submitted = []
        self.ctx.running = []
        known = self.inputs.known if "known" in self.inputs else {}
        for node in known.values():
            index = self.ctx.pressures.index(node["pressure_gpa"])
            if node["schema"] == POINT_SCHEMA:
                self.ctx.points[name_of(POINT, index)] = node
            else:
                self.ctx.properties[name_of(PROPERTIES, index)] = node
        if known:
            self.report(f"{len(self.ctx.points)} points and {len(self.ctx.properties)} slopes are known")

    def should_run_points(self) -> bool:
        """Tell whether there is a pressure to compute, or a known point without a slope."""
        missing = self._without_slope()
        ended = [index for index in range(len(self.ctx.pressures)) if self._has_ended(index)]
        if len(ended) == len(self.ctx.pressures) and not missing:
            self.report(f"done: T_m at {len(self.ctx.points)} of {len(self.ctx.pressures)} pressures")
            return False
        return True

    def run_points(self) -> None:
        """Submit the pressures whose guesses do not wait for others, unless a known point lacks its slope first."""
        found = {} if self._without_slope() else self._find_guesses()
        self.ctx.running = sorted(index_of(name) for name in found if name.startswith(GUESS))
        submitted = []
        for index in self.ctx.running:
            pressure, guess = (found[name_of(kind, index)] for kind in (PRESSURE, GUESS))
            inputs = {
                **self.exposed_inputs(TPCWorkChain, "tpc"),
                "structure": self._structure(index),
                "potential": self.inputs.potential,
                "pressure": pressure,
                "temperature": guess,
            }
            label = name_of(POINT, index)
            self.to_context(**{label: submit_once(self, TPCWorkChain, label, inputs, self._name(index, "tpc"))})
            submitted.append(f"{pressure.value:g} GPa from {guess.value:.0f} K")
        if submitted:
            self.report(f"coexistence at {', '.join(submitted)}")

    def inspect_points(self) -> None:
        """Collect the melting points; a pressure without one is a gap, the others stand."""
        for index in self.ctx.running:
            label, pressure = name_of(POINT, index), self.ctx.pressures[index]
            node = self.ctx[label]
            point = node.outputs.melting_point if "melting_point" in node.outputs else None
            if point is None or point["melting_temperature_k"] is None or point["verdict"] == "invalid":
                self.ctx.gaps[label] = why(node)
                self.report(f"no T_m at {pressure:g} GPa: {why(node)}")
            else:
                self.ctx.points[label] = point
                self.report(f"{pressure:g} GPa: {summary(point.get_dict())}")

    def run_properties(self) -> None:
        """Submit the runs of crystal and melt at the points that are new."""
        self.ctx.submitted = self._without_slope()
        for index in self.ctx.submitted:
            label = name_of(PROPERTIES, index)
            inputs = {
                "melting_point": self.ctx.points[name_of(POINT, index)],
                "structure": self._structure(index),
                "potential": self.inputs.potential,
                "bulk": self.inputs.bulk,
                "parameters": self.inputs.tpc.parameters,
                "seed": self.inputs.seed,
                "coexistence": self.exposed_inputs(TPCWorkChain, "tpc").coexistence,
            }
            name = self._name(index, "bulk")
            self.to_context(**{label: submit_once(self, MeltingPropertiesWorkChain, label, inputs, name)})

    def inspect_properties(self) -> None:
        """Collect volumes and enthalpies of melting; without them a point has no slope."""
        for index in self.ctx.submitted:
            label, pressure = name_of(PROPERTIES, index), self.ctx.pressures[index]
            node = self.ctx[label]
            if node.is_finished_ok:
                self.ctx.properties[label] = node.outputs.properties
                self.report(f"{pressure:g} GPa: {properties_summary(node.outputs.properties.get_dict())}")
            else:
                self.ctx.gaps[label] = why(node)
                self.report(f"no slope at {pressure:g} GPa: {why(node)}")
        self.node.description = f"T_m at {len(self.ctx.points)} of {len(self.ctx.pressures)} pressures"

    def results(self) -> ExitCode | None:
        """Fit the curve, compare its slopes, and attach everything that was found."""
        reason = "; ".join(text for name, text in ordered(self.ctx.gaps).items() if name.startswith(POINT))
        if not self.ctx.points:
            return self.exit_codes.ERROR_NO_POINT.format(reason=reason)
        for name, node in self.ctx.points.items():
            self.out(f"melting_points.{name}", node)
        for name, node in self.ctx.properties.items():
            self.out(f"properties.{name}", node)
        optional = {}
        if len(self.ctx.points) >= FEWEST_PRESSURES:
            optional["curve"] = melting_curve(metadata={"call_link_label": "curve"}, **self.ctx.points)
            self.out("curve", optional["curve"])
        sweep = pressure_sweep(
            pressures=self.inputs.pressures,
            gaps=orm.Dict(self.ctx.gaps),
            metadata={"call_link_label": "sweep"},
            **optional,
            **self.ctx.points,
            **self.ctx.properties,
        )
        self.out("sweep", sweep)
        self.node.description = sweep_summary(sweep.get_dict())
        self.report(self.node.description)
        if not optional:
            return self.exit_codes.ERROR_NO_CURVE.format(number=len(self.ctx.points), reason=reason)
        return None

    def _find_guesses(self) -> dict[str, orm.Float]:
        """Return the pressures that can be computed now and their guesses, by name."""
        if self.ctx.temperature is None:
            self.ctx.temperature = (
                self.inputs.temperature
                if "temperature" in self.inputs
                else tabulated_melting_temperature(self.inputs.structure, metadata={"call_link_label": "first_guess"})
            )
        ended = [index for index in range(len(self.ctx.pressures)) if self._has_ended(index)]
        guesses: dict[str, orm.Float] = sweep_guesses(
            pressures=self.inputs.pressures,
            sweep=self.inputs.sweep,
            temperature=self.ctx.temperature,
            ended=orm.List(ended),
            metadata={"call_link_label": f"guesses_{len(ended):03d}"},
            **self.ctx.points,
            **self.ctx.properties,
        )
        return guesses

    def _has_ended(self, index: int) -> bool:
        name = name_of(POINT, index)
        return name in self.ctx.points or name in self.ctx.gaps

    def _without_slope(self) -> list[int]:
        """Return the places of the points whose bulk phases have not been run."""
        places = [index_of(name) for name in sorted(self.ctx.points, key=by_number)]
        names = {index: name_of(PROPERTIES, index) for index in places}
        return [index for index, name in names.items() if name not in self.ctx.properties and name not in self.ctx.gaps]

    def _structure(self, index: int) -> orm.StructureData:
        given = self.inputs.structures if "structures" in self.inputs else {}
        return given.get(name_of(POINT, index), self.inputs.structure)

    def _name(self, index: int, what: str) -> str:
        formula = self._structure(index).get_formula(mode="hill_compact").lower()
        return f"{formula}_{self.ctx.pressures[index]:g}gpa_{what}"


def _validate_known(
    known: Mapping[str, orm.Dict],
    pressures: list[float],
    crystals: Mapping[float, orm.StructureData],
    potential: PotentialData,
) -> str | None:
    """Check that nodes that are known belong to the potential, a pressure and its crystal, are good, one of a kind.

    :param crystals: that melt, by pressure in GPa.
    """
    places: set[tuple[str, float]] = set()
    for name, node in ordered(known).items():
        pressure = node.get_dict().get("pressure_gpa")
        crystal = crystals[pressure if pressure in pressures else pressures[0]]
        flaw = known_flaw(node.get_dict(), Wanted.of(crystal.get_ase(), potential))
        if flaw is None and pressure not in pressures:
            flaw = f"{pressure:g} GPa is not one of the pressures {pressures}"
        if flaw is not None:
            return f"known.{name}: {flaw}"
        place = (node["schema"], pressure)
        if place in places:
            return f"known.{name}: there is another one of its kind at {place[1]:g} GPa, give one of them"
        places.add(place)
    for schema, pressure in places:
        if schema == PROPERTIES_SCHEMA and (POINT_SCHEMA, pressure) not in places:
            return f"known: properties at {pressure:g} GPa are given without the melting point there"
    return None


def sweep_summary(sweep: Mapping[str, Any]) -> str:
    """Return the result of a sweep in a line."""
    found = [value for value in sweep["melting_temperatures_k"] if value is not None]
    text = f"{sweep['element']}: T_m at {len(found)} of {len(sweep['pressures_gpa'])} pressures"
    if sweep["law"] is not None:
        text += f", {sweep['law'].replace('_', '-')}"
    if sweep["largest_slope_difference_sigma"] is not None:
        largest = sweep["largest_slope_difference_sigma"]
        text += f", its slopes and those of Clausius-Clapeyron differ by {largest:.1f} sigma at most"
    return text
