"""Trace a melting temperature back through all that it stands on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from aiida import orm
from aiida.common.links import LinkType

from aiida_dnpmelt.provenance.ancestry import (
    Ancestry,
    Node,
    ancestors,
    attributes_of,
    batches,
    called_below,
    load_nodes,
)
from aiida_dnpmelt.provenance.lineage import point_node
from aiida_dnpmelt.provenance.programs import PACKAGES, VERSION_KEYS
from aiida_dnpmelt.provenance.query import MELTING_TYPE, PROCESS_TYPE
from aiida_dnpmelt.provenance.spent import results_of, spent_by
from aiida_dnpmelt.provenance.stages import COEXISTENCE, GIVEN, KINDS, LABELS, StageKey, stages_of

_VASP = ("vasp.vasp", "dnpmelt.vasp_md")
_FEW = 12
"""Values of one kind that are named one by one."""


@dataclass(frozen=True)
class Cost:
    """What the jobs of a stage have cost.

    :param jobs: number of calculation jobs.
    :param unknown: jobs whose core-hours are not known.
    :param core_hours: of the others, see `aiida_dnpmelt.provenance.spent`.
    :param frames: labelled frames that came of it.
    """

    jobs: int = 0
    unknown: int = 0
    core_hours: float = 0.0
    atom_steps: float = 0.0
    frames: int = 0


@dataclass(frozen=True)
class Stage:
    """Steps of one kind in one generation of models.

    :param key: its name within the trace, such as ``training-2``.
    :param kind: one of `KINDS`.
    :param generation: how many trainings stand one on the other up to there; 0 before the first.
    :param facts: settings, seeds, versions, computers and so on, by name; units stand in the names.
    :param nodes: PKs of its nodes, the processes and what they made.
    :param parents: keys of the stages that it takes data from.
    """

    key: str
    kind: str
    generation: int
    facts: dict[str, Any]
    cost: Cost
    nodes: tuple[int, ...]
    parents: tuple[str, ...]

    @property
    def title(self) -> str:
        """Return what it is, in words."""
        return f"{self.kind}, generation {self.generation}" if self.generation else self.kind


@dataclass(frozen=True)
class Trace:
    """All that a melting temperature stands on.

    :param pk: of the dictionary that holds the melting temperature.
    :param result: that dictionary.
    :param stages: from the melting temperature back.
    :param holders: work chains that return it, but for those that passed it on.
    """

    pk: int
    uuid: str
    result: dict[str, Any]
    stages: tuple[Stage, ...]
    holders: tuple[Node, ...]
    ancestry: Ancestry = field(repr=False)

    @property
    def cost(self) -> Cost:
        """Return the sum over the stages."""
        return Cost(*(sum(getattr(stage.cost, name) for stage in self.stages) for name in vars(Cost())))

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, nodes by their UUIDs."""
        nodes = self.ancestry.nodes
        stages = [
            {**asdict(stage), "title": stage.title, "nodes": [nodes[pk].uuid for pk in stage.nodes]}
            for stage in self.stages
        ]
        listed = [
            {
                "uuid": node.uuid,
                "type": node.short_kind,
                "process_type": node.process_type,
                "label": node.label,
                "created": node.created.isoformat(),
            }
            for node in sorted(nodes.values(), key=lambda node: node.uuid)
        ]
        links = sorted([nodes[link.source].uuid, nodes[link.target].uuid, link.label] for link in self.ancestry.links)
        return {
            "uuid": self.uuid,
            "melting_point": self.result,
            "cost": asdict(self.cost),
            "stages": stages,
            "nodes": listed,
            "links": links,
        }


def trace(pk: int) -> Trace:
    """Return all that a melting temperature stands on.

    :param pk: of a work chain that gives a melting temperature, or of the dictionary that holds it.
    :raises ValueError: if it is neither.
    """
    point = point_node(pk)
    found = ancestors([point.pk])
    holders = load_nodes(_holders(point))
    stage_of = stages_of(found, called_below(holders))
    stages = tuple(_stages(found, stage_of))
    return Trace(point.pk, str(point.uuid), point.get_dict(), stages, tuple(holders.values()), found)


