"""Each input that a process would run refuses what came by an archive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aiida import orm
from aiida.plugins import CalculationFactory, WorkflowFactory
from aiida.plugins.entry_point import get_entry_point_names
from ase.build import bulk, fcc111
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


@pytest.mark.parametrize(("load", "name"), PROCESSES)
def test_codes_of_another_program_are_refused(load, name, localhost):
    """The cohesive energy takes LAMMPS or VASP, by its other inputs."""
    if name == "dnpmelt.cohesive_energy":
        return
    other = orm.InstalledCode(
        computer=localhost, filepath_executable="/opt/pw.x", label="pw", default_calc_job_plugin="quantumespresso.pw"
    )
    for path, port in ports(load(name).spec().inputs):
        if orm.AbstractCode in kinds(port):
            problem = port.validator(other, port)
            assert problem is not None, path
            assert "'pw@localhost' runs jobs of quantumespresso.pw (/opt/pw.x)" in problem


def mixed(**sites: float) -> orm.StructureData:
    structure = orm.StructureData(cell=[[3.6, 0, 0], [0, 3.6, 0], [0, 0, 3.6]])
    structure.append_atom(position=(0, 0, 0), symbols=list(sites), weights=list(sites.values()), name="Cu1")
    return structure


@pytest.mark.parametrize(
    "name", ["dnpmelt.tpc", "dnpmelt.adaptive_learning", "dnpmelt.melting", "dnpmelt.pressure_sweep"]
)
def test_structures_that_are_no_crystals_are_refused(aiida_profile, name):
    port = WorkflowFactory(name).spec().inputs["structure"]
    slab = orm.StructureData(ase=fcc111("Cu", (1, 1, 3), vacuum=10.0, periodic=True))
    for structure, words in (
        (mixed(Cu=0.6, Ni=0.4), "a site is occupied in part (Cu 0.6, Ni 0.4)"),
        (mixed(Cu=0.9), "a site is occupied in part (Cu 0.9)"),
        (slab, "without atoms along c"),
    ):
        problem = port.validator(structure, port)
        assert problem is not None
        assert words in problem
    assert port.validator(orm.StructureData(ase=bulk("Cu")), port) is None
