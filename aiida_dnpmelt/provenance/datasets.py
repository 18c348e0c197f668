"""Find and read labelled frames that others have left in files: runs of VASP, and data sets of DeePMD-kit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .deepmd_sets import read_set, set_of
from .sources import Dataset, Source
from .vasp_runs import read_run, run_of


def find_sources(path: Path) -> Iterator[Source]:
    """Yield what a file or a folder and all below it hold, runs before data sets, each in the order of names.

    In one folder a `vasprun.xml` is taken rather than an `OUTCAR`, and `set.*` rather than the `.raw` files that it was
    made from. Files under other names, as the parts of runs that were put aside, are left alone.

    :raises ValueError: if there is nothing.
    """
    folders = [path] if path.is_dir() else []
    folders += sorted(each for each in path.rglob("*") if each.is_dir())
    runs = [run for folder in folders if (run := run_of(folder))]
    sets = [each for folder in folders if (each := set_of(folder))]
    if path.is_file():
        runs = [Source(path, "OUTCAR" if "OUTCAR" in path.name else "vasprun.xml")]
    if not runs and not sets:
        raise ValueError(
            f"'{path}' holds no vasprun.xml, no OUTCAR, and no data set of DeePMD-kit (type.raw with set.*)"
        )
    yield from runs
    yield from sets


def read_dataset(source: Source, symbol: str | None = None, temperature_k: float | None = None) -> Dataset:
    """Return the frames of a source.

    :param symbol: element of a data set that does not name it.
    :param temperature_k: temperature in K of frames whose source does not say it.
    :raises ValueError: if the source says another element, or neither it nor the parameters say what is needed.
    """
    if source.kind in ("vasprun.xml", "OUTCAR"):
        return read_run(source, symbol, temperature_k)
    return read_set(source, symbol, temperature_k)
