"""Wall time of a coexistence work chain against the bare ``lmp`` runs that it made.

Runs the work chain through the daemon of a profile of `aiida-dnpmelt setup`, then the same inputs again, without
AiiDA, round by round and as many at a time, and prints the ratio. Leave the machine alone meanwhile. Runs of hours need
not be run twice: with ``--from-logs`` the bare time is the wall time that LAMMPS wrote at the end of its logs, of the
longest job of each round, in the very run.

    python benchmarks/overhead.py [--profile dnpmelt] [--target 5]
    python benchmarks/overhead.py --pk PK --from-logs
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from aiida import load_profile, orm
from aiida.common.links import LinkType
from aiida.engine import submit

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import crystal
from aiida_dnpmelt.setup.engines import lammps_potentials
from aiida_dnpmelt.workchains.tpc import TPCWorkChain


def run_work_chain(potential: str, target: float) -> tuple[orm.WorkChainNode, float]:
    """Run the work chain of the demo and return it with its wall time in s."""
    builder = TPCWorkChain.get_builder_from_protocol(
        orm.load_code("lmp@localhost"),
        orm.StructureData(ase=crystal("Cu", "fcc", 3.615)),
        PotentialData.get_or_create(lammps_potentials() / potential),
        overrides={"plan": {"target_uncertainty_k": target}},
    )
    start = time.time()
    node = submit(builder)
    while not node.is_terminated:
        time.sleep(0.5)
    return node, time.time() - start


def jobs_by_round(node: orm.WorkChainNode) -> list[list[orm.CalcJobNode]]:
    """Return the jobs of a work chain, a list for each round."""
    rounds = defaultdict(list)
    for link in node.base.links.get_outgoing(link_type=LinkType.CALL_WORK).all():
        rounds[link.link_label.rsplit("_", 1)[-1]] += link.node.called
    return [[job for job in jobs if isinstance(job, orm.CalcJobNode)] for _, jobs in sorted(rounds.items())]


def rerun(jobs: list[orm.CalcJobNode], folder: Path) -> float:
    """Run the jobs of a round again, all at once, and return the wall time in s."""
    places = []
    for job in jobs:
        place = folder / str(job.pk)
        job.base.repository.copy_tree(place)
        potential = job.inputs.potential
        (place / potential.filename).write_bytes(potential.get_content(mode="rb"))
        if "restart" in job.inputs:
            name = job.inputs.restart["file"]
            shutil.copy(Path(job.inputs.parent_folder.get_remote_path()) / name, place / name)
        places.append(place)
    start = time.time()
    running = [_start(job, place) for job, place in zip(jobs, places, strict=True)]
    for process in running:
        process.wait()
    return time.time() - start


def from_logs(jobs: list[orm.CalcJobNode]) -> float:
    """Return the wall time in s of the longest job of a round, by LAMMPS itself."""
    times = []
    for job in jobs:
        found = re.search(r"Total wall time: (\d+):(\d+):(\d+)", job.outputs.retrieved.get_object_content("log.lammps"))
        assert found is not None, f"job {job.pk} did not end by itself"
        hours, minutes, seconds = map(int, found.groups())
        times.append(3600 * hours + 60 * minutes + seconds)
    return float(max(times))


def _start(job: orm.CalcJobNode, place: Path) -> subprocess.Popen[bytes]:
    code = job.inputs.code
    command = f"{code.prepend_text}\nexec {code.filepath_executable} -in input.in -log log.lammps -screen none -sf opt"
    return subprocess.Popen(["bash", "-c", command], cwd=place, env=dict(os.environ))


def main() -> None:
    """Print both wall times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="dnpmelt")
    parser.add_argument("--potential", default="Cu_mishin1.eam.alloy")
    parser.add_argument("--target", type=float, default=5.0, help="standard uncertainty in K")
    parser.add_argument("--pk", type=int, help="a work chain that has been run, instead of a new one")
    parser.add_argument("--from-logs", action="store_true", help="do not run its jobs again")
    options = parser.parse_args()
    load_profile(options.profile)
    if options.pk is None:
        node, wall = run_work_chain(options.potential, options.target)
    else:
        node = orm.load_node(options.pk)
        wall = (node.mtime - node.ctime).total_seconds()
    rounds = jobs_by_round(node)
    if options.from_logs:
        bare = sum(map(from_logs, rounds))
    else:
        with tempfile.TemporaryDirectory() as folder:
            bare = sum(rerun(jobs, Path(folder)) for jobs in rounds)
    print(node.description)
    print(f"{len(rounds)} rounds, {sum(map(len, rounds))} jobs")
    print(f"work chain {wall:.1f} s, bare lmp {bare:.1f} s, ratio {wall / bare:.3f}")


if __name__ == "__main__":
    main()
