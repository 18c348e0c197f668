"""Make the figures of the topic pages from real runs.

    python docs/figures/make_figures.py FOLDER

For valid melting temperatures three cells of 1,728 copper atoms (potential Cu_u3.eam of the LAMMPS distribution) are
run in FOLDER by `benchmarks/bare_runs.py`, from guesses 12 % below, at, and 12 % above the melting temperature: some
40 s each on one core. For forces and energies, crystal and melt of 256 copper atoms are run by `benchmarks/kelvin.py`,
some two minutes. Runs that are there already are not run again. Melting temperatures over cohesive energies come from
the table of the elements. The figures go to `docs/images`.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.build import bulk
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

DOCS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(DOCS.parent / "benchmarks"))

from bare_runs import lammps_folder, pair_commands, run  # noqa: E402
from kelvin import PHASES, Labels, labelled, predict  # noqa: E402

from aiida_dnpmelt.calculations.coexistence_script import LOG_FILE  # noqa: E402
from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings  # noqa: E402
from aiida_dnpmelt.calculations.coexistence_stages import FRAMES_FILE, RunSpec  # noqa: E402
from aiida_dnpmelt.data.elements import elements  # noqa: E402
from aiida_dnpmelt.physics.cohesion import PRINTED, relation_of  # noqa: E402
from aiida_dnpmelt.physics.estimate import bin_series  # noqa: E402
from aiida_dnpmelt.physics.lammps_dump import Frame, read_frames  # noqa: E402
from aiida_dnpmelt.physics.lammps_log import read_log  # noqa: E402
from aiida_dnpmelt.physics.order import SOLID_THRESHOLD, averaged_q6, solid_fraction  # noqa: E402
from aiida_dnpmelt.workchains.protocols import load_protocol  # noqa: E402

MELTING_TEMPERATURE = 1283.0
"""Of Cu_u3.eam in K, from a long joint run."""
CASES = {"froze": 0.88, "coexists": 1.0, "melted": 1.12}
"""Guesses over the melting temperature."""
PRODUCTION_PS = 30.0
SEED = 7
COLOURS = {"froze": "#2166ac", "coexists": "#1b7837", "melted": "#b2182b"}


KELVIN = {
    "model": "Cu_u3.eam",
    "teacher": "Cu_mishin1.eam.alloy",
    "element": "Cu",
    "lattice": None,
    "temperature": 1277.0,
    "time": 200.0,
    "cells": 4,
    "seed": 1,
}
"""Options of `benchmarks/kelvin.py`."""
PHASE_COLOURS = {"solid": "#2166ac", "liquid": "#b2182b"}


@dataclass(frozen=True)
class Case:
    """One cell: its guess (K), T(t) in bins of 1 ps, the frames with the order of their atoms."""

    guess: float
    time: NDArray[np.float64]
    temperature: NDArray[np.float64]
    frame_times: NDArray[np.float64]
    frames: list[Frame]
    orders: list[NDArray[np.float64]]


def simulate(folder: Path, guess: float) -> Case:
    """Run a cell to the end, whatever becomes of it, and analyse it."""
    settings = CoexistenceSettings(
        **{**load_protocol("tpc")["run"], "halt_on_lost_phase": False, "frame_interval_ps": 1.0}
    )
    potential = lammps_folder() / "share" / "lammps" / "potentials" / "Cu_u3.eam"
    spec = RunSpec(
        temperature_k=guess,
        pressure_bar=0.0,
        seed=SEED,
        repetitions=(6, 6, 12),
        pair_commands=pair_commands(potential, "Cu"),
        reflections=((2, 0), (0, 2)),
        n_slabs=12,
        production_ps=PRODUCTION_PS,
    )
    run(folder, settings, spec, bulk("Cu", "fcc", a=3.615, cubic=True))
    step = settings.timestep_fs / 1000
    with (folder / LOG_FILE).open() as lines:
        block = next(block for block in read_log(lines).blocks if block.stage == "production")
    series = bin_series(block["Step"] * step, block["Temp"])
    with (folder / FRAMES_FILE).open() as lines:
        frames = list(read_frames(lines))
    orders = [averaged_q6(frame.lengths, frame.positions) for frame in frames]
    times = np.array([frame.step for frame in frames]) * step
    return Case(guess, series.time_ps, series.temperature_k, times, frames, orders)


def draw(cases: dict[str, Case]) -> Figure:
    """Return the last frames, the solid fractions and the temperatures of the cells side by side."""
    figure = Figure(figsize=(9.5, 7.2), layout="constrained")
    grid = figure.subplots(3, len(cases), sharex="row", sharey="row", height_ratios=(1.0, 0.9, 1.1))
    for column, (name, case) in zip(grid.T, cases.items(), strict=True):
        draw_atoms(column[0], case)
        off = round(100 * (case.guess / MELTING_TEMPERATURE - 1))
        column[0].set_title(f"{name}: guess {case.guess:.0f} K, {f'{off:+d} %' if off else 'at T_m'}")
        fractions = [solid_fraction(order) for order in case.orders]
        column[1].plot(case.frame_times, fractions, color=COLOURS[name])
        column[1].set(xlabel="time in ps", ylim=(-0.03, 1.03))
        column[2].axhline(MELTING_TEMPERATURE, color="black", linewidth=1, label="T_m")
        column[2].axhline(case.guess, color="grey", linestyle=":", label="guess")
        column[2].plot(case.time, case.temperature, color=COLOURS[name])
        late = case.temperature[case.time > PRODUCTION_PS - 20]
        told = f"last 20 ps: {late.mean():.0f} K, sd {late.std(ddof=1):.0f} K"
        column[2].text(0.97, 0.22, told, transform=column[2].transAxes, ha="right")
        column[2].set(xlabel="time in ps")
    grid[0, 0].set_ylabel("x in Å")
    grid[1, 0].set_ylabel("solid fraction")
    grid[2, 0].set_ylabel("T in K, bins of 1 ps")
    grid[2, 0].legend(loc="upper left", ncols=2)
    return figure


def draw_atoms(axes: Axes, case: Case) -> None:
    """Draw the atoms of the last frame, z to the right, blue where solid and red where liquid."""
    frame, order = case.frames[-1], case.orders[-1]
    place = frame.positions % np.asarray(frame.lengths)
    colours = colormaps["coolwarm_r"](np.clip((order - 0.05) / (2 * (SOLID_THRESHOLD - 0.05)), 0, 1))
    axes.scatter(place[:, 2], place[:, 0], c=colours, s=5, linewidths=0)
    axes.set(xlabel="z in Å", aspect="equal")


def draw_kelvin(labels: dict[str, dict[str, Labels]], options: Namespace) -> Figure:
    """Return forces of the melt against those of the teacher, and the energy offsets of both phases."""
    figure = Figure(figsize=(9.5, 3.9), layout="constrained")
    forces, offsets = figure.subplots(1, 2, width_ratios=(0.8, 1.2))
    model, teacher = labels["liquid"]["model"], labels["liquid"]["teacher"]
    chosen = np.random.default_rng(1).choice(teacher.forces.size, 4000, replace=False)
    forces.plot([-3.5, 3.5], [-3.5, 3.5], color="grey", linewidth=1)
    forces.scatter(teacher.forces.ravel()[chosen], model.forces.ravel()[chosen], s=2, color=PHASE_COLOURS["liquid"])
    rmse = np.sqrt(np.mean((model.forces - teacher.forces) ** 2))
    forces.set(
        xlim=(-3.5, 3.5),
        ylim=(-3.5, 3.5),
        aspect="equal",
        xlabel="force of the teacher in eV/Å",
        ylabel="force of the model in eV/Å",
        title=f"forces of the liquid, RMSE {rmse:.2f} eV/Å",
    )
    n_atoms = model.forces.shape[1]
    for phase in PHASES:
        values = 1000 * (labels[phase]["model"].energies - labels[phase]["teacher"].energies) / n_atoms
        offsets.hist(values, bins=40, color=PHASE_COLOURS[phase], alpha=0.7, label=f"{phase}, mean {values.mean():.2f}")
        offsets.axvline(values.mean(), color="black", linewidth=1)
    frames = {phase: np.arange(len(labels[phase]["model"].energies)) for phase in PHASES}
    shift = predict(labels, options, frames).first_order_k
    offsets.set(
        xlabel="energy of the model less that of the teacher, meV an atom",
        ylabel="frames",
        ylim=(0, 235),
        title=f"their difference is worth {shift:.0f} K",
    )
    offsets.legend(loc="upper right", title="meV an atom")
    return figure


def draw_cohesion() -> Figure:
    """Return T_m over cohesive energy, as the relations are printed and with two of them exchanged."""
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, mapping in zip(panels, ("as_printed", "corrected"), strict=True):
        errors = []
        for colour, group in zip(colormaps["tab10"].colors, PRINTED, strict=False):
            members = [each for each in elements().values() if each.group == group]
            energies = np.array([each.cohesive_energy for each in members])
            temperatures = np.array([each.melting_temperature for each in members])
            line = np.linspace(energies.min(), energies.max(), 50)
            relation = relation_of(group, mapping)
            axes.plot(energies, temperatures, "o", color=colour, markersize=3.5, label=group.replace("_", " "))
            axes.plot(line, [relation.temperature_k(energy) for energy in line], color=colour, linewidth=1.2)
            errors += [abs(relation.temperature_k(x) / y - 1) for x, y in zip(energies, temperatures, strict=True)]
        axes.set(
            title=f"{mapping.replace('_', ' ')}: mean error {100 * np.mean(errors):.1f} %",
            xlabel="cohesive energy in eV/atom",
            xscale="log",
            yscale="log",
        )
    panels[0].set_ylabel("melting temperature in K")
    panels[0].legend(fontsize="small")
    return figure


def save(figure: Figure, name: str) -> None:
    """Write a figure with few colours."""
    target = DOCS / "images" / name
    figure.savefig(target, dpi=110)
    with Image.open(target) as image:
        image.convert("RGB").quantize(48, dither=Image.Dither.NONE).save(target, optimize=True)


def main() -> None:
    """Run the cells and write the figures."""
    folder = Path(sys.argv[1])
    save(draw_cohesion(), "cohesion.png")
    options = Namespace(folder=folder / "kelvin", **KELVIN)
    save(draw_kelvin(labelled(options), options), "kelvin.png")
    cases = {name: simulate(folder / name, share * MELTING_TEMPERATURE) for name, share in CASES.items()}
    save(draw(cases), "boxes.png")


if __name__ == "__main__":
    main()
