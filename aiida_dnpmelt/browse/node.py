"""The page of any node: what it is, what it holds, and the nodes that it is linked with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiida import orm
from aiida.common.links import LinkType
from starlette.requests import Request
from starlette.responses import Response

from aiida_dnpmelt.browse.facts import fact_table
from aiida_dnpmelt.browse.html import Cell, Column, Row, Table, answer, node_cell
from aiida_dnpmelt.browse.parameters import node_of, parameters_of
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.provenance.lineage import points_from
from aiida_dnpmelt.provenance.query import MELTING_TYPE, OUTPUT, PROCESS_TYPE
from aiida_dnpmelt.report import words
from aiida_dnpmelt.report.chains import find_chain

MOST_LINKS = 200
MOST_FILES = 200
MOST_FRAMES = 100
MOST_CHARACTERS = 20_000
"""Of the attributes, as JSON."""
_LINKS = ("link", "kind", "node", "type", "label")
_FRAMES = ("frame", "T/K", "E/eV an atom")
_RESULTS = {PROCESS_TYPE: OUTPUT, MELTING_TYPE: "melting"}


def view(request: Request) -> Response:
    """Return the page."""
    parameters_of(request)
    node = node_of(request)
    text = json.dumps(node.base.attributes.all, indent=2, ensure_ascii=False, default=str)
    return answer(
        request,
        "node.html",
        node=node,
        kind=type(node).__name__,
        facts=fact_table("What it is.", _facts(node)),
        pages=list(_pages(node)),
        frames=_frames(node) if isinstance(node, FramesData) else None,
        points=_points(request, node) if isinstance(node, FramesData) else None,
        attributes=text[:MOST_CHARACTERS],
        cut=max(0, len(text) - MOST_CHARACTERS),
        incoming=_links(node, "with_outgoing", "Nodes that it comes from or was called by"),
        outgoing=_links(node, "with_incoming", "Nodes that came of it or that it called"),
        files=_files(node),
        most_files=MOST_FILES,
    )


def _facts(node: orm.Node) -> dict[str, Any]:
    found: dict[str, Any] = {"PK": str(node.pk), "UUID": str(node.uuid), "type": node.node_type}
    if isinstance(node, orm.ProcessNode):
        found |= {
            "process": node.process_type or node.process_label,
            "state": node.process_state and node.process_state.value,
        }
        found |= {"exit status": node.exit_status, "exit message": node.exit_message}
    if node.computer is not None:
        found["computer"] = node.computer.label
    found |= {"label": node.label, "description": node.description, "created": f"{node.ctime:%Y-%m-%d %H:%M:%S %Z}"}
    return {name: value for name, value in found.items() if value not in (None, "")}


def _pages(node: orm.Node) -> Iterator[tuple[str, str]]:
    """Yield names and addresses of the pages that tell more of a node."""
    output = _RESULTS.get(getattr(node, "process_type", None) or "")
    if (output and output in node.outputs) or (isinstance(node, orm.Dict) and "melting_temperature_k" in node):
        yield "melting temperature", f"/point/{node.uuid}"
        yield "lineage", f"/lineage/{node.uuid}"
    try:
        find_chain(node)
    except ValueError:
        return
    yield "report", f"/report/{node.uuid}"


def _frames(node: FramesData) -> Table:
    """Return temperature and energy of the first frames."""
    temperatures, energies = node.get_array("temperatures"), node.get_array("energies")
    atoms, number = len(node.base.attributes.get("symbols")), len(temperatures)
    shown = zip(range(MOST_FRAMES), temperatures, energies / atoms, strict=False)
    texts = ((str(index), f"{kelvin:.0f}", words.decimals(energy, 4)) for index, kelvin, energy in shown)
    rows = [Row([*map(Cell, each)]) for each in texts]
    more = f"; the first {MOST_FRAMES} are listed" if number > MOST_FRAMES else ""
    caption = (
        f"{number} frames of {atoms} atoms, {node.phase}, at {temperatures.min():.0f} to {temperatures.max():.0f} K, "
        f"labelled by {node.labeller or 'somebody'}{more}."
    )
    return Table(caption, [Column(name) for name in _FRAMES], rows)


def _points(request: Request, node: FramesData) -> Table:
    """Return the melting temperatures that came of frames."""
    rows = [
        Row([Cell(point.element), Cell(f"{point.pressure_gpa:g}"), Cell(point.notation, f"/point/{point.uuid}")])
        for point in request.app.state.shelf.of_chains(points_from(node.pk))[:MOST_LINKS]
    ]
    columns = [Column("element", True), Column("P/GPa"), Column("T_m/K")]
    return Table("Melting temperatures of models that were trained on them.", columns, rows)


def _links(node: orm.Node, direction: str, caption: str) -> Table:
    """Return the first links of a node in one direction, the oldest node first."""
    query = orm.QueryBuilder().append(orm.Node, filters={"id": node.pk}, tag="node")
    query.append(
        orm.Node,
        tag="other",
        project=["id", "uuid", "node_type", "process_type", "label"],
        edge_project=["label", "type"],
        **{direction: "node"},
    )
    number = query.count()
    rows = []
    for pk, uuid, kind, process, label, link_label, link_type in (
        query.order_by({"other": "id"}).limit(MOST_LINKS).all()
    ):
        step = (process or "").partition(":")[2] or (process or "").rpartition(".")[2]
        name = kind.rstrip(".").rpartition(".")[2]
        shown = (link_label, LinkType(link_type).name.lower().replace("_", " "))
        texts = (f"{name} {step}".strip(), label)
        rows.append(Row([*map(Cell, shown), node_cell(str(uuid), str(pk)), *map(Cell, texts)]))
    more = f", the first {MOST_LINKS} of {number}" if number > MOST_LINKS else ""
    return Table(f"{caption}{more}.", [Column(name, True) for name in _LINKS], rows)


def _files(node: orm.Node) -> list[str]:
    """Return the names of the first files in the repository of a node."""
    names = (str(root / name) for root, _, files in node.base.repository.walk() for name in sorted(files))
    return list(islice(names, MOST_FILES))
