"""What dictionaries hold, as rows of names and values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiida_dnpmelt.browse.html import Cell, Column, Row, Table

_LONGEST = 500
"""Characters of a value that are shown."""
_WITHIN = "."


def fact_table(caption: str, values: Mapping[str, Any], links: Mapping[str, str] | None = None) -> Table:
    """Return a table of names and values; what is within a dictionary has its name before it.

    :param links: pages that values lead to, by name.
    """
    known = links or {}
    rows = [Row([Cell(name), Cell(_text(value), known.get(name))]) for name, value in _flat(values)]
    return Table(caption, [Column("name", True), Column("value", True)], rows, flowing=True)


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{name}{_WITHIN}")
        else:
            yield f"{before}{name}", value


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.7g}".replace("-", "−")
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = "; ".join(map(_text, value)) or "none"
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"
