"""A melting temperature that nobody ran, with jobs, their files, and names of people and machines."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessState
from provenance.stored_points import POINT
from report.stored_melting import chain_node, coexist, end, give, potential

from aiida_dnpmelt.provenance.query import MeltingPoint

SECRETS = ("ada.lovelace@example.org", "Lovelace", "hades.example.org", "/scratch/lovelace", "acc-4711", "alovelace")
"""Words of which none may be left in the database of an anonymous archive."""
IN_A_FILE = "written on hades.example.org"
LOG_BYTES = 300_000


def finished_point(label: str = "Cu", potcar: orm.Data | None = None, runs: bool = False) -> orm.WorkChainNode:
    """Return the node of a finished TPC work chain with all that is behind it, sealed.

    :param runs: with runs that its melting point is computed from, which takes seconds.
    """
    computer = cluster()
    model = potential(f"model {label}", origin="a paper, doi:10.1000/xyz123")
    chain = chain_node("tpc", potential=model, protocol=orm.Str("fast"), seed=orm.Int(7))
    if runs:
        coexist(chain, computer, model, 1300.0)
    else:
        _assess(chain, model)
    job(computer, chain, model, potcar)
    end(chain)
    seal(chain)
    return chain


def _assess(chain: orm.WorkChainNode, model: orm.Data) -> None:
    """Store a melting point that nobody computed, with a run below the work chain."""
    run = chain_node("coexistence", chain, "seed_101_round_01")
    end(run)
    function = orm.CalcFunctionNode()
    function.base.links.add_incoming(model, LinkType.INPUT_CALC, "potential")
    function.base.links.add_incoming(chain, LinkType.CALL_CALC, "assessment_01")
    function.store()
    give(chain, melting_point=made(function, orm.Dict(POINT), "melting_point"))


def cluster() -> orm.Computer:
    """Return a computer with a telling name."""
    _, computer = orm.Computer.collection.get_or_create(
        label="hades", hostname=SECRETS[2], transport_type="core.local", scheduler_type="core.direct"
    )
    computer.set_workdir(f"{SECRETS[3]}/aiida/")
    computer.set_prepend_text("module load secret")
    return computer.store()


def person() -> orm.User:
    """Return a user with a name."""
    _, user = orm.User.collection.get_or_create(email=SECRETS[0])
    user.first_name, user.last_name, user.institution = "Ada", SECRETS[1], "Analytical Engines"
    return user.store()


def job(
    computer: orm.Computer, chain: orm.WorkChainNode, model: orm.Data, potcar: orm.Data | None = None
) -> orm.CalcJobNode:
    """Return a job with a script, a remote folder and files that came back, one of them large."""
    node = orm.CalcJobNode(computer=computer, user=person(), process_type="aiida.calculations:dnpmelt.coexistence")
    node.set_process_label("LammpsCoexistenceCalculation")
    node.base.repository.put_object_from_filelike(io.BytesIO(b"#SBATCH --account=acc-4711"), "_aiidasubmit.sh")
    node.base.repository.put_object_from_filelike(io.BytesIO(b"units metal"), "input.in")
    node.set_remote_workdir(f"{SECRETS[3]}/aiida/ab/cd")
    node.base.attributes.set("account", SECRETS[4])
    node.base.attributes.set("version", {"core": "2.9.4", "plugin": "0.1.0"})
    node.base.attributes.set("last_job_info", {"job_owner": SECRETS[5], "account": SECRETS[4]})
    node.set_process_state(ProcessState.FINISHED)
    node.set_exit_status(0)
    node.base.links.add_incoming(model, LinkType.INPUT_CALC, "potential")
    if potcar is not None:
        node.base.links.add_incoming(potcar, LinkType.INPUT_CALC, "potential__Cu")
    node.base.links.add_incoming(chain, LinkType.CALL_CALC, "job_with_files")
    node.store()
    remote = orm.RemoteData(computer=computer, remote_path=f"{SECRETS[3]}/aiida/ab/cd")
    made(node, remote, "remote_folder")
    large, small = orm.FolderData(), orm.FolderData()
    large.base.repository.put_object_from_filelike(io.BytesIO(os.urandom(LOG_BYTES)), "log.lammps")
    small.base.repository.put_object_from_filelike(io.BytesIO(IN_A_FILE.encode()), "_scheduler-stdout.txt")
    made(node, large, "retrieved")
    made(node, small, "more")
    return node


def made(process: orm.ProcessNode, data: orm.Data, label: str) -> orm.Data:
    """Store data as what a process has made."""
    data.base.links.add_incoming(process, LinkType.CREATE, label)
    return data.store()


def seal(*chains: orm.ProcessNode) -> None:
    """Seal processes and all that they have called."""
    for node in chains:
        for called in node.called_descendants:
            if not called.is_sealed:
                called.seal()
        node.seal()


def fields(point: MeltingPoint) -> dict[str, Any]:
    """Return what is said of a melting point, but for PKs, which are those of a profile."""
    values = {key: value for key, value in asdict(point).items() if key not in ("pk", "node_pk")}
    return json.loads(json.dumps(values, default=str))


def answers(archives: list[Path], folder: Path) -> list[dict[str, Any]]:
    """Return what profiles of their own say of archives: one that reads it, and one that it was imported into."""
    environment = {**os.environ, "AIIDA_PATH": str(folder), "AIIDA_WARN_v3": "0", "PYTHONPATH": str(TESTS)}
    (folder / ".aiida").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "publication.stored_publications", *map(str, archives)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


TESTS = Path(__file__).parents[1]


def _answers(archive: str) -> dict[str, Any]:
    from aiida import load_profile
    from aiida.plugins import StorageFactory
    from aiida.tools.archive import import_archive

    from aiida_dnpmelt.provenance.query import melting_points

    load_profile(StorageFactory("core.sqlite_zip").create_profile(archive), allow_switch=True)
    opened = [fields(point) for point in melting_points(everything=True)]
    load_profile(StorageFactory("core.sqlite_temp").create_profile("fresh"), allow_switch=True)
    import_archive(archive)
    nodes = orm.QueryBuilder().append(orm.Node).all(flat=True)
    for node in nodes:
        for name in _names(node):
            node.base.repository.get_object_content(name, mode="rb")
    return {
        "opened": opened,
        "imported": [fields(point) for point in melting_points(everything=True)],
        "processes": sum(isinstance(node, orm.ProcessNode) for node in nodes),
        "folders": sum(isinstance(node, orm.FolderData) for node in nodes),
        "emails": orm.QueryBuilder().append(orm.User, project="email").all(flat=True),
    }


def _names(node: orm.Node) -> list[str]:
    return [str(path / name) for path, _, names in node.base.repository.walk() for name in names]


if __name__ == "__main__":
    print(json.dumps([_answers(name) for name in sys.argv[1:]]))
