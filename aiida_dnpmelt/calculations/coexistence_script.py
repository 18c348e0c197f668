"""LAMMPS input of a coexistence run, stage by stage.

A run is a list of stages; each can be entered afresh or taken up again from a restart file, so that a job that
was cut anywhere goes on from the last state it had. Stage names, restart files and the lines ``dnpmelt ...`` in
the log are the contract with the parser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings

DATA_FILE = "cell.data"
FRAMES_FILE = "frames.dump"
LOG_FILE = "log.lammps"

PRODUCTION = "production"
_AVERAGE = "average"  # its time average cannot be taken up in the middle

_THERMO = "step temp pe ke etotal enthalpy econserve press pxx pyy pzz lx ly lz"
_FRAME = "id x y z"
_FRAME_FORMAT = "sort id format float %.4f"
_PROBES = 5  # in-run order parameter: mean of this many samples


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
class Resume:
    """Where a run is taken up: the stage, the step within it (0: from its start), and the restart file."""

    stage: str
    step: int
    file: str


@dataclass(frozen=True)
class End:
    """How far a job came.

    :param stage: the stage that its log announced last.
    :param step: the last step that the log shows of it. LAMMPS writes a restart file before the thermo row of
        the same step, so that the files up to this step are whole.
    :param script_ended: the last stage reached its last step and the script came to its end.
    :param timed_out: the wall time ended the run, which then wrote a file of its last step.
    """

    stage: str
    step: int
    script_ended: bool
    timed_out: bool


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


def restart_file(stage: str, step: int | str) -> str:
    """Return the name of the restart file of a step of a stage."""
    return f"{stage}.{step}.restart"


def probe_file(stage: str) -> str:
    """Return the name of the file with the in-run order parameter of a stage."""
    return f"probe.{stage}.dat"


def random_seeds(seed: int, number: int) -> list[int]:
    """Return independent seeds in the range that LAMMPS takes, always the same for the same ``seed``."""
    state = np.random.SeedSequence(seed).generate_state(number)
    return [int(value) % 900_000_000 + 1 for value in state]


def build_script(settings: CoexistenceSettings, spec: RunSpec, resume: Resume | None = None) -> str:
    """Return the LAMMPS input of a run, from the start or from a restart file.

    :raises ValueError: if ``resume`` names a stage that the method does not have.
    """
    stages = stages_of(settings, spec)
    names = [stage.name for stage in stages]
    if resume is not None and resume.stage not in names:
        raise ValueError(f"restart.stage: {resume.stage!r} is not a stage of {settings.method!r}: {names}")
    first = names.index(resume.stage) if resume else 0
    lines = _head(spec, resume)
    lines += [*spec.pair_commands, *_analysis(settings, spec)]
    if resume is None and settings.relax_cell:
        lines += _relaxation(settings, spec)
    for stage in stages[first:]:
        step = resume.step if resume and stage.name == resume.stage else 0
        lines += _stage(settings, stage, step)
    return "\n".join(lines) + "\n"


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


def last_state(settings: CoexistenceSettings, names: Sequence[str], begin: Resume | None, end: End) -> Resume | None:
    """Return the last state that a job surely left on disk, ``None`` if the run has to start anew.

    :param names: stages of the method, in their order.
    :param begin: where the job itself had been taken up.
    :param end: how far it came.
    """
    if end.stage not in names:
        return None
    if end.script_ended:
        return Resume(end.stage, end.step, restart_file(end.stage, "end"))
    if end.timed_out and end.stage != _AVERAGE:
        return Resume(end.stage, end.step, restart_file(end.stage, end.step))
    every = settings.restart_steps
    periodic = end.step // every * every if end.stage != _AVERAGE else 0
    if begin is not None and begin.stage == end.stage and periodic <= begin.step:
        return begin
    if periodic > 0:
        return Resume(end.stage, periodic, restart_file(end.stage, periodic))
    index = names.index(end.stage)
    return Resume(end.stage, 0, restart_file(names[index - 1], "end")) if index else None


def _head(spec: RunSpec, resume: Resume | None) -> list[str]:
    lines = ["units metal", "boundary p p p", "atom_style atomic"]
    if spec.wall_seconds is not None:
        hours, rest = divmod(spec.wall_seconds, 3600)
        lines.insert(0, f"timer timeout {hours:d}:{rest // 60:02d}:{rest % 60:02d} every 100")
    if resume is not None:
        return [*lines, f"read_restart {resume.file}"]
    return [*lines, f"read_data {DATA_FILE}", "replicate {} {} {}".format(*spec.repetitions)]


def _analysis(settings: CoexistenceSettings, spec: RunSpec) -> list[str]:
    """Return the commands of the slab-wise Bragg intensity, which tells the solid fraction while the run goes on.

    The share of slabs above the threshold is the first column of the files of the fix ``probe``; the second is
    the mean square force in eV^2/Angstrom^2.
    """
    nx, ny, _ = spec.repetitions
    lines = [
        f"neighbor {settings.skin_angstrom:g} bin",
        f"neigh_modify every 1 delay {settings.neighbour_delay:d} check yes",
        f"timestep {settings.timestep_fs / 1000:g}",
        # A millionth thicker than their share: LAMMPS fills what rounding leaves with one more slab, an empty one.
        f"compute slab all chunk/atom bin/1d z lower {(1 + 1e-6) / spec.n_slabs:.12f} units reduced",
        "compute number all property/chunk slab count",
    ]
    columns, terms = [], []
    for index, (h, k) in enumerate(spec.reflections):
        lines += [
            f'variable qx{index} equal "2.0*PI*{h * nx:d}/lx"',
            f'variable qy{index} equal "2.0*PI*{k * ny:d}/ly"',
            f'variable cos{index} atom "cos(v_qx{index}*x+v_qy{index}*y)"',
            f'variable sin{index} atom "sin(v_qx{index}*x+v_qy{index}*y)"',
        ]
        columns += [f"v_cos{index}", f"v_sin{index}"]
        terms += [f"c_rho[{2 * index + 1}]^2", f"c_rho[{2 * index + 2}]^2"]
    intensity = "+".join(terms)
    return [
        *lines,
        f"compute rho all reduce/chunk slab sum {' '.join(columns)}",
        f'variable bragg vector "({intensity})/{len(spec.reflections):d}/(c_number*c_number+1.0e-9)"',
        f'variable crystalline vector "v_bragg > {settings.bragg_threshold:g}"',
        "variable order equal ave(v_crystalline)",
        'variable force2 atom "fx*fx+fy*fy+fz*fz"',
        "compute force2 all reduce ave v_force2",
        f"thermo {settings.sample_steps}",
        f"thermo_style custom {_THERMO}",
        "thermo_modify flush yes line one lost error format float %.10g",
    ]


def _relaxation(settings: CoexistenceSettings, spec: RunSpec) -> list[str]:
    coupling = "iso" if spec.couple == "xyz" or settings.method.startswith("paper") else "aniso"
    couple = f" couple {spec.couple}" if coupling == "aniso" else ""
    return [
        'print "dnpmelt stage relaxation"',
        f"fix relax all box/relax {coupling} {spec.pressure_bar:.10g}{couple} vmax 0.001",
        "min_style cg",
        "minimize {:g} {:g} {:d} {:d}".format(*settings.minimisation),
        "unfix relax",
    ]


def _stage(settings: CoexistenceSettings, stage: Stage, step: int) -> list[str]:
    """Return the lines of one stage; it ends the script if the run was stopped before its last step."""
    lines = [f'print "dnpmelt stage {stage.name}"']
    if step == 0:
        lines += ["reset_timestep 0", *stage.enter]
    every = settings.probe_steps
    lines.append(
        f"fix probe all ave/time {every} {_PROBES} {every * _PROBES} v_order c_force2 file {probe_file(stage.name)}"
    )
    lines += stage.hold
    if stage.name != _AVERAGE:
        lines.append(f"restart {settings.restart_steps} {restart_file(stage.name, '*')}")
    lines += [
        f"run {stage.steps} upto",
        f'if "$(step) < {stage.steps}" then {" ".join(_cut_short(stage.name))}',
        "restart 0",
        *stage.leave,
        "unfix probe",
        f"write_restart {restart_file(stage.name, 'end')}",
    ]
    return lines


def _cut_short(stage: str) -> list[str]:
    """Return what is done when a stage ends before its last step, by the wall time or a lost phase."""
    last_frame = f"write_dump all custom {FRAMES_FILE} {_FRAME} modify append yes {_FRAME_FORMAT}"
    commands = [last_frame] if stage == PRODUCTION else []
    if stage != _AVERAGE:
        commands.append(f"write_restart {restart_file(stage, '$(step)')}")
    return [f'"{command}"' for command in (*commands, "quit 0")]


def _production(settings: CoexistenceSettings, spec: RunSpec, hold: Sequence[str], enter: Sequence[str] = ()) -> Stage:
    """Return the production stage: frames for the phase analysis, and a halt once a phase is gone."""
    lines = [
        *hold,
        f"dump frames all custom {settings.frame_steps} {FRAMES_FILE} {_FRAME}",
        f"dump_modify frames {_FRAME_FORMAT}",
    ]
    if settings.halt_on_lost_phase:
        window = settings.probe_steps * _PROBES
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
    window = settings.probe_steps * _PROBES
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
            _AVERAGE,
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