def _holders(point: orm.Dict) -> list[int]:
    """Return the PKs of the work chains that return a melting temperature, but for those that passed it on."""
    links = point.base.links.get_incoming(link_type=LinkType.RETURN).all()
    wanted = [link.node for link in links if link.node.process_type in (PROCESS_TYPE, MELTING_TYPE)]
    own = [node for node in wanted if node.process_type == PROCESS_TYPE] or wanted
    return [node.pk for node in own]


def _stages(ancestry: Ancestry, stage_of: Mapping[int, StageKey]) -> Iterable[Stage]:
    members: dict[StageKey, list[Node]] = {}
    for pk, key in stage_of.items():
        members.setdefault(key, []).append(ancestry.nodes[pk])
    parents: dict[StageKey, set[StageKey]] = {key: set() for key in members}
    for link in ancestry.links:
        before, after = stage_of[link.source], stage_of[link.target]
        if before != after:
            parents[after].add(before)
    facts = _Facts(ancestry)
    for key in sorted(members, key=_place):
        nodes = sorted(members[key], key=lambda node: node.pk)
        yield Stage(
            key=_name(key),
            kind=key[0],
            generation=key[1],
            facts=facts.of(key[0], nodes),
            cost=facts.cost(nodes),
            nodes=tuple(node.pk for node in nodes),
            parents=tuple(_name(each) for each in sorted(parents[key], key=_place)),
        )


def _place(key: StageKey) -> tuple[int, int]:
    kind, generation = key
    return -generation, KINDS.index(kind)


def _name(key: StageKey) -> str:
    return f"{key[0].replace(' ', '-')}-{key[1]}"


