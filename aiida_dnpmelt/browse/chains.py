"""The table of whole chains of learning and melting, the latest ones."""

from __future__ import annotations

from aiida import orm

from aiida_dnpmelt.browse.html import Cell, Column, Row, Table
from aiida_dnpmelt.browse.parameters import Filters
from aiida_dnpmelt.calculations.melting import final_temperature
from aiida_dnpmelt.provenance.query import MELTING_TYPE
from aiida_dnpmelt.report import words

MOST = 20
OUTPUT = "melting"
_COLUMNS = ("element", "lattice", "P/GPa", "T_m/K", "models", "verdict", "created")
_NUMBERS = ("P/GPa", "T_m/K", "models")


def chain_table(filters: Filters) -> Table:
    """Return the latest whole chains that have a result, of an element if one is asked for; T_m is the corrected one.

    Other filters do not choose among them: they are for coexistence with one potential.
    """
    wanted = {"attributes.element": filters.element} if filters.element else {}
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"process_type": MELTING_TYPE}, tag="chain", project=["uuid", "ctime"])
    query.append(orm.Dict, with_incoming="chain", edge_filters={"label": OUTPUT}, filters=wanted, project="attributes")
    query.order_by({"chain": {"id": "desc"}}).limit(MOST)
    rows = []
    for uuid, created, result in query.all():
        temperature = Cell(words.bare(*final_temperature(result)), f"/point/{uuid}")
        before = (result["element"], result["lattice"], words.minus(f"{result['pressure_gpa']:g}"))
        after = (str(len(result["models"])), result["verdict"], f"{created:%Y-%m-%d %H:%M}")
        rows.append(Row([*map(Cell, before), temperature, *map(Cell, after)]))
    caption = "The latest results of models that were learned from a teacher, corrected to it where that is known."
    return Table(caption, [Column(name, name not in _NUMBERS) for name in _COLUMNS], rows)
