"""Say why two melting temperatures differ: the first ancestors that are not the same."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiida_dnpmelt.calculations.melting_point import measured
from aiida_dnpmelt.physics.error_budget import agreement
from aiida_dnpmelt.physics.ordering import by_number
from aiida_dnpmelt.provenance.ancestry import Ancestry, Link, Node, ancestors, attributes_of, hashes_of
from aiida_dnpmelt.provenance.lineage import point_node
from aiida_dnpmelt.provenance.spent import results_of

_COSTS = ("core_hours", "training_core_hours", "wall_time_s", "seconds_per_step")
"""Keys of results that are never the same twice."""
_PLACES = ("parent_folder", "remote_folder")
"""Labels of inputs that say where something lies, not what it is."""
_RESULT_KEYS = (
    *("melting_temperature_k", "standard_uncertainty_k", "interval_low_k", "interval_high_k"),
    *("statistical_uncertainty_k", "timestep_uncertainty_k", "timestep_correction_k", "relaxation_time_ps"),
    *("slow_noise_k", "fast_noise_k", "between_runs_k", "chi2", "core_hours", "paper_mean_k", "paper_std_k"),
    *("paper_sem_k", "found_lattice_share", "lattice_share", "reasons"),
)
"""Keys of a melting point that follow from the runs and are no choice."""
_ORDER = ("given", "step", "process", "missing")
"""Kinds of differences, what was chosen before what follows from it."""
_LONG = 10
"""Values that are compared one by one in a list; longer ones are named by their length."""


@dataclass(frozen=True)
class Difference:
    """The first place on a way back from two results where they are not the same.

    :param path: labels of the links from the result back, with the processes between them.
    :param kind: ``given`` (data that nobody computed), ``process`` (the same inputs, another result), ``step``
        (other kinds of processes), or ``missing`` (an input that one of them does not have).
    :param first: of the first, what is there, by name; empty if nothing is.
    """

    path: str
    kind: str
    first: dict[str, Any]
    second: dict[str, Any]
    uuids: tuple[str | None, str | None]


@dataclass(frozen=True)
class Comparison:
    """Two melting temperatures side by side; in K.

    :param difference_k: the second less the first, None if one is not known.
    :param sigma: that in units of the joint standard uncertainty.
    :param settings: keys of the melting points that are choices and differ, with both values.
    :param differences: the first ancestors that are not the same.
    :param frames: numbers of labelled frames ``only_first``, ``only_second`` and in ``both``, with the nodes.
    """

    first: dict[str, Any]
    second: dict[str, Any]
    difference_k: float | None
    joint_uncertainty_k: float | None
    sigma: float | None
    settings: dict[str, tuple[Any, Any]]
    differences: tuple[Difference, ...]
    frames: dict[str, dict[str, Any]]


def compare(first: int, second: int) -> Comparison:
    """Compare two melting temperatures and all that they stand on.

    :param first: PK of a work chain that gives a melting temperature, or of the dictionary that holds it.
    :raises ValueError: if one is neither.
    """
    one, two = point_node(first), point_node(second)
    a, b = one.get_dict(), two.get_dict()
    graph = ancestors({one.pk, two.pk})
    walk = _Walk(graph)
    walk.run(one.pk, two.pk)
    delta, joint = _distance(a, b)
    keys = [key for key in dict.fromkeys([*a, *b]) if key not in _RESULT_KEYS and a.get(key) != b.get(key)]
    return Comparison(
        first=a,
        second=b,
        difference_k=delta,
        joint_uncertainty_k=joint,
        sigma=None if delta is None or not joint else abs(delta) / joint,
        settings={key: (a.get(key), b.get(key)) for key in keys},
        differences=tuple(sorted(walk.found.values(), key=lambda found: _ORDER.index(found.kind))),
        frames=_frames(graph, one.pk, two.pk),
    )


def _distance(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return the second T_m less the first, and the uncertainty of that: what both share drops out of it."""
    one, two = (each.get("melting_temperature_k") for each in (a, b))
    if one is None or two is None:
        return None, None
    if not (a.get("standard_uncertainty_k") and b.get("standard_uncertainty_k")):
        return two - one, None
    return two - one, agreement(measured(b), measured(a)).uncertainty_k


def _frames(graph: Ancestry, first: int, second: int) -> dict[str, dict[str, Any]]:
    """Return how many labelled frames stand behind one of two nodes only, and behind both; by their content."""
    by_hash = []
    for pk in (first, second):
        nodes = [each for each in graph.behind(pk) if graph.nodes[each].short_kind == "FramesData"]
        numbers, hashes = attributes_of(nodes, "number_of_frames"), hashes_of(nodes)
        by_hash.append({hashes[node]: (node, numbers[node]["number_of_frames"] or 0) for node in nodes})
    a, b = by_hash
    parts = {
        "only_first": [a[each] for each in a.keys() - b.keys()],
        "only_second": [b[each] for each in b.keys() - a.keys()],
        "both": [a[each] for each in a.keys() & b.keys()],
    }
    return {
        name: {"frames": sum(number for _, number in found), "nodes": sorted(pk for pk, _ in found)}
        for name, found in parts.items()
    }


