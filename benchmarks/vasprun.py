"""Reading of `vasprun.xml`: speed against dpdata and ase on the same files, and memory over a thousand of them.

    python benchmarks/vasprun.py FOLDER [--files 1000]

FOLDER is searched for `vasprun.xml`. The files that all three readers take are timed one reader after the other; then
our reader goes over them again and again until it has read ``--files`` of them, keeps the frames as an import does, and
the largest memory of the process is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import resource
import time
from collections.abc import Callable
from pathlib import Path

import ase.io
import dpdata

from aiida_dnpmelt.physics.vasprun import read_vasprun


def timed(read: Callable[[Path], int], files: list[Path]) -> tuple[int, float]:
    """Return the number of frames that a reader finds and the CPU time in s that it takes."""
    start = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        frames = sum(map(read, files))
    return frames, time.process_time() - start


def main() -> None:
    """Print speed and memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=1000)
    options = parser.parse_args()
    files = [path for path in sorted(options.folder.rglob("vasprun.xml")) if read_vasprun(path).steps]
    size = sum(path.stat().st_size for path in files) / 1e6
    print(f"{len(files)} files, {size:.1f} MB")
    readers = {
        "this project": lambda path: len(read_vasprun(path).steps),
        "dpdata": lambda path: len(dpdata.LabeledSystem(str(path), fmt="vasp/xml")),
        "ase": lambda path: len(ase.io.read(path, index=":")),
    }
    ours = None
    for name, read in readers.items():
        frames, seconds = timed(read, files)
        ours = ours or seconds
        print(
            f"{name:13s} {frames} frames, {seconds:6.2f} s CPU, {size / seconds:5.1f} MB/s, {seconds / ours:5.1f} times"
        )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start, kept = time.process_time(), []
    for path in itertools.islice(itertools.cycle(files), options.files):
        kept.append(read_vasprun(path))
    seconds, largest = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    total = sum(len(run.steps) for run in kept)
    print(
        f"{options.files} files, {total} frames kept: {seconds:.1f} s CPU, "
        f"at most {largest:.0f} MB ({before:.0f} before)"
    )


if __name__ == "__main__":
    main()
