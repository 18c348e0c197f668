"""How long the provenance graph takes to answer, in PostgreSQL, and how that grows with the number of nodes.

Makes two databases in a PostgreSQL cluster of its own, the second of some ten times the nodes, and asks each the same
questions twice: with what is read for the first time, and again. Times are those of the call in Python, in seconds; the
start of a command comes on top of them and is the same for both.

    python benchmarks/questions.py [--chains 20000] [--shared-buffers 128MB] [--random-page-cost 4]
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(tempfile.mkdtemp(prefix="dnpmelt-questions-"))
os.environ["AIIDA_PATH"] = str(FOLDER / "aiida")
(FOLDER / "aiida").mkdir()

import psycopg
from aiida import load_profile
from aiida.manage import get_manager
from aiida.manage.configuration import create_profile, get_config
from synthetic_graph import Landmarks, build, sizes

from aiida_dnpmelt.provenance.compare import compare
from aiida_dnpmelt.provenance.impact import impact, impact_of_version
from aiida_dnpmelt.provenance.query import melting_points
from aiida_dnpmelt.provenance.trace import trace
from aiida_dnpmelt.report.ledger import ledger
from aiida_dnpmelt.setup.postgres import Cluster

LIMITS = {"tm list --element Al": 1.0, "tm trace, 1,000 frames behind": 2.0, "impact of one set of frames": 2.0}


def questions(marks: Landmarks) -> dict[str, Callable[[], Any]]:
    """Return the questions by name; each call returns the size of its answer."""
    neighbour = next(point.pk for point in melting_points("Al") if point.pk != marks.deep_chain)
    return {
        "tm list --element Al": lambda: len(melting_points("Al")),
        "tm list": lambda: len(melting_points()),
        "tm trace, 1,000 frames behind": lambda: len(trace(marks.deep_chain).ancestry.nodes),
        "impact of one set of frames": lambda: len(impact(str(marks.frames)).chains),
        "impact of one of the 1,000": lambda: len(impact(str(marks.deep_frames)).chains),
        "impact of the code of VASP": lambda: len(impact(str(marks.vasp)).chains),
        "impact of the code of LAMMPS": lambda: len(impact(str(marks.code)).chains),
        "impact of a version of LAMMPS": lambda: len(impact_of_version("LAMMPS", "22Jul2025").chains),
        "tm compare": lambda: len(compare(marks.deep_chain, neighbour).differences),
        "tm cost": lambda: len(ledger()),
    }


def measure(cluster: Cluster, chains: int) -> tuple[Landmarks, dict[str, tuple[float, float, int]]]:
    """Return the first and second time of each question in s, and the size of its answer."""
    name = f"chains_{chains}"
    config = {**cluster.create_database(name), "repository_uri": (FOLDER / name).as_uri()}
    create_profile(
        get_config(create=True), name=name, email="a@b.c", storage_backend="core.psql_dos", storage_config=config
    )
    load_profile(name, allow_switch=True)
    begin = time.perf_counter()
    marks = build(chains)
    print(f"{marks.nodes:,} nodes, {marks.links:,} links, {chains:,} work chains, made in {_since(begin):.0f} s")
    found = {}
    for question, ask in questions(marks).items():
        times = []
        for _ in range(2):
            begin = time.perf_counter()
            size = ask()
            times.append(_since(begin))
        found[question] = (times[0], times[1], size)
    return marks, found


def tune(cluster: Cluster, shared_buffers: str, random_page_cost: str) -> None:
    """Set what is asked for and start the server again."""
    config = cluster.create_database("settings")
    with psycopg.connect(
        host=config["database_hostname"],
        port=config["database_port"],
        user=config["database_username"],
        password=config["database_password"],
        dbname="settings",
        autocommit=True,
    ) as connection:
        connection.execute(f"ALTER SYSTEM SET shared_buffers = '{shared_buffers}'")
        connection.execute(f"ALTER SYSTEM SET random_page_cost = '{random_page_cost}'")
    cluster.stop()
    cluster.start()


def main() -> None:
    """Make the databases, ask, and print times, sizes of the answers and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=20_000, help="Work chains of the larger database.")
    parser.add_argument("--shared-buffers", default="128MB", help="Memory of the server for pages.")
    parser.add_argument("--random-page-cost", default="4", help="4 for disks that turn, 1.1 for others.")
    asked = parser.parse_args()
    FOLDER.chmod(0o711)
    cluster = Cluster.create(FOLDER / "cluster", durable=False)
    cluster.start()
    try:
        tune(cluster, asked.shared_buffers, asked.random_page_cost)
        (small_marks, small), (large_marks, large) = (measure(cluster, chains) for chains in sizes(asked.chains))
        print(f"shared_buffers {asked.shared_buffers}, random_page_cost {asked.random_page_cost}")
        print(f"{'question':32s} {'answer':>8s} {'first':>7s} {'again':>7s} {'growth':>7s}  limit")
        for question, (first, again, size) in large.items():
            limit = LIMITS.get(question)
            word = "" if limit is None else f"{limit:g} s: {'kept' if max(first, again) < limit else 'MISSED'}"
            print(f"{question:32s} {size:8d} {first:7.2f} {again:7.2f} {again / small[question][1]:7.1f}  {word}")
        print(f"nodes grew {large_marks.nodes / small_marks.nodes:.1f} times")
    finally:
        get_manager().reset_profile()
        cluster.stop()
        shutil.rmtree(FOLDER)


def _since(begin: float) -> float:
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
