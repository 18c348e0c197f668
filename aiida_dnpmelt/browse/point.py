"""The page of one melting temperature: of one coexistence, or of a whole chain of learning and melting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from aiida_dnpmelt.browse.facts import fact_table
from aiida_dnpmelt.browse.html import Cell, Column, Row, Table, answer, node_cell
from aiida_dnpmelt.browse.parameters import node_of, parameters_of
from aiida_dnpmelt.calculations.melting_point import judged
from aiida_dnpmelt.provenance.lineage import frames_behind
from aiida_dnpmelt.provenance.query import MELTING_TYPE, OUTPUT, MeltingPoint, whole_result
from aiida_dnpmelt.report import words
from aiida_dnpmelt.report.chains import find_chain
from aiida_dnpmelt.report.html import Card

_MOST = 100
"""Nodes of frames that are listed."""
_WHOLE = "melting"
_PARTS = ("part", "T_m/K", "verdict")
_FRAMES = ("node", "frames", "phase", "labeller")


def view(request: Request) -> Response:
    """Return the page."""
    parameters_of(request)
    node = node_of(request)
    whole = whole_result(node.pk)
    if whole is not None:
        return _whole(request, orm.load_node(whole[0]), whole[1])
    point = request.app.state.shelf.find(node.pk)
    if point is None:
        raise HTTPException(404, f"node {node.pk} gives no melting temperature")
    return _coexistence(request, orm.load_node(point.pk), point)


def _coexistence(request: Request, chain: orm.WorkChainNode, point: MeltingPoint) -> Response:
    details = point.details
    frames, number = _frames(point.pk)
    caller = chain.caller
    return answer(
        request,
        "point.html",
        title=f"Melting temperature of {point.element}",
        subtitle=f"{point.lattice}, {point.pressure_gpa:g} GPa; two-phase coexistence with {point.potential}, "
        f"{details['atoms']} atoms, protocol {point.protocol}",
        cards=[_card("T_m", details, "melting_temperature_k", "standard_uncertainty_k", "interval")],
        verdict=point.verdict,
        marks=[*point.marks, *(["training of the potential unfinished"] if point.unfinished else [])],
        reasons=details["reasons"],
        chain=chain,
        result=chain.outputs[OUTPUT],
        whole=caller if caller is not None and caller.process_type == MELTING_TYPE else None,
        parts=None,
        frames=frames,
        number=number,
        facts=fact_table("All that is kept of it; units stand in the names.", details, _potential(details)),
    )


def _whole(request: Request, chain: orm.WorkChainNode, details: Mapping[str, Any]) -> Response:
    frames, number = _frames(chain.pk)
    cards = [
        _card("T_m of the models", details, "melting_temperature_k", "standard_uncertainty_k", "interval"),
        _card(
            "Corrected to the teacher",
            details,
            "corrected_melting_temperature_k",
            "corrected_uncertainty_k",
            "corrected_interval",
        ),
    ]
    return answer(
        request,
        "point.html",
        title=f"Melting temperature of {details['element']}",
        subtitle=f"{details['lattice']}, {details['pressure_gpa']:g} GPa; two-phase coexistence with "
        f"{len(details['models'])} models that were learned from a teacher",
        cards=cards,
        verdict=details["verdict"],
        marks=[],
        reasons=details.get("reasons", []),
        chain=chain,
        result=chain.outputs[_WHOLE],
        whole=None,
        parts=_parts(chain),
        frames=frames,
        number=number,
        facts=fact_table("All that is kept of it; units stand in the names.", details),
    )


def _card(name: str, details: Mapping[str, Any], value: str, uncertainty: str, interval: str) -> Card:
    if details[value] is None:
        return Card(name, "none", main=value == "melting_temperature_k")
    low, high = details.get(f"{interval}_low_k"), details.get(f"{interval}_high_k")
    note = f"95 % interval {words.interval(low, high)}"
    return Card(name, words.kelvin(details[value], details[uncertainty]), (note,), main=value.startswith("melting"))


def _potential(details: Mapping[str, Any]) -> dict[str, str]:
    """Return the page of the potential, if it is in the profile."""
    uuid = str(details["potential_uuid"])
    there = orm.QueryBuilder().append(orm.Data, filters={"uuid": uuid}).count()
    return {"potential_label": f"/node/{uuid}", "potential_uuid": f"/node/{uuid}"} if there else {}


def _parts(chain: orm.WorkChainNode) -> Table:
    """Return the coexistence of each model, and of the teacher."""
    rows = []
    for name, child in find_chain(chain).coexistence.items():
        if OUTPUT in child.outputs:
            part = judged(child.outputs[OUTPUT].get_dict())
            text = words.bare(part["melting_temperature_k"], part["standard_uncertainty_k"])
            rows.append(Row([Cell(name), Cell(text, f"/point/{child.uuid}"), Cell(part["verdict"])]))
    return Table("Coexistence with each model, and with the teacher.", _columns(_PARTS, "T_m/K"), rows)


def _frames(pk: int) -> tuple[Table, int]:
    """Return the labelled frames behind it, and their number."""
    found = frames_behind(pk)
    number = sum(node.base.attributes.get("number_of_frames") for node in found)
    rows = []
    for node in found[:_MOST]:
        attributes = node.base.attributes
        texts = (str(attributes.get("number_of_frames")), attributes.get("phase"), attributes.get("labeller"))
        rows.append(Row([node_cell(str(node.uuid)), *map(Cell, texts)]))
    more = f" The first {_MOST} of {len(found)} nodes." if len(found) > _MOST else ""
    caption = f"{number} labelled frames that the models behind it were trained on.{more}"
    return Table(caption, _columns(_FRAMES, "frames"), rows), number


def _columns(names: Sequence[str], number: str) -> list[Column]:
    return [Column(name, name != number) for name in names]
