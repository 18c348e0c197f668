"""Find and read labelled frames that others have left in files: runs of VASP, and data sets of DeePMD-kit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from .archives import holds_frames, is_archive
from .deepmd_sets import read_set, sets_of
from .sources import Dataset, Source
from .tree import Tree, walk
from .vasp_runs import kind_of, read_run, run_of


def find_sources(path: Path) -> Iterator[Source]:
    """Yield what a file or a folder and all below it hold, runs before data sets, each in the order of names.

    In one folder a `vasprun.xml` is taken rather than an `OUTCAR`, and `set.*` rather than the `.raw` files that it was
    made from. Files under other names, as the parts of runs that were put aside, are left alone. Links out of the
    folder, and folders that cannot be read, come last: they are told, and not looked into.

    :raises ValueError: if there is nothing, or a file is none of these.
    """
    if path.is_file():
        yield _of_file(path)
        return
    if not path.is_dir():
        raise ValueError(f"'{path}' is neither a file nor a folder")
    tree = walk(path, holds_frames)
    left = (Source(each, "link" if each.is_symlink() else "folder", left=words) for each, words in tree.left.items())
    found = [*sources_in(tree), *left]
    if not found:
        raise ValueError(
            f"'{path}' holds no vasprun.xml, no OUTCAR, and no data set of DeePMD-kit (type.raw with set.*)"
        )
    yield from found


def sources_in(tree: Tree) -> Iterator[Source]:
    """Yield the sources in a folder that has been walked through, see `find_sources`."""
    runs = [run for folder in tree.folders if (run := run_of(folder))]
    sets = [each for folder in tree.folders for each in sets_of(folder)]
    yield from (each for each in (*_once(runs), *sets) if not _strays(each, tree))


def read_dataset(source: Source, symbol: str | None = None, temperature_k: float | None = None) -> Dataset:
    """Return the frames of a source.

    :param symbol: element of a data set that does not name it.
    :param temperature_k: temperature in K of frames whose source does not say it.
    :raises ValueError: if it cannot be read, whatever is wrong with it; if it says another element, or neither it nor
        the parameters say what is needed.
    """
    if source.left:
        raise ValueError(source.left)
    read = read_run if source.kind in ("vasprun.xml", "OUTCAR") else read_set
    try:
        return read(source, symbol, temperature_k)
    except ValueError:
        raise
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from error
    except Exception as error:  # what is wrong with one file must not end the import of the others
        raise ValueError(f"cannot be read as {source.kind}: {type(error).__name__} {error}".rstrip()) from error


def _of_file(path: Path) -> Source:
    """Return the run that a file holds by its content.

    :raises ValueError: if it is none.
    """
    if holds_frames(path.name) and path.suffix in (".npy", ".raw"):
        raise ValueError(f"'{path}' is a part of a data set: give the folder that holds its type.raw")
    if is_archive(path):
        raise ValueError(f"'{path}' is an archive: unpack it, or give its folder to `import repository`")
    if not path.stat().st_size:
        raise ValueError(f"'{path}' is empty")
    kind = kind_of(path)
    if kind is None:
        raise ValueError(f"'{path}' is no vasprun.xml and no OUTCAR: nothing in it says so")
    return Source(path, kind)


def _once(runs: Sequence[Source]) -> Iterator[Source]:
    """Yield each run once, where it lies rather than where a link to it does."""
    known = {run.path.resolve() for run in runs if not run.path.is_symlink()}
    for run in runs:
        target = run.path.resolve()
        if not run.path.is_symlink() or target not in known:
            known.add(target)
            yield run


def _strays(source: Source, tree: Tree) -> bool:
    """Return whether a file of a source is reached by a link that is not followed."""
    return any(each in tree.left for file in source.files for each in (file, *file.parents))
