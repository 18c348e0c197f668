"""Inputs of a job that is stored, for parsers and whoever reads it later."""

from __future__ import annotations

from aiida import orm
from aiida.common.extendeddicts import AttributeDict
from aiida.common.links import LinkType


def inputs_of(node: orm.CalcJobNode) -> AttributeDict:
    """Return the inputs of a job by their names, namespaces as dictionaries, in one query.

    Each look at ``node.inputs`` loads all of them anew: in a loop over frames that is their number squared.
    """
    return AttributeDict(node.base.links.get_incoming(link_type=LinkType.INPUT_CALC).nested())
