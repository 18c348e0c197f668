"""Submit the cells of a campaign, a few at once, and each once whatever is killed in between.

A work chain is stored together with the key of its cell, as the label it is launched under, so that a start after a
kill finds all that was submitted. One process at a time submits the cells of a campaign. (aiida-submission-controller
writes its keys after the submission, and looks for them in a group into which the work chain comes later still: a kill
in between submits twice.)
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessBuilder, ProcessState, submit
from aiida.manage.configuration import get_config, get_profile

from aiida_dnpmelt.calculations.first_guess import guess_from_points
from aiida_dnpmelt.campaign.cells import Campaign, Cell
from aiida_dnpmelt.campaign.modes import Load, builder_of, load_of, problem_of
from aiida_dnpmelt.campaign.states import CUT_SUBMISSION, CellState, group_label, never_begun, states
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import lattice_name
from aiida_dnpmelt.provenance.query import MeltingPoint, melting_points
from aiida_dnpmelt.workchains.launch_checks import Review, review

PATIENCE = 60.0
"""Seconds in which the daemon takes up what was submitted to it."""
_MAY_DIFFER = ("temperature",)
"""Inputs that may differ from those that a cell was submitted with: the first guess grows better."""


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Let no other process submit cells of a campaign; the lock ends with the process that holds it.

    :raises ValueError: if another one holds it.
    """
    profile = get_profile()
    assert profile is not None
    name_of_file = f"{profile.uuid}-{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"
    path = Path(get_config().dirpath) / "aiida-dnpmelt" / name_of_file
    path.parent.mkdir(exist_ok=True)
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exception:
            raise ValueError(f"the campaign '{name}' is run by another process: wait for it, or end it") from exception
        yield


def check(campaign: Campaign, told: Callable[[Sequence[CellState]], Iterable[CellState]] = iter) -> list[str]:
    """Check all cells before any is submitted, and return what is odd about them in words.

    :param told: passes the cells on, and may say how far it has come.
    :raises ValueError: if inputs are refused, or those of a cell are not the ones that it was submitted with.
    """
    problems: list[str] = []
    changed: list[str] = []
    odd: dict[str, list[Cell]] = {}
    for each in told(states(campaign.settings.name, campaign.cells)):
        builder = builder_of(campaign, each.cell)
        problem = problem_of(builder)
        if problem is not None:
            problems.append(f"{each.cell}: {problem}")
        elif each.node is None or each.state == "failed":
            found = _review(campaign, each.cell, builder)
            problems += [f"{each.cell}: {words}" for words in found.refused]
            for words in found.odd:
                odd.setdefault(words, []).append(each.cell)
        else:
            changed += [f"{each.cell}, work chain {each.node.pk}: {key}" for key in changes(builder, each.node)]
    if problems:
        raise ValueError("\n".join(dict.fromkeys(problems)))
    if changed:
        raise ValueError(
            "\n".join(changed)
            + "\nThese cells were submitted with other settings. Give the campaign another name, or take "
            "the settings back: one table has one kind of numbers"
        )
    return [f"{cells[0]}{_and_others(cells)}: {words}" for words, cells in odd.items()]


def _review(campaign: Campaign, cell: Cell, builder: ProcessBuilder) -> Review:
    """Return what of the inputs of a cell cannot be meant, and what is odd.

    A first guess follows from cells that are submitted before it, and from melting points that there are.
    """
    first = next(each for each in campaign.cells if (each.element, each.checksum) == (cell.element, cell.checksum))
    guess_follows = cell != first or bool(_known_points(cell, builder.structure))
    return review(builder, campaign.settings.elements[cell.element].any_crystal, guess_follows)


def _and_others(cells: Sequence[Cell]) -> str:
    return f" and {len(cells) - 1} other{'s' if len(cells) > 2 else ''}" if len(cells) > 1 else ""


def forecast(campaign: Campaign, cells: Iterable[Cell]) -> Iterator[Load]:
    """Yield what each of some cells is expected to take: the same at each pressure."""
    known: dict[tuple[str, str], Load] = {}
    for cell in cells:
        key = (cell.element, cell.checksum)
        if key not in known:
            known[key] = load_of(builder_of(campaign, cell))
        yield known[key]


