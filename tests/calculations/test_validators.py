"""Each input that a process would run refuses what came by an archive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aiida import orm
from aiida.plugins import CalculationFactory, WorkflowFactory
from aiida.plugins.entry_point import get_entry_point_names
from report.stored_melting import potential

from aiida_dnpmelt.data.potential import PotentialData

PROCESSES = [
    pytest.param(load, name, id=name)
    for load, group in ((CalculationFactory, "aiida.calculations"), (WorkflowFactory, "aiida.workflows"))
    for name in get_entry_point_names(group)
    if name.startswith("dnpmelt.")
]


def ports(namespace: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all ports and namespaces below one."""
    for name, port in namespace.items():
        yield f"{path}{name}", port
        if hasattr(port, "items"):
            yield from ports(port, f"{path}{name}.")


def kinds(port: Any) -> tuple[type, ...]:
    valid = port.valid_type or ()
    return valid if isinstance(valid, tuple) else (valid,)


@pytest.fixture(scope="module")
def foreign(aiida_profile, tmp_path_factory) -> dict[type, orm.Node]:
    """Give a node of each type that could run, as an archive brings it."""
    computer = orm.Computer("theirs", "localhost", "", "core.local", "core.direct", str(tmp_path_factory.mktemp("w")))
    computer.store()
    nodes = {
        PotentialData: potential("theirs"),
        orm.AbstractCode: orm.InstalledCode(computer=computer, filepath_executable="/bin/true", label="lmp").store(),
        orm.RemoteData: orm.RemoteData("/nowhere", computer=computer).store(),
    }
    orm.ImportGroup("somebody's processes").store().add_nodes(list(nodes.values()))
    return nodes


@pytest.mark.parametrize(("load", "name"), PROCESSES)
def test_what_came_by_an_archive_is_refused(load, name, foreign):
    inputs = load(name).spec().inputs
    checked = []
    for path, port in ports(inputs):
        for kind, node in foreign.items():
            if kind not in kinds(port):
                continue
            given = {"seed_1": node} if hasattr(port, "items") else node
            problem = None if port.validator is None else port.validator(given, port)
            assert "came by an archive" in str(problem), f"{name}: {path} takes it"
            checked.append(path)
    assert checked, f"{name} runs nothing"
