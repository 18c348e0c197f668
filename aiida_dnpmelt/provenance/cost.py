"""What work has cost so far, and what more of it would cost."""

from __future__ import annotations

from aiida import orm

from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.calculations.coexistence_stages import preparation_time_ps
from aiida_dnpmelt.calculations.lammps_coexistence import LammpsCoexistenceCalculation
from aiida_dnpmelt.data.potential import PotentialData

# Atom-steps a second and core, as benchmarks/README.md has them: the order of magnitude.
MODEL_SPEED = 5.0e3
_TYPICAL_SPEED = {"deepmd": MODEL_SPEED}
_TYPICAL_SPEED_EAM = 5.0e5
# What jobs left, in bytes: an atom in a restart file and in a frame; a sample in the log, in its copy in the
# repository and in the arrays.
_RESTART_BYTES = 89
_FRAME_BYTES = 28
_SAMPLE_BYTES = 500
_STAGES = 6
# A training with its data, checkpoints and models, and its share of the explorations and labels: some 10 MB with the
# small network of `fast`, some 60 MB with that of `paper`.
_TRAINING_BYTES = 30_000_000


def measured_speed(potential: PotentialData) -> float | None:
    """Return the atom-steps a second and core of the jobs of this potential that ended well, ``None`` without any.

    LAMMPS tells its time at the end of a run: that of a job that was killed is not known.
    """
    query = orm.QueryBuilder()
    query.append(PotentialData, filters={"id": potential.pk}, tag="potential")
    query.append(
        orm.CalcJobNode,
        with_incoming="potential",
        filters={"process_type": LammpsCoexistenceCalculation.build_process_type(), "attributes.exit_status": 0},
        tag="job",
    )
    query.append(
        orm.Dict,
        with_incoming="job",
        edge_filters={"label": "results"},
        project=["attributes.atom_steps", "attributes.core_hours"],
    )
    rows = query.all()
    hours = sum(row[1] for row in rows)
    return sum(row[0] for row in rows) / (3600 * hours) if hours > 0 else None


def core_hours(potential: PotentialData, atom_steps: float) -> tuple[float, str]:
    """Return the core-hours that atom-steps would take, and where the speed comes from."""
    measured = measured_speed(potential) if potential.is_stored else None
    speed = measured or _TYPICAL_SPEED.get(potential.pair_style, _TYPICAL_SPEED_EAM)
    source = "speed of the jobs with this potential" if measured else f"at a typical {speed:.0e} atom-steps/s a core"
    return atom_steps / speed / 3600, source


def coexistence_bytes(
    settings: CoexistenceSettings, n_atoms: int, time_ps: float, runs: int, jobs: int, potential_bytes: int
) -> float:
    """Return what coexistence runs leave on the disk in bytes, in the folders of their jobs and in the repository.

    :param time_ps: production of each run in ps.
    :param potential_bytes: size of the potential, which each job has a copy of.
    """
    restarts = _STAGES + time_ps / settings.restart_interval_ps
    frames = time_ps / settings.frame_interval_ps + 1
    samples = 1000 * (time_ps + preparation_time_ps(settings)) / settings.sample_interval_fs
    of_run = n_atoms * (restarts * _RESTART_BYTES + frames * _FRAME_BYTES) + samples * _SAMPLE_BYTES
    return runs * of_run + jobs * potential_bytes


def learning_bytes(trainings: int) -> float:
    """Return what trainings, and the explorations and labels between them, leave on the disk in bytes."""
    return trainings * _TRAINING_BYTES
