"""What each stage of a work chain has cost, and the versions and seeds behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiida import orm
from aiida.common.links import LinkType

from aiida_dnpmelt.physics.ordering import by_number, ordered
from aiida_dnpmelt.provenance.programs import PACKAGES, VERSION_KEYS
from aiida_dnpmelt.report.chains import TEACHER, Chain, descendants, output
from aiida_dnpmelt.report.learned import labels

FIRST, TRAINING, EXPLORATION = "first frames", "training", "exploration"
LABELS, TESTS = "labels", "models on the labels"
MODELS, TEACHERS, AT_TM = "coexistence, models", "coexistence, teacher", "frames at T_m"
BULK, OTHER = "bulk phases", "other"
STAGES = (FIRST, TRAINING, EXPLORATION, LABELS, TESTS, MODELS, TEACHERS, AT_TM, BULK, OTHER)
_BY_STEP = {"explore": EXPLORATION, "label": LABELS, "test": TESTS}
_BY_CALL = {
    "label_first_": FIRST,
    "training_": TRAINING,
    f"coexistence_{TEACHER}": TEACHERS,
    "coexistence_": MODELS,
    "seed_": MODELS,
    "correction": AT_TM,
    "crystal": BULK,
    "melt": BULK,
}


@dataclass
class Cost:
    """Cost of a stage, the sum over its jobs.

    :param unknown: jobs that told no cost: they run, were killed, or left nothing to read.
    :param cached: jobs that were taken from the cache; they are counted as if they had been run.
    """

    stage: str
    jobs: int = 0
    unknown: int = 0
    cached: int = 0
    labels: int = 0
    atom_steps: float = 0.0
    core_hours: float = 0.0

    def add_job(self, job: orm.CalcJobNode) -> None:
        """Count a job."""
        results = output(job, "results")
        self.add({} if results is None else results.get_dict(), job.base.caching.is_created_from_cache)

    def add(self, results: Mapping[str, Any], cached: bool) -> None:
        """Count a job by what it says of its cost."""
        self.jobs += 1
        self.cached += cached
        self.unknown += results.get("core_hours") is None
        self.core_hours += results.get("core_hours") or 0.0
        self.atom_steps += results.get("atom_steps") or 0

    def include(self, other: Cost) -> None:
        """Add the cost of another stage."""
        for key in ("jobs", "unknown", "cached", "labels", "atom_steps", "core_hours"):
            setattr(self, key, getattr(self, key) + getattr(other, key))


@dataclass
class Costs:
    """Costs of the stages in their order, and the versions of the programs of all jobs."""

    stages: list[Cost]
    versions: dict[str, list[str]] = field(default_factory=dict)

    @property
    def total(self) -> Cost:
        """Return the sum over the stages."""
        total = Cost("total")
        for cost in self.stages:
            total.include(cost)
        return total


def costs(chain: Chain) -> Costs:
    """Return what a work chain has cost so far."""
    found = {stage: Cost(stage) for stage in STAGES}
    versions: dict[str, Counter[str]] = {}
    for path, node in descendants(chain.node):
        stage = found[stage_of(path)]
        if isinstance(node, orm.CalcJobNode):
            stage.add_job(node)
            for name, version in _versions_of(node):
                versions.setdefault(name, Counter())[version] += 1
        elif isinstance(node, orm.WorkChainNode) and path[-1].startswith("label_"):
            stage.labels += labels(node)
    return Costs(
        [cost for cost in found.values() if cost.jobs or cost.labels],
        {name: sorted(counts, key=by_number) for name, counts in sorted(versions.items())},
    )


def stage_of(path: Sequence[str]) -> str:
    """Return the stage of a process by the labels of the calls that lead to it."""
    first, *rest = [label for label in path if label != "learning"] or [""]
    if first.startswith("exploration_"):
        return _BY_STEP.get(rest[0].split("_")[0] if rest else "", OTHER)
    return next(
        (stage for label in (first, *rest) for begin, stage in _BY_CALL.items() if label.startswith(begin)), OTHER
    )


def seeds(node: orm.ProcessNode) -> dict[str, str]:
    """Return all inputs of a work chain that are seeds, by name."""
    links = node.base.links.get_incoming(link_type=LinkType.INPUT_WORK).all()
    named = {str(link.link_label).replace("__", "."): link.node for link in links}
    return {
        name: _value(node)
        for name, node in ordered(named).items()
        if name.rpartition(".")[2].endswith(("seed", "seeds"))
    }


def _value(node: Any) -> str:
    if isinstance(node, orm.List):
        return ", ".join(str(value) for value in node.get_list())
    return str(getattr(node, "value", node))


def _versions_of(job: orm.CalcJobNode) -> Iterator[tuple[str, str]]:
    results = output(job, "results")
    values = {} if results is None else results.get_dict()
    for key, name in VERSION_KEYS.items():
        if values.get(key):
            yield name, str(values[key])
    for key, name in PACKAGES.items():
        version = (job.base.attributes.get("version", None) or {}).get(key)
        if version:
            yield name, str(version)
