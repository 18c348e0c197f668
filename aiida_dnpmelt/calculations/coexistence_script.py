"""LAMMPS input of a coexistence run, stage by stage.

A run is a list of stages; each can be entered afresh or taken up again from a restart file, so that a job that
was cut anywhere goes on from the last state it had. Stage names, restart files and the lines ``dnpmelt ...`` in
the log are the contract with the parser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.calculations.coexistence_stages import (
    AVERAGE,
    FRAME,
    FRAME_FORMAT,
    FRAMES_FILE,
    PROBES,
    PRODUCTION,
    RunSpec,
    Stage,
    stages_of,
)

DATA_FILE = "cell.data"
LOG_FILE = "log.lammps"

_THERMO = "step temp pe ke etotal enthalpy econserve press pxx pyy pzz lx ly lz"


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


def restart_file(stage: str, step: int | str) -> str:
    """Return the name of the restart file of a step of a stage."""
    return f"{stage}.{step}.restart"


def probe_file(stage: str) -> str:
    """Return the name of the file with the in-run order parameter of a stage."""
    return f"probe.{stage}.dat"


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
    if end.timed_out and end.stage != AVERAGE:
        return Resume(end.stage, end.step, restart_file(end.stage, end.step))
    every = settings.restart_steps
    periodic = end.step // every * every if end.stage != AVERAGE else 0
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
        f"fix probe all ave/time {every} {PROBES} {every * PROBES} v_order c_force2 file {probe_file(stage.name)}"
    )
    lines += stage.hold
    if stage.name != AVERAGE:
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
    last_frame = f"write_dump all custom {FRAMES_FILE} {FRAME} modify append yes {FRAME_FORMAT}"
    commands = [last_frame] if stage == PRODUCTION else []
    if stage != AVERAGE:
        commands.append(f"write_restart {restart_file(stage, '$(step)')}")
    return [f'"{command}"' for command in (*commands, "quit 0")]
