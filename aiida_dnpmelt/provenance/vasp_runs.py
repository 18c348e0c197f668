"""Find and read the labelled frames of VASP's runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal
from xml.parsers.expat import ExpatError, ParserCreate

import numpy as np

from aiida_dnpmelt.physics.outcar import read_outcar
from aiida_dnpmelt.physics.packed import SUFFIXES, open_packed
from aiida_dnpmelt.physics.vasp_run import NO_THERMOSTAT, VaspRun
from aiida_dnpmelt.physics.vasprun import MendedXml, read_vasprun

from .sources import NO_FRAMES, Dataset, Source, check_element, finite_dataset, no_stress, temperatures_of

VaspKind = Literal["vasprun.xml", "OUTCAR"]

_READERS: Final[dict[str, Callable[[Path], VaspRun]]] = {"vasprun.xml": read_vasprun, "OUTCAR": read_outcar}
_READING: Final = 2
"""Number of the way in which runs are read: since the second, P V of PSTRESS is taken off the energies."""
_HEAD: Final = 1 << 16
_XML: Final = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<modeling\b", re.DOTALL)
_TEXT: Final = re.compile(rb"^\s*vasp\.\d|^\s*TITEL\s*=", re.MULTILINE)
_NOTHING: Final = re.compile(rb"\s*(<(\?(x(m(l[^>]*(>\s*)?)?)?)?)?)?")


def kind_of(path: Path) -> VaspKind | None:
    """Return which output of VASP a file is by what it holds, compressed or not; None if it is none.

    :raises OSError: if it cannot be read.
    """
    head = _head(path)
    if _XML.match(head):
        return "vasprun.xml"
    return "OUTCAR" if _TEXT.search(head) else None


def run_of(folder: Path) -> Source | None:
    """Return the run that a folder holds: a `vasprun.xml` is taken rather than an `OUTCAR`, compressed or not.

    One that is no whole file is left for the `OUTCAR` beside it if that has more steps.
    """
    xml, text = _found(folder, "vasprun.xml"), _found(folder, "OUTCAR")
    if xml is None or (text is not None and _is_better(text, xml)):
        return None if text is None else Source(text, "OUTCAR")
    return Source(xml, "vasprun.xml")


def read_run(source: Source, symbol: str | None, temperature_k: float | None) -> Dataset:
    """Return the frames of a run; see `aiida_dnpmelt.provenance.datasets.read_dataset`."""
    if _NOTHING.fullmatch(_head(source.path)):
        return Dataset(None, flaw="an empty file")
    if kind_of(source.path) != source.kind:
        raise ValueError(f"cannot be read as {source.kind}: VASP did not write it")
    run = _READERS[source.kind](source.path)
    details = {
        "program": f"VASP {run.version}".strip(),
        "incar": dict(run.incar),
        "potcars": list(run.potcars),
        "kpoints": run.kpoints,
        "kpoint_mesh": list(run.kpoint_mesh),
        "lost_steps": run.lost,
        "reading": _READING,
    }
    if run.contradiction is not None:
        raise ValueError(run.contradiction)
    if not run.steps:
        return Dataset(None, flaw=run.flaw or NO_FRAMES, details=details)
    check_element(run.symbols, symbol)
    _check_stress(run)
    named = temperature_k is not None and run.guesses_temperature
    known = np.full(len(run.steps), np.nan) if named else run.temperatures_k
    frames = {**run.arrays(), "temperatures_k": temperatures_of(known, temperature_k)}
    told = [words for words in run.remarks if not (named and words.startswith(NO_THERMOSTAT))]
    remarks = (*_of_neighbours(source, run), *told)
    return finite_dataset(run.symbols, frames, run.converged, run.flaw, details, remarks)


def _check_stress(run: VaspRun) -> None:
    """Refuse a run that lacks stresses.

    :raises ValueError: if it does.
    """
    number = len(run.steps)
    if missing := run.without_stress:
        raise ValueError(no_stress("" if missing == number else f"{missing} of {number} steps"))
    if run.trace_only:
        raise ValueError(f"{no_stress()}: with ISIF = 1 VASP computes the trace alone")


def _found(folder: Path, name: str) -> Path | None:
    return next((path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").is_file()), None)


def _head(path: Path) -> bytes:
    with open_packed(path) as handle:
        head = b""
        while len(head) < _HEAD and (block := handle.read(_HEAD)):
            head += block
    return head


def _is_better(text: Path, xml: Path) -> bool:
    """Tell whether a `vasprun.xml` is no whole file, and the `OUTCAR` beside it has more steps."""
    return _damage(xml) is not None and len(read_outcar(text).steps) > len(read_vasprun(xml).steps)


def _damage(path: Path) -> str | None:
    """Return why a file is no whole `vasprun.xml`, None if it is one; numbers are not looked at."""
    head = _head(path)
    if _NOTHING.fullmatch(head):
        return "empty"
    if not _XML.match(head):
        return "not written by VASP"
    parser = ParserCreate()
    with open_packed(path) as handle:
        mended = MendedXml(handle)
        try:
            while block := mended.read(_HEAD):
                parser.Parse(block, False)
            parser.Parse(b"", True)
        except ExpatError as error:
            return handle.flaw or f"cut or damaged: {error}"
    return None


def _of_neighbours(source: Source, run: VaspRun) -> list[str]:
    """Return in words what the files beside a run say against it."""
    folder, remarks = source.path.parent, []
    xml = _found(folder, "vasprun.xml")
    if source.kind == "OUTCAR" and xml is not None and (damage := _damage(xml)):
        remarks.append(f"read instead of the {xml.name} beside it, which is {damage}")
    if other := _other_order(folder / "POSCAR", run.symbols):
        remarks.append(other)
    return remarks


def _other_order(poscar: Path, symbols: tuple[str, ...]) -> str | None:
    """Return in words that a POSCAR names the same number of atoms otherwise; None if it does not, or names none."""
    try:
        with poscar.open(encoding="latin-1") as lines:
            names, numbers = [next(lines).split() for _ in range(7)][5:]
        told = [name for name, number in zip(names, map(int, numbers), strict=True) for _ in range(number)]
    except (OSError, StopIteration, ValueError):
        return None
    if len(told) != len(symbols) or told == list(symbols):
        return None
    first = next(index for index, pair in enumerate(zip(told, symbols, strict=True)) if pair[0] != pair[1])
    words = f"the POSCAR beside it names atom {first + 1} {told[first]}"
    return f"{words}, by the order of the POTCAR it was computed as {symbols[first]}"
