"""The pages of what stands behind a melting temperature: its stages, and the nodes of each."""

from __future__ import annotations

from functools import lru_cache

from aiida import orm
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from aiida_dnpmelt.browse.html import Cell, Column, Row, Table, answer, link, node_cell
from aiida_dnpmelt.browse.parameters import is_final, node_of, page_of, parameters_of
from aiida_dnpmelt.browse.policies import PICTURE
from aiida_dnpmelt.provenance.ancestry import Node
from aiida_dnpmelt.provenance.trace import Stage, Trace, trace
from aiida_dnpmelt.report import words
from aiida_dnpmelt.report.trace_picture import trace_svg
from aiida_dnpmelt.report.trace_text import cost_text, fact_lines, headline

ROWS = 100
_KEPT = 4
"""Lineages that are kept in memory: what a stored result stands on does not change."""
_COLUMNS = ("node", "type", "label", "step", "created")
_STAGES = ("stage", "nodes", "jobs", "core-hours", "labelled frames", "takes from")
_WORDS = ("stage", "takes from")


def view(request: Request) -> Response:
    """Return the page of all stages."""
    parameters_of(request)
    node = node_of(request)
    found = _traced(node)
    return answer(
        request,
        "lineage.html",
        policy=PICTURE,
        node=node,
        headline=headline(found.result),
        picture=_picture(str(node.uuid), found.uuid),
        content=_stage_table(found, str(node.uuid)),
        total=f"{len(found.ancestry.nodes)} nodes in all{cost_text(found.cost)}",
    )


def view_stage(request: Request) -> Response:
    """Return the page of one stage."""
    page = page_of(parameters_of(request, "page"))
    node, key = node_of(request), request.path_params["stage"]
    found = _traced(node)
    stage = next((each for each in found.stages if each.key == key), None)
    if stage is None:
        raise HTTPException(404, f"the stage is none of {', '.join(each.key for each in found.stages)}")
    last = max(1, -(-len(stage.nodes) // ROWS))
    if page > last:
        raise HTTPException(404, f"there is no page {page}: the last one is {last}")
    nodes = sorted((found.ancestry.nodes[pk] for pk in stage.nodes), key=_interest)
    path = _url(str(node.uuid), stage)
    more = f", page {page} of {last}" if last > 1 else ""
    return answer(
        request,
        "stage.html",
        node=node,
        stage=stage,
        headline=headline(found.result),
        facts=list(fact_lines(stage)),
        cost=cost_text(stage.cost).removeprefix(": "),
        content=Table(
            f"{len(nodes)} nodes, frames and potentials first{more}.",
            [Column(name, True) for name in _COLUMNS],
            [_row(each) for each in nodes[(page - 1) * ROWS : page * ROWS]],
        ),
        before=link(path, page=page - 1 if page > 2 else None) if page > 1 else None,
        after=link(path, page=page + 1) if page < last else None,
    )


def _traced(node: orm.Node) -> Trace:
    """Return the lineage of a node.

    :raises HTTPException: if it gives no melting temperature.
    """
    try:
        return _trace(str(node.uuid)) if is_final(node) else trace(node.pk)
    except ValueError as error:
        raise HTTPException(404, f"node {node.pk} gives no melting temperature") from error


@lru_cache(maxsize=_KEPT)
def _trace(uuid: str) -> Trace:
    return trace(orm.load_node(uuid=uuid).pk)


@lru_cache(maxsize=_KEPT)
def _picture(uuid: str, result: str) -> str:
    """Return the picture of what a result stands on; its boxes lead to the stages, for those who use a mouse.

    Keyboards and screen readers have the table: in the picture each stage is four links.

    :param uuid: of the node whose page it is.
    """
    picture = trace_svg(_trace(result), lambda stage: _url(uuid, stage))
    return picture.replace('target="_blank"', 'tabindex="-1"')


def _url(uuid: str, stage: Stage) -> str:
    return f"/lineage/{uuid}/{stage.key}"


def _stage_table(found: Trace, uuid: str) -> Table:
    titles = {stage.key: stage.title for stage in found.stages}
    rows = []
    for stage in found.stages:
        cost = stage.cost
        hours = words.core_hours(cost.jobs, cost.unknown, cost.core_hours) if cost.jobs else ""
        numbers = (str(len(stage.nodes)), str(cost.jobs or ""), hours, str(cost.frames or ""))
        takes = "; ".join(titles[key] for key in stage.parents)
        rows.append(Row([Cell(stage.title, _url(uuid, stage)), *map(Cell, numbers), Cell(takes)]))
    return Table("Stages, from the melting temperature back.", [Column(name, name in _WORDS) for name in _STAGES], rows)


def _interest(node: Node) -> tuple[bool, bool, int]:
    """Return what nodes are sorted by: frames first, then potentials, each the oldest first."""
    return node.short_kind != "FramesData", node.short_kind != "PotentialData", node.pk


def _row(node: Node) -> Row:
    step = node.process_type.partition(":")[2] or node.process_type.rpartition(".")[2]
    texts = (node.short_kind, node.label, step, f"{node.created:%Y-%m-%d %H:%M}")
    return Row([node_cell(node.uuid, f"{node.pk}"), *map(Cell, texts)])
