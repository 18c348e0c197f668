"""Stages of a coexistence run, by the method of its preparation.

Names of stages are a contract with the parser, as is what `coexistence_script` makes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings

FRAMES_FILE = "frames.dump"

PRODUCTION = "production"
AVERAGE = "average"
"""Its time average cannot be taken up in the middle."""

FRAME = "id x y z"
FRAME_FORMAT = "sort id format float %.4f"
PROBES = 5
"""In-run order parameter: mean of this many samples."""


@dataclass(frozen=True)
class RunSpec:
    """What differs from run to run.

    :param temperature_k: temperature of the preparation, the guess of T_m, in K.
    :param pressure_bar: target pressure in bar.
    :param seed: seed of every random number of the run.
    :param repetitions: repetitions of the orthogonal cell along x, y, z.
    :param pair_commands: LAMMPS commands of the potential.
    :param reflections: in-plane reflections (h, k) of the cell for the slab-wise Bragg intensity.
    :param n_slabs: number of slabs along z for it.
    :param couple: box lengths of the crystal that relax together: ``xyz``, ``xy`` or ``none``.
    :param production_ps: length of production in ps, counted from its start, whatever ran before.
    :param wall_seconds: the run stops by itself after so long; ``None`` for no limit.
    """

    temperature_k: float
    pressure_bar: float
    seed: int
    repetitions: tuple[int, int, int]
    pair_commands: tuple[str, ...]
    reflections: tuple[tuple[int, int], ...]
    n_slabs: int
    couple: str = "xyz"
    production_ps: float = 40.0
    wall_seconds: int | None = None


@dataclass(frozen=True)
class Stage:
    """One stretch of dynamics.

    ``enter`` is run once, when the stage starts; ``hold`` (the fixes) also when it is taken up in the middle;
    ``leave`` when it has reached its ``steps``.
    """

    name: str
    steps: int
    hold: tuple[str, ...]
    enter: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()


def random_seeds(seed: int, number: int) -> list[int]:
    """Return independent seeds in the range that LAMMPS takes, always the same for the same ``seed``."""
    state = np.random.SeedSequence(seed).generate_state(number)
    return [int(value) % 900_000_000 + 1 for value in state]


def stages_of(settings: CoexistenceSettings, spec: RunSpec) -> list[Stage]:
    """Return the stages of the method that the settings name."""
    return _METHODS[settings.method](settings, spec)


def preparation_steps(settings: CoexistenceSettings) -> dict[str, int]:
    """Return the time steps of each stage before production, in their order."""
    anything = RunSpec(1.0, 0.0, 1, (1, 1, 1), (), (), 1)
    return {stage.name: stage.steps for stage in stages_of(settings, anything) if stage.name != PRODUCTION}


def preparation_time_ps(settings: CoexistenceSettings) -> float:
    """Return the length of the stages before production in ps."""
    return sum(preparation_steps(settings).values()) * settings.timestep_fs / 1000


def _production(settings: CoexistenceSettings, spec: RunSpec, hold: Sequence[str], enter: Sequence[str] = ()) -> Stage:
    """Return the production stage: frames for the phase analysis, and a halt once a phase is gone."""
    lines = [
        *hold,
        f"dump frames all custom {settings.frame_steps} {FRAMES_FILE} {FRAME}",
        f"dump_modify frames {FRAME_FORMAT}",
    ]
    if settings.halt_on_lost_phase:
        window = settings.probe_steps * PROBES
        lines += [
            # Until its first mean, the probe holds zeros.
            'variable lost equal "(f_probe[2] > 0.0) && ((f_probe[1] < 0.01) || (f_probe[1] > 0.99))"',
            f"fix halt all halt {window} v_lost > 0.5 error continue",
        ]
    steps = settings.steps(spec.production_ps)
    return Stage(PRODUCTION, steps, hold=tuple(lines), enter=tuple(enter), leave=("undump frames",))


def _halves() -> list[str]:
    return [
        'variable middle equal "lz/2.0+zlo"',
        "region lower block INF INF INF INF INF $(v_middle) units box",
        "group liquid region lower",
        "group solid subtract all liquid",
    ]


def _bulk(settings: CoexistenceSettings, spec: RunSpec) -> list[Stage]:
    """Return our own stages: crystal at its own lengths, one half molten and quenched on the frozen other."""
    t, p = f"{spec.temperature_k:.10g}", f"{spec.pressure_bar:.10g}"
    seeds = random_seeds(spec.seed, 4)
    hot = f"{settings.melt_factor * spec.temperature_k:.10g}"
    tdamp, pdamp = settings.thermostat_damping_ps, settings.barostat_damping_ps
    steps = settings.steps
    window = settings.probe_steps * PROBES
    average = window * max(1, round(steps(settings.average_ps) / window))  # the probe is read at its end
    npt = _npt(settings, spec, f"aniso {p} {p} {pdamp:g} couple {spec.couple}")
    axial = f"z {p} {p} {pdamp:g}"
    return [
        Stage(
            "equilibrate",
            steps(settings.equilibrate_ps),
            enter=(f"velocity all create $(2.0*{t}) {seeds[0]} mom yes rot no dist gaussian",),
            hold=(npt,),
            leave=("unfix move",),
        ),
        Stage(
            AVERAGE,
            average,
            enter=(
                "variable lengthx equal lx",
                "variable lengthy equal ly",
                "variable lengthz equal lz",
                f"fix lengths all ave/time 1 {average} {average} v_lengthx v_lengthy v_lengthz",
            ),
            hold=(npt,),
            leave=(
                "variable bulkorder equal f_probe[1]",
                'print "dnpmelt value bulk_solid_fraction $(v_bulkorder)"',
                'if "$(v_bulkorder) < 0.5" then "quit 0"',
                "variable meanx equal f_lengths[1]",
                "variable meany equal f_lengths[2]",
                "variable meanz equal f_lengths[3]",
                "change_box all x final 0.0 $(v_meanx) y final 0.0 $(v_meany) z final 0.0 $(v_meanz) remap units box",
                "unfix lengths",
                "unfix move",
            ),
        ),
        Stage(
            "melt",
            steps(settings.melt_ps),
            enter=tuple(_halves()),
            hold=(
                f"fix move liquid nph {axial} dilate all",
                f"fix bath liquid langevin {hot} {hot} 0.05 {seeds[1]} zero yes",
            ),
            leave=("unfix bath", "unfix move"),
        ),
        Stage(
            "quench",
            steps(settings.quench_ps),
            hold=(
                "fix move liquid nve",
                f"fix bath liquid langevin {t} {t} 0.02 {seeds[2]} zero yes",
            ),
            leave=("unfix bath", "unfix move"),
        ),
        Stage(
            "thermalise",
            steps(settings.thermalise_ps),
            enter=("velocity all zero linear",),
            hold=(
                f"fix move all nph {axial}",
                f"fix bath all langevin {t} {t} {tdamp:g} {seeds[3]} zero yes",
            ),
            leave=("unfix bath", "unfix move"),
        ),
        _production(
            settings,
            spec,
            enter=("velocity all zero linear",),
            hold=(f"fix move all nph z {p} {p} {settings.production_barostat_damping_ps:g}",),
        ),
    ]


def _npt(settings: CoexistenceSettings, spec: RunSpec, barostat: str) -> str:
    t = f"{spec.temperature_k:.10g}"
    return f"fix move all npt temp {t} {t} {settings.thermostat_damping_ps:g} {barostat}"


def _crystal(settings: CoexistenceSettings, spec: RunSpec) -> list[Stage]:
    """Return the stages of the crystal alone, at constant temperature and pressure."""
    p, pdamp = f"{spec.pressure_bar:.10g}", settings.barostat_damping_ps
    (seed,) = random_seeds(spec.seed, 1)
    npt = _npt(settings, spec, f"aniso {p} {p} {pdamp:g} couple {spec.couple}")
    draw = f"velocity all create $(2.0*{spec.temperature_k:.10g}) {seed} mom yes rot no dist gaussian"
    steps = settings.steps(settings.equilibrate_ps)
    return [
        Stage("equilibrate", steps, enter=(draw,), hold=(npt,), leave=("unfix move",)),
        _production(settings.model_copy(update={"halt_on_lost_phase": False}), spec, hold=(npt,)),
    ]


def _melt(settings: CoexistenceSettings, spec: RunSpec) -> list[Stage]:
    """Return the stages of the melt alone: molten at constant volume, then at constant temperature and pressure."""
    t, p = f"{spec.temperature_k:.10g}", f"{spec.pressure_bar:.10g}"
    hot = f"{settings.melt_factor * spec.temperature_k:.10g}"
    draw, bath, cold = random_seeds(spec.seed, 3)
    tdamp, pdamp = settings.thermostat_damping_ps, settings.barostat_damping_ps
    return [
        Stage(
            "melt",
            settings.steps(settings.melt_ps),
            enter=(f"velocity all create {hot} {draw} mom yes rot no dist gaussian",),
            hold=("fix move all nve", f"fix bath all langevin {hot} {hot} 0.05 {bath} zero yes"),
            leave=("unfix bath", "unfix move"),
        ),
        Stage(
            "equilibrate",
            settings.steps(settings.equilibrate_ps),
            hold=(
                f"fix move all nph iso {p} {p} {pdamp:g}",
                f"fix bath all langevin {t} {t} {tdamp:g} {cold} zero yes",
            ),
            leave=("unfix bath", "unfix move"),
        ),
        _production(
            settings.model_copy(update={"halt_on_lost_phase": False}),
            spec,
            enter=("velocity all zero linear",),
            hold=(_npt(settings, spec, f"iso {p} {p} {pdamp:g}"),),
        ),
    ]


def _paper_text(settings: CoexistenceSettings, spec: RunSpec) -> list[Stage]:
    """Return the stages of the paper's text: NPT of the whole cell, lower half at 1.25 T under NPH, then NPH.

    The text does not say how a half is heated at constant enthalpy: read here as a Langevin bath on the lower
    half while the whole cell moves under the barostat.
    """
    t, p = f"{spec.temperature_k:.10g}", f"{spec.pressure_bar:.10g}"
    hot = f"{settings.melt_factor * spec.temperature_k:.10g}"
    seeds = random_seeds(spec.seed, 2)
    tdamp, pdamp = settings.thermostat_damping_ps, settings.barostat_damping_ps
    nph = f"fix move all nph iso {p} {p} {pdamp:g}"
    return [
        Stage(
            "equilibrate",
            settings.steps(settings.equilibrate_ps),
            enter=(f"velocity all create {t} {seeds[0]} mom yes rot no dist gaussian",),
            hold=(f"fix move all npt temp {t} {t} {tdamp:g} iso {p} {p} {pdamp:g}",),
            leave=("unfix move",),
        ),
        Stage(
            "melt",
            settings.steps(settings.melt_ps),
            enter=tuple(_halves()),
            hold=(nph, f"fix bath liquid langevin {hot} {hot} {tdamp:g} {seeds[1]} zero yes"),
            leave=("unfix bath", "unfix move"),
        ),
        _production(settings, spec, hold=(nph,)),
    ]


def _paper_script(settings: CoexistenceSettings, spec: RunSpec) -> list[Stage]:
    """Return the stages of the published input, its flaws included.

    The pressure compute counts the kinetic energy of half of the atoms (``fix_modify temp``), the solid half
    is not integrated while the liquid melts and cools, only x relaxes there, and every velocity draw takes the
    one published seed unless another is given.
    """
    t, p = f"{spec.temperature_k:.10g}", f"{spec.pressure_bar:.10g}"
    draw = f"{settings.melt_draw_factor * spec.temperature_k:.10g}"
    hot = f"{settings.melt_factor * spec.temperature_k:.10g}"
    warm = f"{settings.cool_factor * spec.temperature_k:.10g}"
    tdamp, pdamp = settings.thermostat_damping_ps, settings.barostat_damping_ps
    create = f"{spec.seed:d} rot no dist gaussian"

    def liquid(temperature: str) -> tuple[str, ...]:
        return (
            "compute liquidtemp liquid temp",
            f"fix move liquid npt temp {temperature} {temperature} {tdamp:g} x {p} {p} {pdamp:g} drag 0.2",
            "fix_modify move temp liquidtemp",
        )

    cold = ("unfix move", "uncompute liquidtemp")
    return [
        Stage(
            "equilibrate",
            settings.steps(settings.equilibrate_ps),
            enter=(*_halves(), "run 0", f"velocity all create {t} {create}"),
            hold=(
                "compute solidtemp solid temp",
                f"fix move all npt temp {t} {t} {tdamp:g} iso {p} {p} {pdamp:g} drag 0.2",
                "fix_modify move temp solidtemp",
            ),
            leave=("unfix move", "uncompute solidtemp"),
        ),
        Stage(
            "melt",
            settings.steps(settings.melt_ps),
            enter=(f"velocity liquid create {draw} {create}",),
            hold=liquid(hot),
            leave=cold,
        ),
        Stage("cool", settings.steps(settings.cool_ps), hold=liquid(warm), leave=cold),
        _production(
            settings,
            spec,
            hold=(f"fix move all nph iso {p} {p} {settings.production_barostat_damping_ps:g}",),
        ),
    ]


_METHODS = {
    "bulk": _bulk,
    "crystal": _crystal,
    "melt": _melt,
    "paper-text": _paper_text,
    "paper-script": _paper_script,
}
