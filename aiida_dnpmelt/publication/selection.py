"""What a publication is of: the work chains that were named, and the nodes behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent
from aiida.common.links import LinkType
from aiida.tools.graph.graph_traversers import get_nodes_export

from aiida_dnpmelt.provenance.query import MELTING_TYPE, PROCESS_TYPE, SIZE_TYPE, SWEEP_TYPE

LEARNING_TYPE = "aiida.workflows:dnpmelt.adaptive_learning"
KINDS = {
    PROCESS_TYPE: "TPCWorkChain",
    MELTING_TYPE: "MeltingWorkChain",
    SWEEP_TYPE: "PressureSweepWorkChain",
    SIZE_TYPE: "FiniteSizeWorkChain",
    LEARNING_TYPE: "AdaptiveLearningWorkChain",
}
"""Process types that can be published, and the names of their work chains."""
_OUTPUTS = ("melting_point", "melting", "sweep", "curve", "finite_size", "summary")
_CALLERS = {"call_calc_backward": False, "call_work_backward": False}


@dataclass(frozen=True)
class Selection:
    """Work chains to publish, and all nodes that belong to them.

    :param roots: the work chains that were named, the oldest first.
    :param groups: groups of which every node is published: they are published, too.
    :param ignored: nodes of groups that are nothing to publish, as PK and type.
    :param pks: of all nodes: inputs, what made them, what was called, and what came out.
    :param rules: how links are followed, for `create_archive`.
    :param running: work chains above that have not ended and stay out, with all that only they lead to.
    """

    roots: list[orm.WorkChainNode]
    groups: list[orm.Group]
    ignored: list[tuple[int, str]]
    pks: set[int]
    rules: dict[str, bool]
    running: list[int]

    @property
    def entities(self) -> list[orm.Node | orm.Group]:
        """Return what to begin the archive with."""
        return [*self.roots, *self.groups]


def select(identifiers: Sequence[str]) -> Selection:
    """Return what to publish.

    :param identifiers: PKs or UUIDs of work chains or of their results, or labels of groups that hold some.
    :raises ValueError: if one of them names nothing to publish, or what is behind it has not ended.
    """
    roots: dict[int, orm.WorkChainNode] = {}
    groups, ignored = [], []
    for identifier in identifiers:
        group = _group(identifier)
        if group is None:
            node = _node(identifier)
            chain = work_chain_of(node)
            if chain is None:
                raise ValueError(
                    f"node {node.pk} is a {_type_name(node)}: it can be a {', '.join(KINDS.values())}, or the "
                    "dictionary that one of them returned; see `aiida-dnpmelt tm list --all`"
                )
            roots[chain.pk] = chain
            continue
        found = [(node, work_chain_of(node)) for node in group.nodes]
        chains = {chain.pk: chain for _, chain in found if chain is not None}
        if not chains:
            raise ValueError(f"group '{identifier}' holds no melting temperature: see `aiida-dnpmelt tm list --all`")
        others = [(node.pk, _type_name(node)) for node, chain in found if chain is None]
        roots.update(chains)
        ignored += others
        if not others:
            groups.append(group)
    if not roots:
        raise ValueError("nothing to publish: name PKs of work chains, or labels of groups that hold some")
    pks, rules, running = _closure(sorted(roots))
    return Selection([roots[pk] for pk in sorted(roots)], groups, ignored, pks, rules, running)


def work_chain_of(node: orm.Node) -> orm.WorkChainNode | None:
    """Return the work chain that can be published by a node: itself, or the one that returned it; None if none can."""
    if isinstance(node, orm.WorkChainNode):
        return node if node.process_type in KINDS else None
    if not isinstance(node, orm.Dict):
        return None
    links = node.base.links.get_incoming(orm.WorkChainNode, link_type=LinkType.RETURN).all()
    chains = [link.node for link in links if link.link_label in _OUTPUTS and link.node.process_type in KINDS]
    return min(chains, key=lambda chain: chain.pk) if chains else None


def _group(identifier: str) -> orm.Group | None:
    found: list[orm.Group] = orm.Group.collection.find({"label": identifier})
    if len(found) > 1:
        raise ValueError(f"{len(found)} groups are called '{identifier}': name their nodes instead")
    return found[0] if found else None


def _node(identifier: str) -> orm.Node:
    try:
        return orm.load_node(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        raise ValueError(f"there is no node and no group '{identifier}'") from error


def _type_name(node: orm.Node) -> str:
    return str(getattr(node, "process_label", None) or type(node).__name__)


def _closure(roots: list[int]) -> tuple[set[int], dict[str, bool], list[int]]:
    """Return all nodes that belong to work chains, how links were followed, and callers that were left out.

    A work chain above that still runs, such as a sweep of which a point has ended, is left out: nothing of what leads
    to the point is lost. AiiDA can follow calls upwards everywhere or nowhere, so that the callers of all others are
    left out with it.

    :raises ValueError: if what is needed has not ended.
    """
    whole: set[int] = get_nodes_export(roots)["nodes"]
    running = unsealed(whole)
    if not running:
        return whole, {}, []
    needed: set[int] = get_nodes_export(roots, **_CALLERS)["nodes"]
    missing = [row for row in running if row[0] in needed]
    if missing:
        listed = ", ".join(f"{pk} ({label}, {state})" for pk, label, state in missing[:10])
        raise ValueError(
            f"{len(missing)} processes have not ended, so that they cannot be published: {listed}: wait for them "
            "(`aiida-dnpmelt status`) or end them (`verdi process kill`)"
        )
    return needed, dict(_CALLERS), [pk for pk, _, _ in running]


def unsealed(pks: set[int]) -> list[tuple[int, str, str]]:
    """Return the processes among nodes that are not sealed: PK, label and state."""
    query = orm.QueryBuilder()
    query.append(
        orm.ProcessNode,
        filters={"or": [{"attributes": {"!has_key": "sealed"}}, {"attributes.sealed": False}]},
        project=["id", "attributes.process_label", "attributes.process_state"],
    )
    rows: list[list[Any]] = query.all()
    return sorted((pk, label or "process", state or "not begun") for pk, label, state in rows if pk in pks)
