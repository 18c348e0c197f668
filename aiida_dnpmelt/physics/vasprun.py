"""Read the ionic steps of a `vasprun.xml`, as far as it goes: one that was cut gives the whole steps that it holds.

The file is read as a stream: memory holds the numbers of the steps and one step's XML. Entities are not expanded, and
nothing outside of the file is looked at. Written for the files of VASP 5.4 and 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final
from xml.etree.ElementTree import Element

import numpy as np
from ase.units import GPa
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse
from numpy.typing import NDArray

Array = NDArray[np.float64]
Value = str | int | float | bool | list[float]

_RESOLUTION_EV: Final = 1.5e-8
"""Energies have eight decimals in the file, so that a change is off by up to one of the last."""
_KBAR: Final = 0.1 * GPa
_CONVERTERS: Final[dict[str, Callable[[str], Any]]] = {
    "int": int,
    "string": str.strip,
    "logical": lambda text: text.strip() == "T",
}
_NEEDED: Final = frozenset({"NELM", "EDIFF", "NSW"})
_DROPPED: Final = frozenset(
    {"scstep", "dos", "eigenvalues", "projected", "projected_kpoints_dos", "dielectricfunction"}
)
"""Parts that are let go of at their end: they can be larger than all that is needed of a step."""


@dataclass(frozen=True)
class IonicStep:
    """What VASP computed for one set of positions of n atoms.

    A number that VASP could not write, as `********`, is NaN.

    :param cell: cell vectors as rows in Angstrom, shape (3, 3).
    :param positions: Cartesian, in Angstrom, shape (n, 3).
    :param energy_ev: free energy F of the electrons, to which the forces belong, in eV: the last ``e_fr_energy``.
    :param forces_ev_per_angstrom: shape (n, 3).
    :param virial_ev: shape (3, 3): +P V, positive under compression, as that of labelled frames.
    :param electronic_steps: steps of the self-consistency cycle; 0 if a force field computed the step.
    :param last_change_ev: of the free energy in the last of these steps, in eV, without sign; infinite if there were
        fewer than two.
    """

    cell: Array
    positions: Array
    energy_ev: float
    forces_ev_per_angstrom: Array
    virial_ev: Array
    electronic_steps: int
    last_change_ev: float


@dataclass(frozen=True)
class VaspRun:
    """What a `vasprun.xml` says.

    :param version: of VASP; empty if the file does not get that far, as all that follows.
    :param incar: the tags that were set, in capitals.
    :param symbols: chemical symbols of the atoms.
    :param potcars: titles of the POTCAR files, one a type of atoms.
    :param parameters: of the settings in force, those that are needed here: ``NELM``, ``EDIFF`` (eV), ``NSW``.
    :param kpoints: number of k-points of the irreducible zone.
    :param steps: the whole ionic steps.
    :param started: number of ionic steps that were begun.
    :param cut: why the file ends before its end, None if it does not.
    """

    version: str
    incar: Mapping[str, Value]
    symbols: tuple[str, ...]
    potcars: tuple[str, ...]
    parameters: Mapping[str, Value]
    kpoints: int
    steps: tuple[IonicStep, ...]
    started: int
    cut: str | None

    @property
    def lost(self) -> int:
        """Return the number of ionic steps that were begun and are not whole."""
        return self.started - len(self.steps)

    @property
    def flaw(self) -> str | None:
        """Return in words how the run came to an early end, None if it did not."""
        if self.cut is not None:
            return f"{self.cut}; {self.lost} begun steps are lost"
        planned = self.parameters.get("NSW", 0)
        if isinstance(planned, int) and len(self.steps) < planned:
            return f"{len(self.steps)} of {planned} ionic steps"
        return None

    @property
    def threshold_ev(self) -> float:
        """Return EDIFF in eV, VASP's default where the file does not say it."""
        found = self.parameters.get("EDIFF", 1e-4)
        return found if isinstance(found, float) else 1e-4

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Tell of each step whether its electrons came to self-consistency: their last change is at most EDIFF.

        VASP goes on without a word when NELM steps were not enough.
        """
        changes = np.array([step.last_change_ev for step in self.steps])
        return changes <= self.threshold_ev + _RESOLUTION_EV

    def arrays(self) -> dict[str, Array]:
        """Return cells, positions and labels of the steps, by their names in `LabelledFrames`; some may be NaN."""
        return {
            "cells": np.array([step.cell for step in self.steps]),
            "positions": np.array([step.positions for step in self.steps]),
            "energies_ev": np.array([step.energy_ev for step in self.steps]),
            "forces_ev_per_angstrom": np.array([step.forces_ev_per_angstrom for step in self.steps]),
            "virials_ev": np.array([step.virial_ev for step in self.steps]),
        }

    @property
    def temperatures_k(self) -> Array:
        """Return the temperature in K that each step was to have, from TEBEG to TEEND in equal parts; else NaN."""
        begin = self.incar.get("TEBEG", np.nan)
        end = self.incar.get("TEEND", begin)
        if not (isinstance(begin, float) and isinstance(end, float)):
            return np.full(len(self.steps), np.nan)
        planned = self.parameters.get("NSW", 1)
        last = max(planned if isinstance(planned, int) else 1, len(self.steps), 2) - 1
        return begin + (end - begin) * np.arange(len(self.steps)) / last


def read_vasprun(path: Path) -> VaspRun:
    """Return what a `vasprun.xml` says, as far as it goes.

    :raises OSError: if the file cannot be read. What it holds raises nothing.
    """
    with path.open("rb") as handle:
        return read_stream(handle)


def read_stream(handle: BinaryIO) -> VaspRun:
    """Return what an open `vasprun.xml` says, as far as it goes."""
    reader, cut = _Reader(), None
    try:
        for event, element in iterparse(handle, events=("start", "end"), forbid_dtd=True):
            reader.take(event, element)
    except ParseError as error:
        cut = f"the file ends early or is damaged: {error}"
    except DefusedXmlException as error:
        cut = f"the file declares what no output of VASP does: {error}"
    return reader.run(cut)


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
        self._kpoints = 0
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
            step = _step(element, self._energies, len(self._symbols))
            if step is not None:
                self._steps.append(step)
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
            self._parameters = {name: value for name, value in _tags(element).items() if name in _NEEDED}
        elif element.tag == "kpoints":
            self._kpoints = len(element.findall("varray[@name='kpointlist']/v"))
        elif element.tag == "atominfo":
            cells = [row.findtext("c") or "" for row in element.findall("array[@name='atoms']/set/rc")]
            self._symbols = tuple(cell.strip() for cell in cells)
            types = element.findall("array[@name='atomtypes']/set/rc")
            self._potcars = tuple((row.findtext("c[5]") or "").strip() for row in types)

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


def _energy(element: Element) -> float:
    return _number(element.findtext("energy/i[@name='e_fr_energy']"))


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return np.nan


def _vectors(element: Element, path: str) -> Array:
    """Return an array of vectors, shape (n, 3); NaN stands for what is no number."""
    rows = [(row.text or "").split() for row in element.findall(f"{path}/v")]
    vectors = np.full((len(rows), 3), np.nan)
    with suppress(ValueError):
        vectors[:] = np.array(rows, dtype=float).reshape(len(rows), 3)
    return vectors


def _step(element: Element, energies: list[float], atoms: int) -> IonicStep | None:
    """Return the step of a `calculation`, None if a part or an atom is missing."""
    cell = _vectors(element, "structure/crystal/varray[@name='basis']")
    fractions = _vectors(element, "structure/varray[@name='positions']")
    forces = _vectors(element, "varray[@name='forces']")
    stress = _vectors(element, "varray[@name='stress']")
    if cell.shape != (3, 3) or stress.shape != (3, 3) or not atoms or not len(forces) == len(fractions) == atoms:
        return None
    return IonicStep(
        cell=cell,
        positions=fractions @ cell,
        energy_ev=_energy(element),
        forces_ev_per_angstrom=forces,
        virial_ev=stress * _KBAR * abs(np.linalg.det(cell)),
        electronic_steps=len(energies),
        last_change_ev=abs(energies[-1] - energies[-2]) if len(energies) > 1 else np.inf,
    )
