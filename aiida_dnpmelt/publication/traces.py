"""What in nodes names people, machines and places of files: where it stands, and how it can be taken away."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.orm.implementation import StorageBackend

from aiida_dnpmelt.publication.contents import Content, NodeFiles

PLACE = "/anonymised"
"""What stands for a folder that was taken away."""
DROPPED_KEYS = frozenset({"last_job_info", "detailed_job_info"})
"""Attributes that are dropped: what the scheduler told of a job, with its owner, account and machines."""
CLEARED_KEYS = frozenset(
    {
        "account",
        "append_text",
        "custom_scheduler_commands",
        "environment_variables",
        "job_id",
        "prepend_text",
        "qos",
        "queue_name",
    }
)
"""Attributes of jobs, codes and computers that are emptied."""
JOB_FILES = (".aiida/", "_aiidasubmit.sh")
"""Files that AiiDA writes beside the inputs of a job: its script, with the account and places of programs."""
_SYSTEM = r"(?!usr/|s?bin/|lib(?:64)?/|dev/|proc/|etc/|sys/|anonymised(?:/|\b))"
_PATH = re.compile(rf"(?<![\w.:/\\}}<-])/{_SYSTEM}(?:[\w.+@~{{}}%=-]+/)+[\w.+@~{{}}%=-]*")
"""An absolute path of two parts at least that is not one of those that every machine has, nor part of a URL."""
_COMMON_WORDS = frozenset({"root", "localhost", "127.0.0.1", "aiida@localhost", "aiida", "user", "test"})
_SHORTEST = 4
"""Letters of the shortest name that is looked for: `Li` is a name, and a metal."""
PATH = "path"
"""Kind of a trace that is a path."""
_MOST_PATHS = 100
_PARTS = 3
"""Parts of a path that are shown; a path of no more is that of a person or a machine."""


@dataclass(frozen=True)
class Names:
    """Words that name somebody or some machine, by what they are.

    :param replaced: that are replaced wherever they stand; what they are by the word.
    :param listed: that are only looked for, because they could be words of another meaning, too.
    """

    replaced: dict[str, str]
    listed: dict[str, str]

    @property
    def words(self) -> dict[str, str]:
        """Return all of them."""
        return {**self.listed, **self.replaced}


@dataclass(frozen=True)
class Trace:
    """A row of the table of names.

    :param kind: what is named, such as ``user`` or ``path``.
    :param place: where it stands: ``attribute remote_path``, ``file _aiidasubmit.sh``.
    :param number: of nodes.
    """

    kind: str
    value: str
    place: str
    number: int


def names_of(backend: StorageBackend, pks: Iterable[int]) -> Names:
    """Return the words that name the users and computers of nodes, the owners of jobs, and folders of their work."""
    wanted = set(pks)
    replaced: dict[str, str] = {}
    listed: dict[str, str] = {}
    for user in _related(backend, orm.User, "with_user", wanted):
        replaced[user.email] = "e-mail of a user"
        listed.update({user.first_name: "name of a user", user.last_name: "name of a user"})
        listed[user.institution] = "institution of a user"
        replaced[f"{user.first_name} {user.last_name}".strip() if user.first_name and user.last_name else ""] = "user"
    for computer in _related(backend, orm.Computer, "with_computer", wanted):
        replaced[computer.hostname] = "host name of a computer"
        listed[computer.label] = "label of a computer"
    for pk, job in _jobs(backend):
        if pk in wanted:
            replaced[str((job or {}).get("job_owner") or "")] = "owner of jobs"
            replaced[str((job or {}).get("account") or "")] = "account of jobs"
    return Names(_telling(replaced), _telling(listed))


def _related(backend: StorageBackend, entity: Any, relation: str, wanted: set[int]) -> list[Any]:
    """Return the users or computers of nodes."""
    query = orm.QueryBuilder(backend=backend)
    query.append(entity, tag="entity", project="*")
    query.append(orm.Node, project="id", **{relation: "entity"})
    return list({found.pk: found for found, pk in query.iterall(batch_size=1000) if pk in wanted}.values())


def _jobs(backend: StorageBackend) -> Iterator[Any]:
    query = orm.QueryBuilder(backend=backend)
    return iter(query.append(orm.CalcJobNode, project=["id", "attributes.last_job_info"]).all())


def _telling(words: Mapping[str, str]) -> dict[str, str]:
    """Return the words without those that name nobody."""
    return {word: kind for word, kind in words.items() if len(word) >= _SHORTEST and word.lower() not in _COMMON_WORDS}


def traces_in_database(backend: StorageBackend, nodes: Iterable[NodeFiles], names: Names) -> list[Trace]:
    """Return what names somebody, some machine or some folder in the labels, attributes and extras of nodes."""
    found: Counter[tuple[str, str, str]] = Counter()
    pks = {node.pk for node in nodes}
    query = orm.QueryBuilder(backend=backend)
    query.append(orm.Node, project=["id", "label", "description", "attributes", "extras"])
    for pk, label, description, attributes, extras in query.iterall(batch_size=1000):
        if pk in pks:
            columns = {"label": label, "description": description, **_flat("attribute", attributes)}
            columns.update(_flat("extra", extras))
            found.update({row for place, value in columns.items() for row in _in_value(place, value, names)})
    return [Trace(*row, number) for row, number in sorted(found.items())]


def words_for_files(names: Names, found: Iterable[Trace]) -> dict[str, str]:
    """Return the words to look for in files, by what they are: names, and the paths that most nodes name."""
    folders: Counter[str] = Counter()
    for trace in found:
        if trace.kind == PATH:
            folders[trace.value] += trace.number
    return {**{path: PATH for path, _ in folders.most_common(_MOST_PATHS)}, **names.words}


def traces_in_files(
    nodes: Iterable[NodeFiles], contents: Mapping[str, Content], words: Mapping[str, str]
) -> list[Trace]:
    """Return the same for the files of nodes.

    :param words: that the files were searched for, as `words_for_files` returns them.
    """
    found: Counter[tuple[str, str, str]] = Counter()
    for node in nodes:
        rows = {
            (words[word], word, f"file {path.rpartition('/')[2]}")
            for path, key in node.files.items()
            for word in contents[key].found
        }
        found.update(rows)
    return [Trace(*row, number) for row, number in sorted(found.items())]


def _flat(name: str, values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {f"{name} {key}": value for key, value in (values or {}).items()}


def _in_value(place: str, value: Any, names: Names) -> Iterator[tuple[str, str, str]]:
    for text in strings(value):
        for path in paths(text):
            yield PATH, path, place
        for word, kind in names.words.items():
            if word in text:
                yield kind, word, place


def strings(value: Any) -> Iterator[str]:
    """Yield all texts within a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def paths(text: str) -> set[str]:
    """Return the beginnings of the absolute paths in a text, so far that they tell whose they are."""
    found = (match.group().split("/")[1:] for match in _PATH.finditer(text))
    return {"/" + "/".join(parts[:_PARTS]) for parts in found}


