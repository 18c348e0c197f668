"""What a run of VASP tells, whichever of its files it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .units import BOLTZMANN_EV_PER_K, gpa_a3_to_ev
from .vasp_ensemble import holds_temperature, is_dynamics

Array = NDArray[np.float64]
Value = str | int | float | bool | list[float]

_RESOLUTION_EV: Final = 1.5e-8
"""Energies have eight decimals in the files, so that a change is off by up to one of the last."""
_GPA_PER_KB: Final = 0.1
_SAME_EV: Final = 1e-6
"""Distance up to which two energies that VASP wrote are the same number."""
_SAME_UNIT: Final = 1e-6
"""Relative distance up to which P V is the same: versions of VASP differ in the eV."""
NO_THERMOSTAT: Final = "no thermostat"
_WORTH_A_WORD_EV: Final = 1e-4
_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_NO_STRESS, _TRACE_ONLY = 0, 1
"""Values of ISIF with which VASP computes no stress, or its trace alone."""


@dataclass(frozen=True)
class IonicStep:
    """What VASP computed for one set of positions of n atoms.

    A number that VASP could not write, as `********`, is NaN.

    :param cell: cell vectors as rows in Angstrom, shape (3, 3).
    :param positions: Cartesian, in Angstrom, shape (n, 3).
    :param energy_ev: free energy F of the electrons, to which the forces belong, in eV, without P V of PSTRESS.
    :param forces_ev_per_angstrom: shape (n, 3).
    :param virial_ev: shape (3, 3): +P V, positive under compression, as that of labelled frames; None if the file has
        no stress of this step.
    :param electronic_steps: steps of the self-consistency cycle.
    :param last_change_ev: of the free energy in the last of these steps, in eV, without sign; infinite if there were
        fewer than two; 0 if the file says of the cycle only that it came to its end.
    :param index: number of the step in time, from 0: those of a force field count as well.
    :param kinetic_ev: kinetic energy of the atoms in eV; NaN if the file does not say it.
    :param work_ev: P V of PSTRESS in eV that was taken off the energy in the file.
    :param work_checked: whether the energy of the last electronic step tells that P V was, or was not, in it.
    """

    cell: Array
    positions: Array
    energy_ev: float
    forces_ev_per_angstrom: Array
    virial_ev: Array | None
    electronic_steps: int
    last_change_ev: float
    index: int = 0
    kinetic_ev: float = np.nan
    work_ev: float = 0.0
    work_checked: bool = True


@dataclass(frozen=True)
class VaspRun:
    """What a file of VASP says.

    :param version: of VASP; empty if the file does not get that far, as all that follows.
    :param incar: the tags that were set, in capitals.
    :param symbols: chemical symbols of the atoms.
    :param potcars: titles of the POTCAR files, one a type of atoms.
    :param parameters: of the settings in force, those that are needed here, such as ``NELM``, ``EDIFF`` (eV), ``NSW``.
    :param kpoints: number of k-points of the irreducible zone.
    :param steps: the whole ionic steps that VASP computed itself.
    :param started: number of such steps that were begun.
    :param cut: why the file ends before its end, None if it does not.
    :param kpoint_mesh: divisions of the mesh of k-points, if the file says them.
    :param force_field_steps: number of steps of a force field (ML_LMLFF) in between.
    :param contradiction: why the labels cannot be told, in words.
    :param notes: what else is to be known of how the file was read.
    """

    version: str = ""
    incar: Mapping[str, Value] = field(default_factory=dict)
    symbols: tuple[str, ...] = ()
    potcars: tuple[str, ...] = ()
    parameters: Mapping[str, Value] = field(default_factory=dict)
    kpoints: int = 0
    steps: tuple[IonicStep, ...] = ()
    started: int = 0
    cut: str | None = None
    kpoint_mesh: tuple[int, ...] = ()
    force_field_steps: int = 0
    contradiction: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def settings(self) -> dict[str, Value]:
        """Return the tags in force as far as they are known; temperatures as they were set, with all digits."""
        given = {name: self.incar[name] for name in ("TEBEG", "TEEND") if name in self.incar}
        return {**self.incar, **self.parameters, **given}

    @property
    def lost(self) -> int:
        """Return the number of ionic steps that were begun and are not whole."""
        return self.started - len(self.steps)

    @property
    def flaw(self) -> str | None:
        """Return in words how the run came to an early end, None if it did not."""
        if self.cut is not None:
            return f"{self.cut}; {self.lost} begun steps are lost" if self.lost else self.cut
        if self.lost:
            return self._lost_in_words()
        planned, done = self.parameters.get("NSW", 0), self._done
        if isinstance(planned, int) and done < planned:
            return f"{done} of {planned} ionic steps"
        return None

    @property
    def _done(self) -> int:
        """Return the number of steps in time that came to their end."""
        last = max((step.index for step in self.steps), default=-1) + 1
        return max(len(self.steps) + self.force_field_steps, last)

    def _lost_in_words(self) -> str:
        done = self.started + self.force_field_steps
        last = self.steps[-1].index + 1 if self.steps else self.force_field_steps
        if self.lost == 1 and last == done - 1:
            return f"a {_ordinal(done)} step is cut"
        return f"{self.lost} of {done} steps are not whole"

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
        unknown = np.full((3, 3), np.nan)
        return {
            "cells": np.array([step.cell for step in self.steps]),
            "positions": np.array([step.positions for step in self.steps]),
            "energies_ev": np.array([step.energy_ev for step in self.steps]),
            "forces_ev_per_angstrom": np.array([step.forces_ev_per_angstrom for step in self.steps]),
            "virials_ev": np.array([unknown if step.virial_ev is None else step.virial_ev for step in self.steps]),
        }

    @property
    def without_stress(self) -> int:
        """Return the number of whole steps of which the file has no stress."""
        if self.settings.get("ISIF") == _NO_STRESS:
            return len(self.steps)
        return sum(step.virial_ev is None for step in self.steps)

    @property
    def trace_only(self) -> bool:
        """Tell whether VASP computed the trace of the stress alone, and wrote a tensor all the same."""
        return self.settings.get("ISIF") == _TRACE_ONLY

    @property
    def temperatures_k(self) -> Array:
        """Return the temperature of each step in K; NaN if there is none, as in static runs.

        That from TEBEG to TEEND in equal parts, by the number of the step in time, if a thermostat holds it. Else that
        of the kinetic energy, 2 E_k / (3 (n - 1) k), where the file has it.
        """
        if not is_dynamics(self.settings):
            return np.full(len(self.steps), np.nan)
        meant = self._meant_temperatures_k()
        if holds_temperature(self.settings):
            return meant
        kinetic = np.array([step.kinetic_ev for step in self.steps])
        moving = np.maximum(3 * (len(self.symbols) - 1), 1)
        return np.where(np.isfinite(kinetic), 2 * kinetic / (moving * BOLTZMANN_EV_PER_K), meant)

    def _meant_temperatures_k(self) -> Array:
        begin = _positive(self.settings.get("TEBEG"))
        end = _positive(self.settings.get("TEEND", begin))
        planned = self.parameters.get("NSW", 1)
        last = max(planned if isinstance(planned, int) else 1, self._done, 2) - 1
        return begin + (end - begin) * np.array([step.index for step in self.steps]) / last

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return what is to be known of the labels, in words."""
        found = [*self.notes]
        if self.force_field_steps:
            done = self.started + self.force_field_steps
            found.append(f"{self.force_field_steps} of {done} steps are of a force field and left out")
        work = max((abs(step.work_ev) for step in self.steps), default=0.0)
        if work > _WORTH_A_WORD_EV * len(self.symbols):
            words = f"P V of PSTRESS = {self.settings['PSTRESS']:g} kB taken off the energies"
            checked = all(step.work_checked for step in self.steps)
            found.append(words if checked else f"{words}, which the electronic steps could not confirm")
        if self.is_free:
            source = (
                "TEBEG, there are no kinetic energies" if self.guesses_temperature else "those of the kinetic energy"
            )
            found.append(f"{NO_THERMOSTAT}: temperatures are {source}")
        return tuple(found)

    @property
    def is_free(self) -> bool:
        """Return whether atoms move in time, and no thermostat holds their temperature."""
        return is_dynamics(self.settings) and holds_temperature(self.settings) is False

    @property
    def guesses_temperature(self) -> bool:
        """Return whether TEBEG stands for temperatures that no thermostat holds and no kinetic energy tells."""
        return self.is_free and not all(np.isfinite(step.kinetic_ev) for step in self.steps)


