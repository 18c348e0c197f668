"""Nodes that a user names on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiida_dnpmelt.data.frames import FramesData
    from aiida_dnpmelt.data.potential import PotentialData


def stored_potential(identifier: str, option: str) -> PotentialData:
    """Return a potential by its PK, UUID or label; the file that a model was imported from may have the same label.

    :param option: how the user names it, for the error.
    :raises ValueError: if there is none, or more than one.
    """
    from aiida.common.exceptions import MultipleObjectsError, NotExistent
    from aiida.orm import QueryBuilder, load_node

    from aiida_dnpmelt.data.potential import PotentialData

    hint = "see `aiida-dnpmelt potential list`"
    labelled: list[PotentialData] = QueryBuilder().append(PotentialData, filters={"label": identifier}).all(flat=True)
    if len(labelled) == 1:
        return labelled[0]
    try:
        node = load_node(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        raise ValueError(f"{option}: {len(labelled)} potentials are called {identifier!r}: {hint}") from error
    if not isinstance(node, PotentialData):
        raise ValueError(f"{option}: node {node.pk} is no potential but a {type(node).__name__}: {hint}")
    return node


def stored_frames(identifiers: Sequence[str], option: str) -> list[FramesData]:
    """Return labelled frames by their PKs or UUIDs, or those of groups by the labels of these; each node once.

    :param option: how the user names them, for the error.
    :raises ValueError: if there is no such node or group, or it holds no labelled frames.
    """
    from aiida.common.exceptions import MultipleObjectsError, NotExistent
    from aiida.orm import Group, load_node

    from aiida_dnpmelt.data.frames import FramesData

    found: dict[int, FramesData] = {}
    for identifier in identifiers:
        groups = Group.collection.find({"label": identifier})
        try:
            nodes = list(groups[0].nodes) if groups else [load_node(identifier)]
        except (NotExistent, MultipleObjectsError, ValueError) as error:
            raise ValueError(f"{option}: there is no node and no group '{identifier}'") from error
        frames = [node for node in nodes if isinstance(node, FramesData)]
        if not frames:
            what = f"group '{identifier}' holds no labelled frames"
            if not groups:
                what = f"node {nodes[0].pk} holds no labelled frames but is a {type(nodes[0]).__name__}"
            raise ValueError(f"{option}: {what}: `aiida-dnpmelt import dataset` stores some")
        found.update({node.pk: node for node in frames})
    return list(found.values())
