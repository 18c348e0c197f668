"""Compare two profiles that should be the same but for the numbers of their nodes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from aiida import orm
from aiida.manage import get_manager

from aiida_dnpmelt.data.trust import all_codes
from aiida_dnpmelt.provenance.lineage import frames_behind
from aiida_dnpmelt.provenance.query import melting_points

_CHUNK = 1 << 20
_NODE = ("uuid", "node_type", "process_type", "label", "description", "ctime", "attributes", "extras")
_USERS = "users"
_SHOWN = 3
"""How many of the nodes that differ are named."""


@dataclass(frozen=True)
class Contents:
    """All of a profile, without the numbers that its database has given.

    :param nodes: how many there are.
    :param kinds: how many there are of each type.
    :param hashes: a checksum of each node with its user, computer and list of files, by UUID.
    :param links: checksums of the links.
    :param entities: checksums of all that is no node, by what it is: users, computers, their configuration, groups,
        members of groups, comments, logs.
    :param codes: full labels of the codes.
    :param computers: labels of the computers.
    :param answers: what the queries of this package say, by UUID of a work chain.
    """

    nodes: int
    kinds: Counter[str]
    hashes: dict[str, str]
    links: Counter[str]
    entities: dict[str, Counter[str]]
    codes: list[str]
    computers: list[str]
    answers: dict[str, str]

    def words(self) -> Iterator[str]:
        """Yield what there is, for the eye."""
        kinds = ", ".join(f"{number} {name.rsplit('.', 2)[1]}" for name, number in sorted(self.kinds.items()))
        yield f"{self.nodes} nodes are the same: {kinds}"
        others = ", ".join(f"{sum(found.values())} {name}" for name, found in self.entities.items())
        yield f"{sum(self.links.values())} links are the same, and {others}"
        yield f"{len(self.answers)} melting temperatures are the same, with the frames behind them"


def contents_of() -> Contents:
    """Return the contents of the loaded profile."""
    hashes, kinds = {}, Counter[str]()
    query = orm.QueryBuilder().append(orm.Node, tag="node", project=[*_NODE, "repository_metadata"])
    query.append(orm.User, with_node="node", project="email")
    query.append(orm.Computer, with_node="node", outerjoin=True, project="uuid")
    for row in query.iterall():
        hashes[row[0]] = _checksum(row)
        kinds[row[1]] += 1
    links = orm.QueryBuilder().append(orm.Node, tag="cause", project="uuid")
    links.append(orm.Node, with_incoming="cause", project="uuid", edge_project=["label", "type"])
    return Contents(
        nodes=len(hashes),
        kinds=kinds,
        hashes=hashes,
        links=Counter(map(_checksum, links.iterall())),
        entities={name: Counter(map(_checksum, query().iterall())) for name, query in _ENTITIES.items()},
        codes=[code.full_label for code in all_codes()],
        computers=orm.QueryBuilder().append(orm.Computer, project="label").all(flat=True),
        answers=_answers(),
    )


def difference(before: Contents, after: Contents) -> list[str]:
    """Return what is not the same, a few words each; nothing if all is."""
    problems = []
    for what, ours, theirs in (
        ("nodes", before.hashes, after.hashes),
        ("melting temperatures", before.answers, after.answers),
    ):
        differing = sorted(uuid for uuid in {*ours, *theirs} if ours.get(uuid) != theirs.get(uuid))
        if differing:
            problems.append(f"{len(differing)} {what} differ: {', '.join(differing[:_SHOWN])}")
    for what, mine, other in (("links", before.links, after.links), *_pairs(before.entities, after.entities)):
        added = Counter[str]() if what == _USERS else other - mine  # that of the target itself stays
        number = sum(((mine - other) + added).values())
        if number:
            problems.append(f"{number} {what} differ")
    return problems


def broken_files() -> list[str]:
    """Return what is wrong with the files of the loaded profile: each is read whole, its SHA-256 is its name."""
    repository = get_manager().get_profile_storage().get_repository()
    wanted = set(orm.Node.collection.iter_repo_keys())
    missing = wanted - set(repository.list_objects())
    if missing:
        return [f"{len(missing)} files are missing"]
    wrong = 0
    for key, stream in repository.iter_object_streams(list(wanted)):
        digest = hashlib.sha256()
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
        wrong += digest.hexdigest() != key
    return [f"{wrong} files have another content"] if wrong else []


def _pairs(
    ours: Mapping[str, Counter[str]], theirs: Mapping[str, Counter[str]]
) -> Iterator[tuple[str, Counter[str], Counter[str]]]:
    for name, found in ours.items():
        yield name, found, theirs[name]


def _answers() -> dict[str, str]:
    """Return checksums of the melting temperatures with the labelled frames behind them, by UUID of the work chain."""
    query = orm.QueryBuilder().append(orm.WorkChainNode, project=["id", "uuid"])
    uuids = dict(query.all())
    answers = {}
    for place, point in enumerate(melting_points(everything=True)):
        said = {**asdict(point), "pk": "", "node_pk": "", "place": place}
        frames = [node.uuid for node in frames_behind(point.pk)]
        answers[uuids[point.pk]] = _checksum([said, sorted(frames)])
    return answers


def _users() -> orm.QueryBuilder:
    return orm.QueryBuilder().append(orm.User, project="email")


def _computers() -> orm.QueryBuilder:
    names = ["uuid", "label", "hostname", "description", "scheduler_type", "transport_type", "metadata"]
    return orm.QueryBuilder().append(orm.Computer, project=names)


def _configurations() -> orm.QueryBuilder:
    query = orm.QueryBuilder().append(orm.Computer, tag="computer", project="uuid")
    query.append(orm.AuthInfo, with_computer="computer", tag="info", project=["enabled", "auth_params", "metadata"])
    return query.append(orm.User, with_authinfo="info", project="email")


def _groups() -> orm.QueryBuilder:
    names = ["uuid", "label", "type_string", "description", "extras", "time"]
    query = orm.QueryBuilder().append(orm.Group, tag="group", project=names)
    return query.append(orm.User, with_group="group", project="email")


def _members() -> orm.QueryBuilder:
    query = orm.QueryBuilder().append(orm.Group, tag="group", project="uuid")
    return query.append(orm.Node, with_group="group", project="uuid")


def _comments() -> orm.QueryBuilder:
    query = orm.QueryBuilder().append(orm.Comment, tag="comment", project=["uuid", "ctime", "content"])
    query.append(orm.Node, with_comment="comment", project="uuid")
    return query.append(orm.User, with_comment="comment", project="email")


def _logs() -> orm.QueryBuilder:
    names = ["uuid", "time", "loggername", "levelname", "message", "metadata"]
    query = orm.QueryBuilder().append(orm.Log, tag="log", project=names)
    return query.append(orm.Node, with_log="log", project="uuid")


_ENTITIES: dict[str, Callable[[], orm.QueryBuilder]] = {
    _USERS: _users,
    "computers": _computers,
    "configurations of computers": _configurations,
    "groups": _groups,
    "members of groups": _members,
    "comments": _comments,
    "lines of logs": _logs,
}


def _checksum(value: Any) -> str:
    text = json.dumps(_plain(value), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return a value with whole numbers as such: PostgreSQL gives back 1e22 as one."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
