"""Who labelled the frames that potentials were trained on, and with which functional."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from aiida import orm

from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.provenance.ancestry import batches

TRAINING_TYPE = "aiida.calculations:dnpmelt.deepmd_train"


@dataclass(frozen=True)
class Labels:
    """Labellers of frames in words, and functionals, each sorted; none where nobody knows."""

    labellers: tuple[str, ...] = ()
    functionals: tuple[str, ...] = ()


def labels_of(uuids: Collection[str]) -> dict[str, Labels]:
    """Return who labelled the frames that potentials were trained on here, by the UUID of the potential.

    Frames that only a model before it was trained on do not count.
    """
    pks = dict(_potentials(uuids))
    rows: dict[str, set[tuple[str, str]]] = {}
    for batch in batches(pks):
        query = orm.QueryBuilder().append(PotentialData, filters={"id": {"in": batch}}, tag="potential", project="id")
        query.append(
            orm.CalcJobNode, with_outgoing="potential", filters={"process_type": TRAINING_TYPE}, tag="training"
        )
        query.append(FramesData, with_outgoing="training", project=["attributes.labeller", "attributes.functional"])
        for pk, labeller, functional in query.distinct().all():
            rows.setdefault(pks[pk], set()).add((labeller or "", functional or ""))
    return {
        uuid: Labels(
            tuple(sorted({labeller for labeller, _ in found} - {""})),
            tuple(sorted({functional for _, functional in found} - {""})),
        )
        for uuid, found in rows.items()
    }


def _potentials(uuids: Collection[str]) -> list[tuple[int, str]]:
    query = orm.QueryBuilder().append(PotentialData, project=["id", "uuid"])
    return [(pk, str(uuid)) for pk, uuid in query.all() if str(uuid) in uuids]
