"""Ask of a melting temperature what a referee would ask first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from aiida import orm
from ase import units

from aiida_dnpmelt.calculations.melting_point import another_crystal, judged
from aiida_dnpmelt.data.frames import CONVERGED, FramesData
from aiida_dnpmelt.data.potential import DEEPMD, PotentialData
from aiida_dnpmelt.physics.lattices import LATTICES
from aiida_dnpmelt.physics.ordering import by_number, ordered
from aiida_dnpmelt.provenance.ancestry import Node, attributes_of
from aiida_dnpmelt.provenance.labels import TRAINING_TYPE
from aiida_dnpmelt.provenance.query import points_of, size_studies
from aiida_dnpmelt.provenance.spent import results_of
from aiida_dnpmelt.provenance.trace import Trace, trace

PASSED, DOUBTED, FAILED, UNKNOWN, INAPPLICABLE = "passed", "doubted", "failed", "unknown", "not applicable"
STATES = (FAILED, DOUBTED, UNKNOWN, PASSED, INAPPLICABLE)
"""States of checks, the gravest first."""

_LEARNING_TYPE = "aiida.workflows:dnpmelt.adaptive_learning"
_PART = "point_"
_RANDOM = ("dnpmelt.coexistence", "dnpmelt.deepmd_train", "dnpmelt.exploration", "dnpmelt.label")
"""Jobs that draw random numbers."""
_FORMATS_WITH_UNITS = ("vasprun.xml", "OUTCAR")
_DATA_SETS = ("deepmd/npy", "deepmd/raw")
_EDGE_GPA = 2.0
"""How far beyond the pressures of the frames a T_m may lie, in GPa: about the scatter of those of one small cell."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    :param state: ``passed``, ``doubted``, ``failed``, ``unknown`` where the graph does not tell, or ``not applicable``
        where there is nothing to check.
    """

    check: str
    state: str
    reason: str


def audit(pk: int) -> list[Finding]:
    """Return what each check of a melting temperature found.

    :param pk: of a work chain that gives a melting temperature, or of the dictionary that holds it.
    :raises ValueError: if it is neither.
    """
    case = _Case(trace(pk))
    return [Finding(name, *found) for name, check in _CHECKS.items() for found in check(case)]


class _Case:
    """A melting temperature with what the checks look at."""

    def __init__(self, found: Trace) -> None:
        self.trace = found
        self.point = judged(found.result)
        self.nodes = list(found.ancestry.nodes.values())
        self.inputs = found.ancestry.inputs()

    def of_type(self, kind: str) -> list[Node]:
        """Return the data of a class."""
        return [node for node in self.nodes if node.short_kind == kind]

    def jobs(self, *entry_points: str) -> list[Node]:
        """Return the jobs of some kinds."""
        return [node for node in self.nodes if node.is_job and node.process_type.endswith(entry_points)]

    @cached_property
    def potentials(self) -> list[PotentialData]:
        """Return the potentials that the coexistence ran with."""
        pks = {
            link.source
            for job in self.jobs("dnpmelt.coexistence")
            for link in self.inputs[job.pk]
            if link.label == "potential"
        }
        wanted = self.point.get("potential_uuid")
        found = [orm.load_node(pk) for pk in sorted(pks)]
        return [node for node in found if wanted in (None, str(node.uuid))] or found

    @cached_property
    def frames(self) -> list[FramesData]:
        """Return the frames that the potentials, and models before them, were trained on."""
        trainings = [node.pk for node in self.nodes if node.process_type == TRAINING_TYPE]
        pks = {link.source for pk in trainings for link in self.inputs[pk]}
        frames = {node.pk for node in self.of_type("FramesData")}
        return [orm.load_node(pk) for pk in sorted(pks & frames)]

    @cached_property
    def parts(self) -> dict[str, Any]:
        """Return the melting points of the models that the result of a whole chain is made of, by their names."""
        makers = [node.pk for node in self.nodes if node.process_type.endswith(".melting_result")]
        links = [link for pk in makers for link in self.inputs[pk] if link.label.startswith(_PART)]
        found = {link.label.removeprefix(_PART): orm.load_node(link.source).get_dict() for link in links}
        return {name: judged(point) for name, point in ordered(found).items()}

    @property
    def learned(self) -> bool:
        """Return whether a learned potential is among those that the coexistence ran with."""
        return any(potential.pair_style == DEEPMD for potential in self.potentials)

    def without_frames(self) -> tuple[str, str]:
        """Return what a check of frames says where there are none."""
        return (UNKNOWN, "the frames are not on record") if self.learned else (INAPPLICABLE, _NOT_LEARNED)

    def made_by(self, pk: int) -> Node | None:
        """Return the process that made data."""
        before = self.inputs[pk]
        return self.trace.ancestry.nodes[before[0].source] if before else None

    def chain_behind(self, pk: int) -> Iterator[Node]:
        """Yield the data that a node was taken from, frames from frames, and itself."""
        waiting, seen = [pk], {pk}
        while waiting:
            current = waiting.pop()
            yield self.trace.ancestry.nodes[current]
            maker = self.made_by(current)
            if maker is None or maker.is_job:
                continue
            for link in self.inputs[maker.pk]:
                if link.source not in seen and self.trace.ancestry.nodes[link.source].short_kind == "FramesData":
                    seen.add(link.source)
                    waiting.append(link.source)


_Found = Iterator[tuple[str, str]]
_NOT_LEARNED = "the potential is no learned one"


def count(findings: Iterable[Finding]) -> str:
    """Return how many checks are in which state, in words, the gravest first."""
    numbers = Counter(finding.state for finding in findings)
    return ", ".join(f"{numbers[state]} {state}" for state in STATES if numbers[state])


def _verdict(case: _Case) -> _Found:
    verdict = case.point["verdict"]
    state = {"valid": PASSED, "unfinished": DOUBTED}.get(verdict, FAILED)
    yield state, f"{verdict}: {'; '.join(case.point['reasons']) or 'no reason on record'}"


def _uncertainty(case: _Case) -> _Found:
    point = case.point
    if point["melting_temperature_k"] is None:
        yield FAILED, "there is no T_m"
        return
    target, reached = point.get("target_uncertainty_k"), point.get("target_reached")
    words = f"u = {point['standard_uncertainty_k']:.1f} K"
    if target is None:
        yield INAPPLICABLE, f"{words}, no target was set"
    elif reached:
        yield PASSED, f"{words}, the target of {target:g} K is reached by its statistical part"
    else:
        yield DOUBTED, f"{words}, the target of {target:g} K is not reached"


def _crystal(case: _Case) -> _Found:
    if not case.parts:
        yield from _crystal_of(case.point)
    for name, point in case.parts.items():
        yield from ((state, f"{name}: {reason}") for state, reason in _crystal_of(point))


def _crystal_of(point: Mapping[str, Any]) -> _Found:
    wanted, found = point["lattice"], point.get("found_lattice")
    flaw = another_crystal(point)
    if wanted not in LATTICES:
        yield UNKNOWN, f"the crystal is none of {', '.join(LATTICES)}: which one the solid is at the end cannot be told"
    elif found is None:
        yield UNKNOWN, "the lattice of the solid at the end is not on record"
    elif flaw is not None:
        yield FAILED, flaw
    else:
        share = point.get("found_lattice_share")
        some = "most" if share is None else f"{share:.0%}"
        yield PASSED, f"{some} of the solid atoms are {found} at the end"


def _size(case: _Case) -> _Found:
    studied = size_studies(case.point["element"], case.point.get("potential_uuid"))
    if studied:
        yield PASSED, f"work chain {studied[-1]} studied the effect of the size with this potential"
    else:
        atoms = f"{case.point['atoms']} atoms; " if "atoms" in case.point else ""
        yield DOUBTED, f"{atoms}the effect of the size was not studied with this potential"


def _superseded(case: _Case) -> _Found:
    holders = [node.pk for node in case.trace.holders if node.process_type.endswith(".tpc")]
    marks = sorted({mark for point in points_of(holders) for mark in point.marks} - {"invalid"})
    if not holders:
        yield INAPPLICABLE, "it is the result of a whole chain, which others do not supersede"
    elif marks:
        yield DOUBTED, f"it is marked: {', '.join(marks)}"
    else:
        yield PASSED, "no later one with the same element, pressure, potential and protocol"


def _training(case: _Case) -> _Found:
    """Whether the trainings behind the potentials ended."""
    if not case.learned:
        yield INAPPLICABLE, _NOT_LEARNED
        return
    jobs = [node.pk for node in case.nodes if node.process_type == TRAINING_TYPE]
    cut = [pk for pk, values in _finished(jobs).items() if values is False]
    if jobs:
        last = {potential.creator.pk for potential in case.potentials if potential.creator is not None}
        if last & set(cut):
            yield FAILED, f"training {min(last & set(cut))}, which left the potential, did not end"
        else:
            yield PASSED, f"{len(jobs)} trainings on record, those of the potentials ended"
        return
    for potential in case.potentials:
        known = potential.training
        if known is None or known.get("ended") is None:
            yield UNKNOWN, f"'{potential.label}' was imported, nothing is known of its training"
        elif known["ended"]:
            yield PASSED, f"'{potential.label}' was imported, its training had ended"
        else:
            yield FAILED, f"'{potential.label}': {potential.unfinished}"


def _finished(jobs: list[int]) -> dict[int, Any]:
    return {pk: values.get("finished") for pk, values in results_of(jobs).items()}


def _deviation(case: _Case) -> _Found:
    """Whether the committee agreed at T_m, by the last exploration of the learning that left the potential."""
    temperature = case.point["melting_temperature_k"]
    decision = _last_decision(case.potentials)
    if not case.learned:
        yield INAPPLICABLE, _NOT_LEARNED
        return
    if decision is None or temperature is None:
        yield UNKNOWN, "no exploration with a committee that this potential was part of is on record"
        return
    limit = decision["thresholds_ev_per_angstrom"]["converged"]
    for phase, runs in ordered(decision["deviations"]).items():
        run = min(runs, key=lambda each: abs(each["temperature_k"] - temperature))
        largest = run["largest_deviation_ev_per_angstrom"]
        if largest is None:
            yield UNKNOWN, f"{phase} at {run['temperature_k']:.0f} K left no frame"
            continue
        words = (
            f"{phase} at {run['temperature_k']:.0f} K: largest deviation {largest:.3f} eV/Angstrom in "
            f"{run['frames_seen']} frames, the limit is {limit:.3f}"
        )
        yield (PASSED if largest <= limit else DOUBTED), words


def _last_decision(potentials: list[PotentialData]) -> dict[str, Any] | None:
    query = orm.QueryBuilder().append(PotentialData, filters={"id": {"in": [node.pk for node in potentials]}}, tag="it")
    query.append(orm.WorkChainNode, with_outgoing="it", filters={"process_type": _LEARNING_TYPE}, tag="learning")
    query.append(
        orm.Dict,
        with_incoming="learning",
        edge_filters={"label": {"like": "decisions\\_\\_%"}},
        edge_project="label",
        project=["attributes", "ctime"],
    )
    rows = sorted(query.all(), key=lambda row: (row[1], by_number(row[2]))) if potentials else []
    return dict(rows[-1][0]) if rows else None


def _range(case: _Case) -> _Found:
    """Whether T_m and the pressure lie within those of the frames, by phase."""
    temperature, pressure = case.point["melting_temperature_k"], case.point["pressure_gpa"]
    if temperature is None:
        yield UNKNOWN, "there is no T_m"
    elif not case.frames:
        yield case.without_frames()
    else:
        for phase in ("solid", "liquid"):
            yield _range_of(phase, [node for node in case.frames if node.phase == phase], temperature, pressure)


def _range_of(phase: str, nodes: list[FramesData], temperature: float, pressure: float) -> tuple[str, str]:
    if not nodes:
        return FAILED, f"no frame is {phase}"
    temperatures = np.concatenate([node.get_array("temperatures") for node in nodes])
    pressures = np.concatenate([_pressures(node) for node in nodes])
    low, high, least, most = temperatures.min(), temperatures.max(), pressures.min(), pressures.max()
    words = f"{phase}: {len(temperatures)} frames, {low:.0f} to {high:.0f} K, {least:.1f} to {most:.1f} GPa"
    inside = low <= temperature <= high and least - _EDGE_GPA <= pressure <= most + _EDGE_GPA
    return (PASSED, words) if inside else (DOUBTED, f"{words}: T_m or the pressure lies outside")


def _pressures(node: FramesData) -> np.ndarray:
    """Return the pressures of frames in GPa: from the virial, and the kinetic part at the temperature meant."""
    volumes = np.abs(np.linalg.det(node.get_array("cells")))
    virial = np.trace(node.get_array("virials"), axis1=1, axis2=2) / 3
    kinetic = len(node.base.attributes.get("symbols")) * units.kB * np.nan_to_num(node.get_array("temperatures"))
    pressures: np.ndarray = (virial + kinetic) / volumes / units.GPa
    return pressures


def _units(case: _Case) -> _Found:
    """Whether the formats of imported frames say their units."""
    sources = attributes_of([node.pk for node in case.of_type("FramesData")], "source", "origin")
    imported = {values["source"] for values in sources.values() if values["source"]}
    if not imported:
        yield case.without_frames() if not case.frames else (INAPPLICABLE, "no frames were imported")
    for source in sorted(imported):
        if source in _FORMATS_WITH_UNITS:
            yield PASSED, f"{source}: the format fixes the units"
        else:
            yield DOUBTED, f"{source}: the format does not tell units, eV and Angstrom were taken for granted"


def _seeds(case: _Case) -> _Found:
    jobs = case.jobs(*_RANDOM)
    lacking = [job for job in jobs if not any(link.label.endswith("seed") for link in case.inputs[job.pk])]
    if not jobs:
        yield UNKNOWN, "no job that draws random numbers is on record"
        return
    drawing = [job for job in lacking if not job.process_type.endswith("dnpmelt.label")]
    if drawing:
        yield FAILED, f"{len(drawing)} of {len(jobs)} jobs that draw random numbers have no seed: {drawing[0].uuid}"
    else:
        yield PASSED, f"all {len(jobs)} jobs that draw random numbers have their seed as an input"


def _outliers(case: _Case) -> _Found:
    """Whether a rule on record has judged each set of frames."""
    if not case.frames:
        yield case.without_frames()
        return
    bare = []
    for node in case.frames:
        makers = [case.made_by(each.pk) for each in case.chain_behind(node.pk)]
        ruled = any(
            maker is not None
            and (maker.process_type.endswith("screening.screen_frames") or maker.process_type.endswith("dnpmelt.label"))
            for maker in makers
        )
        if not ruled:
            bare.append(node.pk)
    if bare:
        yield DOUBTED, f"{len(bare)} of {len(case.frames)} sets of frames were judged by no rule on record: {bare[0]}"
    else:
        yield PASSED, f"all {len(case.frames)} sets of frames were judged by a rule on record (force, energy, outlier)"


def _converged(case: _Case) -> _Found:
    """Whether labels of electrons that are not self-consistent were left out."""
    if not case.frames:
        yield case.without_frames()
        return
    known = [node for node in case.frames if CONVERGED in node.get_arraynames()]
    bad = sum(int((~node.get_array(CONVERGED).astype(bool)).sum()) for node in known)
    dropped = _dropped(case)
    first_principles = [node for node in case.frames if "VASP" in node.labeller or _imported(case, node)]
    unsaid = [node for node in first_principles if not _says_convergence(case, node)]
    if bad:
        yield FAILED, f"{bad} frames that are not self-consistent were trained on"
    elif unsaid:
        yield UNKNOWN, f"{len(unsaid)} of {len(first_principles)} sets of frames do not say whether they converged"
    elif first_principles:
        yield PASSED, f"{dropped} unconverged labels were dropped, and none is left"
    else:
        yield INAPPLICABLE, "the labels are of a classical potential or a model, which has nothing to converge"


def _imported(case: _Case, node: FramesData) -> bool:
    """Return whether frames are from files of others, whose labels may be of first principles."""
    known = attributes_of([each.pk for each in case.chain_behind(node.pk)], "source")
    return any(values["source"] for values in known.values())


def _says_convergence(case: _Case, node: FramesData) -> bool:
    return any(CONVERGED in orm.load_node(each.pk).get_arraynames() for each in case.chain_behind(node.pk))


def _dropped(case: _Case) -> int:
    """Return how many labels `screen_frames` dropped since they had not converged."""
    functions = [node.pk for node in case.nodes if node.process_type.endswith("screening.screen_frames")]
    query = orm.QueryBuilder().append(orm.CalcFunctionNode, filters={"id": {"in": functions}}, tag="screening")
    query.append(orm.Dict, with_incoming="screening", edge_filters={"label": "report"}, project="attributes.dropped")
    return sum((dropped or {}).get("unconverged", 0) for dropped in query.all(flat=True)) if functions else 0


def _versions(case: _Case) -> _Found:
    version = case.point.get("lammps_version")
    if "lammps_version" in case.point and not version:
        yield UNKNOWN, "the version of LAMMPS is not on record"
    found: dict[str, set[str]] = {}
    for stage in case.trace.stages:
        for name, versions in stage.facts.get("programs", {}).items():
            found.setdefault(name, set()).update(versions)
    named = "; ".join(f"{name} {', '.join(sorted(found[name]))}" for name in sorted(found))
    several = [name for name, versions in found.items() if len(versions) > 1]
    if not found:
        yield UNKNOWN, "no version of any program is on record"
    elif several:
        yield DOUBTED, f"more than one version of {', '.join(several)}: {named}"
    else:
        yield PASSED, named


_CHECKS: dict[str, Callable[[_Case], _Found]] = {
    "verdict": _verdict,
    "uncertainty": _uncertainty,
    "crystal": _crystal,
    "size": _size,
    "superseded": _superseded,
    "training ended": _training,
    "deviation at T_m": _deviation,
    "range of frames": _range,
    "units of imported frames": _units,
    "seeds": _seeds,
    "outlier rule": _outliers,
    "unconverged labels": _converged,
    "versions": _versions,
}