class _Facts:
    """What the nodes of a lineage say, read in a few queries for all stages."""

    def __init__(self, ancestry: Ancestry) -> None:
        self._nodes = ancestry.nodes
        self._inputs = ancestry.inputs()
        jobs = [node.pk for node in ancestry.nodes.values() if node.is_job]
        self._results = results_of(jobs)
        self._spent = spent_by(jobs)
        self._computers = _computers(jobs)
        self._versions = attributes_of(
            [node.pk for node in ancestry.nodes.values() if node.is_process], "version", "process_label"
        )
        frames = [node.pk for node in ancestry.nodes.values() if node.short_kind == "FramesData"]
        self._frames = attributes_of(
            frames, "number_of_frames", "phase", "labeller", "origin", "labels_incar", "labels_potcars"
        )

    def cost(self, nodes: Sequence[Node]) -> Cost:
        """Return what the jobs among nodes have cost."""
        jobs = [self._spent[node.pk] for node in nodes if node.is_job]
        made = [self._frames[node.pk]["number_of_frames"] for node in self._made_frames(nodes)]
        return Cost(
            jobs=len(jobs),
            unknown=sum(job.core_hours is None for job in jobs),
            core_hours=sum(job.core_hours or 0.0 for job in jobs),
            atom_steps=sum(job.atom_steps for job in jobs),
            frames=sum(number or 0 for number in made),
        )

    def of(self, kind: str, nodes: Sequence[Node]) -> dict[str, Any]:
        """Return the facts of a stage, those that are there."""
        jobs = [node for node in nodes if node.is_job]
        found = {
            "steps": _counted(_step(node) for node in nodes if node.is_process),
            "programs": self._programs(nodes),
            "codes": self._labels_of(jobs, "Code"),
            "computers": sorted({self._computers[node.pk] for node in jobs if node.pk in self._computers}),
            "seeds": self._seeds(jobs),
            "frames": self._frames_of(nodes if kind in (GIVEN, LABELS) else []),
            "potentials": self._potentials(nodes),
            "settings": self._settings(kind, jobs),
        }
        if kind == LABELS:
            found |= self._vasp(jobs, nodes)
        return {name: value for name, value in found.items() if value}

    def _made_frames(self, nodes: Sequence[Node]) -> list[Node]:
        return [node for node in nodes if node.pk in self._frames]

    def _programs(self, nodes: Sequence[Node]) -> dict[str, list[str]]:
        """Return the versions of programs and packages."""
        found: dict[str, set[str]] = {}
        for node in nodes:
            for key, name in VERSION_KEYS.items():
                if value := self._results.get(node.pk, {}).get(key):
                    found.setdefault(name, set()).add(str(value))
            for key, name in PACKAGES.items():
                if node.is_process and (value := (self._versions[node.pk]["version"] or {}).get(key)):
                    found.setdefault(name, set()).add(str(value))
        return {name: sorted(found[name]) for name in sorted(found)}

    def _labels_of(self, jobs: Sequence[Node], ending: str) -> list[str]:
        sources = {link.source for job in jobs for link in self._inputs[job.pk]}
        return sorted({self._nodes[pk].label for pk in sources if self._nodes[pk].short_kind.endswith(ending)})

    def _seeds(self, jobs: Sequence[Node]) -> list[int]:
        links = [link for job in jobs for link in self._inputs[job.pk] if link.label.endswith("seed")]
        values = attributes_of({link.source for link in links}, "value")
        return sorted({values[link.source]["value"] for link in links if link.source in values})

    def _frames_of(self, nodes: Sequence[Node]) -> dict[str, Any]:
        """Return what frames there are: their number by phase, who labelled them, and where they are from."""
        found = [self._frames[node.pk] for node in self._made_frames(nodes)]
        if not found:
            return {}
        phases: Counter[str] = Counter()
        for each in found:
            phases[str(each["phase"])] += each["number_of_frames"] or 0
        return {
            "nodes": len(found),
            "by_phase": dict(sorted(phases.items())),
            "labellers": sorted({each["labeller"] for each in found if each["labeller"]}),
            "origins": sorted({each["origin"] for each in found if each["origin"]}),
        }

    def _potentials(self, nodes: Sequence[Node]) -> list[dict[str, Any]]:
        pks = [node.pk for node in nodes if node.short_kind == "PotentialData"]
        values = attributes_of(pks, "pair_style", "sha256", "origin", "licence")
        return [{"label": self._nodes[pk].label, **_known(values[pk])} for pk in pks]

    def _settings(self, kind: str, jobs: Sequence[Node]) -> dict[str, Any]:
        """Return the settings of coexistence runs that all of them share, and which differ."""
        if kind != COEXISTENCE:
            return {}
        return _shared(self._inputs_named(jobs, "parameters"))

    def _vasp(self, jobs: Sequence[Node], nodes: Sequence[Node]) -> dict[str, Any]:
        """Return the INCAR tags of runs of VASP, and titles and checksums of their POTCAR files."""
        pks = {link.source for job in jobs for link in self._inputs[job.pk]}
        potcars = [pk for pk in pks if self._nodes[pk].short_kind == "PotcarData"]
        given = attributes_of(potcars, "title", "symbol", "sha512", "functional")
        read = [self._frames[node.pk] for node in self._made_frames(nodes)]
        incars = [each["labels_incar"] for each in read if each["labels_incar"]]
        incars += self._inputs_named([job for job in jobs if job.process_type.endswith(_VASP)], "parameters")
        titles = sorted({title for each in read for title in each["labels_potcars"] or ()})
        return {"incar": _shared(incars), "potcars": [_known(values) for values in given.values()] or titles}

    def _inputs_named(self, jobs: Sequence[Node], label: str) -> list[dict[str, Any]]:
        pks = {link.source for job in jobs for link in self._inputs[job.pk] if link.label == label}
        return list(attributes_of(pks).values())


def _computers(jobs: Iterable[int]) -> dict[int, str]:
    """Return the label of the computer of each job."""
    found = {}
    for batch in batches(jobs):
        query = orm.QueryBuilder().append(orm.CalcJobNode, filters={"id": {"in": batch}}, tag="job", project="id")
        query.append(orm.Computer, with_node="job", project="label")
        found.update(dict(query.all()))
    return found


def _step(node: Node) -> str:
    """Return the name of a process as a user knows it: its entry point, or its function."""
    group, is_entry_point, name = node.process_type.partition(":")
    return name if is_entry_point else group.rpartition(".")[2]


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "")}


def _shared(settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values that settings share; of those that differ, the values that there are, or how many."""
    found: dict[str, Any] = {}
    for name in sorted({name for each in settings for name in each}):
        values = [each.get(name) for each in settings]
        different = [value for index, value in enumerate(values) if value not in values[:index]]
        if len(different) == 1:
            found[name] = different[0]
        else:
            found[name] = {"differs": different if len(different) <= _FEW else f"{len(different)} values"}
    return found
