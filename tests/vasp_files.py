"""Write the files of VASP from true labels, with its own precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ase.units import GPa

from aiida_dnpmelt.physics.frames import LabelledFrames

INCAR = {"IBRION": 0, "NSW": 3, "NELM": 60, "EDIFF": 1e-6, "TEBEG": 1200.0, "TEEND": 1200.0, "ISPIN": 2, "LWAVE": False}
KB_A3_PER_EV = 1602.17733
"""By the eV that VASP has."""
NO_CHANGE = 1e-8
"""A last change of the free energy in eV that is below every EDIFF."""


def vasprun(
    frames: LabelledFrames,
    incar: Mapping[str, object] | None = None,
    changes: Sequence[float] | None = None,
    version: str = "5.4.1",
    *,
    correction_ev: float = 1e-3,
    kinetic_ev: Sequence[float] | None = None,
    stress: bool = True,
    called: str | None = None,
    titles: Sequence[str] | None = None,
) -> str:
    """Return a `vasprun.xml`; P V of PSTRESS is in the energies of ionic steps, and not in those of electronic ones.

    :param incar: tags besides those of `INCAR`; where None, the tag is left out.
    :param changes: of the free energy in the last electronic step of each frame, in eV.
    :param correction_ev: what the ionic step adds to the last energy of the cycle, as for dispersion.
    :param kinetic_ev: kinetic energy of each frame.
    :param called: what the file calls the element; its symbol if not given.
    :param titles: of the POTCAR files, one a type of atoms of equal numbers.
    """
    tags = {name: value for name, value in {**INCAR, **(incar or {})}.items() if value is not None}
    symbol, number = called or frames.symbols[0], len(frames.symbols)
    titles = titles or [f"PAW_PBE {frames.symbols[0]} 22Jun2005"]
    kinds = [1 + index * len(titles) // number for index in range(number)]
    head = [
        '<?xml version="1.0" encoding="ISO-8859-1"?>',
        "<modeling>",
        f' <generator>\n  <i name="program" type="string">vasp </i>\n  <i name="version" type="string">{version}  </i>',
        " </generator>",
        " <incar>",
        *(f"  {_tag(name, value)}" for name, value in tags.items()),
        " </incar>",
        ' <kpoints>\n  <varray name="kpointlist" >',
        *(f"   <v>  {x:.8f}  0.00000000  0.00000000 </v>" for x in (0.0, 0.25)),
        "  </varray>\n </kpoints>",
        ' <parameters>\n  <separator name="electronic" >',
        *(f"   {_tag(name, tags[name])}" for name in ("NELM", "EDIFF")),
        '  </separator>\n  <separator name="ionic" >',
        f"   {_tag('NSW', tags['NSW'])}\n  </separator>\n </parameters>",
        f' <atominfo>\n  <atoms>  {number} </atoms>\n  <types>  1 </types>\n  <array name="atoms" >\n   <set>',
        *(f"    <rc><c>{symbol:2s}</c><c>{kind:4d}</c></rc>" for kind in kinds),
        '   </set>\n  </array>\n  <array name="atomtypes" >\n   <set>',
        *(
            f"    <rc><c>  {number}</c><c>{symbol:2s}</c><c>63.5</c><c>11.0</c><c>  {each}  </c></rc>"
            for each in titles
        ),
        "   </set>\n  </array>\n </atominfo>",
        f' <structure name="initialpos" >\n{_structure(frames, 0)}\n </structure>',
    ]
    changes = changes or [NO_CHANGE] * len(frames)
    pressure = float(tags.get("PSTRESS", 0.0))
    kinetic = kinetic_ev or [None] * len(frames)
    steps = [
        _calculation(frames, index, changes[index], correction_ev, pressure, kinetic[index], stress)
        for index in range(len(frames))
    ]
    tail = f' <structure name="finalpos" >\n{_structure(frames, len(frames) - 1)}\n </structure>\n</modeling>\n'
    return "\n".join([*head, *steps, tail])


def _tag(name: str, value: object) -> str:
    if isinstance(value, bool):
        return f'<i type="logical" name="{name}"> {"T" if value else "F"}  </i>'
    if isinstance(value, int):
        return f'<i type="int" name="{name}">{value:6d}</i>'
    return (
        f'<i name="{name}">{value:16.8f}</i>'
        if isinstance(value, float)
        else f'<i type="string" name="{name}">{value}</i>'
    )


def _rows(name: str, values: np.ndarray) -> str:
    rows = "\n".join("    <v>" + "".join(f" {value:16.8f}" for value in row) + " </v>" for row in values)
    return f'   <varray name="{name}" >\n{rows}\n   </varray>'


def _structure(frames: LabelledFrames, index: int) -> str:
    cell = frames.cells[index]
    fractions = frames.positions[index] @ np.linalg.inv(cell)
    volume = f'    <i name="volume"> {np.linalg.det(cell):16.8f} </i>'
    return f"  <crystal>\n{_rows('basis', cell)}\n{volume}\n  </crystal>\n{_rows('positions', fractions)}"


def _energies(free: float, *, wrong_extrapolation: bool, kinetic: float | None = None) -> str:
    extrapolated = -0.0039 if wrong_extrapolation else free + 1e-4
    values = {"e_fr_energy": free, "e_wo_entrp": free + 2e-4, "e_0_energy": extrapolated}
    if kinetic is not None:
        values["kinetic"] = kinetic
    rows = "\n".join(f'    <i name="{name}">{value:17.8f} </i>' for name, value in values.items())
    return f'   <energy>\n    <i name="pawaedc">**************** </i>\n{rows}\n   </energy>'


def _calculation(
    frames: LabelledFrames,
    index: int,
    change: float,
    correction: float,
    pressure: float,
    kinetic: float | None,
    with_stress: bool,
) -> str:
    energy, cell = frames.energies_ev[index], frames.cells[index]
    volume = np.linalg.det(cell)
    last = energy - correction
    cycle = (energy + 5.0, last + change, last)
    scsteps = "\n".join(f"  <scstep>\n{_energies(free, wrong_extrapolation=False)}\n  </scstep>" for free in cycle)
    stress = frames.virials_ev[index] / volume / (0.1 * GPa)
    return "\n".join(
        [
            f" <calculation>\n{scsteps}\n  <structure>\n{_structure(frames, index)}\n  </structure>",
            _rows("forces", frames.forces_ev_per_angstrom[index]),
            *([_rows("stress", stress)] if with_stress else []),
            _energies(energy + pressure * volume / KB_A3_PER_EV, wrong_extrapolation=True, kinetic=kinetic),
            '  <eigenvalues><array><set comment="spin 1"><r>  -3.0  1.0 </r></set></array></eigenvalues>',
            '  <time name="totalsc">    1.00    1.01</time>\n </calculation>',
        ]
    )


def outcar(
    frames: LabelledFrames,
    incar: Mapping[str, object] | None = None,
    changes: Sequence[float] | None = None,
    finished: bool = True,
    *,
    kinetic_ev: Sequence[float] | None = None,
    without_stress: Sequence[int] = (),
    without_forces: Sequence[int] = (),
    lines: Sequence[str] = (),
) -> str:
    """Return what the readers of `OUTCAR` look at: settings, and of each step cell, forces, stress and energy.

    :param kinetic_ev: kinetic energy of each frame.
    :param without_stress: numbers of frames, from 0, without a stress; ``without_forces`` without forces and cell, as
        with NWRITE = 0.
    :param lines: that stand in the head besides.
    """
    tags = {**INCAR, **(incar or {})}
    symbol, number = frames.symbols[0], len(frames.symbols)
    changes = changes or [NO_CHANGE] * len(frames)
    lines = [
        *lines,
        " vasp.5.4.1 24Jun15 (build for tests) complex",
        f" POTCAR:    PAW_PBE {symbol} 22Jun2005",
        f"   TITEL  = PAW_PBE {symbol} 22Jun2005",
        f"   ions per type =            {number:5d}",
        f"   NWRITE =      2    write-flag & timer\n   NELM   = {tags['NELM']:6d};   NELMIN=  4; NELMDL= -5",
        f"   EDIFF  = {tags['EDIFF']:.1E}   stopping-criterion for ELM",
        f"   NSW    = {tags['NSW']:6d}    number of steps for IOM",
        f"   IBRION = {tags['IBRION']:6d}    ionic relax: 0-MD 1-quasi-New 2-CG",
        *(
            f"   {name:7s}= {incar[name]}    as it was set"
            for name in incar or {}
            if name not in ("NELM", "EDIFF", "NSW", "IBRION")
        ),
        "   NKPTS =      2   k-points in BZ     NKDIM =      2   number of bands    NBANDS=     12",
    ]
    for index in range(len(frames)):
        steps = 3 if changes[index] <= tags["EDIFF"] else int(tags["NELM"])
        lines += [f"--- Iteration {index + 1:6d}({step:4d})  ---" for step in range(1, steps + 1)]
        pressure = float(tags.get("PSTRESS", 0.0))
        step = _outcar_step(frames, index, pressure, kinetic_ev[index] if kinetic_ev else None)
        if index in without_stress or index in without_forces:
            step = step[step.index("\n VOLUME") :]
        if index in without_forces:
            step = step[step.index("  FREE ENERGIE") :]
        lines.append(step)
    if finished:
        lines += [
            " General timing and accounting informations for this job:",
            *(
                f"{name:>42s}: {value:12.3f}"
                for name, value in (
                    ("Total CPU time used (sec)", 1),
                    ("User time (sec)", 1),
                    ("System time (sec)", 0),
                    ("Elapsed time (sec)", 1),
                    ("Maximum memory used (kb)", 1000),
                    ("Average memory used (kb)", 0),
                )
            ),
        ]
    return "\n".join(lines) + "\n"


def _outcar_step(frames: LabelledFrames, index: int, pressure: float = 0.0, kinetic: float | None = None) -> str:
    cell, positions, energy = frames.cells[index], frames.positions[index], frames.energies_ev[index]
    stress = frames.virials_ev[index] / np.linalg.det(cell) / (0.1 * GPa)
    inverse = np.linalg.inv(cell).T
    vectors = "\n".join("    " + "".join(f"{value:13.9f}" for value in (*cell[row], *inverse[row])) for row in range(3))
    in_kb = "".join(f"{stress[place]:12.5f}" for place in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0)))
    rows = "\n".join(
        "".join(f"{value:13.5f}" for value in position) + " " + "".join(f"{value:14.6f}" for value in force)
        for position, force in zip(positions, frames.forces_ev_per_angstrom[index], strict=True)
    )
    line = " " + 83 * "-"
    return "\n".join(
        [
            "  FORCE on cell =-STRESS in cart. coord.  units (eV):",
            "  Direction    XX          YY          ZZ          XY          YZ          ZX",
            "  " + 86 * "-",
            *(f"  {part:8s}" + 6 * "     0.00000" for part in (*"1234567890", "Total")),
            f"  in kB {in_kb}",
            "  external pressure =        0.00 kB  Pullay stress =        0.00 kB",
            "\n VOLUME and BASIS-vectors are now :\n" + line,
            "  energy-cutoff  :      400.00",
            f"  volume of cell : {np.linalg.det(cell):12.2f}",
            "      direct lattice vectors                 reciprocal lattice vectors",
            vectors,
            f"\n POSITION{39 * ' '}TOTAL-FORCE (eV/Angst)\n{line}\n{rows}\n{line}",
            "    total drift:                                0.000000      0.000000      0.000000\n",
            "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)",
            f"  free  energy   TOTEN  = {energy:18.8f} eV\n",
            f"  energy  without entropy= {energy:16.8f}  energy(sigma->0) = {energy:16.8f}",
            *(
                [f"  enthalpy is  TOTEN    ={energy + work:18.8f} eV   P V={work:18.8f}"]
                if (work := pressure * np.linalg.det(cell) / KB_A3_PER_EV)
                else []
            ),
            *([f"  kinetic energy EKIN   = {kinetic:16.6f}"] if kinetic is not None else []),
        ]
    )


def contcar(symbol: str, cell: np.ndarray, positions: np.ndarray, velocities: np.ndarray | None = None) -> str:
    """Return a `CONTCAR`: positions in Angstrom, velocities in Angstrom/fs, and the head of a predictor's block."""
    lines = ["standin", "   1.00000000000000", *("".join(f"{x:22.16f}" for x in row) for row in cell)]
    lines += [f"   {symbol}", f"   {len(positions)}", "Direct"]
    lines += ["".join(f"{x:20.16f}" for x in row) for row in positions @ np.linalg.inv(cell)]
    if velocities is not None:
        lines += [" ", *("".join(f"{x:16.8E}" for x in row) for row in velocities), " ", "           1"]
    return "\n".join(lines) + "\n"
