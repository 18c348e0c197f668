"""What work has cost so far, and what more of it would cost."""

from __future__ import annotations

from aiida import orm

from aiida_dnpmelt.calculations.lammps_coexistence import LammpsCoexistenceCalculation
from aiida_dnpmelt.data.potential import PotentialData

# Atom-steps a second and core, as benchmarks/README.md has them: the order of magnitude.
_TYPICAL_SPEED = {"deepmd": 5.0e3}
_TYPICAL_SPEED_EAM = 5.0e5


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
