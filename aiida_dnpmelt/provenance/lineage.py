"""Follow melting temperatures back to the labelled frames behind them, and frames forward to what came of them."""

from __future__ import annotations

from aiida import orm

from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.provenance.query import OUTPUT, PROCESS_TYPE

TRAINING_TYPE = "aiida.calculations:dnpmelt.deepmd_train"
_OUTPUTS = (OUTPUT, "melting")


def frames_behind(pk: int) -> list[FramesData]:
    """Return the labelled frames that the models behind a melting temperature were trained on, the oldest first.

    Models that only made frames for later ones count as well: without them it would be another number. A T_m of a
    potential that was not trained here has none.

    :param pk: of a work chain that gives a melting temperature, or of the dictionary that holds it.
    :raises ValueError: if it is neither.
    """
    query = orm.QueryBuilder()
    query.append(orm.Dict, filters={"id": _point(pk).pk}, tag="point")
    query.append(PotentialData, with_descendants="point", tag="potential")
    query.append(orm.CalcJobNode, with_outgoing="potential", filters={"process_type": TRAINING_TYPE}, tag="training")
    query.append(FramesData, with_outgoing="training", project="*")
    return sorted({node.pk: node for node in query.all(flat=True)}.values(), key=lambda node: node.pk)


def points_from(pk: int) -> list[int]:
    """Return the PKs of the work chains whose melting temperatures came of labelled frames, the oldest first.

    :param pk: of labelled frames, `FramesData`.
    :raises ValueError: if it is another node.
    """
    if orm.QueryBuilder().append(FramesData, filters={"id": pk}).count() == 0:
        raise ValueError(f"node {pk} holds no labelled frames: `aiida-dnpmelt tm frames` shows those of a T_m")
    query = orm.QueryBuilder()
    query.append(FramesData, filters={"id": pk}, tag="frames")
    query.append(orm.CalcJobNode, with_incoming="frames", filters={"process_type": TRAINING_TYPE}, tag="training")
    query.append(PotentialData, with_incoming="training", tag="potential")
    query.append(orm.Dict, with_ancestors="potential", tag="point")
    query.append(
        orm.WorkChainNode,
        with_outgoing="point",
        edge_filters={"label": OUTPUT},
        filters={"process_type": PROCESS_TYPE},
        project="id",
    )
    return sorted(set(query.all(flat=True)))


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
