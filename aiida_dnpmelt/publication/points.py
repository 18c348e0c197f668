"""Look whether the melting points of an archive are those of the profile."""

from __future__ import annotations

from collections.abc import Sequence

from aiida import orm
from aiida.orm.implementation import StorageBackend

from aiida_dnpmelt.provenance.query import MeltingPoint
from aiida_dnpmelt.publication.traces import Names, anonymous_value


def check_points(backend: StorageBackend, points: Sequence[MeltingPoint], names: Names | None) -> None:
    """Look whether an archive has melting points with the very values that they have in the profile.

    :param names: words that were taken out, none if the archive is as it was written.
    :raises ValueError: if one is missing or has other values.
    """
    if not points:
        return
    pks = [point.node_pk for point in points]
    uuids = dict(orm.QueryBuilder().append(orm.Dict, filters={"id": {"in": pks}}, project=["id", "uuid"]).all())
    query = orm.QueryBuilder(backend=backend)
    query.append(orm.Dict, filters={"uuid": {"in": list(uuids.values())}}, project=["uuid", "attributes"])
    there = dict(query.all())
    for point in points:
        expected = point.details if names is None else anonymous_value(point.details, names, machinery=False)
        if there.get(uuids[point.node_pk]) != expected:
            raise ValueError(f"the melting point {point.node_pk} is not in the archive as it is in the profile")
