"""A campaign as rows of tables: what has become of its cells, and what they would take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from aiida_dnpmelt.campaign.cells import Cell
from aiida_dnpmelt.campaign.modes import Load
from aiida_dnpmelt.campaign.settings import pressure_text
from aiida_dnpmelt.campaign.states import OVER, CellState
from aiida_dnpmelt.physics.notation import notation
from aiida_dnpmelt.report.words import decimals, hours

_CELL = ("element", "pressure_gpa", "potential")
_NUMBERS = ("melting_temperature_k", "standard_uncertainty_k", "interval_low_k", "interval_high_k", "verdict")
STATE_KEYS = (*_CELL, "state", "rounds", *_NUMBERS, "pk", "tries", "remark")
STATE_COLUMNS = ("element", "P/GPa", "potential", "state", "rounds", "T_m/K", "verdict", "pk", "remark")
LOAD_KEYS = (*_CELL, "state", *Load.__dataclass_fields__)
LOAD_COLUMNS = ("element", "P/GPa", "potential", "state", "jobs", "labels", "atom-steps", "core-hours", "disk/MB")
MB = 1e6
REMARK_WIDTH = 60


def state_record(state: CellState) -> dict[str, Any]:
    """Return what has become of a cell by `STATE_KEYS`; what is not known is None."""
    found = state.result or {}
    node = state.node
    remark = state.reason or (node.description if node is not None and state.state == "running" else "")
    return {
        **_cell(state.cell),
        "state": state.state,
        "rounds": state.rounds,
        **{key: found.get(key) for key in _NUMBERS},
        "pk": None if node is None else node.pk,
        "tries": state.tries,
        "remark": remark,
    }


class Records:
    """Records of states that are asked for again and again: of cells that are over, each is made once."""

    def __init__(self) -> None:
        """Begin without any."""
        self._over: dict[int, dict[str, Any]] = {}

    def __getitem__(self, state: CellState) -> dict[str, Any]:
        """Return the record of a state."""
        if state.node is None or state.state not in OVER:
            return state_record(state)
        if state.node.pk not in self._over:
            self._over[state.node.pk] = state_record(state)
        return self._over[state.node.pk]


def state_row(record: dict[str, Any]) -> dict[str, str]:
    """Return a record as a row with `STATE_COLUMNS`."""
    values = (
        *_texts(record),
        record["state"],
        str(record["rounds"] or ""),
        notation(record["melting_temperature_k"], record["standard_uncertainty_k"]),
        record["verdict"] or "",
        str(record["pk"] or ""),
        shortened(record["remark"], REMARK_WIDTH),
    )
    return dict(zip(STATE_COLUMNS, values, strict=True))


def shortened(text: str, width: int) -> str:
    """Return a text that is no longer than a width."""
    return text if len(text) <= width else f"{text[: width - 3]}..."


def summary(records: Sequence[dict[str, Any]]) -> str:
    """Return how many cells are in which state."""
    states = Counter(record["state"] for record in records)
    verdicts = Counter(record["verdict"] for record in records if record["state"] == "done")
    words = [f"{len(records)} cells: {states['done']} done"]
    if verdicts:
        words[0] += f" ({', '.join(f'{number} {verdict}' for verdict, number in sorted(verdicts.items()))})"
    names = ("running", "submitted", "failed", "missing")
    return ", ".join([*words, *(f"{states[name]} {name}" for name in names if states[name])])


def load_record(cell: Cell, state: str, load: Load) -> dict[str, Any]:
    """Return what a cell would take by `LOAD_KEYS`."""
    return {**_cell(cell), "state": state, **asdict(load)}


def load_row(record: dict[str, Any]) -> dict[str, str]:
    """Return a record as a row with `LOAD_COLUMNS`."""
    values = (
        *_texts(record),
        record["state"],
        str(record["jobs"]),
        str(record["labels"]),
        f"{record['atom_steps']:.3g}",
        hours(record["core_hours"]),
        _megabytes(record["disk_bytes"]),
    )
    return dict(zip(LOAD_COLUMNS, values, strict=True))


def load_summary(load: Load, cells: int, at_once: int) -> str:
    """Return what the cells that are to be submitted would take together."""
    trained = f", {load.training_steps:.3g} training steps (whose time is not counted)" if load.training_steps else ""
    return (
        f"to be submitted: {cells} cells, {at_once} at once\n"
        f"  {load.jobs} jobs, {load.labels} labels{trained}, {load.atom_steps:.3g} atom-steps\n"
        f"  some {hours(load.core_hours)} core-hours, some {_megabytes(load.disk_bytes)} MB of disk\n"
        "  more if a first guess is far off"
    )


def _megabytes(size: float) -> str:
    return decimals(size / MB, 0 if size >= 10 * MB else 1)


def _cell(cell: Cell) -> dict[str, Any]:
    return {name: getattr(cell, name) for name in _CELL}


def _texts(record: dict[str, Any]) -> tuple[str, str, str]:
    return record["element"], pressure_text(record["pressure_gpa"]), record["potential"]
