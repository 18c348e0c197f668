"""LAMMPS input that labels frames: one process, one system after the other.

Stage names ``start_...`` and the order of the frames in the dump are the contract with the parser: the dump has a
frame for each thermo row of these stages, in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiida_dnpmelt.calculations.coexistence_stages import random_seeds
from aiida_dnpmelt.calculations.label_settings import LabelSettings
from aiida_dnpmelt.physics.units import gpa_to_bar

DUMP_FILE = "labels.dump"
STAGE = "start_"
PRESSURE_COLUMNS = tuple(f"c_potential[{index}]" for index in range(1, 7))
"""Potential part of the pressure, bar: xx, yy, zz, xy, xz, yz."""

SKIN_ANGSTROM = 2.0
_FORCES = {f"f_forces[{index}]": name for index, name in enumerate(("fx", "fy", "fz"), start=1)}
_SEEDS = ("draw", "bath", "melt", "relax")
"""Random numbers of a start: velocities, thermostat, and those of the melting and of the relaxation after it."""
_MELT_DAMPING_PS = 0.05


@dataclass(frozen=True)
class LabelSpec:
    """What is labelled.

    :param temperatures_k: temperature of each starting frame in K.
    :param seed: seed of every random number of the job.
    :param pair_commands: LAMMPS commands of the potential.
    """

    temperatures_k: tuple[float, ...]
    seed: int
    pair_commands: tuple[str, ...]


def data_file(start: int | str) -> str:
    """Return the name of the data file of a starting frame, counted from 1."""
    return f"start.{start}.data"


def build_script(settings: LabelSettings, spec: LabelSpec) -> str:
    """Return the LAMMPS input, a loop over the starting frames."""
    lines = [*_variables(settings, spec), "label next_start", "clear", "units metal", "boundary p p p"]
    lines += [
        "atom_style atomic",
        "box tilt large",
        f"read_data {data_file('${start}')}",
        f"neighbor {SKIN_ANGSTROM:g} bin",
        "neigh_modify every 1 delay 0 check yes",
        *spec.pair_commands,
        "compute potential all pressure NULL pair",
        f"thermo {settings.spacing}",
        f"thermo_style custom step temp pe vol {' '.join(PRESSURE_COLUMNS)}",
        "thermo_modify flush yes line one lost error format float %.15g",
    ]
    if settings.steps:
        lines += _preparation(settings)
    lines += ["fix forces all store/force"]  # before the thermostat, whose forces are none of the potential's
    if settings.steps:
        lines += _thermostat(settings)
    lines += [
        f'print "dnpmelt stage {STAGE}${{start}}"',
        f"dump labels all custom {settings.spacing} {DUMP_FILE} id x y z {' '.join(_FORCES)}",
        "dump_modify labels sort id append yes format float %.15g "
        + " ".join(f"colname {stored} {name}" for stored, name in _FORCES.items()),
        f"run {settings.steps}",
        f"next {' '.join(_names(settings))}",
        "jump SELF next_start",
    ]
    return "\n".join(lines) + "\n"


def _names(settings: LabelSettings) -> list[str]:
    return ["start", "temperature", *_SEEDS] if settings.steps else ["start"]


def _variables(settings: LabelSettings, spec: LabelSpec) -> list[str]:
    number = len(spec.temperatures_k)
    values: dict[str, Sequence[str]] = {"start": [str(index) for index in range(1, number + 1)]}
    if settings.steps:
        seeds = random_seeds(spec.seed, len(_SEEDS) * number)
        values["temperature"] = [f"{temperature:.10g}" for temperature in spec.temperatures_k]
        for offset, name in enumerate(_SEEDS):
            values[name] = [str(seed) for seed in seeds[offset :: len(_SEEDS)]]
    return [f"variable {name} index {' '.join(words)}" for name, words in values.items()]


def _preparation(settings: LabelSettings) -> list[str]:
    """Return the commands before the run that is labelled: velocities, and melting if asked for."""
    lines = [
        f"timestep {settings.timestep_fs / 1000:g}",
        "velocity all create ${temperature} ${draw} mom yes rot no dist gaussian",
    ]
    if settings.melt_ps > 0:
        pressure = f"{gpa_to_bar(settings.pressure_gpa):.10g}"
        lines += [
            f'variable hot equal "v_temperature*{settings.melt_factor:g}"',
            'print "dnpmelt stage melt_${start}"',
            "fix move all nve",
            f"fix bath all langevin $(v_hot) $(v_hot) {_MELT_DAMPING_PS:g} ${{melt}} zero yes",
            f"run {settings.in_steps(settings.melt_ps)}",
            "unfix move",
            "unfix bath",
            f"fix move all nph iso {pressure} {pressure} {settings.barostat_damping_ps:g}",
            f"fix bath all langevin ${{temperature}} ${{temperature}} {_MELT_DAMPING_PS:g} ${{relax}} zero yes",
            f"run {settings.in_steps(settings.relax_ps)}",
            "unfix move",
            "unfix bath",
            "reset_timestep 0",
        ]
    return lines


def _thermostat(settings: LabelSettings) -> list[str]:
    """Return the commands that move the atoms in the run that is labelled."""
    damping = f"{settings.thermostat_damping_ps:g}"
    return [
        "fix move all nve",
        f"fix bath all langevin ${{temperature}} ${{temperature}} {damping} ${{bath}} zero yes",
    ]
