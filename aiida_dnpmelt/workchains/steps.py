"""What the steps of the work chains have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import Process, WorkChain

_CALLS = (LinkType.CALL_CALC, LinkType.CALL_WORK)


def submit_once(
    chain: WorkChain, process: type[Process], label: str, inputs: Mapping[str, Any], name: str | None = None
) -> orm.ProcessNode:
    """Submit a process under a label, or return it if this step had already done so before it was cut.

    :param label: label of the link of the call, one of its kind in the work chain.
    :param name: label of the node, that of the link if none is given.
    """
    outgoing = chain.node.base.links.get_outgoing(link_type=_CALLS, link_label_filter=label)
    submitted = outgoing.first()
    if submitted is not None:
        node: orm.ProcessNode = submitted.node
        return node
    metadata = {**inputs.get("metadata", {}), "call_link_label": label, "label": name or label}
    return chain.submit(process, **{**inputs, "metadata": metadata})


def why(node: orm.ProcessNode) -> str:
    """Return what ended a process that failed."""
    return str(node.exit_message or node.process_state.value)
