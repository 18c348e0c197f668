"""What a work chain has called, found by the labels of the calls: of running and failed ones as far as they came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiida import orm
from aiida.common.links import LinkType

from aiida_dnpmelt.physics.ordering import ordered

_OURS = "aiida.workflows:dnpmelt."
MELTING, LEARNING, TPC = "melting", "adaptive_learning", "tpc"
_KINDS = (MELTING, LEARNING, TPC)
TEACHER = "teacher"
_COEXISTENCE = "coexistence_"
_CALLS = (LinkType.CALL_CALC, LinkType.CALL_WORK)
_OUTPUTS = (LinkType.CREATE, LinkType.RETURN)
_WITHIN = "__"
"""What stands in the label of a link between a namespace and what is in it."""


@dataclass(frozen=True)
class Iteration:
    """An iteration of adaptive learning, as far as it came.

    :param number: from 1 on.
    :param training: work chain of the training; none if the models were given.
    :param exploration: work chain of the exploration.
    :param decision: what came next and why, see `decide_learning`.
    """

    number: int
    training: orm.WorkChainNode | None
    exploration: orm.WorkChainNode | None
    decision: dict[str, Any] | None


@dataclass(frozen=True)
class Chain:
    """A work chain that a page is made of, and its parts.

    :param kind: ``melting``, ``adaptive_learning`` or ``tpc``.
    :param learning: work chain of the adaptive learning.
    :param coexistence: work chains of the coexistence by model; that of the teacher is named ``teacher``.
    :param correction: exploration at the T_m that was found.
    """

    node: orm.WorkChainNode
    kind: str
    learning: orm.WorkChainNode | None = None
    coexistence: dict[str, orm.WorkChainNode] = field(default_factory=dict)
    correction: orm.WorkChainNode | None = None

    @property
    def iterations(self) -> list[Iteration]:
        """Return the iterations of the learning in their order."""
        return [] if self.learning is None else _iterations(self.learning)


def find_chain(node: orm.Node) -> Chain:
    """Return the parts of a work chain.

    :raises ValueError: if it is none that a page can be made of.
    """
    kind = str(getattr(node, "process_type", None) or "").removeprefix(_OURS)
    if not isinstance(node, orm.WorkChainNode) or kind not in _KINDS:
        raise ValueError(
            f"node {node.pk} is no work chain that has a page: MeltingWorkChain, AdaptiveLearningWorkChain and "
            "TPCWorkChain have one, see `verdi process list -a`"
        )
    if kind == LEARNING:
        return Chain(node, kind, learning=node)
    if kind == TPC:
        return Chain(node, kind, coexistence={"": node})
    calls = called(node)
    return Chain(
        node,
        kind,
        learning=calls.get("learning"),
        coexistence={
            label.removeprefix(_COEXISTENCE): child
            for label, child in sorted(ordered(calls).items(), key=lambda call: call[0] == _COEXISTENCE + TEACHER)
            if label.startswith(_COEXISTENCE)
        },
        correction=_work_chain(calls.get("correction")),
    )


def called(node: orm.ProcessNode) -> dict[str, Any]:
    """Return the processes that a process called by the label of the call; of those of one label the last."""
    links = node.base.links.get_outgoing(link_type=_CALLS).all()
    return {str(link.link_label): link.node for link in sorted(links, key=lambda link: link.node.pk)}


def descendants(node: orm.ProcessNode, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], orm.ProcessNode]]:
    """Yield all processes below a work chain, with the labels of the calls that lead to them."""
    links = node.base.links.get_outgoing(link_type=_CALLS).all()
    for link in sorted(links, key=lambda link: link.node.pk):
        here = (*path, str(link.link_label))
        yield here, link.node
        if isinstance(link.node, orm.WorkChainNode):
            yield from descendants(link.node, here)


def output(node: orm.ProcessNode | None, name: str) -> Any:
    """Return an output, None if there is none (yet)."""
    return None if node is None else _outputs(node, name).get(name)


def namespace(node: orm.ProcessNode | None, name: str) -> dict[str, Any]:
    """Return the outputs of a namespace by name, none if there is none (yet)."""
    begin = f"{name}{_WITHIN}"
    found = {} if node is None else _outputs(node, f"{begin}%")
    return {label.removeprefix(begin): node for label, node in ordered(found).items() if label.startswith(begin)}


def given(node: orm.ProcessNode | None, label: str) -> Any:
    """Return an input by the label of its link, None if there is none."""
    if node is None:
        return None
    link = node.base.links.get_incoming(link_type=LinkType.INPUT_WORK, link_label_filter=label).first()
    return None if link is None else link.node


def state(node: orm.ProcessNode) -> str:
    """Return in words how a process ended, or that it has not."""
    if not node.is_terminated:
        return f"still {node.process_state.value}" if node.process_state else "not begun"
    if node.is_finished_ok:
        return "finished"
    message = str(node.exit_message or node.process_status or "no message").rstrip(". ")
    if node.exit_status is not None:
        return f"failed with exit status {node.exit_status}: {message}"
    return f"killed: {message}" if node.is_killed else f"ended by an exception: {message}"


def clause(node: orm.ProcessNode) -> str:
    """Return its `state` with its verb: ``is still waiting``, ``has finished``, ``was killed: ...``."""
    verb = "is" if not node.is_terminated else "was" if node.is_killed else "has"
    return f"{verb} {state(node)}"


def _outputs(node: orm.ProcessNode, pattern: str) -> dict[str, Any]:
    """Return outputs by their whole label, in one query."""
    links = node.base.links.get_outgoing(link_type=_OUTPUTS, link_label_filter=pattern).all()
    return {str(link.link_label): link.node for link in links}


def _iterations(learning: orm.WorkChainNode) -> list[Iteration]:
    calls = called(learning)
    labels = [label.rpartition("_") for label in calls]
    numbers = {number for name, _, number in labels if name in {"training", "exploration"} and number.isdigit()}
    return [
        Iteration(
            int(number),
            calls.get(f"training_{number}"),
            calls.get(f"exploration_{number}"),
            _decision(calls.get(f"decision_{number}")),
        )
        for number in sorted(numbers, key=int)
    ]


def _decision(process: orm.ProcessNode | None) -> dict[str, Any] | None:
    found = output(process, "result")
    return None if found is None else dict(found.get_dict())


def _work_chain(node: Any) -> orm.WorkChainNode | None:
    # A calculation function that makes the inputs of a step may have the same label as the step.
    return node if isinstance(node, orm.WorkChainNode) else None
