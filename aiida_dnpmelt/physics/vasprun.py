"""Read the ionic steps of a `vasprun.xml`, as far as it goes: one that was cut gives the whole steps that it holds.

The file is read as a stream, compressed or not: memory holds the numbers of the steps and one step's XML. Entities are
not expanded, and nothing outside of the file is looked at. Written for the files of VASP 5.4 and 6.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse
from numpy.typing import NDArray

from .packed import Readable, open_packed
from .vasp_run import IonicStep, Value, VaspRun, potential_energy, virial_ev, work_ev
from .vasp_symbols import symbols_of

Array = NDArray[np.float64]

_CONVERTERS: Final[dict[str, Callable[[str], Any]]] = {
    "int": int,
    "string": str.strip,
    "logical": lambda text: text.strip() == "T",
}
PARAMETERS: Final = frozenset(
    ("NELM", "EDIFF", "NSW", "IBRION", "ISIF", "PSTRESS", "POTIM", "NBLOCK", "TEBEG", "TEEND", "SMASS", "MDALGO")
)
"""Settings in force that are looked at."""
_DROPPED: Final = frozenset(
    {"scstep", "dos", "eigenvalues", "projected", "projected_kpoints_dos", "dielectricfunction"}
)
"""Parts that are let go of at their end: they can be larger than all that is needed of a step."""
_FREE_TEXT: Final = re.compile(rb'(<([iv])\b[^<>]*\btype="string"[^<>]*>)(.*)(</\2>)')
_AMPERSAND: Final = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos);)")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_END_OF_HEAD: Final = b"<atominfo"
_LONGEST_LINE: Final = 1 << 20


def read_vasprun(path: Path) -> VaspRun:
    """Return what a `vasprun.xml` says, as far as it goes.

    :raises OSError: if the file cannot be read. What it holds raises nothing.
    """
    with open_packed(path) as handle:
        run = read_stream(handle)
        return run if handle.flaw is None else replace(run, cut=handle.flaw)


def read_stream(handle: Readable) -> VaspRun:
    """Return what an open `vasprun.xml` says, as far as it goes."""
    reader, cut = _Reader(), None
    try:
        for event, element in iterparse(MendedXml(handle), events=("start", "end"), forbid_dtd=True):
            reader.take(event, element)
    except ParseError as error:
        cut = f"the file ends early or is damaged: {error}"
    except DefusedXmlException as error:
        cut = f"the file declares what no output of VASP does: {error}"
    return reader.run(cut)


class MendedXml:
    """The bytes of a `vasprun.xml` with the free text of its head as XML has it.

    VASP writes SYSTEM and its like as they were given: `&`, `<`, control characters, and letters in any encoding.
    """

    def __init__(self, handle: Readable) -> None:
        """Take an open file."""
        self._handle = handle
        self._in_head = True
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, none at the end."""
        while self._in_head:
            block = self._handle.read(size)
            text = self._rest + block
            place = text.find(_END_OF_HEAD)
            end = place if place >= 0 else text.rfind(b"\n") + 1
            self._in_head = bool(block) and place < 0 and len(text) < _LONGEST_LINE
            if not self._in_head and place < 0:
                end = len(text)
            self._rest = text[end:]
            if end:
                return b"".join(map(_mended, text[:end].splitlines(keepends=True)))
        rest, self._rest = self._rest, b""
        return rest or self._handle.read(size)


def _mended(line: bytes) -> bytes:
    return _FREE_TEXT.sub(lambda found: found[1] + _as_xml(found[3]) + found[4], line)


def _as_xml(text: bytes) -> bytes:
    plain = _AMPERSAND.sub(b"&amp;", _CONTROL.sub(b" ", text)).replace(b"<", b"&lt;").replace(b">", b"&gt;")
    try:
        letters = plain.decode("utf-8")
    except UnicodeDecodeError:
        letters = plain.decode("latin-1")
    return letters.encode("ascii", "xmlcharrefreplace")


