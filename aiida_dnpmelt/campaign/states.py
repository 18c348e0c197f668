"""What has become of the cells of a campaign: asked of the provenance graph, each time anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aiida import orm
from aiida.engine import ProcessState

from aiida_dnpmelt.calculations.melting_point import judged
from aiida_dnpmelt.campaign.cells import GROUP, Cell, cell_of
from aiida_dnpmelt.campaign.modes import MODES, mode_of
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.ordering import by_number

State = Literal["missing", "submitted", "running", "done", "failed"]
OVER: tuple[State, ...] = ("done", "failed")
# The label that a work chain was launched under: stored with its node, in one transaction, and never changed after.
_KEY = "attributes.metadata_inputs.metadata.label"
CUT_SUBMISSION = "its submission was cut, nothing was run"
"""Status of a work chain that was stored by a submission which then was cut; another one takes its place."""


@dataclass(frozen=True)
class CellState:
    """What has become of a cell.

    :param state: ``missing``: not submitted; ``submitted``: no worker of the daemon has taken it up; ``running``;
        ``done``: with a T_m, whatever its verdict; ``failed``: see the reason.
    :param node: its work chain, the latest if it was tried again; None if it is missing.
    :param tries: work chains that it has had.
    """

    cell: Cell
    state: State
    node: orm.WorkChainNode | None = None
    tries: int = 0

    @property
    def reason(self) -> str:
        """Return why it failed; empty if it did not."""
        if self.state != "failed" or self.node is None:
            return ""
        exception = (self.node.exception or "").strip().rpartition("\n")[2]
        return str(self.node.exit_message or exception or self.node.process_status or self.node.process_state.value)

    @property
    def rounds(self) -> int:
        """Return how many rounds or iterations it has done."""
        return 0 if self.node is None else mode_of(self.node).rounds(self.node)

    @property
    def result(self) -> dict[str, Any] | None:
        """Return its result with the verdict that holds today, one without T_m included; None if there is none."""
        output = None if self.node is None else mode_of(self.node).output
        if self.node is None or output not in self.node.outputs:
            return None
        return judged(self.node.outputs[output].get_dict())


def group_label(campaign: str) -> str:
    """Return the label of the group of the work chains of a campaign."""
    return f"{GROUP}/{campaign}"


def work_chains(campaign: str) -> dict[str, list[orm.WorkChainNode]]:
    """Return the work chains of a campaign by the keys of their cells, each in the order of their submission.

    They are found by their keys and not by their group, into which they come after their submission.
    """
    filters = {
        "process_type": {"in": [mode.process.build_process_type() for mode in MODES.values()]},
        _KEY: {"like": f"{campaign}/%"},  # an underscore stands for any character, hence the second look
    }
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters=filters, tag="chain", project=["*", _KEY])
    found: dict[str, list[orm.WorkChainNode]] = {}
    for node, key in query.order_by({"chain": [{"ctime": "asc"}, {"id": "asc"}]}).iterall():
        cell = cell_of(key)
        if cell is not None and cell.campaign == campaign and node.process_status != CUT_SUBMISSION:
            found.setdefault(key, []).append(node)
    return found


def states(campaign: str, cells: Sequence[Cell] | None = None) -> list[CellState]:
    """Return the states of cells, or of all that a campaign has submitted if none are given.

    :raises ValueError: if there is no such campaign.
    """
    chains = work_chains(campaign)
    if cells is None:
        if not chains:
            raise ValueError(f"there is no campaign '{campaign}', nothing was submitted under this name")
        cells = _known_cells(chains)
    return [_state(cell, chains.get(cell.key, [])) for cell in cells]


def campaigns() -> list[str]:
    """Return the names of the campaigns of the profile."""
    query = orm.QueryBuilder().append(orm.Group, filters={"label": {"like": f"{GROUP}/%"}}, project="label")
    return sorted((label.removeprefix(f"{GROUP}/") for label in query.all(flat=True)), key=by_number)


def never_begun(node: orm.WorkChainNode) -> bool:
    """Tell whether no worker of the daemon has taken a work chain up."""
    return node.process_state in (None, ProcessState.CREATED)


def _state(cell: Cell, nodes: Sequence[orm.WorkChainNode]) -> CellState:
    if not nodes:
        return CellState(cell, "missing")
    node, state = nodes[-1], "running"
    if node.is_terminated:
        state = "done" if node.is_finished_ok else "failed"
    elif never_begun(node):
        state = "submitted"
    return CellState(cell, state, node, len(nodes))  # type: ignore[arg-type]


def _known_cells(chains: dict[str, list[orm.WorkChainNode]]) -> list[Cell]:
    """Return the cells of work chains: the pressure, then the element gives their order."""
    query = orm.QueryBuilder().append(PotentialData, project=["attributes.sha256", "label"])
    labels = {checksum[:12]: label for checksum, label in query.all()}
    cells = [cell_of(key) for key in chains]
    named = [cell_of(cell.key, labels.get(cell.checksum, cell.checksum)) for cell in cells if cell is not None]
    return sorted(
        (cell for cell in named if cell is not None), key=lambda cell: (cell.pressure_gpa, cell.element, cell.potential)
    )
