"""Follow a node forward to the melting temperatures that stand on it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent
from aiida.common.links import LinkType

from aiida_dnpmelt.provenance.ancestry import batches, called_below
from aiida_dnpmelt.provenance.programs import VERSION_KEYS
from aiida_dnpmelt.provenance.query import MELTING_TYPE, OUTPUT, PROCESS_TYPE

PROPERTIES_TYPE = "aiida.workflows:dnpmelt.melting_properties"
_CLOSED = {PROCESS_TYPE: OUTPUT, PROPERTIES_TYPE: "properties"}
"""Work chains whose result stands on each of their inputs, and the label of it: one link stands for all their jobs."""
_WITHIN = (
    "aiida.calculations:dnpmelt.coexistence",
    *(
        f"aiida_dnpmelt.calculations.melting_point.{name}"
        for name in ("assess_runs", "start_plan", "join_pieces", "cell_repetitions", "shorter_timestep")
    ),
)
"""What is done within such work chains alone."""
_JOB = "aiida.calculations:dnpmelt.coexistence"
_WHOLE = "melting"


@dataclass(frozen=True)
class Impact:
    """What stands on some nodes.

    :param nodes: PKs of these.
    :param chains: PKs of the coexistence work chains whose melting point does, whatever its verdict.
    :param wholes: PKs of the work chains of learning and melting whose result stands on them.
    """

    nodes: tuple[int, ...]
    chains: tuple[int, ...]
    wholes: tuple[int, ...]


def impact(identifier: str) -> Impact:
    """Return what stands on a node, or on the nodes of a group.

    :param identifier: PK or UUID of a node, or label of a group.
    :raises ValueError: if there is none.
    """
    return _impact(nodes_named(identifier))


def impact_of_version(program: str, version: str) -> Impact:
    """Return what stands on jobs that a version of a program ran.

    :param program: one of the values of `VERSION_KEYS`.
    :raises ValueError: if no job was run by it.
    """
    jobs = set(_jobs_of(program, version))
    runs = set(_runs_of(version)) if program == "LAMMPS" else set()
    if not jobs and not runs:
        raise ValueError(f"no job was run by {program} {version}")
    found = _impact(jobs | _results_of(runs))
    return Impact(tuple(sorted(jobs)), tuple(sorted(runs.union(found.chains))), found.wholes)


def points_on(pks: Collection[int]) -> list[int]:
    """Return the PKs of the work chains whose melting temperatures stand on nodes, the oldest first.

    A first guess that came of a node counts as well: without it, it would be another number.
    """
    return sorted(_forward(pks)[0])


def nodes_named(identifier: str) -> set[int]:
    """Return the PK of a node, or those of the nodes of a group.

    :raises ValueError: if there is none, or the group is empty.
    """
    groups = orm.Group.collection.find({"label": identifier})
    if groups:
        query = orm.QueryBuilder().append(orm.Group, filters={"id": groups[0].pk}, tag="group")
        found = set(query.append(orm.Node, with_group="group", project="id").all(flat=True))
        if not found:
            raise ValueError(f"group '{identifier}' is empty")
        return found
    try:
        return {int(orm.load_node(identifier).pk)}
    except (NotExistent, MultipleObjectsError, ValueError) as exception:
        raise ValueError(f"there is no node and no group '{identifier}'") from exception


def _impact(pks: Collection[int]) -> Impact:
    chains, data = _forward(pks)
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={"process_type": MELTING_TYPE}, tag="chain")
    query.append(orm.Dict, with_incoming="chain", edge_filters={"label": _WHOLE}, project="id")
    query.add_projection("chain", "id")
    wholes = tuple(sorted(chain for chain, node in query.all() if node in data))
    return Impact(tuple(sorted(pks)), tuple(sorted(chains)), wholes)


def _forward(pks: Collection[int]) -> tuple[set[int], set[int]]:
    """Return the work chains whose melting points stand on nodes, and all data that does.

    Data that is an input of a closed work chain leads straight to its result. So what feeds ten thousand of them, as a
    code, is answered without a look at their jobs. A work chain stands for all that it called.
    """
    chains: set[int] = set()
    seen = frontier = set(pks) | called_below(pks)
    while frontier:
        fed, straight = set(), set()
        for process_type, output in _CLOSED.items():
            for source, chain, result in _closed(frontier, process_type, output):
                fed.add(source)
                straight.add(result)
                if process_type == PROCESS_TYPE:
                    chains.add(chain)
        processes = set(_processes(fed, skipped=_WITHIN)) | set(_processes(frontier - fed, skipped=()))
        made = set(_made(processes | frontier)) | straight
        frontier = made - seen
        seen = seen | frontier
    chains |= _holders(seen)
    return chains, seen


def _closed(pks: Collection[int], process_type: str, output: str) -> Iterator[tuple[int, int, int]]:
    """Yield an input, the closed work chain that took it, and its result."""
    for batch in batches(pks):
        query = orm.QueryBuilder().append(orm.Data, filters={"id": {"in": batch}}, tag="source", project="id")
        query.append(
            orm.WorkChainNode,
            with_incoming="source",
            edge_filters={"type": LinkType.INPUT_WORK.value},
            filters={"process_type": process_type},
            tag="chain",
            project="id",
        )
        query.append(orm.Dict, with_incoming="chain", edge_filters={"label": output}, project="id")
        yield from query.all()


def _processes(pks: Collection[int], skipped: tuple[str, ...]) -> Iterator[int]:
    """Yield the calculations that took data."""
    filters = {"process_type": {"!in": list(skipped)}} if skipped else {}
    for batch in batches(pks):
        query = orm.QueryBuilder().append(orm.Data, filters={"id": {"in": batch}}, tag="source")
        links = {"type": LinkType.INPUT_CALC.value}
        query.append(orm.CalculationNode, with_incoming="source", edge_filters=links, filters=filters, project="id")
        yield from query.distinct().all(flat=True)


def _made(pks: Collection[int]) -> Iterator[int]:
    """Yield what calculations made; nodes that are none have made nothing."""
    for batch in batches(pks):
        query = orm.QueryBuilder().append(orm.CalculationNode, filters={"id": {"in": batch}}, tag="process")
        links = {"type": LinkType.CREATE.value}
        yield from query.append(orm.Data, with_incoming="process", edge_filters=links, project="id").all(flat=True)


def _holders(pks: Collection[int]) -> set[int]:
    """Return the coexistence work chains whose melting point is among nodes."""
    found: set[int] = set()
    for batch in batches(pks):
        query = orm.QueryBuilder().append(orm.Dict, filters={"id": {"in": batch}}, tag="point")
        query.append(
            orm.WorkChainNode,
            with_outgoing="point",
            edge_filters={"label": OUTPUT},
            filters={"process_type": PROCESS_TYPE},
            project="id",
        )
        found.update(query.all(flat=True))
    return found


def _jobs_of(program: str, version: str) -> Iterator[int]:
    """Yield the jobs that a version of a program ran, but for coexistence runs, which `_runs_of` finds."""
    types = {"process_type": {"!==": _JOB}}
    query = orm.QueryBuilder().append(orm.CalcJobNode, filters=types, tag="job", project="id")
    (key,) = (key for key, name in VERSION_KEYS.items() if name == program)
    wanted = {f"attributes.{key}": version}
    query.append(orm.Dict, with_incoming="job", edge_filters={"label": {"in": ["results", "misc"]}}, filters=wanted)
    yield from query.all(flat=True)


def _runs_of(version: str) -> Iterator[int]:
    """Yield the coexistence work chains that have a job which this version of LAMMPS ran."""
    query = orm.QueryBuilder().append(
        orm.WorkChainNode, filters={"process_type": PROCESS_TYPE}, tag="chain", project="id"
    )
    query.append(orm.WorkChainNode, with_incoming="chain", tag="run")
    query.append(orm.CalcJobNode, with_incoming="run", filters={"process_type": _JOB}, tag="job")
    wanted = {"attributes.lammps_version": version}
    query.append(orm.Dict, with_incoming="job", edge_filters={"label": "results"}, filters=wanted)
    yield from query.distinct().all(flat=True)


def _results_of(chains: Collection[int]) -> set[int]:
    """Return the melting points of coexistence work chains."""
    found: set[int] = set()
    for batch in batches(chains):
        query = orm.QueryBuilder().append(orm.WorkChainNode, filters={"id": {"in": batch}}, tag="chain")
        query.append(orm.Dict, with_incoming="chain", edge_filters={"label": OUTPUT}, project="id")
        found.update(query.all(flat=True))
    return found
