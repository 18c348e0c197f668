"""What each stage of a work chain has cost, and the versions and seeds behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from aiida import orm
from aiida.common.links import LinkType

from aiida_dnpmelt.data.potential import DEEPMD, PotentialData
from aiida_dnpmelt.physics.ordering import by_number, ordered
from aiida_dnpmelt.provenance.ancestry import batches
from aiida_dnpmelt.provenance.programs import PACKAGES, VERSION_KEYS
from aiida_dnpmelt.provenance.spent import Spent, spent_by
from aiida_dnpmelt.report import words
from aiida_dnpmelt.report.chains import TEACHER, Chain, descendants, output
from aiida_dnpmelt.report.learned import labels

FIRST, TRAINING, EXPLORATION = "first frames", "training", "exploration"
LABELS, TESTS = "labels", "models on the labels"
MODELS, TEACHERS, AT_TM = "coexistence, models", "coexistence, teacher", "frames at T_m"
COEXISTENCE = "coexistence"
BULK, OTHER = "bulk phases", "other"
STAGES = (FIRST, TRAINING, EXPLORATION, LABELS, TESTS, MODELS, COEXISTENCE, TEACHERS, AT_TM, BULK, OTHER)
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

    :param unknown: jobs whose core-hours are not known: they run, were killed, or left nothing to read.
    :param cached: jobs that were taken from the cache; they are counted as if they had been run.
    :param core_hours: of the jobs of which they are known.
    :param by_scheduler: jobs of which the scheduler's accounting told them.
    :param bounded: of the unknown ones, those that have a bound.
    :param at_most: sum of these bounds in core-hours.
    """

    stage: str
    jobs: int = 0
    unknown: int = 0
    cached: int = 0
    labels: int = 0
    atom_steps: float = 0.0
    core_hours: float = 0.0
    by_scheduler: int = 0
    bounded: int = 0
    at_most: float = 0.0

    def add(self, job: Spent, cached: bool) -> None:
        """Count a job."""
        self.jobs += 1
        self.cached += cached
        self.unknown += job.core_hours is None
        self.core_hours += job.core_hours or 0.0
        self.atom_steps += job.atom_steps
        self.by_scheduler += job.by_scheduler
        self.bounded += job.at_most is not None
        self.at_most += job.at_most or 0.0

    def include(self, other: Cost) -> None:
        """Add the cost of another stage."""
        for each in fields(self):
            if each.name != "stage":
                setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @property
    def remarks(self) -> list[str]:
        """Return what is to be said of jobs whose core-hours their programs did not tell."""
        found = []
        if self.unknown:
            bound = ""
            if self.bounded:
                some = "all of them" if self.bounded == self.unknown else f"{self.bounded} of them"
                bound = f"; {some} together at most {words.hours(self.at_most)} core-hours, by the time between "
                bound += "submission and end"
            found.append(
                f"The cost of {_jobs(self.unknown)} is not known: they run, were killed, or left no output{bound}."
            )
        if self.by_scheduler:
            found.append(f"The core-hours of {_jobs(self.by_scheduler)} are those of the scheduler's accounting.")
        if self.cached:
            found.append(f"{_jobs(self.cached)} came from the cache: their cost is that of the first time.")
        return found


def _jobs(number: int) -> str:
    return "1 job" if number == 1 else f"{number} jobs"


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
    below = list(descendants(chain.node))
    jobs = {node.pk for _, node in below if isinstance(node, orm.CalcJobNode)}
    spent, given = spent_by(jobs), classical(jobs)
    for path, node in below:
        stage = found[stage_of(path, node.pk in given)]
        if isinstance(node, orm.CalcJobNode):
            stage.add(spent[node.pk], node.base.caching.is_created_from_cache)
            for name, version in _versions_of(node):
                versions.setdefault(name, Counter())[version] += 1
        elif isinstance(node, orm.WorkChainNode) and path[-1].startswith("label_"):
            stage.labels += labels(node)
    return Costs(
        [cost for cost in found.values() if cost.jobs or cost.labels],
        {name: sorted(counts, key=by_number) for name, counts in sorted(versions.items())},
    )


def stage_of(path: Sequence[str], is_classical: bool = False) -> str:
    """Return the stage of a process by the labels of the calls that lead to it.

    :param is_classical: whether it runs a potential that is no model, see `classical`.
    """
    first, *rest = [label for label in path if label != "learning"] or [""]
    if first.startswith("exploration_"):
        return _BY_STEP.get(rest[0].split("_")[0] if rest else "", OTHER)
    found = next(
        (stage for label in (first, *rest) for begin, stage in _BY_CALL.items() if label.startswith(begin)), OTHER
    )
    return COEXISTENCE if found == MODELS and is_classical else found


def classical(jobs: Collection[int]) -> set[int]:
    """Return the jobs that run a potential which is no learned model."""
    found: set[int] = set()
    for batch in batches(jobs):
        query = orm.QueryBuilder().append(PotentialData, filters={"attributes.pair_style": {"!==": DEEPMD}}, tag="it")
        query.append(
            orm.CalcJobNode,
            with_incoming="it",
            edge_filters={"label": "potential"},
            filters={"id": {"in": batch}},
            project="id",
        )
        found.update(query.all(flat=True))
    return found


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
    results = output(job, "results") or output(job, "misc")
    values = {} if results is None else results.get_dict()
    for key, name in VERSION_KEYS.items():
        if values.get(key):
            yield name, str(values[key])
    for key, name in PACKAGES.items():
        version = (job.base.attributes.get("version", None) or {}).get(key)
        if version:
            yield name, str(version)
