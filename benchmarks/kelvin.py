"""Difference of two melting temperatures as predicted from energies of bulk frames, against that of coexistence.

A model and its teacher are any two potentials of one fcc element: files of the LAMMPS distribution, files with a path,
DeePMD models (`.pb`), or a mixture of two, as ``0.25*Cu_u3.eam+0.75*Cu_mishin1.eam.alloy``. Crystal and melt are run by
the model at a temperature near its T_m and at no pressure, and frames are labelled by both. The model's own runs give
its latent heat. Nothing is run twice.

    python benchmarks/kelvin.py FOLDER --model Cu_u3.eam --teacher Cu_mishin1.eam.alloy --temperature 1277
    python benchmarks/kelvin.py FOLDER --model graph.pb --teacher Cu_mishin1.eam.alloy --temperature 1300 --measured -60

With ``--coexistence`` T_m of the model itself is measured, by runs of 1,728 atoms as in `bare_runs.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.data import atomic_masses, atomic_numbers
from bare_runs import lammps_folder, pair_commands, run
from coverage_real import fit, living
from numpy.typing import NDArray

from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.calculations.coexistence_stages import RunSpec
from aiida_dnpmelt.physics.energy_offset import MeltingShift, latent_heat, melting_shift, phase_offset
from aiida_dnpmelt.physics.estimate import timestep_correction
from aiida_dnpmelt.physics.lammps_dump import read_frames
from aiida_dnpmelt.physics.lammps_log import read_log
from aiida_dnpmelt.physics.verdict import Criteria, judge
from aiida_dnpmelt.setup.engines import find_lammps, find_lammps_deepmd
from aiida_dnpmelt.workchains.protocols import load_protocol

PHASES = ("solid", "liquid")
TIMESTEP_FS = 2.0
SPACING_STEPS = 50  # of frames
FEW = 15  # frames a phase of the estimate that a workflow would make
SETS = 400  # of so few frames
GUESSES = (0.985, 0.995, 1.005, 1.015)

SAMPLE = """
units metal
boundary p p p
lattice fcc {lattice}
region box block 0 {cells} 0 {cells} 0 {cells}
create_box 1 box
create_atoms 1 box
mass 1 {mass}
{pair}
neighbor 1.5 bin
velocity all create {start} {seed} mom yes rot no dist gaussian
timestep {timestep}
{melt}
fix move all nph iso 0.0 0.0 0.5
fix bath all langevin {temperature} {temperature} 0.1 {seed} zero yes
thermo 1000
run {equilibrate}
reset_timestep 0
thermo {spacing}
thermo_style custom step temp pe vol
thermo_modify format float %.12g
dump frames all custom {spacing} frames.dump id x y z
dump_modify frames sort id format float %.15g
print "dnpmelt stage sample"
run {steps}
"""
MELT = """
fix move all nve
fix bath all langevin {hot} {hot} 0.05 {seed} zero yes
run 4000
unfix move
unfix bath
"""
LABEL = """
units metal
boundary p p p
region box block 0 1 0 1 0 1
create_box 1 box
{atoms}
mass 1 {mass}
{pair}
neighbor 1.5 bin
thermo 1
thermo_style custom step pe vol
thermo_modify format float %.15g
dump forces all custom 1 forces.dump id x y z fx fy fz
dump_modify forces sort id format float %.10g
print "dnpmelt stage label"
rerun {frames} dump x y z box yes replace yes
"""


@dataclass(frozen=True, eq=False)
class Labels:
    """Energies in eV and volumes in Angstrom^3 of the cells, shape (f,), and forces in eV/Angstrom, shape (f, n, 3)."""

    energies: NDArray[np.float64]
    volumes: NDArray[np.float64]
    forces: NDArray[np.float64]


def commands(potential: str, element: str) -> tuple[str, ...]:
    """Return the LAMMPS commands of a potential or a mixture."""
    if "+" not in potential:
        return _single(potential, element)
    parts = [part.split("*") for part in potential.split("+")]
    styles, coefficients = [], []
    for share, name in parts:
        style, coefficient = (line.split(maxsplit=1)[1] for line in _single(name, element))
        styles.append(f"{share} {style}")
        types, rest = coefficient.split()[:2], coefficient.split()[2:]
        coefficients.append(f"pair_coeff {' '.join(types)} {style} {' '.join(rest)}")
    return f"pair_style hybrid/scaled {' '.join(styles)}", *coefficients


def _single(name: str, element: str) -> tuple[str, ...]:
    path = Path(name) if Path(name).exists() else lammps_folder() / "share" / "lammps" / "potentials" / name
    if path.suffix == ".pb":
        return f"pair_style deepmd {path.resolve()}", f"pair_coeff * * {element}"
    return pair_commands(path.resolve(), element)


def lammps(folder: Path, script: str, deepmd: bool) -> None:
    """Run a script in a folder unless it has ended there."""
    if (folder / "ended").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "input.in").write_text(script)
    engine = find_lammps_deepmd() if deepmd else find_lammps()
    assert engine is not None, "LAMMPS is not installed"
    libraries = {"LD_LIBRARY_PATH": ":".join(map(str, engine.libraries))}
    command = [str(engine.executable), "-in", "input.in", "-log", "log.lammps", "-screen", "none"]
    subprocess.run(command, cwd=folder, env={**os.environ, **engine.variables, **libraries}, check=True)
    (folder / "ended").touch()


def block(folder: Path, stage: str) -> dict[str, NDArray[np.float64]]:
    """Return the columns of a stage of a log."""
    with (folder / "log.lammps").open() as lines:
        found = next(each for each in read_log(lines).blocks if each.stage == stage)
    return {name: found[name] for name in found.columns}


def sample(folder: Path, phase: str, options: argparse.Namespace) -> None:
    """Run one phase with the model."""
    lattice = options.lattice or bulk(options.element).cell.lengths()[0] * 2**0.5
    script = SAMPLE.format(
        lattice=lattice * (1.02 if phase == "solid" else 1.05),
        cells=options.cells,
        mass=mass_of(options.element),
        pair="\n".join(commands(options.model, options.element)),
        start=2 * options.temperature,
        seed=options.seed,
        timestep=TIMESTEP_FS / 1000,
        melt=MELT.format(hot=2.5 * options.temperature, seed=options.seed) if phase == "liquid" else "",
        temperature=options.temperature,
        equilibrate=round(10_000 / TIMESTEP_FS),
        spacing=SPACING_STEPS,
        steps=round(options.time * 1000 / TIMESTEP_FS),
    )
    lammps(folder, script, ".pb" in options.model)


def label(folder: Path, frames: Path, potential: str, options: argparse.Namespace) -> Labels:
    """Return labels of all frames of a dump."""
    n_atoms = 4 * options.cells**3
    script = LABEL.format(
        atoms="\n".join(["create_atoms 1 single 0.5 0.5 0.5 units box"] * n_atoms),
        mass=mass_of(options.element),
        pair="\n".join(commands(potential, options.element)),
        frames=frames.resolve(),
    )
    lammps(folder, script, ".pb" in potential)
    columns = block(folder, "label")
    with (folder / "forces.dump").open() as lines:
        forces = np.array([frame.vectors(("fx", "fy", "fz")) for frame in read_frames(lines)])
    return Labels(columns["PotEng"], columns["Volume"], forces)


def mass_of(element: str) -> float:
    """Return the mass of an atom in amu."""
    return float(atomic_masses[atomic_numbers[element]])


def predict(
    labels: dict[str, dict[str, Labels]], options: argparse.Namespace, chosen: dict[str, NDArray]
) -> MeltingShift:
    """Return the shift from some frames of each phase, with the latent heat of all."""
    n_atoms, temperature = 4 * options.cells**3, options.temperature
    offsets = [
        phase_offset(
            labels[phase]["model"].energies[chosen[phase]],
            labels[phase]["teacher"].energies[chosen[phase]],
            n_atoms,
            temperature,
        )
        for phase in PHASES
    ]
    solid, liquid = (labels[phase]["model"].energies / n_atoms for phase in PHASES)
    return melting_shift(*offsets, latent_heat(solid, liquid), temperature)


def memory(offsets: NDArray[np.float64]) -> float:
    """Return the statistical inefficiency of a series: variance of means of 16 blocks over that of free frames."""
    blocks = np.array([part.mean() for part in np.array_split(offsets, 16)])
    return float(blocks.var(ddof=1) * (len(offsets) / 16) / offsets.var(ddof=1))


def coexistence(folder: Path, options: argparse.Namespace) -> tuple[float, float]:
    """Return T_m of the model in K and its standard uncertainty from coexistence runs."""
    settings = CoexistenceSettings(**load_protocol("tpc", "balanced")["run"])
    for index, factor in enumerate(GUESSES):
        spec = RunSpec(
            temperature_k=round(options.temperature * factor, 2),
            pressure_bar=0.0,
            seed=1000 * options.seed + index,
            repetitions=(6, 6, 12),
            pair_commands=commands(options.model, options.element),
            reflections=((2, 0), (0, 2)),
            n_slabs=12,
            production_ps=options.production,
        )
        cell = bulk(options.element, "fcc", a=options.lattice, cubic=True)
        run(folder / f"{index:03d}", settings, spec, cell)
    runs, lost = living(folder)
    print(f"coexistence: {len(runs)} runs live, lost: {lost}")
    found = fit(runs)
    frequencies = [judge(each, Criteria()).measures["einstein_frequency_rad_per_ps"] for each in runs]
    factor = timestep_correction(float(np.mean(frequencies)), settings.timestep_fs)
    return factor * found.temperature_k, found.standard_uncertainty_k


def labelled(options: argparse.Namespace) -> dict[str, dict[str, Labels]]:
    """Run both phases and return their labels by phase, then `model` and `teacher`."""
    labels: dict[str, dict[str, Labels]] = {}
    for phase in PHASES:
        folder = options.folder / phase
        sample(folder, phase, options)
        frames = folder / "frames.dump"
        labels[phase] = {
            who: label(folder / who, frames, getattr(options, who), options) for who in ("model", "teacher")
        }
        own = block(folder, "sample")["PotEng"]
        assert np.allclose(own, labels[phase]["model"].energies, atol=1e-3), "the frames are not those of the run"
    return labels


def main() -> None:
    """Print offsets, the predicted difference from all and from few frames, and the measured one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--element", default="Cu")
    parser.add_argument("--lattice", type=float, default=None, help="lattice parameter in Angstrom")
    parser.add_argument("--temperature", type=float, required=True, help="near T_m of the model, in K")
    parser.add_argument("--time", type=float, default=100.0, help="of each phase in ps")
    parser.add_argument("--cells", type=int, default=4, help="conventional cells along each edge")
    parser.add_argument("--measured", type=float, default=None, help="T_m(model) - T_m(teacher) in K, if it is known")
    parser.add_argument("--coexistence", action="store_true", help="measure T_m of the model")
    parser.add_argument("--production", type=float, default=36.0, help="of each of its runs in ps")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    labels = labelled(options)
    report(labels, options)
    if options.coexistence:
        value, uncertainty = coexistence(options.folder / "coexistence", options)
        print(f"T_m of the model: {value:.1f} K, u = {uncertainty:.1f} K")


