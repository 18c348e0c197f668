"""Time to publish the whole lineage of one melting temperature, and to import it.

Stores one melting temperature with a lineage of some 5,000 nodes in a private profile, which takes minutes: jobs with a
file, a folder that came back and a dictionary each, one after the other, and the melting point from the last of them.
Exports its archive as `aiida-dnpmelt publish` does, checks it, imports it into another private profile, and compares
what `melting_points` says there, field by field. Leave the machine alone meanwhile.

    python benchmarks/export_lineage.py [--nodes 5000]
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

LIMIT_S = 10.0
NODES_A_JOB = 6
POINT: dict[str, Any] = {
    "element": "Cu",
    "lattice": "fcc",
    "pressure_gpa": 0.0,
    "melting_temperature_k": 1326.4,
    "standard_uncertainty_k": 4.6,
    "interval_low_k": 1317.0,
    "interval_high_k": 1336.0,
    "verdict": "valid",
    "reasons": ["both phases live in 4 of 4 runs"],
    "protocol": "balanced",
    "potential_label": "Cu",
    "potential_sha256": "ab" * 32,
    "atoms": 1728,
}


def store_lineage(nodes: int) -> Any:
    """Store a work chain with its melting point and at least as many nodes behind it, and return it."""
    from aiida import orm
    from aiida.common.links import LinkType

    computer = orm.Computer("here", "localhost", "", "core.local", "core.direct", workdir="/anywhere").store()
    chain = orm.WorkChainNode(process_type="aiida.workflows:dnpmelt.tpc")
    chain.set_process_state("finished")
    chain.set_exit_status(0)
    chain.store()
    last: orm.Data = orm.Dict({"start": True}).store()
    for number in range((nodes - 3) // NODES_A_JOB):
        job = orm.CalcJobNode(computer=computer, process_type="aiida.calculations:dnpmelt.coexistence")
        job.set_process_state("finished")
        job.set_exit_status(0)
        job.base.repository.put_object_from_filelike(io.BytesIO(f"run {number}".encode()), "input.in")
        job.base.links.add_incoming(last, LinkType.INPUT_CALC, "last")
        job.base.links.add_incoming(orm.Int(number).store(), LinkType.INPUT_CALC, "seed")
        job.base.links.add_incoming(orm.Float(1300.0 + number).store(), LinkType.INPUT_CALC, "temperature")
        job.base.links.add_incoming(chain, LinkType.CALL_CALC, f"job_{number:05d}")
        job.store()
        back = orm.FolderData()
        back.base.repository.put_object_from_filelike(io.BytesIO(os.urandom(2000)), "log.lammps")
        remote = orm.RemoteData(computer=computer, remote_path=f"/anywhere/{number}")
        results = orm.Dict({"core_hours": 0.1, "seed": number})
        for name, data in (("retrieved", back), ("remote_folder", remote), ("results", results)):
            data.base.links.add_incoming(job, LinkType.CREATE, name)
            data.store()
        last = results
        job.seal()
    function = orm.CalcFunctionNode()
    function.base.links.add_incoming(last, LinkType.INPUT_CALC, "last")
    function.base.links.add_incoming(chain, LinkType.CALL_CALC, "assessment")
    function.store()
    point = orm.Dict(POINT)
    point.base.links.add_incoming(function, LinkType.CREATE, "melting_point")
    point.store()
    point.base.links.add_incoming(chain, LinkType.RETURN, "melting_point")
    function.seal()
    chain.seal()
    return chain


def answers() -> list[dict[str, Any]]:
    """Return what is said of all melting points, but for PKs."""
    from aiida_dnpmelt.provenance.query import melting_points

    points = [asdict(point) for point in melting_points(everything=True)]
    for point in points:
        del point["pk"], point["node_pk"]
    return points


def use_profile(name: str, folder: Path) -> None:
    """Make a private profile on SQLite and load it."""
    from aiida import load_profile
    from aiida.manage.configuration import create_profile, get_config

    config = {"filepath": str(folder / name)}
    create_profile(
        get_config(create=True), storage_backend="core.sqlite_dos", storage_config=config, name=name, email="a@b.c"
    )
    load_profile(name, allow_switch=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=5000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        os.environ["AIIDA_PATH"] = place
        logging.disable(logging.WARNING - 1)  # the reports of AiiDA
        Path(place, ".aiida").mkdir()
        measure(Path(place), arguments.nodes)


def measure(place: Path, nodes: int) -> None:
    """Store, export, import and compare."""
    use_profile("author", place)
    from aiida.tools.archive import import_archive

    from aiida_dnpmelt.publication.archive import check_archive, write_archive
    from aiida_dnpmelt.publication.plan import make_plan

    chain = store_lineage(nodes)
    expected = answers()
    started = [(time.perf_counter(), time.process_time())]

    def lap(what: str) -> float:
        started.append((time.perf_counter(), time.process_time()))
        wall, cpu = (now - then for now, then in zip(started[-1], started[-2], strict=True))
        print(f"{what:34} {wall:6.2f} s, {cpu:6.2f} s CPU")
        return wall

    plan = make_plan([str(chain.pk)])
    lap(f"look at {len(plan.nodes)} nodes")
    archive = place / "one.aiida"
    write_archive(plan.selection, archive)
    export = lap(f"export ({archive.stat().st_size / 1e6:.1f} MB)")
    check_archive(archive)
    lap("check the archive")
    use_profile("reader", place)
    started[-1] = (time.perf_counter(), time.process_time())
    import_archive(archive)
    lap("import")
    same = json.dumps(answers(), default=str) == json.dumps(expected, default=str)
    print(f"export / limit of {LIMIT_S:g} s: {export / LIMIT_S:.2f}")
    print(f"the same answers, {len(expected)} melting point: {same}")
    if not same or export > LIMIT_S:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