class Submitter:
    """Submit the cells of a campaign while there are slots, with the lock held.

    :param campaign: checked by `check`.
    :param retry_failed: submit cells that have failed so far once more.
    """

    def __init__(self, campaign: Campaign, retry_failed: bool = False) -> None:
        """Take up what an earlier start has left."""
        self.campaign = campaign
        name = campaign.settings.name
        self._group, _ = orm.Group.collection.get_or_create(label=group_label(name))
        _give_up_cut_submissions(self.states())
        found = self.states()
        self._group.add_nodes([each.node for each in found if each.node is not None])
        self._again = {each.cell.key for each in found if retry_failed and each.state == "failed"}

    def states(self) -> list[CellState]:
        """Return the states of all cells."""
        return states(self.campaign.settings.name, self.campaign.cells)

    def waiting(self, found: Sequence[CellState]) -> list[Cell]:
        """Return the cells that are still to be submitted, in their order."""
        return [
            each.cell
            for each in found
            if each.state == "missing" or (each.state == "failed" and each.cell.key in self._again)
        ]

    def top_up(self) -> Iterator[tuple[Cell, orm.WorkChainNode]]:
        """Submit cells until as many run as may; yield each with its work chain."""
        found = self.states()
        running = sum(each.state in ("submitted", "running") for each in found)
        for cell in self.waiting(found)[: max(0, self.campaign.settings.maximum_running - running)]:
            node = submit(self._builder(cell))
            self._group.add_nodes([node])
            self._again.discard(cell.key)
            yield cell, node

    def _builder(self, cell: Cell) -> ProcessBuilder:
        builder = builder_of(self.campaign, cell)
        if builder.temperature is None or cell.pressure_gpa:
            guess = guess_of(cell, builder.structure, builder.pressure)
            if guess is not None:
                builder.temperature = guess
        return builder


def guess_of(cell: Cell, structure: orm.StructureData, pressure: orm.Float) -> orm.Float | None:
    """Return a first guess of T_m in K, made from the melting points of the potential and lattice; None without any."""
    points = _known_points(cell, structure)
    if not points:
        return None
    return guess_from_points(pressure, **{f"point_{point.node_pk}": orm.load_node(point.node_pk) for point in points})


def _known_points(cell: Cell, structure: orm.StructureData) -> list[MeltingPoint]:
    """Return the melting points of the potential and lattice of a cell, at any pressure."""
    lattice = lattice_name(structure.get_ase())
    return [
        point
        for point in melting_points(cell.element, potential=cell.checksum)
        if point.lattice == lattice and point.melting_temperature_k is not None and not point.of_study
    ]


def changes(builder: ProcessBuilder, node: orm.WorkChainNode) -> list[str]:
    """Return the inputs that differ from those of a work chain, in words; codes and options may differ."""
    links = node.base.links.get_incoming(link_type=LinkType.INPUT_WORK).all()
    stored = {str(link.link_label): link.node for link in links}
    words = []
    for name, given in _flat(builder._inputs(prune=True)):
        if name in _MAY_DIFFER or isinstance(given, PotentialData | orm.Code):
            continue
        new, old = _plain(given), _plain(stored[name]) if name in stored else None
        if new != old:
            words += [f"{name.replace('__', '.')}{place}" for place in _differences(new, old)]
    return words


def _flat(inputs: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, orm.Data]]:
    """Yield the nodes among inputs by the labels of their links."""
    for name, value in inputs.items():
        if isinstance(value, orm.Data):
            yield f"{prefix}{name}", value
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}__")


def _plain(node: orm.Data) -> Any:
    """Return the value of a node as a database has it: keys are texts, tuples are lists."""
    if isinstance(node, orm.Dict):
        return json.loads(json.dumps(node.get_dict()))
    if isinstance(node, orm.List):
        return json.loads(json.dumps(node.get_list()))
    if isinstance(node, orm.StructureData):
        return json.loads(json.dumps({key: node.base.attributes.get(key) for key in ("cell", "sites", "kinds")}))
    return getattr(node, "value", None)


def _differences(new: Any, old: Any, place: str = "") -> list[str]:
    """Return where two values differ, and how."""
    if isinstance(new, dict) and isinstance(old, dict):
        keys = sorted({*new, *old})
        return [words for key in keys for words in _differences(new.get(key), old.get(key), f"{place}.{key}") if words]
    if new == old:
        return []
    return [f"{place} is {str(new)[:80]}, was {str(old)[:80]}"]


def _give_up_cut_submissions(found: Sequence[CellState]) -> None:
    """Mark what an earlier start stored and did not hand to the daemon, so that it is submitted anew.

    The daemon has some time to take the others up. What it should take up later still is ended by then, and is not run.
    """
    nodes = [each.node for each in found if each.node is not None and each.state == "submitted"]
    end = time.monotonic() + PATIENCE
    while nodes and time.monotonic() < end and any(never_begun(node) and node.checkpoint for node in nodes):
        time.sleep(1)
    for node in nodes:
        if never_begun(node):
            node.set_process_status(CUT_SUBMISSION)
            node.set_process_state(ProcessState.KILLED)
            node.seal()
