"""LAMMPS input of an exploration: one process, one temperature after the other.

Stages ``preparation``, ``equilibrate_N`` and ``sample_N``, files by N (temperatures counted from 1), and the values
``bounds_N`` and ``deviation_N`` (the step at which a run was ended by a bound or by its deviation) are the contract
with the parser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiida_dnpmelt.calculations.coexistence_script import DATA_FILE
from aiida_dnpmelt.calculations.coexistence_stages import random_seeds
from aiida_dnpmelt.calculations.exploration_settings import ExplorationSettings

SAMPLE = "sample_"
BY_BOUNDS, BY_DEVIATION = "bounds_", "deviation_"
SKIN_ANGSTROM = 2.0

_PREPARED_FILE = "prepared.data"
_LAST_ROW_FILE = "last.row"
_FORCE_COLUMN = 5  # of a row of the deviations: step, three of the virial, max, min and mean of the forces
_MELT_DAMPING_PS = 0.05
_PREPARATION_SEEDS = 3


@dataclass(frozen=True)
class ExplorationSpec:
    """What differs from run to run.

    :param temperatures_k: in K, one run each.
    :param pressure_bar: in bar.
    :param phase: ``solid``, ``liquid`` or ``interface``.
    :param seed: seed of every random number.
    :param models: files of the models; the first moves the atoms.
    :param species: chemical symbols of the atom types.
    :param couple: lengths of the crystal that relax together: ``xyz``, ``xy`` or ``none``.
    """

    temperatures_k: tuple[float, ...]
    pressure_bar: float
    phase: str
    seed: int
    models: tuple[str, ...]
    species: tuple[str, ...]
    couple: str

    @property
    def barostat(self) -> str:
        """Return how lengths relax: a liquid holds no shape by itself, an interface keeps that of the crystal."""
        if self.phase == "liquid":
            return "xyz"
        return "xy" if self.phase == "interface" and self.couple == "xyz" else self.couple


def frames_file(run: int | str) -> str:
    """Return the name of the dump of a temperature."""
    return f"frames.{run}.dump"


def deviation_file(run: int | str) -> str:
    """Return the name of the deviations of a temperature."""
    return f"deviation.{run}.out"


def build_script(settings: ExplorationSettings, spec: ExplorationSpec) -> str:
    """Return the LAMMPS input of an exploration."""
    seeds = random_seeds(spec.seed, _PREPARATION_SEEDS + 2 * len(spec.temperatures_k))
    lines = [] if spec.phase == "solid" else _preparation(settings, spec, seeds[:_PREPARATION_SEEDS])
    lines += [
        *_variables(spec, seeds[_PREPARATION_SEEDS:]),
        "label next_temperature",
        'print "dnpmelt stage equilibrate_${run}"',
        "clear",
        *_system(settings, DATA_FILE if spec.phase == "solid" else _PREPARED_FILE),
        *_committee(settings, spec),
        *_equilibration(settings, spec),
        *_sampling(settings),
        "next run temperature draw bath",
        "jump SELF next_temperature",
    ]
    return "\n".join(lines) + "\n"


def _system(settings: ExplorationSettings, data_file: str) -> list[str]:
    return [
        "units metal",
        "boundary p p p",
        "atom_style atomic",
        "box tilt large",
        f"read_data {data_file}",
        f"neighbor {SKIN_ANGSTROM:g} bin",
        "neigh_modify every 1 delay 0 check yes",
        f"timestep {settings.timestep_fs / 1000:g}",
        f"thermo {settings.deviation_steps}",
        "thermo_style custom step temp pe vol press",
        "thermo_modify flush yes line one lost error format float %.10g",
    ]


def _committee(settings: ExplorationSettings, spec: ExplorationSpec) -> list[str]:
    files = f"{' '.join(spec.models)} out_file {deviation_file('${run}')} out_freq {settings.deviation_steps}"
    return [f"pair_style deepmd {files}", f"pair_coeff * * {' '.join(spec.species)}"]


def _variables(spec: ExplorationSpec, seeds: Sequence[int]) -> list[str]:
    number = len(spec.temperatures_k)
    values = {
        "run": [str(index) for index in range(1, number + 1)],
        "temperature": [f"{temperature:.10g}" for temperature in spec.temperatures_k],
        "draw": [str(seed) for seed in seeds[:number]],
        "bath": [str(seed) for seed in seeds[number:]],
    }
    return [f"variable {name} index {' '.join(words)}" for name, words in values.items()]


def _preparation(settings: ExplorationSettings, spec: ExplorationSpec, seeds: Sequence[int]) -> list[str]:
    """Return the melting of the whole crystal, or of its lower half on the frozen upper one, by the first model."""
    highest = max(spec.temperatures_k)
    hot = f"{settings.melt_factor * highest:.10g}"
    lines = [
        'print "dnpmelt stage preparation"',
        *_system(settings, DATA_FILE),
        f"pair_style deepmd {spec.models[0]}",
        f"pair_coeff * * {' '.join(spec.species)}",
        f"velocity all create {highest:.10g} {seeds[0]} mom yes rot no dist gaussian",
    ]
    molten = "all"
    if spec.phase == "interface":
        molten = "liquid"
        lines += [
            *_bath(settings, spec, f"{highest:.10g}", str(seeds[1])),
            f"run {max(1, settings.equilibrate_steps)}",
            "unfix bath",
            "unfix move",
            'variable middle equal "lz/2.0+zlo"',
            "region lower block INF INF INF INF INF $(v_middle) units box",
            "group liquid region lower",
        ]
    return [
        *lines,
        f"fix move {molten} nve",
        f"fix bath {molten} langevin {hot} {hot} {_MELT_DAMPING_PS:g} {seeds[2]} zero yes",
        f"run {settings.in_steps(settings.melt_ps)}",
        f"write_data {_PREPARED_FILE} nocoeff",
    ]


def _bath(settings: ExplorationSettings, spec: ExplorationSpec, temperature: str, seed: str) -> list[str]:
    pressure, damping = f"{spec.pressure_bar:.10g}", f"{settings.thermostat_damping_ps:g}"
    relax = f"aniso {pressure} {pressure} {settings.barostat_damping_ps:g} couple {spec.barostat}"
    return [
        f"fix move all nph {relax}",
        f"fix bath all langevin {temperature} {temperature} {damping} {seed} zero yes",
    ]


def _equilibration(settings: ExplorationSettings, spec: ExplorationSpec) -> list[str]:
    """Return velocities, baths, the bounds, and the steps before the first frame."""
    # A crystal at rest shares its kinetic energy with the potential one.
    draw = "$(2.0*v_temperature)" if spec.phase == "solid" else "${temperature}"
    hottest, ratio = f"{settings.maximum_temperature_factor:g}*v_temperature", f"{settings.maximum_volume_factor:g}"
    return [
        f"velocity all create {draw} ${{draw}} mom yes rot no dist gaussian",
        *_bath(settings, spec, "${temperature}", "${bath}"),
        "variable volume equal vol",
        "variable start equal $(v_volume)",
        # Comparisons with what is not a number are false, so that this is 1 for it, too.
        f'variable wild equal "1.0-(temp<{hottest})*(vol<{ratio}*v_start)*(vol*{ratio}>v_start)"',
        f"fix bounds all halt {settings.deviation_steps} v_wild > 0.5 error continue",
        f"run {settings.equilibrate_steps}",
        _end_if('"$(v_wild) > 0.5"', BY_BOUNDS),
    ]


def _sampling(settings: ExplorationSettings) -> list[str]:
    """Return the run in pieces; after each, the last deviation is read from its file, which is flushed by the row."""
    return [
        'print "dnpmelt stage sample_${run}"',
        f"dump frames all custom {settings.deviation_steps} {frames_file('${run}')} id x y z",
        "dump_modify frames sort id format float %.10g",
        f"variable check loop {settings.checks}",
        "label next_check",
        f"run {settings.check_steps}",
        _end_if('"$(v_wild) > 0.5"', BY_BOUNDS),
        f"shell tail -n 1 {deviation_file('${run}')} > {_LAST_ROW_FILE}",
        f"variable row file {_LAST_ROW_FILE}",
        "variable word index ${row}",
        *["next word"] * (_FORCE_COLUMN - 1),
        "variable deviation string ${word}",
        "variable word delete",
        "variable row delete",
        _end_if(f'"${{deviation}} > {settings.maximum_deviation_ev_per_angstrom:g}"', BY_DEVIATION),
        "next check",
        "jump SELF next_check",
        "label next_run",
        "variable check delete",
    ]


def _end_if(condition: str, reason: str) -> str:
    """Return the command that goes on to the next temperature and prints why."""
    return f'if {condition} then \'print "dnpmelt value {reason}${{run}} $(step)"\' "jump SELF next_run"'