@dataclass
class _Walk:
    """A walk back from two results side by side, by the labels of the links, the nearest ancestors first."""

    graph: Ancestry
    found: dict[tuple[Any, ...], Difference] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._nodes = self.graph.nodes
        self._inputs: dict[int, dict[str, Link]] = {
            pk: {link.label: link for link in links} for pk, links in self.graph.inputs().items()
        }
        self._hashes = hashes_of(self._nodes)
        self._seen: set[tuple[int, int]] = set()
        self._waiting: deque[tuple[int, int, str]] = deque()

    def run(self, a: int, b: int) -> None:
        """Note the first ancestors of two results that are not the same."""
        self._same(a, b, "")
        while self._waiting:
            self._creators(*self._waiting.popleft())

    def _same(self, a: int, b: int, path: str) -> bool:
        """Return whether two pieces of data are the same in content; what made them is looked at later if not."""
        if a == b or self._hashes[a] == self._hashes[b] or self._same_but_for_cost(a, b):
            return True
        if (a, b) not in self._seen:
            self._seen.add((a, b))
            self._waiting.append((a, b, path))
        return False

    def _same_but_for_cost(self, a: int, b: int) -> bool:
        if {self._nodes[pk].short_kind for pk in (a, b)} != {"Dict"}:
            return False
        values = attributes_of([a, b])
        return _without(values[a], _COSTS) == _without(values[b], _COSTS)

    def _creators(self, a: int, b: int, path: str) -> None:
        makers = [next(iter(self._inputs[pk].values()), None) for pk in (a, b)]
        one, two = (None if link is None else self._nodes[link.source] for link in makers)
        if one is None or two is None:
            self._note("given" if one is two else "step", path, a, b, self._told(a), self._told(b))
            return
        here = f"{path} < {_short(one)}" if path else _short(one)
        if one.pk == two.pk:
            return  # two outputs of one process
        if one.process_type != two.process_type:
            told = {"made by": _short(one)}, {"made by": _short(two)}
            self._note("step", path, a, b, *told)
            return
        self._processes(one, two, here)

    def _processes(self, one: Node, two: Node, path: str) -> None:
        """Compare two processes of one kind by their inputs."""
        if (one.pk, two.pk) in self._seen:
            return
        self._seen.add((one.pk, two.pk))
        left, right = self._inputs[one.pk], self._inputs[two.pk]
        same = True
        for label in sorted(left.keys() | right.keys(), key=by_number):
            if label in _PLACES:
                continue
            if label in left and label in right:
                same &= self._same(left[label].source, right[label].source, f"{path}.{label}")
                continue
            same = False
            a, b = (side[label].source if label in side else None for side in (left, right))
            self._note("missing", f"{path}.{label}", a, b, self._named(a), self._named(b))
        if same:
            self._note("process", path, one.pk, two.pk, _program(one), _program(two))

    def _named(self, pk: int | None) -> dict[str, Any]:
        if pk is None:
            return {}
        node = self._nodes[pk]
        return {"node": f"{node.short_kind} {node.label}".strip()}

    def _told(self, pk: int) -> dict[str, Any]:
        return {**self._named(pk), **attributes_of([pk])[pk]}

    def _note(
        self, kind: str, path: str, a: int | None, b: int | None, first: dict[str, Any], second: dict[str, Any]
    ) -> None:
        """Note a difference, of two dictionaries the keys that differ; each pair of nodes once."""
        keys = [key for key in dict.fromkeys([*first, *second]) if first.get(key) != second.get(key)]
        uuids = tuple(None if pk is None else self._nodes[pk].uuid for pk in (a, b))
        shown = [{key: _brief(each[key]) for key in keys if key in each} for each in (first, second)]
        self.found.setdefault((kind, a, b), Difference(path, kind, shown[0], shown[1], (uuids[0], uuids[1])))


def _program(node: Node) -> dict[str, Any]:
    """Return which versions ran a process, and where."""
    values = attributes_of([node.pk], "version")[node.pk]["version"] or {}
    versions = {f"{name} version": version for name, version in values.items()}
    told = results_of([node.pk]).get(node.pk, {})
    programs = {name: value for name, value in told.items() if name not in _COSTS and value is not None}
    return {"process": _short(node), "uuid": node.uuid, **versions, **programs}


def _short(node: Node) -> str:
    return node.process_type.rpartition(":")[2].rpartition(".")[2]


def _without(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in names}


def _brief(value: Any) -> Any:
    if isinstance(value, list) and len(value) > _LONG:
        return f"{len(value)} values"
    return value
