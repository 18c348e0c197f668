"""Tables of what is published, as CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiida import orm

from aiida_dnpmelt.provenance.query import (
    MELTING_TYPE,
    SIZE_TYPE,
    SWEEP_TYPE,
    MeltingPoint,
    melting_points,
    size_study,
    sweep_result,
    whole_result,
)
from aiida_dnpmelt.publication.selection import Selection


def points_in(pks: set[int]) -> list[MeltingPoint]:
    """Return all melting points among nodes, the latest first."""
    return [point for point in melting_points(everything=True) if point.pk in pks]


def write_tables(selection: Selection, folder: Path) -> list[str]:
    """Write the tables of a selection, and return the names of the files.

    `melting_points.csv` has a line for each coexistence, with all of its keys; `melting.csv` one for each chain of
    learning and melting; a sweep and a study of sizes have one each, with a line for each of their points.
    """
    files = [_write(folder / "melting_points.csv", [_point(point) for point in points_in(selection.pks)])]
    chains = [pk for pk in _chains(MELTING_TYPE) if pk in selection.pks]
    wholes = [(_uuid(pk), found[1]) for pk in chains if (found := whole_result(pk)) is not None]
    files.append(_write(folder / "melting.csv", [{"work_chain": uuid, **details} for uuid, details in wholes]))
    for kind, name, result in ((SWEEP_TYPE, "sweep", sweep_result), (SIZE_TYPE, "finite_size", size_study)):
        for pk in _chains(kind):
            if pk in selection.pks:
                details = result(pk)[1]
                files.append(_write(folder / f"{name}_{_uuid(pk)[:8]}.csv", by_point(details)))
    return [file for file in files if file]


def _point(point: MeltingPoint) -> dict[str, Any]:
    own = {
        "work_chain": _uuid(point.pk),
        "node": _uuid(point.node_pk),
        "created": point.created.isoformat(),
        "superseded": point.superseded,
        "potential_unfinished": point.unfinished,
        "of_study": point.of_study,
    }
    return {**own, **point.details}


def by_point(details: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a result that has a list for each of its quantities, all of the length that most have."""
    lists = {key: value for key, value in details.items() if isinstance(value, list)}
    lengths = [len(value) for value in lists.values()]
    number = max(set(lengths), key=lengths.count) if lengths else 0
    columns = {key: value for key, value in lists.items() if len(value) == number}
    return [{key: value[index] for key, value in columns.items()} for index in range(number)]


def _chains(process_type: str) -> list[int]:
    """Return the PKs of the work chains of a type that have returned a result."""
    output = {MELTING_TYPE: "melting", SWEEP_TYPE: "sweep", SIZE_TYPE: "finite_size"}[process_type]
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"process_type": process_type}, tag="chain", project="id")
    query.append(orm.Dict, with_incoming="chain", edge_filters={"label": output})
    return sorted(set(query.all(flat=True)))


def _uuid(pk: int) -> str:
    return str(orm.QueryBuilder().append(orm.Node, filters={"id": pk}, project="uuid").first(flat=True))


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows with all of their keys as columns, and return the name of the file; none without any row."""
    if not rows:
        return ""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(keys)
        writer.writerows(_cells(row, keys) for row in rows)
    return path.name


def _cells(row: Mapping[str, Any], keys: Iterable[str]) -> list[Any]:
    """Return the cells of a row; what is no number or text is JSON, and what is not known is empty."""
    values = (row.get(key) for key in keys)
    return [json.dumps(value) if isinstance(value, list | dict) else value for value in values]
