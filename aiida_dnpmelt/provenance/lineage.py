"""Follow melting temperatures back to the labelled frames behind them, and frames forward to what came of them."""

from __future__ import annotations

from aiida import orm

from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.provenance.ancestry import ancestors
from aiida_dnpmelt.provenance.impact import points_on
from aiida_dnpmelt.provenance.labels import TRAINING_TYPE
from aiida_dnpmelt.provenance.query import OUTPUT

_OUTPUTS = (OUTPUT, "melting")


def frames_behind(pk: int) -> list[FramesData]:
    """Return the labelled frames that the models behind a melting temperature were trained on, the oldest first.

    Models that only made frames for later ones count as well: without them it would be another number. A T_m of a
    potential that was not trained here has none.

    :param pk: of a work chain that gives a melting temperature, or of the dictionary that holds it.
    :raises ValueError: if it is neither.
    """
    nodes = ancestors([point_node(pk).pk]).nodes.values()
    trainings = {node.pk for node in nodes if node.process_type == TRAINING_TYPE}
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
    return points_on([pk])


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
        seen |= {node.pk for node in job.inputs.frames.values()}
        current = job.inputs.parent_model if "parent_model" in job.inputs else None
    return seen


def point_node(pk: int) -> orm.Dict:
    """Return the dictionary of a melting temperature, of a work chain or itself.

    :raises ValueError: if there is none.
    """
    node = orm.QueryBuilder().append(orm.Node, filters={"id": pk}).first(flat=True)
    if isinstance(node, orm.WorkChainNode):
        found = [node.outputs[name] for name in _OUTPUTS if name in node.outputs]
        node = found[0] if found else None
    if not isinstance(node, orm.Dict) or "melting_temperature_k" not in node:
        raise ValueError(f"no melting temperature with the pk {pk}: see `aiida-dnpmelt tm list --all`")
    return node