def potential_energy(written_ev: float, cycle_ev: float, work_ev: float, contained: bool) -> tuple[float, float, bool]:
    """Return an energy without P V, the P V that was taken off, and whether another energy confirms it; all in eV.

    The last energy of an ionic step in `vasprun.xml` has P V of PSTRESS in it, that of its last electronic step has
    not. Dispersion corrections make them differ, too: where neither fits, the usual one is taken.

    :param written_ev: energy of the ionic step.
    :param cycle_ev: energy of its last electronic step; NaN if it is not known.
    :param work_ev: P V.
    :param contained: whether P V is usually in it.
    """
    if work_ev == 0:
        return written_ev, 0.0, True
    added = written_ev - cycle_ev
    same = _SAME_EV + _SAME_UNIT * abs(work_ev)
    if abs(added - work_ev) <= min(same, abs(added)):
        return cycle_ev, added, True
    if abs(added) <= same:
        return written_ev, 0.0, True
    return (written_ev - work_ev, work_ev, False) if contained else (written_ev, 0.0, False)


def work_ev(pressure: Value | None, cell: Array) -> float:
    """Return P V in eV for a pressure in kB and a cell in Angstrom."""
    number = pressure if isinstance(pressure, float | int) else 0.0
    return gpa_a3_to_ev(_GPA_PER_KB * float(number) * _volume(cell))


def virial_ev(stress_kb: Array, cell: Array) -> Array | None:
    """Return the virial in eV of a stress in kB as VASP has it; None if it was not computed.

    PSTRESS is not taken off that of `vasprun.xml`, nor off the line `in kB` of `OUTCAR`: `external pressure` there is
    the mean of that line less PSTRESS.
    """
    if not stress_kb.any():
        return None
    return gpa_a3_to_ev(_GPA_PER_KB * stress_kb * _volume(cell))


def _volume(cell: Array) -> float:
    """Return a volume in cubic Angstrom, NaN of a cell with stars for numbers."""
    return float(abs(np.linalg.det(cell))) if np.isfinite(cell).all() else np.nan


def _positive(value: Value | None) -> float:
    return float(value) if isinstance(value, float | int) and value > 0 else np.nan


def _ordinal(number: int) -> str:
    if number <= len(_ORDINALS):
        return _ORDINALS[number - 1]
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