def anonymous_text(text: str, names: Names) -> str:
    """Return a text without absolute paths and words that name somebody."""
    return anonymous_words(_PATH.sub(_anonymous_path, text), names)


def anonymous_words(text: str, names: Names) -> str:
    """Return a text without words that name somebody; paths stay, which pictures in a page may look like."""
    for word in sorted(names.replaced, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "anonymised", text)
    return text


def _anonymous_path(match: re.Match[str]) -> str:
    parts = match.group().strip("/").split("/")
    return PLACE if len(parts) < _PARTS else f"{PLACE}/{parts[-1]}"


def anonymous_value(value: Any, names: Names, machinery: bool) -> Any:
    """Return a value of attributes without what names somebody.

    :param machinery: it is that of a process, a code or a computer: what only these have is emptied, too.
    """
    if isinstance(value, str):
        return anonymous_text(value, names)
    if isinstance(value, list):
        return [anonymous_value(each, names, machinery) for each in value]
    if not isinstance(value, dict):
        return value
    if not machinery:
        return {key: anonymous_value(each, names, machinery) for key, each in value.items()}
    return {
        key: _empty(each) if key in CLEARED_KEYS else anonymous_value(each, names, machinery)
        for key, each in value.items()
        if key not in DROPPED_KEYS
    }


def _empty(value: Any) -> Any:
    """Return the empty value of the same type."""
    return None if value is None else type(value)()
