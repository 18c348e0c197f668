"""What work has cost so far, and what more of it would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiida import orm

from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.calculations.coexistence_stages import preparation_time_ps
from aiida_dnpmelt.calculations.lammps_coexistence import LammpsCoexistenceCalculation
from aiida_dnpmelt.data.potential import DEEPMD, PotentialData

# Atom-steps a second and core, as benchmarks/README.md has them: the order of magnitude.
MODEL_SPEED = 5.0e3
_TYPICAL_SPEED_EAM = 5.0e5
_LATEST = 50
"""Jobs that a speed is learned from: machines and programs change."""
_OTHERS = 3
"""Jobs with other EAM potentials that are needed to speak for one that has not been run: their speeds are alike."""
_QUIET, _BUSY = 0.75, 0.1
"""Quantiles of the speeds of jobs: other work on the same cores makes them slower, and never faster."""
_WORTH_SAYING = 1.5
"""Ratio of these from which both are told."""
PUBLISHED_ELECTRONIC_STEPS = (5, 13, 60)
"""Electronic steps of a self-consistent cycle: tenth percentile, median and ninetieth of 253 of palladium in the
`vasprun.xml` files published with Andolina and Saidi, Digital Discovery 3, 1421 (2024), whose NELM is 60."""
# What jobs left, in bytes: an atom in a restart file and in a frame; a sample in the log, in its copy in the
# repository and in the arrays.
_RESTART_BYTES = 89
_FRAME_BYTES = 28
_SAMPLE_BYTES = 500
_STAGES = 6
# A training with its data, checkpoints and models, and its share of the explorations and labels: some 10 MB with the
# small network of `fast`, some 60 MB with that of `paper`.
_TRAINING_BYTES = 30_000_000


@dataclass(frozen=True)
class Speed:
    """Atom-steps a second and core.

    :param value: of a core that does nothing else.
    :param busy: of the wall time, as the slowest tenth of the jobs had it.
    :param source: where they come from, in words.
    """

    value: float
    busy: float
    source: str

    def core_hours(self, atom_steps: float) -> float:
        """Return the core-hours that atom-steps take on cores that do nothing else."""
        return atom_steps / self.value / 3600

    def text(self, atom_steps: float) -> str:
        """Return these in words, and what they become where cores are shared, if jobs have seen that."""
        quiet = f"some {self.core_hours(atom_steps):.2g} core-hours ({self.source})"
        if self.value < _WORTH_SAYING * self.busy:
            return quiet
        return f"{quiet}, {atom_steps / self.busy / 3600:.2g} on cores as busy as those of the slowest of them"

    def wall_time(self, atom_steps: float) -> str:
        """Return in words how long one core takes for atom-steps."""
        seconds = atom_steps / self.value
        if seconds < 3600:
            return f"{max(1, round(seconds / 60))} min"
        return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"


def speed_of(potential: PotentialData, code: orm.AbstractCode | None = None) -> Speed:
    """Return the speed of coexistence with a potential, learned from jobs that ended well, a typical one without any.

    The CPU time of jobs counts where their logs tell it, so that a job which shared its cores teaches what others do.

    :param code: jobs that it ran count alone if there are any; and, for an EAM potential that has not run, those with
        other EAM potentials.
    """
    own = _jobs({"id": potential.pk}, code) or _jobs({"id": potential.pk}) if potential.is_stored else []
    if own:
        return _learned(own, "this potential")
    typical = MODEL_SPEED if potential.pair_style == DEEPMD else _TYPICAL_SPEED_EAM
    if code is not None and code.is_stored and potential.pair_style.startswith("eam"):
        others = _jobs({"attributes.pair_style": {"like": "eam%"}}, code)
        if len(others) >= _OTHERS:
            return _learned(others, "other EAM potentials")
    return Speed(typical, typical, f"at a typical {typical:.0e} atom-steps/s a core")


def _jobs(potentials: dict[str, Any], code: orm.AbstractCode | None = None) -> list[tuple[float, float, float | None]]:
    """Return atom-steps, core-hours and CPU hours (None: not known) of the latest jobs that ended well."""
    query = orm.QueryBuilder()
    query.append(PotentialData, filters=potentials, tag="potential")
    query.append(
        orm.CalcJobNode,
        with_incoming="potential",
        filters={"process_type": LammpsCoexistenceCalculation.build_process_type(), "attributes.exit_status": 0},
        tag="job",
    )
    if code is not None and code.is_stored:
        query.append(orm.AbstractCode, with_outgoing="job", filters={"id": code.pk})
    keys = [f"attributes.{key}" for key in ("atom_steps", "core_hours", "cpu_hours")]
    query.append(orm.Dict, with_incoming="job", edge_filters={"label": "results"}, project=keys)
    query.order_by({"job": {"id": "desc"}}).limit(_LATEST)
    return [(steps, hours, cpu) for steps, hours, cpu in query.all() if steps and hours]


def _learned(jobs: Sequence[tuple[float, float, float | None]], what: str) -> Speed:
    """Return the speed of jobs: those whose CPU time is known tell the value, the wall times of all how busy cores are.

    Without CPU times the faster ones tell the value.
    """
    wall = [steps / hours / 3600 for steps, hours, _ in jobs]
    cpu = [steps / hours / 3600 for steps, _, hours in jobs if hours]
    value = float(np.median(cpu) if cpu else np.quantile(wall, _QUIET))
    number = f"{len(jobs)} jobs" if len(jobs) > 1 else "1 job"
    return Speed(value, min(value, float(np.quantile(wall, _BUSY))), f"speed of {number} with {what}")


def electronic_steps() -> tuple[float, str]:
    """Return the electronic steps of a self-consistent cycle in VASP, and where the number comes from, in words.

    It is the mean over the runs of VASP of the profile, without any the median of published ones.
    """
    query = orm.QueryBuilder().append(
        orm.Dict,
        filters={"attributes.electronic_steps": {">": 0}, "attributes.steps": {">": 0}},
        project=["attributes.electronic_steps", "attributes.steps"],
    )
    rows = query.all()
    if not rows:
        low, typical, high = PUBLISHED_ELECTRONIC_STEPS
        return typical, f"as the median of published runs, where it is {low} to {high}"
    number = f"{len(rows)} runs" if len(rows) > 1 else "1 run"
    return sum(row[0] for row in rows) / sum(row[1] for row in rows), f"mean of {number} of this profile"


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
