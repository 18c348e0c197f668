"""Which nodes may run: those of this profile, and those of archives that the user trusts.

AiiDA puts all nodes of an archive into a group of the type `core.import`. What is in one is data, looked at but never
run, until it is in the group of the trusted as well. Codes are never trusted: they name programs of another machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiida.common.exceptions import MultipleObjectsError, NotExistent
from aiida.manage import get_manager
from aiida.orm import AbstractCode, Data, Group, ImportGroup, Node, QueryBuilder, load_code

TRUSTED = "dnpmelt/trusted"
"""Label of the group. An archive may bring one of this name as well, so that its UUID is kept beside the nodes."""
_SETTING = "dnpmelt|trusted_group"


def untrusted(nodes: Iterable[Node]) -> list[Node]:
    """Return those of some nodes that came by an archive and are not trusted; codes among these never are."""
    stored = {node.pk: node for node in nodes if node.is_stored}
    foreign = _members(ImportGroup, {}, stored)
    group = trusted_group()
    trusted = set() if group is None else _members(Group, {"uuid": group.uuid}, stored)
    return [stored[pk] for pk in sorted(foreign) if pk not in trusted or isinstance(stored[pk], AbstractCode)]


def trust(nodes: Iterable[Node]) -> list[Node]:
    """Put data into the group of the trusted, and return what is new there; codes and processes are left out."""
    wanted = [node for node in untrusted(nodes) if isinstance(node, Data) and not isinstance(node, AbstractCode)]
    if wanted:
        make_trusted_group().add_nodes(wanted)
    return wanted


def own_code(identifier: str) -> AbstractCode:
    """Return a code of this profile by its label, PK or UUID; what archives have brought under that label is left out.

    :raises aiida.common.exceptions.NotExistent: if there is none.
    :raises aiida.common.exceptions.MultipleObjectsError: if there are several.
    """
    try:
        found = [load_code(identifier)]
    except MultipleObjectsError:
        label, _, computer = identifier.partition("@")
        found = [code for code in all_codes(label) if not computer or code.full_label == identifier]
    foreign = {code.pk for code in untrusted(found)}
    own = [code for code in found if code.pk not in foreign]
    if not own:
        raise NotExistent(f"code '{identifier}' came by an archive, and codes of archives never run")
    if len(own) > 1:
        raise MultipleObjectsError(f"{len(own)} codes are called '{identifier}': give the PK of one")
    return own[0]


def all_codes(label: str | None = None) -> list[AbstractCode]:
    """Return the codes of the profile, of all kinds; a query for `AbstractCode` itself would find all data.

    :param label: only those of this label.
    """
    filters: dict[str, Any] = {"node_type": {"like": "data.core.code.%"}}
    if label is not None:
        filters["label"] = label
    return list(QueryBuilder().append(Data, filters=filters).all(flat=True))


def trusted_group() -> Group | None:
    """Return the group of the trusted of this profile, None if there is none yet."""
    try:
        uuid = get_manager().get_profile_storage().get_global_variable(_SETTING)
    except (KeyError, NotImplementedError):  # the storage of an archive has no settings
        return None
    found: Group | None = QueryBuilder().append(Group, filters={"uuid": uuid}).first(flat=True)
    return found


def make_trusted_group() -> Group:
    """Return the group of the trusted; make it if there is none."""
    group = trusted_group()
    if group is not None:
        return group
    taken = QueryBuilder().append(Group, filters={"label": {"like": f"{TRUSTED}%"}}).count()
    label = TRUSTED if not taken else f"{TRUSTED} ({taken + 1})"
    group = Group(label, description="Nodes of archives that the user trusts: they may run").store()
    remember_trusted_group(group.uuid)
    return group


def remember_trusted_group(uuid: str) -> None:
    """Take a group of this profile for that of the trusted."""
    get_manager().get_profile_storage().set_global_variable(_SETTING, uuid, "Group of the nodes that may run")


def _members(group: type[Group], filters: dict[str, str], nodes: dict[int, Node]) -> set[int]:
    """Return the PKs of those of some nodes that are in a group."""
    if not nodes:
        return set()
    query = QueryBuilder().append(group, filters=filters, tag="group")
    query.append(Node, filters={"id": {"in": list(nodes)}}, with_group="group", project="id")
    return set(query.all(flat=True))
