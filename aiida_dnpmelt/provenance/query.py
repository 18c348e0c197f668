"""Ask the provenance graph for melting points."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida.common.links import LinkType

from aiida_dnpmelt.calculations.melting_curve import SCHEMA as CURVE_SCHEMA
from aiida_dnpmelt.calculations.melting_curve import curve_points, melting_curve
from aiida_dnpmelt.calculations.melting_point import judged
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.notation import notation
from aiida_dnpmelt.physics.ordering import ordered
from aiida_dnpmelt.provenance.ancestry import batches
from aiida_dnpmelt.provenance.conditions import Condition
from aiida_dnpmelt.provenance.labels import Labels, labels_of
from aiida_dnpmelt.provenance.marks import LEFT_OUT
from aiida_dnpmelt.provenance.read_only import check_can_store
from aiida_dnpmelt.provenance.sweeps import OUTPUTS, parts_of, sweep_so_far

PROCESS_TYPE = "aiida.workflows:dnpmelt.tpc"
MELTING_TYPE = "aiida.workflows:dnpmelt.melting"
SIZE_TYPE = "aiida.workflows:dnpmelt.finite_size"
SWEEP_TYPE = "aiida.workflows:dnpmelt.pressure_sweep"
OUTPUT = "melting_point"
DEMO = "dnpmelt_demo"
"""Extra of a work chain whose result is a demonstration, no result."""
_REPLICATIONS = ("paper-text", "paper-script")
_RANKS = {"invalid": 0, "unfinished": 1, "valid": 2}


@dataclass(frozen=True)
class MeltingPoint:
    """A melting point of the graph; temperatures in K, pressure in GPa.

    :param pk: of the work chain that made it.
    :param node_pk: of the dictionary that holds it.
    :param uuid: of the work chain.
    :param verdict: ``valid``, ``unfinished`` or ``invalid``.
    :param unfinished: the training of the potential is known not to have ended.
    :param of_study: a finite-size study made it: its cell may be too small for a number to be used elsewhere.
    :param superseded: there is a later one with the same element, lattice, pressure, potential and protocol.
    :param demo: its work chain, or the one that called it, was launched as a demonstration.
    :param labellers: what labelled the frames that the potential was trained on here, in words.
    :param functionals: density functionals of these labels, as far as they are known.
    :param details: the whole dictionary, see the reference of the schema, with the verdict that holds today.
    """

    pk: int
    node_pk: int
    uuid: str
    created: datetime
    element: str
    lattice: str
    pressure_gpa: float
    melting_temperature_k: float | None
    standard_uncertainty_k: float | None
    verdict: str
    protocol: str
    potential: str
    unfinished: bool
    of_study: bool
    superseded: bool
    demo: bool
    labellers: tuple[str, ...]
    functionals: tuple[str, ...]
    details: dict[str, Any]

    @property
    def replication(self) -> bool:
        """Return whether it repeats a published preparation, with the faults of that."""
        return self.details.get("method") in _REPLICATIONS

    @property
    def marks(self) -> tuple[str, ...]:
        """Return why it is left out unless it is asked for, see `LEFT_OUT`."""
        having = (self.superseded, self.verdict == "invalid", self.replication, self.demo)
        return tuple(mark for mark, has in zip(LEFT_OUT, having, strict=True) if has)

    @property
    def notation(self) -> str:
        """Return T_m as ``1333(5)``, the uncertainty in units of the last digits."""
        return notation(self.melting_temperature_k, self.standard_uncertainty_k)


def melting_points(
    element: str | None = None,
    pressure_gpa: float | tuple[float, float] | None = None,
    potential: str | None = None,
    protocol: str | None = None,
    verdict: str | None = None,
    everything: bool = False,
    *,
    include: Collection[str] = (),
    labeller: str | None = None,
    functional: str | None = None,
    created: tuple[datetime | None, datetime | None] = (None, None),
    where: Iterable[str | Condition] = (),
) -> list[MeltingPoint]:
    """Return the melting points of the profile, the latest first.

    Those with a mark of `LEFT_OUT` are left out, unless they are asked for: by ``everything``, by their mark in
    ``include``, by ``verdict`` or by ``protocol``.

    :param pressure_gpa: a pressure, or the lowest and the highest, in GPa.
    :param potential: part of the label of the potential, or of its SHA-256.
    :param everything: also those with a mark.
    :param labeller: part of what labelled the frames of the potential.
    :param functional: density functional of the labels.
    :param created: not before and not after, None for any time.
    :param where: conditions on any key of the schema, such as ``atoms >= 10000``.
    :raises ValueError: if a condition is none.
    """
    conditions = [each if isinstance(each, Condition) else Condition.parse(each) for each in where]
    # What supersedes a point may have another verdict, T_m or version: these are no filters of the query.
    points = _marked(_points(_filters(element, pressure_gpa, protocol)))
    found = [
        point
        for point in points
        if (potential is None or _matches(point, potential))
        and verdict in (None, point.verdict)
        and (labeller is None or any(labeller.lower() in each.lower() for each in point.labellers))
        and (functional is None or functional.lower() in map(str.lower, point.functionals))
        and (created[0] is None or point.created >= created[0])
        and (created[1] is None or point.created <= created[1])
        and all(condition.meets(point.details) for condition in conditions)
    ]
    asked = asked_marks(include, verdict, protocol, everything)
    return [point for point in found if asked.issuperset(point.marks)]


def asked_marks(
    include: Collection[str] = (), verdict: str | None = None, protocol: str | None = None, everything: bool = False
) -> set[str]:
    """Return the marks of melting points that are not left out: they are asked for, or what is asked for has them."""
    if everything:
        return set(LEFT_OUT)
    return {*include, *(["invalid"] if verdict else []), *(["replication"] if protocol else [])}


def melting_point(pk: int) -> MeltingPoint:
    """Return the melting point of a work chain, or of the dictionary that holds it.

    :raises ValueError: if there is none.
    """
    query = orm.QueryBuilder().append(orm.Dict, filters={"id": pk}, tag="point")
    links = {"type": LinkType.RETURN.value, "label": OUTPUT}
    query.append(
        orm.WorkChainNode,
        with_outgoing="point",
        edge_filters=links,
        filters={"process_type": PROCESS_TYPE},
        project="id",
    )
    for point in points_of({pk, *query.all(flat=True)}):
        return point
    raise ValueError(f"no melting point with the pk {pk}: see `aiida-dnpmelt tm list --all`")


def points_of(pks: Collection[int]) -> list[MeltingPoint]:
    """Return the melting points of work chains, the latest first, whatever their marks; others have none."""
    elements: set[str] = set()
    for batch in batches(pks):
        query = orm.QueryBuilder().append(orm.WorkChainNode, filters={"id": {"in": batch}}, tag="chain")
        query.append(orm.Dict, with_incoming="chain", edge_filters={"label": OUTPUT}, project="attributes.element")
        elements.update(query.distinct().all(flat=True))
    wanted = {"attributes.element": {"in": sorted(elements)}}
    return [point for point in _marked(_points(wanted)) if point.pk in pks] if elements else []


def whole_result(pk: int) -> tuple[int, dict[str, Any]] | None:
    """Return the result of a chain of learning and melting with the PK of its work chain, None if it is something else.

    :param pk: of the work chain, or of its output ``melting``.
    """
    return _result(pk, MELTING_TYPE, "melting")


def size_study(pk: int) -> tuple[int, dict[str, Any]]:
    """Return a finite-size study with the PK of its work chain.

    :param pk: of the work chain, or of its output ``finite_size``.
    :raises ValueError: if there is none.
    """
    found = _result(pk, SIZE_TYPE, "finite_size")
    if found is None:
        raise ValueError(
            f"no result of a finite-size study with the pk {pk}: look at `aiida-dnpmelt status`, or launch one by "
            "`aiida-dnpmelt launch size`"
        )
    return found


def size_studies(element: str, potential_uuid: str | None) -> list[int]:
    """Return the PKs of the finite-size studies of an element with a potential that have a result, the oldest first.

    :param potential_uuid: None for any potential.
    """
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"process_type": SIZE_TYPE}, tag="chain", project="id")
    query.append(
        orm.Dict, with_incoming="chain", edge_filters={"label": "finite_size"}, filters={"attributes.element": element}
    )
    if potential_uuid is not None:
        query.append(orm.Data, with_outgoing="chain", filters={"uuid": potential_uuid})
    return sorted(set(query.all(flat=True)))


def sweep_result(pk: int) -> tuple[int, dict[str, Any]]:
    """Return a pressure sweep with the PK of its work chain; of one without a result, what there is of it so far.

    :param pk: of the work chain, or of its output ``sweep``.
    :raises ValueError: if there is none, or nothing of it is there.
    """
    found = _result(pk, SWEEP_TYPE, "sweep")
    if found is not None:
        return found
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={"id": pk, "process_type": SWEEP_TYPE})
    chain = query.first(flat=True)
    if chain is None:
        raise ValueError(f"no pressure sweep with the pk {pk}: launch one by `aiida-dnpmelt launch sweep`")
    return pk, sweep_so_far(chain)


def curve_of_sweep(pk: int) -> dict[str, Any] | None:
    """Return the melting curve of a sweep, None if it has too few points for one.

    :param pk: of the work chain.
    """
    found = _result(pk, SWEEP_TYPE, "curve")
    return None if found is None else found[1]


def known_nodes(pk: int) -> list[orm.Dict]:
    """Return the melting points and melting properties that a node holds, for a sweep to take over.

    :param pk: of a sweep, which need not have come to its end, or another work chain with a melting point, or of a
        melting point or properties themselves.
    :raises ValueError: if there are none.
    """
    try:
        node = orm.load_node(pk)
    except NotExistent as exception:
        raise ValueError(f"there is no node {pk}") from exception
    if isinstance(node, orm.Dict):
        return [node]
    outputs = node.base.links.get_outgoing(orm.Dict, link_type=LinkType.RETURN).all()
    named = ordered({str(link.link_label): link.node for link in outputs})
    found = [node for name, node in named.items() if name.startswith(tuple(OUTPUTS.values()))]
    if not found and getattr(node, "process_type", None) == SWEEP_TYPE:
        found = list(parts_of(node).values())
    if not found:
        raise ValueError(f"node {pk} has no melting point that a sweep could take over")
    return found


def _result(pk: int, process_type: str, output: str) -> tuple[int, dict[str, Any]] | None:
    """Return an output of a work chain of a type by the PK of either, with the PK of the work chain."""
    chosen = {"id": pk}
    for chain, node in ((chosen, {}), ({}, chosen)):
        query = orm.QueryBuilder()
        filters = {"process_type": process_type, **chain}
        query.append(orm.WorkChainNode, filters=filters, tag="chain", project="id")
        links = {"label": output, "type": LinkType.RETURN.value}
        query.append(orm.Dict, with_incoming="chain", edge_filters=links, filters=node, project="attributes")
        found = query.first()
        if found is not None:
            return int(found[0]), dict(found[1])
    return None


def _filters(
    element: str | None,
    pressure_gpa: float | tuple[float, float] | None,
    protocol: str | None,
) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    for key, value in (("element", element), ("protocol", protocol)):
        if value is not None:
            filters[f"attributes.{key}"] = value
    if pressure_gpa is not None:
        low, high = pressure_gpa if isinstance(pressure_gpa, tuple) else (pressure_gpa, pressure_gpa)
        bounds = [{">=": low - 1e-9}, {"<=": high + 1e-9}]
        filters["attributes.pressure_gpa"] = {"and": bounds}
    return filters


def _points(filters: dict[str, Any]) -> Iterator[MeltingPoint]:
    """Yield melting points, the latest first; the process type narrows the search before any attribute does."""
    query = orm.QueryBuilder()
    query.append(
        orm.WorkChainNode,
        filters={"process_type": PROCESS_TYPE},
        tag="chain",
        project=["id", "uuid", "ctime", f"extras.{DEMO}"],
    )
    query.append(
        orm.Dict,
        with_incoming="chain",
        edge_filters={"label": OUTPUT, "type": LinkType.RETURN.value},
        filters=filters,
        project=["id", "attributes"],
    )
    rows = query.order_by({"chain": [{"ctime": "desc"}, {"id": "desc"}]}).all()
    unfinished, of_studies, demos = _unfinished(), _called_by(SIZE_TYPE), _demos()
    labels = labels_of({row[5]["potential_uuid"] for row in rows})
    for pk, uuid, created, demo, node_pk, stored in rows:
        values = judged(stored)
        known = labels.get(values["potential_uuid"], Labels())
        yield MeltingPoint(
            pk=pk,
            node_pk=node_pk,
            uuid=str(uuid),
            created=created,
            element=values["element"],
            lattice=values["lattice"],
            pressure_gpa=values["pressure_gpa"],
            melting_temperature_k=values["melting_temperature_k"],
            standard_uncertainty_k=values.get("standard_uncertainty_k"),
            verdict=values["verdict"],
            protocol=values["protocol"],
            potential=values["potential_label"],
            unfinished=values["potential_sha256"] in unfinished,
            of_study=pk in of_studies,
            superseded=False,
            demo=bool(demo) or pk in demos,
            labellers=known.labellers,
            functionals=known.functionals,
            details=values,
        )


def _called_by(caller_type: str, caller_filters: Mapping[str, Any] | None = None) -> set[int]:
    """Return the PKs of the coexistences that work chains of a type called."""
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"process_type": caller_type, **(caller_filters or {})}, tag="caller")
    query.append(orm.WorkChainNode, with_incoming="caller", filters={"process_type": PROCESS_TYPE}, project="id")
    return set(query.all(flat=True))


def _demos() -> set[int]:
    """Return the PKs of the coexistences that a demonstration called."""
    marked = {"extras": {"has_key": DEMO}}
    return set().union(*(_called_by(each, marked) for each in (MELTING_TYPE, SWEEP_TYPE, SIZE_TYPE)))


def _unfinished() -> set[str]:
    """Return the checksums of the potentials whose training had not ended."""
    query = orm.QueryBuilder()
    query.append(PotentialData, filters={"attributes.training.ended": False}, project="attributes.sha256")
    return set(query.all(flat=True))


def _marked(points: Iterable[MeltingPoint]) -> Iterator[MeltingPoint]:
    """Mark those for which a later one with the same key has as good a verdict."""
    best: dict[tuple[Any, ...], int] = {}
    for point in points:
        details = point.details
        key = (
            point.element,
            point.lattice,
            point.pressure_gpa,
            details["potential_sha256"],
            point.protocol,
            details["atoms"],
        )
        rank = _RANKS[point.verdict]
        yield replace(point, superseded=best.get(key, 0) >= max(rank, 1))
        best[key] = max(best.get(key, 0), rank)


def _matches(point: MeltingPoint, potential: str) -> bool:
    return potential in point.potential or point.details["potential_sha256"].startswith(potential)


def melting_curve_of(points: Sequence[MeltingPoint]) -> orm.Dict:
    """Return the melting curve through points, the one that is stored if there is one of just these.

    :raises ValueError: as `melting_curve`.
    """
    curve_points([point.details for point in points])
    nodes = {f"point_{point.node_pk}": orm.load_node(point.node_pk) for point in points}
    known = stored_result("melting_curve", nodes)
    if known is None:
        check_can_store("there is no stored curve through just these points, and a new one would be kept")
    return known or melting_curve(**nodes)


def stored_curve(pk: int) -> orm.Dict:
    """Return a melting curve that is stored.

    :raises ValueError: if the node is none.
    """
    node: orm.Dict | None = orm.QueryBuilder().append(orm.Dict, filters={"id": pk}).first(flat=True)
    if node is None or node.base.attributes.get("schema", None) != CURVE_SCHEMA:
        raise ValueError(f"node {pk} is no melting curve: `aiida-dnpmelt tm curve` makes one and tells its PK")
    return node


def stored_result(function: str, nodes: Mapping[str, orm.Data], values: Mapping[str, Any] | None = None) -> Any:
    """Return the result of a calculation function that was called with just these inputs, None if none was.

    :param nodes: inputs, by any names.
    :param values: further inputs by name, with their plain values.
    """
    wanted, plain = {node.pk for node in nodes.values()}, dict(values or {})
    first = next(iter(nodes.values()))
    for process in first.base.links.get_outgoing(orm.CalcFunctionNode).all_nodes():
        if process.process_label != function or not process.is_finished_ok:
            continue
        links = process.base.links.get_incoming(link_type=LinkType.INPUT_CALC).all()
        behind = {link.node.pk for link in links if link.link_label not in plain}
        said = {link.link_label: link.node.value for link in links if link.link_label in plain}
        if behind == wanted and said == plain:
            return process.outputs.result
    return None
