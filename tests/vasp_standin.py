"""A stand-in for VASP: it reads its four files, moves the atoms by the EMT potential of ase, and writes its files.

EMT is a true potential: the energies, forces and stresses in the files are those of one function. What it is to suffer
stands in the environment variable VASP_STANDIN, as JSON: ``steps`` after which the job is killed, as at the wall time;
``unconverged`` numbers of ionic steps, from 1; ``torn`` to leave the files as a crash in the middle of writing does;
``seconds`` that it takes more. With ``once``, a file that is made then, it suffers that in the first job only; with
``at``, in runs at that temperature in K only; with ``volumes``, in cells between two volumes in cubic Angstrom only.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms, units
from ase.calculators.emt import EMT
from vasp_files import contcar, outcar, vasprun

from aiida_dnpmelt.physics.frames import LabelledFrames

BINDING_EV = 3.5
"""Taken off the energy of each atom: that of EMT is 0 in the crystal, that of VASP in atoms apart."""

UNCONVERGED_BY = 0.5
"""Change of the free energy in the last electronic step of an unconverged frame, and its error, in eV."""


def read_incar() -> dict[str, Any]:
    """Return the tags, numbers as numbers."""
    tags: dict[str, Any] = {}
    for line in Path("INCAR").read_text().splitlines():
        name, _, value = line.partition("=")
        text = value.strip()
        for convert in (int, float, str):
            try:
                tags[name.strip().upper()] = convert(text)
                break
            except ValueError:
                continue
    return tags


def label(atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
    """Return energy (eV), forces (eV/Angstrom) and virial (eV, +P V)."""
    atoms.calc = EMT()
    return (
        atoms.get_potential_energy() - BINDING_EV * len(atoms),
        atoms.get_forces(),
        -atoms.get_stress(voigt=False) * atoms.get_volume(),
    )


def run(atoms: Atoms, tags: dict[str, Any], steps: int) -> list[tuple[Any, ...]]:
    """Return cell, positions and labels of each step; the atoms end with the positions and velocities of the next."""
    found = []
    step_fs, temperature = float(tags.get("POTIM", 0)), float(tags.get("TEBEG", 0))
    if tags["IBRION"] == 0 and not atoms.has("momenta"):
        atoms.set_velocities(np.random.default_rng(1).normal(size=(len(atoms), 3)))
        rescale(atoms, temperature)
    for _ in range(steps):
        energy, forces, virial = label(atoms)
        found.append((atoms.cell.array.copy(), atoms.positions.copy(), energy, forces, virial))
        if tags["IBRION"] != 0:
            continue
        # SMASS = -1: velocities are scaled to the temperature in each step, and Newton's equations in between.
        rescale(atoms, temperature)
        step = step_fs * units.fs
        half = atoms.get_velocities() + 0.5 * step * forces / atoms.get_masses()[:, None]
        atoms.positions += step * half
        atoms.set_velocities(half + 0.5 * step * label(atoms)[1] / atoms.get_masses()[:, None])
    return found


def rescale(atoms: Atoms, temperature: float) -> None:
    """Scale the velocities to a temperature in K."""
    momenta = atoms.get_momenta()
    atoms.set_momenta(momenta - momenta.mean(axis=0))
    atoms.set_momenta(atoms.get_momenta() * np.sqrt(temperature / atoms.get_temperature()))


def main() -> int:
    """Run in the current folder; the exit status is that of a killed job if it is to be killed."""
    fate = json.loads(os.environ.get("VASP_STANDIN", "{}"))
    if "once" in fate:
        if Path(fate["once"]).exists():
            fate = {}
        else:
            Path(fate["once"]).touch()
    tags = read_incar()
    if "at" in fate and abs(fate["at"] - float(tags.get("TEBEG", 0))) > 1:
        fate = {}
    potcar = Path("POTCAR").read_text()
    assert Path("KPOINTS").read_text().strip()
    assert "VRHFIN" in potcar
    if "volumes" in fate:
        low, high = fate["volumes"]
        if not low <= ase.io.read("POSCAR", format="vasp").get_volume() <= high:
            fate = {}
    print(" running on    1 total cores\n vasp.5.4.1 24Jun15 (build for tests) complex", flush=True)
    Path("CONTCAR").write_text("")
    atoms = ase.io.read("POSCAR", format="vasp")
    planned = max(1, int(tags.get("NSW", 0)))
    killed = fate.get("steps", planned) < planned
    steps = min(planned, fate.get("steps", planned))
    time.sleep(fate.get("seconds", 0))
    # A run that is cut has begun the step after those that are whole.
    found = run(atoms, tags, steps)
    bad = [number - 1 for number in fate.get("unconverged", []) if number <= steps]
    energies = np.array([each[2] for each in found])
    energies[bad] += UNCONVERGED_BY * len(atoms)
    changes = [UNCONVERGED_BY if index in bad else 1e-8 for index in range(steps)]
    frames = LabelledFrames(
        tuple(atoms.get_chemical_symbols()),
        np.array([each[0] for each in found]),
        np.array([each[1] for each in found]),
        energies,
        np.array([each[3] for each in found]),
        np.array([each[4] for each in found]),
        np.full(steps, float(tags.get("TEBEG", 0))),
    )
    written = {"NELM": 60, "EDIFF": 1e-4, **tags, "NSW": int(tags.get("NSW", 0))}
    text = vasprun(frames, written, changes)
    if killed:
        text = text[: text.rindex("</calculation>") + len("</calculation>\n")] + " <calculation>\n  <scstep>\n   <ener"
    if fate.get("torn"):
        text = text[: text.rindex('<varray name="forces" >') + 40]
    Path("vasprun.xml").write_text(text)
    Path("OUTCAR").write_text(outcar(frames, written, changes, finished=not killed and not fate.get("torn")))
    if not fate.get("torn"):
        velocities = atoms.get_velocities() * units.fs if tags["IBRION"] == 0 else None
        Path("CONTCAR").write_text(contcar(frames.symbols[0], atoms.cell.array, atoms.positions, velocities))
    rows = [f"{n:4d} F= {e:.8E} E0= {e:.8E}  d E =0.0" for n, e in enumerate(energies, start=1)]
    Path("OSZICAR").write_text("\n".join(rows) + "\n")
    print("\n".join(rows))
    return 137 if killed or fate.get("torn") else 0


if __name__ == "__main__":
    sys.exit(main())
