"""What of a launch cannot be meant, and what is odd about it: looked at before anything runs.

Validators of the work chains refuse what they cannot run. What is here is refused or told on the way in alone, since a
work chain may come to such values by itself: by the models that it has, or at the pressures of a sweep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import ase
from aiida.engine import ProcessBuilder
from ase.units import GPa

from aiida_dnpmelt.calculations.finite_size import cells_of
from aiida_dnpmelt.calculations.job_resources import many_processes, too_many_processes
from aiida_dnpmelt.calculations.learning_plan import LearningPlan, first_labels
from aiida_dnpmelt.calculations.melting_point import repetitions_of
from aiida_dnpmelt.data.elements import Element, elements
from aiida_dnpmelt.physics.crystals import lattice_name, orthogonal_cell
from aiida_dnpmelt.physics.soundness import unlike_tested
from aiida_dnpmelt.workchains.job_places import job_places

FAR_GUESS, ODD_GUESS = 4.0, 1.4
"""Factors that a first guess is off the tabulated T_m: beyond the one it is refused, beyond the other it is told."""
FAR_VOLUME, ODD_VOLUME, OTHER_VOLUME = 1.3, 1.1, 1.8
"""The same of the volume of an atom, and beyond which that of a lattice which the table lacks is refused."""
AMBIENT, ODD_PRESSURE, HIGH_PRESSURE = 0.05, 0.15, 0.5
"""Pressures in units of the cohesive energy over the volume: some 2, 7 and 24 GPa for Cu, 0.1, 0.3 and 1 for K. Up to
the first the table holds; beyond the second its T_m is a bad first guess; beyond the third it is none."""
LEAST_LENGTH, ODD_LENGTH = 11.0, 18.0
"""Lengths of a cell along z in units of the cube root of the volume of an atom, 25 and 41 Angstrom for Cu. Two
interfaces of some four such lengths each and a layer of each phase need the first; below the second a phase is lost by
chance."""
LEAST_ATOMS = 1400
"""Atoms in a cell below which a phase is lost by chance, see benchmarks/README.md."""

LEAST_SHIFT = 0.1
"""K; a shift of T_m that is predicted from labels has a larger uncertainty."""


@dataclass
class Review:
    """What was found: sentences with key, value and range.

    :param refused: what cannot be meant.
    :param odd: what is to be known.
    """

    refused: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)


def review(builder: ProcessBuilder, any_crystal: bool = False, guess_follows: bool = False) -> Review:
    """Look at the inputs of a launch.

    :param any_crystal: tell of a crystal that is none of the tested lattices, or of an odd volume, instead of refusing.
    :param guess_follows: a first guess will follow from other pressures.
    """
    found = Review()
    inputs = builder._inputs(prune=True)
    pressure = _pressure(inputs)
    for key, atoms in _crystals(inputs):
        own = pressure if key == "structure" else None
        for words in _unlike(key, atoms, own):
            if any_crystal:
                found.odd.append(f"{words}; it is taken as it is")
            else:
                found.refused.append(f"{words}; if it is meant, --any-crystal takes it as it is")
        found.odd.extend(_odd_volume(key, atoms, own))
    _review_guess(found, inputs, pressure, guess_follows)
    _review_cells(found, inputs)
    shift = inputs.get("learning", inputs).get("plan", {}).get("target_shift_k")
    if shift is not None and shift < LEAST_SHIFT:
        found.refused.append(
            f"plan.target_shift_k: {shift:g} K is outside the allowed range {LEAST_SHIFT:g} to 10000 K"
        )
    found.odd.extend(_small_label_budget(inputs.get("learning", inputs)))
    for place in job_places(inputs):
        where = f"{place.key}: " if place.key else ""
        refused = too_many_processes(place.code.computer, place.resources)
        odd = many_processes(place.code.computer, place.resources)
        found.refused.extend([] if refused is None else [f"{where}{refused}"])
        found.odd.extend([] if odd is None else [f"{where}{odd}"])
    return Review(list(dict.fromkeys(found.refused)), list(dict.fromkeys(found.odd)))


def _small_label_budget(learning: Mapping[str, Any]) -> Iterator[str]:
    """Yield in words that a loop of learning has no budget for more than the iteration that is always done."""
    plan = learning.get("plan", {})
    if plan.get("label_budget") is None or learning.get("frames"):
        return
    budget, first = plan["label_budget"], first_labels(LearningPlan(**plan.get_dict()))
    if budget <= first:
        yield (
            f"plan.label_budget: {budget} labels do not reach for the {first} first ones: one iteration is done, and "
            "no other"
        )


def _crystals(inputs: Mapping[str, Any]) -> Iterator[tuple[str, ase.Atoms]]:
    """Yield the crystals of a launch by their keys."""
    structure = _value(inputs, "structure")
    if structure is not None:
        yield "structure", structure.get_ase()
    for name, other in inputs.get("structures", {}).items():
        yield f"structures.{name}", other.get_ase()


def _value(inputs: Mapping[str, Any], name: str) -> Any:
    """Return an input of a launch, or of the coexistence in it; None without any."""
    return inputs.get(name, inputs.get("tpc", {}).get(name))


def _pressure(inputs: Mapping[str, Any]) -> float:
    """Return the pressure of a launch in GPa, of a sweep the first one."""
    if "pressures" in inputs:
        return float(inputs["pressures"].get_list()[0])
    pressure = _value(inputs, "pressure")
    return 0.0 if pressure is None else float(pressure.value)


def _unlike(key: str, atoms: ase.Atoms, pressure_gpa: float | None) -> Iterator[str]:
    """Yield in words why a crystal is not what the analysis was tested for."""
    problem = unlike_tested(atoms)
    if problem is not None:
        yield f"{key}: {problem}"
    compared = _volumes(atoms)
    if compared is None:
        return
    volume, usual, same = compared
    far = FAR_VOLUME if same else OTHER_VOLUME
    low = usual / far if pressure_gpa is not None and pressure_gpa <= AMBIENT * _scale(atoms) else 0.0
    if not low <= volume <= far * usual:
        yield (
            f"{key}: {volume:.1f} cubic Angstrom an atom are outside the allowed range {low:.1f} to {far * usual:.1f}, "
            f"{atoms.symbols[0]} has {usual:.1f} in the table"
        )


def _odd_volume(key: str, atoms: ase.Atoms, pressure_gpa: float | None) -> Iterator[str]:
    """Yield in words that the volume of a crystal at ambient pressure is not that of the table."""
    compared = _volumes(atoms)
    if compared is None or pressure_gpa is None or pressure_gpa > AMBIENT * _scale(atoms):
        return
    volume, usual, same = compared
    if same and not usual / ODD_VOLUME <= volume <= usual * ODD_VOLUME:
        yield f"{key}: {volume:.1f} cubic Angstrom an atom, {atoms.symbols[0]} has {usual:.1f} in the table"


def _volumes(atoms: ase.Atoms) -> tuple[float, float, bool] | None:
    """Return the volume of an atom in cubic Angstrom, that of the table, and whether that is of the same lattice."""
    entry = _element(atoms)
    if entry is None:
        return None
    lattice = lattice_name(atoms)
    own = entry.atomic_volume(lattice)
    usual = own or entry.atomic_volume(entry.melting_lattice) or entry.atomic_volume(entry.lattice)
    return None if usual is None else (atoms.get_volume() / len(atoms), usual, own is not None)


def _element(atoms: ase.Atoms) -> Element | None:
    """Return the tabulated element that a crystal consists of, None if there is none."""
    symbols = set(atoms.get_chemical_symbols())
    return elements().get(symbols.pop()) if len(symbols) == 1 else None


def _scale(atoms: ase.Atoms) -> float:
    """Return the cohesive energy over the tabulated volume in GPa: a measure of pressures that change an element."""
    entry, compared = _element(atoms), _volumes(atoms)
    if entry is None:
        return 0.0
    volume = atoms.get_volume() / len(atoms) if compared is None else compared[1]
    return float(entry.cohesive_energy / volume / GPa)


def _review_guess(found: Review, inputs: Mapping[str, Any], pressure: float, guess_follows: bool) -> None:
    """Look at pressure and first guess; a launch without them, such as a benchmark, has none."""
    structure, temperature = _value(inputs, "structure"), _value(inputs, "temperature")
    if structure is None or not ("plan" in inputs or "tpc" in inputs):
        return
    if pressure < 0:
        found.odd.append(f"pressure: {pressure:g} GPa stretches crystal and melt, and a cell that tears is lost")
    atoms = structure.get_ase()
    entry = _element(atoms)
    if entry is None:
        return
    scale, usual = _scale(atoms), entry.melting_temperature
    if temperature is not None:
        _review_temperature(found, temperature.value, usual, pressure, scale)
    elif guess_follows:
        if pressure > HIGH_PRESSURE * scale:
            found.odd.append(
                f"temperature: the first guess at {pressure:g} GPa follows from cells at other pressures; after a wide "
                "gap it may be far off, a temperature_k of your own is not"
            )
    elif pressure > HIGH_PRESSURE * scale:
        found.refused.append(
            f"temperature: a first guess in K is needed at {pressure:g} GPa, the tabulated T_m of {entry.symbol}, "
            f"{usual:.0f} K, is that at 0 GPa and taken up to {HIGH_PRESSURE * scale:.2g} GPa: give --temperature, or "
            "begin at a lower pressure"
        )
    elif pressure > ODD_PRESSURE * scale:
        found.odd.append(
            f"temperature: the first guess is the tabulated T_m of {entry.symbol} at 0 GPa, {usual:.0f} K, which may "
            f"be far off at {pressure:g} GPa"
        )


def _review_temperature(found: Review, guess: float, usual: float, pressure: float, scale: float) -> None:
    ambient = pressure <= AMBIENT * scale
    low, high = usual / FAR_GUESS, usual * FAR_GUESS if ambient else 20_000.0
    if not low <= guess <= high:
        found.refused.append(
            f"temperature: {guess:g} K is outside the allowed range {low:.0f} to {high:.0f} K at {pressure:g} GPa, the "
            f"experimental T_m at 0 GPa is {usual:.0f} K"
        )
    elif ambient and not usual / ODD_GUESS <= guess <= usual * ODD_GUESS:
        found.odd.append(f"temperature: the first guess of {guess:g} K is far from the experimental T_m, {usual:.0f} K")


def _review_cells(found: Review, inputs: Mapping[str, Any]) -> None:
    """Look at the cells that hold two phases."""
    for key, cell, counts in _cells(inputs):
        spacing = (cell.get_volume() / len(cell)) ** (1 / 3)
        x, y, z = cell.cell.lengths() * counts
        atoms = len(cell) * counts[0] * counts[1] * counts[2]
        shown = f"{key}: {list(counts)} make a cell of {x:.1f} x {y:.1f} x {z:.1f} Angstrom"
        if z < LEAST_LENGTH * spacing:
            found.refused.append(
                f"{shown}, along z it must be {LEAST_LENGTH * spacing:.0f} Angstrom or more: two interfaces across z, "
                "and a layer of each phase"
            )
        elif key != "study" and (z < ODD_LENGTH * spacing or atoms < LEAST_ATOMS):
            found.odd.append(
                f"{shown} with {atoms} atoms: with fewer than {LEAST_ATOMS} atoms, or less than "
                f"{ODD_LENGTH * spacing:.0f} Angstrom along z, a phase is lost by chance"
            )


def _cells(inputs: Mapping[str, Any]) -> Iterator[tuple[str, ase.Atoms, tuple[int, ...]]]:
    """Yield the cells that hold two phases: key, conventional cell, and its repetitions."""
    structure = _value(inputs, "structure")
    if structure is None:
        return
    cell = orthogonal_cell(structure.get_ase())
    if "study" in inputs:
        for counts in cells_of(cell, inputs["study"].get_dict()).values():
            yield "study", cell, tuple(counts)
        return
    for prefix, given in (
        ("", inputs),
        ("tpc.", inputs.get("tpc", {})),
        ("teacher_tpc.", inputs.get("teacher_tpc", {})),
    ):
        if "repetitions" in given:
            yield f"{prefix}repetitions", cell, tuple(given["repetitions"].get_list())
        elif "size" in given:
            yield f"{prefix}size", cell, tuple(repetitions_of(cell, given["size"].get_dict()))
