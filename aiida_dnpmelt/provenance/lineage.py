"""Follow melting temperatures back to the labelled frames behind them, and frames forward to what came of them."""

from __future__ import annotations

from collections.abc import Sequence

from aiida import orm
from aiida.common.links import LinkType
from aiida.tools.graph.graph_traversers import traverse_graph

from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.provenance.query import OUTPUT, PROCESS_TYPE

TRAINING_TYPE = "aiida.calculations:dnpmelt.deepmd_train"
_OUTPUTS = (OUTPUT, "melting")
_DATA_LINKS = (LinkType.INPUT_CALC, LinkType.CREATE)


def frames_behind(pk: int) -> list[FramesData]:
    """Return the labelled frames that the models behind a melting temperature were trained on, the oldest first.

    Models that only made frames for later ones count as well: without them it would be another number. A T_m of a
    potential that was not trained here has none.

    :param pk: of a work chain that gives a melting temperature, or of the dictionary that holds it.
    :raises ValueError: if it is neither.
    """
    ancestors = _connected([_point(pk).pk], links_backward=_DATA_LINKS)
    trainings = {training for training, potential in _trainings() if potential in ancestors}
    if not trainings:
        return []
    query = orm.QueryBuilder()
    query.append(orm.CalcJobNode, filters={"id": {"in": sorted(trainings)}}, tag="training")
    query.append(FramesData, with_outgoing="training", project="*")
    return sorted({node.pk: node for node in query.all(flat=True)}.values(), key=lambda node: node.pk)


def points_from(pk: int) -> list[int]:
    """Return the PKs of the work chains whose melting temperatures came of labelled frames, the oldest first.

    :param pk: of labelled frames, `FramesData`.
    :raises ValueError: if it is another node.
    """
    if orm.QueryBuilder().append(FramesData, filters={"id": pk}).count() == 0:
        raise ValueError(f"node {pk} holds no labelled frames: `aiida-dnpmelt tm frames` shows those of a T_m")
    descendants = _connected([potential for _, potential in _trainings(pk)], links_forward=_DATA_LINKS)
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"process_type": PROCESS_TYPE}, tag="chain", project="id")
    query.append(orm.Dict, with_incoming="chain", edge_filters={"label": OUTPUT}, project="id")
    return sorted({chain for chain, point in query.all() if point in descendants})


def seen_frames(potential: PotentialData) -> set[int] | None:
    """Return the PKs of the labelled frames that a model, or one that it began with, was trained on here.

    None if the model was not trained here: then nobody knows.
    """
    seen: set[int] = set()
    current: PotentialData | None = potential
    while current is not None:
        job = current.creator
        if job is None or job.process_type != TRAINING_TYPE:
            return seen if current is not potential else None
        seen |= {job.inputs.frames[name].pk for name in job.inputs.frames}
        current = job.inputs.parent_model if "parent_model" in job.inputs else None
    return seen


def _trainings(frames: int | None = None) -> list[tuple[int, int]]:
    """Return the PKs of trainings and of the potentials that they left, of all or of those on some frames."""
    query = orm.QueryBuilder()
    query.append(orm.CalcJobNode, filters={"process_type": TRAINING_TYPE}, tag="training", project="id")
    query.append(PotentialData, with_incoming="training", project="id")
    if frames is not None:
        query.append(FramesData, with_outgoing="training", filters={"id": frames})
    return [(training, potential) for training, potential in query.all()]


def _connected(pks: list[int], **links: Sequence[LinkType]) -> set[int]:
    """Return the PKs of the nodes that are connected with some by links of data, and these themselves.

    Each node is looked at once. The recursive joins of `QueryBuilder` follow each path instead, and a learning loop has
    more paths than can be counted: models make frames, and frames models.
    """
    found: set[int] = traverse_graph(pks, **links)["nodes"] if pks else set()
    return found


def _point(pk: int) -> orm.Dict:
    """Return the dictionary of a melting temperature.

    :raises ValueError: if there is none.
    """
    node = orm.QueryBuilder().append(orm.Node, filters={"id": pk}).first(flat=True)
    if isinstance(node, orm.WorkChainNode):
        found = [node.outputs[name] for name in _OUTPUTS if name in node.outputs]
        node = found[0] if found else None
    if not isinstance(node, orm.Dict) or "melting_temperature_k" not in node:
        raise ValueError(f"no melting temperature with the pk {pk}: see `aiida-dnpmelt tm list --all`")
    return node