def report(labels: dict[str, dict[str, Labels]], options: argparse.Namespace) -> None:
    """Print what the frames say, and write it to `kelvin.json`."""
    n_atoms, random = 4 * options.cells**3, np.random.default_rng(options.seed)
    everything = {phase: np.arange(len(labels[phase]["model"].energies)) for phase in PHASES}
    found = predict(labels, options, everything)
    print(f"{options.model} against {options.teacher}, {options.temperature:g} K")
    inefficiency = {}
    for phase, offset in zip(PHASES, (found.solid, found.liquid), strict=True):
        model, teacher = labels[phase]["model"], labels[phase]["teacher"]
        rmse, rms = (np.sqrt(np.mean(values**2)) for values in (model.forces - teacher.forces, teacher.forces))
        inefficiency[phase] = memory((model.energies - teacher.energies) / n_atoms)
        print(
            f"  {phase}: {offset.frames} frames, <e> = {1000 * offset.mean_ev_per_atom:.2f} meV, scatter "
            f"{1000 * offset.standard_deviation_ev_per_atom:.2f} meV, frames a free frame {inefficiency[phase]:.1f}, "
            f"force RMSE {rmse:.3f} of {rms:.3f} eV/A, volume {model.volumes.mean() / n_atoms:.3f} A^3"
        )
    spread = found.standard_uncertainty_k * float(np.mean(list(inefficiency.values()))) ** 0.5
    few = [
        predict(
            labels, options, {phase: random.choice(frames, FEW, replace=False) for phase, frames in everything.items()}
        )
        for _ in range(SETS)
    ]
    shifts = np.array([each.first_order_k for each in few])
    covered = np.mean([each.interval_k[0] < found.first_order_k < each.interval_k[1] for each in few])
    heat = 1000 * options.temperature * (found.liquid.mean_ev_per_atom - found.solid.mean_ev_per_atom)
    print(f"  latent heat {heat / found.first_order_k:.1f} meV")
    print(
        f"  first order {found.first_order_k:+.1f} K, u = {spread:.1f} K; second {found.second_order_k:+.1f} K, ",
        end="",
    )
    print(f"u = {found.second_order_uncertainty_k:.1f} K; measured {options.measured}")
    half = np.mean([each.interval_k[1] - each.interval_k[0] for each in few]) / 2
    print(f"  {FEW} + {FEW} frames: scatter {shifts.std():.1f} K, half-width {half:.1f} K, ", end="")
    print(f"interval holds the value of all frames in {covered:.3f}")
    numbers = {
        "model": options.model,
        "teacher": options.teacher,
        "temperature_k": options.temperature,
        "first_order_k": found.first_order_k,
        "uncertainty_k": spread,
        "second_order_k": found.second_order_k,
        "measured_k": options.measured,
    }
    (options.folder / "kelvin.json").write_text(json.dumps(numbers, indent=1))


if __name__ == "__main__":
    main()
