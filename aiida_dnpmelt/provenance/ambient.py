"""Melting temperatures at ambient pressure: one for each element, lattice and potential, as one compares them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aiida import orm
from aiida.common.links import LinkType

from aiida_dnpmelt.calculations.cohesion import ENERGY_SCHEMA, refit_relation
from aiida_dnpmelt.calculations.melting import final_temperature
from aiida_dnpmelt.physics.notation import notation
from aiida_dnpmelt.provenance.intervals import Interval, interval_of
from aiida_dnpmelt.provenance.query import DEMO, MELTING_TYPE, PROCESS_TYPE, melting_points, stored_result
from aiida_dnpmelt.provenance.read_only import check_can_store

_DOUBTED = "cohesive_energy"
"""Flag of a cohesive energy that is far from the experimental one."""
AMBIENT_GPA = 0.01
"""Pressure in GPa below which T_m is taken as that at ambient pressure: it changes T_m by less than 1 K."""
_RESULT = "melting"
_TEACHERS_CALL = "coexistence_teacher"
_PROTOCOL, _STR = "protocol", orm.Str.class_node_type
_TEACHERS = ("teacher", "learning__labelling__potential", "learning__labelling__potential_family")
"""Labels of the inputs of the whole chain that name what labelled its frames, the first one that is there."""


@dataclass(frozen=True)
class AmbientPoint:
    """A melting temperature at ambient pressure; in K.

    :param pk: of the work chain that made it.
    :param node_pk: of the dictionary that holds it.
    :param kind: ``coexistence`` with one potential; ``models``, the mean of learned models; ``models, corrected``, that
        corrected to their teacher.
    :param verdict: ``valid`` or ``unfinished``.
    :param potential: label of the potential; of models, that of their teacher.
    :param potential_sha256: checksum of the potential; empty for models.
    :param potential_uuids: of the potentials behind it.
    :param unfinished: the training of the potential is known not to have ended.
    :param interval_k: its 95 % interval, None if it is not on record.
    """

    pk: int
    node_pk: int
    element: str
    lattice: str
    kind: str
    melting_temperature_k: float
    standard_uncertainty_k: float
    verdict: str
    protocol: str
    potential: str
    potential_sha256: str
    potential_uuids: tuple[str, ...]
    unfinished: bool = False
    interval_k: Interval | None = None

    @property
    def notation(self) -> str:
        """Return T_m as ``1333(5)``, the uncertainty in units of the last digits."""
        return notation(self.melting_temperature_k, self.standard_uncertainty_k)

    @property
    def of(self) -> str:
        """Return in words what it is the T_m of: a potential, or so many models of a teacher."""
        if self.kind == "coexistence":
            return f"{self.potential} (training unfinished)" if self.unfinished else self.potential
        return f"{len(self.potential_uuids)} {self.kind}, {self.potential}"


def ambient_points(
    element: str | None = None, potential: str | None = None, protocol: str | None = None
) -> list[AmbientPoint]:
    """Return the melting temperatures at ambient pressure by element and potential.

    One for each element, lattice and potential: valid ones before unfinished ones, then the latest. The result of a
    whole chain stands for the T_m of its models, which are left out; the T_m of its teacher is not.

    :param potential: part of the label of the potential (of models: of their teacher), or of its SHA-256.
    """
    chains = list(_chains())
    parts = _models_of({point.pk for point in chains})
    found = [*chains, *_coexistence(element, protocol, parts)]
    best: dict[tuple[str, ...], AmbientPoint] = {}
    for point in sorted(found, key=lambda each: (each.verdict == "valid", each.pk)):
        if _asked(point, element, potential, protocol):
            best[_key(point)] = point
    return sorted(best.values(), key=lambda point: (point.element, point.potential, point.lattice, point.pk))


def cohesive_energies() -> dict[tuple[str, str], orm.Dict]:
    """Return the stored cohesive energies of potentials by element and UUID of the potential, the latest of each.

    Those whose free atom is doubted are left out: a model extrapolates to it unless it was trained on one.
    """
    query = orm.QueryBuilder()
    query.append(orm.Dict, filters={"attributes.schema": ENERGY_SCHEMA})
    query.order_by({orm.Dict: [{"ctime": "asc"}, {"id": "asc"}]})
    found = ((node, node.get_dict()) for node in query.all(flat=True))
    return {
        (values["element"], values["potential_uuid"]): node
        for node, values in found
        if values["potential_uuid"] and values["cohesive_energy_ev"] is not None and _DOUBTED not in values["flags"]
    }


def energies_of(point: AmbientPoint, stored: dict[tuple[str, str], orm.Dict]) -> list[orm.Dict]:
    """Return the stored cohesive energies of the potentials behind a melting temperature, none unless all have one."""
    keys = [(point.element, uuid) for uuid in point.potential_uuids]
    return [stored[key] for key in keys] if all(key in stored for key in keys) else []


def refit_of(group: str, points: Iterable[AmbientPoint], energies: Iterable[orm.Dict]) -> orm.Dict:
    """Return the line of a group through melting temperatures, the stored one if there is one of just these.

    :raises ValueError: as `refit_relation`.
    """
    nodes: dict[str, orm.Data] = {f"point_{point.node_pk}": orm.load_node(point.node_pk) for point in points}
    nodes.update({f"energy_{node.pk}": node for node in energies})
    known = stored_result("refit_relation", nodes, {"group": group})
    if known is None:
        check_can_store(f"there is no stored refit of {group} through just these points, and a new one would be kept")
    return known or refit_relation(group=orm.Str(group), **nodes)


def _coexistence(element: str | None, protocol: str | None, parts: set[int]) -> Iterator[AmbientPoint]:
    for point in melting_points(element, (-AMBIENT_GPA, AMBIENT_GPA), protocol=protocol):
        if point.pk in parts or point.of_study:
            continue
        if point.melting_temperature_k is None or point.standard_uncertainty_k is None:
            continue
        yield AmbientPoint(
            pk=point.pk,
            node_pk=point.node_pk,
            element=point.element,
            lattice=point.lattice,
            kind="coexistence",
            melting_temperature_k=point.melting_temperature_k,
            standard_uncertainty_k=point.standard_uncertainty_k,
            verdict=point.verdict,
            protocol=point.protocol,
            potential=point.potential,
            potential_sha256=point.details["potential_sha256"],
            potential_uuids=(str(point.details["potential_uuid"]),),
            unfinished=point.unfinished,
            interval_k=interval_of(point.details),
        )


def _chains() -> Iterator[AmbientPoint]:
    """Yield the results of whole chains at ambient pressure."""
    query = orm.QueryBuilder()
    query.append(
        orm.WorkChainNode, filters={"process_type": MELTING_TYPE}, tag="chain", project=["id", f"extras.{DEMO}"]
    )
    query.append(orm.Dict, with_incoming="chain", edge_filters={"label": _RESULT}, project=["id", "attributes"])
    named = _named_inputs()
    for chain, demo, node_pk, values in query.all():
        if abs(values["pressure_gpa"]) > AMBIENT_GPA or demo:
            continue
        value, uncertainty = final_temperature(values)
        given = named.get(chain, {})
        corrected = values["corrected_melting_temperature_k"] is not None
        yield AmbientPoint(
            pk=chain,
            node_pk=node_pk,
            element=values["element"],
            lattice=values["lattice"],
            kind="models, corrected" if corrected else "models",
            melting_temperature_k=value,
            standard_uncertainty_k=uncertainty,
            verdict=values["verdict"],
            protocol=given.get(_PROTOCOL, ""),
            potential=next((given[label] for label in _TEACHERS if label in given), ""),
            potential_sha256="",
            potential_uuids=tuple(sorted(model["potential_uuid"] for model in values["models"].values())),
            interval_k=interval_of(values, "corrected_" if corrected else ""),
        )


def _named_inputs() -> dict[int, dict[str, str]]:
    """Return protocol and teacher of all whole chains by the PK of the chain and the label of the input.

    A potential is named by its label, and VASP by the family of its POTCAR files.
    """
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"process_type": MELTING_TYPE}, tag="chain", project="id")
    links = {"type": LinkType.INPUT_WORK.value, "label": {"in": [_PROTOCOL, *_TEACHERS]}}
    query.append(
        orm.Data,
        with_outgoing="chain",
        edge_filters=links,
        edge_project="label",
        project=["label", "node_type", "attributes.value"],
    )
    found: dict[int, dict[str, str]] = {}
    for chain, label, kind, value, link in query.all():
        text = str(label) if not kind.startswith(_STR) else str(value) if link == _PROTOCOL else f"VASP, {value}"
        found.setdefault(chain, {})[link] = text
    return found


def _models_of(chains: set[int]) -> set[int]:
    """Return the PKs of the work chains of the coexistence of models that whole chains have called."""
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"process_type": MELTING_TYPE}, tag="chain", project="id")
    query.append(
        orm.WorkChainNode,
        with_incoming="chain",
        filters={"process_type": PROCESS_TYPE},
        edge_filters={"type": LinkType.CALL_WORK.value, "label": {"!==": _TEACHERS_CALL}},
        project="id",
    )
    return {point for chain, point in query.all() if chain in chains}


def _asked(point: AmbientPoint, element: str | None, potential: str | None, protocol: str | None) -> bool:
    wanted = element in (None, point.element) and protocol in (None, point.protocol)
    if potential is None:
        return wanted
    return wanted and (potential in point.potential or point.potential_sha256.startswith(potential))


def _key(point: AmbientPoint) -> tuple[str, ...]:
    """Return what a later result must share to stand for an earlier one."""
    return (point.element, point.lattice, point.kind.partition(",")[0], point.potential_sha256 or point.potential)