class _Reader:
    """Collects a run from the events of a parser, and lets go of each part that has been read."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._path: list[Element] = []
        self._version = ""
        self._incar: dict[str, Value] = {}
        self._parameters: dict[str, Value] = {}
        self._symbols: tuple[str, ...] = ()
        self._potcars: tuple[str, ...] = ()
        self._notes: tuple[str, ...] = ()
        self._contradiction: str | None = None
        self._kpoints = 0
        self._mesh: tuple[int, ...] = ()
        self._force_field = 0
        self._energies: list[float] = []
        self._steps: list[IonicStep] = []
        self._started = 0

    def take(self, event: str, element: Element) -> None:
        """Go on by one event."""
        if event == "start":
            self._path.append(element)
            self._started += element.tag == "calculation"
            return
        self._path.pop()
        if element.tag == "scstep":
            self._energies.append(_energy(element))
        elif element.tag == "calculation":
            self._take_step(element)
            self._energies = []
        elif len(self._path) == 1:
            self._take_head(element)
        if self._path and (len(self._path) == 1 or element.tag in _DROPPED):
            self._path[-1].remove(element)

    def _take_head(self, element: Element) -> None:
        """Take a part that stands once in the file."""
        if element.tag == "generator":
            self._version = (element.findtext("i[@name='version']") or "").strip()
        elif element.tag == "incar":
            self._incar = _tags(element)
        elif element.tag == "parameters":
            self._parameters = {name: value for name, value in _tags(element).items() if name in PARAMETERS}
        elif element.tag == "kpoints":
            self._kpoints = len(element.findall("varray[@name='kpointlist']/v"))
            with suppress(ValueError):
                divisions = element.findtext("generation/v[@name='divisions']") or ""
                self._mesh = tuple(map(int, divisions.split()))
        elif element.tag == "atominfo":
            self._take_atoms(element)
        elif element.tag == "energy":  # a step of a force field has no element of its own
            self._force_field += 1

    def _take_atoms(self, element: Element) -> None:
        types = element.findall("array[@name='atomtypes']/set/rc")
        self._potcars = tuple((row.findtext("c[5]") or "").strip() for row in types)
        rows = element.findall("array[@name='atoms']/set/rc")
        names = [(row.findtext("c[1]") or "").strip() for row in rows]
        numbers = [_whole(row.findtext("c[2]")) for row in rows]
        self._symbols = tuple(names)
        try:
            self._symbols, self._notes = symbols_of(names, numbers, self._potcars)
        except ValueError as error:
            self._contradiction = str(error)

    def _take_step(self, element: Element) -> None:
        if self._incar.get("ML_LMLFF") is True and not self._energies:
            self._force_field += 1
            self._started -= 1
            return
        index = self._started + self._force_field - 1
        pressure = self._parameters.get("PSTRESS", self._incar.get("PSTRESS"))
        step = _step(element, self._energies, len(self._symbols), pressure)
        if step is not None:
            self._steps.append(replace(step, index=index))

    def run(self, cut: str | None) -> VaspRun:
        """Return what has been read."""
        return VaspRun(
            version=self._version,
            incar=self._incar,
            symbols=self._symbols,
            potcars=self._potcars,
            parameters=self._parameters,
            kpoints=self._kpoints,
            steps=tuple(self._steps),
            started=self._started,
            cut=cut,
            kpoint_mesh=self._mesh,
            force_field_steps=self._force_field,
            contradiction=self._contradiction,
            notes=self._notes,
        )


def _tags(element: Element) -> dict[str, Value]:
    """Return the settings in an element, by their names in capitals; what cannot be read is left out."""
    found: dict[str, Value] = {}
    for entry in element.iter():
        if entry.tag not in ("i", "v"):
            continue
        convert = _CONVERTERS.get(entry.get("type", "float"), float)
        text = entry.text or ""
        with suppress(ValueError):
            value = convert(text) if entry.tag == "i" else [convert(word) for word in text.split()]
            found[entry.get("name", "").upper()] = value
    return found


def _energy(element: Element, name: str = "e_fr_energy") -> float:
    return _number(element.findtext(f"energy/i[@name='{name}']"))


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return np.nan


def _whole(text: str | None) -> int:
    try:
        return int(text or "")
    except ValueError:
        return 0


def _vectors(element: Element, path: str) -> Array:
    """Return an array of vectors, shape (n, 3); NaN stands for what is no number."""
    rows = [(row.text or "").split() for row in element.findall(f"{path}/v")]
    vectors = np.full((len(rows), 3), np.nan)
    with suppress(ValueError):
        vectors[:] = np.array(rows, dtype=float).reshape(len(rows), 3)
    return vectors


def _step(element: Element, energies: list[float], atoms: int, pressure: Value | None) -> IonicStep | None:
    """Return the step of a `calculation`, None if a part or an atom is missing; the stress may be.

    :param energies: of the electronic steps in eV.
    :param pressure: PSTRESS in kB.
    """
    cell = _vectors(element, "structure/crystal/varray[@name='basis']")
    fractions = _vectors(element, "structure/varray[@name='positions']")
    forces = _vectors(element, "varray[@name='forces']")
    stress = _vectors(element, "varray[@name='stress']")
    if cell.shape != (3, 3) or not atoms or not len(forces) == len(fractions) == atoms:
        return None
    last = energies[-1] if energies else np.nan
    energy, work, checked = potential_energy(_energy(element), last, work_ev(pressure, cell), contained=True)
    return IonicStep(
        cell=cell,
        positions=fractions @ cell,
        energy_ev=energy,
        forces_ev_per_angstrom=forces,
        virial_ev=virial_ev(stress, cell) if stress.shape == (3, 3) else None,
        electronic_steps=len(energies),
        last_change_ev=abs(energies[-1] - energies[-2]) if len(energies) > 1 else np.inf,
        kinetic_ev=_energy(element, "kinetic"),
        work_ev=work,
        work_checked=checked,
    )
