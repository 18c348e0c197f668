"""Calculation functions of two-phase coexistence: every number that the work chains act upon is derived here."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase import Atoms
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from aiida_dnpmelt import __version__
from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.data.elements import element
from aiida_dnpmelt.data.runs import from_node, to_node
from aiida_dnpmelt.physics.assessment import Assessment, assess
from aiida_dnpmelt.physics.crystals import MOST_ATOMS, lattice_name, repetitions
from aiida_dnpmelt.physics.error_budget import Measured, widened
from aiida_dnpmelt.physics.estimate import Series, last_window
from aiida_dnpmelt.physics.lattices import LATTICES, share_of
from aiida_dnpmelt.physics.ordering import ordered
from aiida_dnpmelt.physics.plan import Plan, first_guesses
from aiida_dnpmelt.physics.run import CoexistenceRun, join

SCHEMA = "dnpmelt.melting_point"
SCHEMA_VERSION = 1
PAPER_WINDOW_PS = 20.0


class Size(BaseModel):
    """How large a cell is: from a number of atoms, or as published for the number of atoms of a conventional cell."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum_atoms: int | None = Field(None, ge=1, le=MOST_ATOMS, description="Least number of atoms.")
    aspect: float = Field(2.0, gt=0, le=100, description="Length of the cell along z over its width.")
    by_atoms_in_cell: dict[int, tuple[PositiveInt, PositiveInt, PositiveInt]] | None = Field(
        None, description="Repetitions along x, y, z by the number of atoms of the conventional cell."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Size:
        if (self.minimum_atoms is None) == (self.by_atoms_in_cell is None):
            raise ValueError("give minimum_atoms, or by_atoms_in_cell")
        return self


@calcfunction
def tabulated_melting_temperature(structure: orm.StructureData) -> orm.Float:
    """Return the experimental melting temperature of an element in K, as a first guess."""
    (symbol,) = set(structure.get_ase().get_chemical_symbols())
    return orm.Float(element(symbol).melting_temperature)


@calcfunction
def cell_repetitions(cell: orm.StructureData, size: orm.Dict) -> orm.List:
    """Return the repetitions of a cell along x, y, z.

    :param size: see `Size`.
    """
    return orm.List(repetitions_of(cell.get_ase(), size.get_dict()))


def repetitions_of(atoms: Atoms, size: Mapping[str, Any]) -> list[int]:
    """Return the repetitions that a protocol's ``size`` asks for.

    :raises ValueError: if it has none for this number of atoms in the cell.
    """
    asked = Size(**size)
    if asked.minimum_atoms is not None:
        return list(repetitions(atoms, asked.minimum_atoms, asked.aspect))
    table = asked.by_atoms_in_cell or {}
    if len(atoms) not in table:
        raise ValueError(
            f"size.by_atoms_in_cell: no repetitions for a cell of {len(atoms)} atoms, only for {sorted(table)}"
        )
    return list(table[len(atoms)])


@calcfunction
def start_plan(temperature: orm.Float, plan: orm.Dict) -> dict[str, orm.Data]:
    """Return the guesses (``guess_1``, ... in K) and the ``production_time`` (ps) of the first round."""
    settings = Plan(**plan.get_dict())
    guesses = first_guesses(temperature.value, settings.initial_runs, settings.guess_spread)
    return _round_nodes(guesses, settings.first_time_ps)


@calcfunction
def shorter_timestep(parameters: orm.Dict) -> orm.Dict:
    """Return the settings of a run with half the time step, and samples at the same times."""
    settings = parameters.get_dict()
    timestep = settings["timestep_fs"]
    interval = CoexistenceSettings(**settings).sample_steps * timestep
    return orm.Dict({**settings, "timestep_fs": timestep / 2, "sample_interval_fs": interval})


@calcfunction
def join_pieces(**nodes: orm.Data) -> dict[str, orm.Data]:
    """Return the pieces of one run as one (``run``), and what all its jobs cost (``results``).

    :param nodes: ``run_0001``, ... and ``results_0001``, ..., each in the order in which the jobs ran.
    """
    pieces = [from_node(node) for node in ordered(nodes).values() if isinstance(node, orm.ArrayData)]
    results = [node.get_dict() for node in ordered(nodes).values() if isinstance(node, orm.Dict)]
    sums = {key: sum(result[key] for result in results) for key in ("steps", "atom_steps", "core_hours")}
    cpu = [result.get("cpu_hours") for result in results]
    known = {"cpu_hours": None if None in cpu else sum(cpu)}
    return {"run": to_node(join(pieces)), "results": orm.Dict({**results[-1], **sums, **known})}


@calcfunction
def assess_runs(
    plan: orm.Dict,
    structure: orm.StructureData,
    potential: orm.Data,
    pressure: orm.Float,
    repetitions: orm.List,
    parameters: orm.Dict,
    protocol: orm.Str,
    round_number: orm.Int,
    unused_seeds: orm.Int,
    **nodes: orm.Data,
) -> dict[str, orm.Data]:
    """Judge all runs, estimate the melting temperature, and say what to run next.

    :param nodes: ``run_001``, ``results_001``, ...: runs or pieces of runs in their order, and what their jobs cost;
        ``failed_001``, ...: what the jobs of runs cost that failed.
    :return: ``assessment``, ``melting_point`` (see the reference of the schema) and, if more is to be run,
        ``production_time`` (ps) and ``guess_1``, ... (K).
    """
    runs = whole_runs([from_node(node) for node in ordered(nodes).values() if isinstance(node, orm.ArrayData)])
    results = [node.get_dict() for node in ordered(nodes).values() if isinstance(node, orm.Dict)]
    atoms = structure.get_ase()
    lattice = lattice_name(atoms)
    assessment = assess(
        runs,
        Plan(**plan.get_dict()),
        rounds=round_number.value,
        atom_steps=sum(result["atom_steps"] for result in results),
        unused_seeds=unused_seeds.value,
        lattice=lattice,
    )
    point = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "element": atoms.get_chemical_formula(empirical=True),
        "lattice": lattice,
        "pressure_gpa": pressure.value,
        **_number(assessment, Plan(**plan.get_dict())),
        **_runs(assessment, runs),
        **_solid(assessment, runs, lattice),
        **_paper(runs),
        "potential_label": potential.label or potential.filename,
        "potential_uuid": potential.uuid,
        "potential_style": potential.pair_style,
        "potential_sha256": potential.sha256,
        "protocol": protocol.value,
        "method": parameters["method"],
        "timestep_fs": max(run.timestep_fs for run in runs.values()),
        "repetitions": repetitions.get_list(),
        "atoms": next(iter(runs.values())).n_atoms,
        "rounds": round_number.value,
        "atom_steps": sum(result["atom_steps"] for result in results),
        "core_hours": sum(result["core_hours"] for result in results),
        "lammps_version": results[-1]["lammps_version"] if results else None,
        "dnpmelt_version": __version__,
    }
    following = assessment.next
    return {
        "assessment": orm.Dict(_assessment(assessment)),
        "melting_point": orm.Dict(point),
        **({} if following.is_nothing else _round_nodes(following.guesses_k, following.production_time_ps)),
    }


def whole_runs(pieces: list[CoexistenceRun]) -> dict[str, CoexistenceRun]:
    """Return whole runs by label from their pieces in the order in which they were run; a seed stands for one run."""
    ordered = sorted(pieces, key=lambda piece: piece.seed)
    return {f"seed_{seed}": join(list(group)) for seed, group in groupby(ordered, key=lambda piece: piece.seed)}


def _round_nodes(guesses: Any, production_time_ps: float) -> dict[str, orm.Data]:
    nodes = {f"guess_{index}": orm.Float(float(guess)) for index, guess in enumerate(guesses, start=1)}
    return {**nodes, "production_time": orm.Float(production_time_ps)}


def _number(assessment: Assessment, plan: Plan) -> dict[str, Any]:
    """Return the melting temperature, its uncertainties and the verdict."""
    found, factor = assessment.estimate, assessment.correction
    common: dict[str, Any] = {
        "verdict": assessment.verdict,
        "reasons": list(assessment.reasons),
        "target_uncertainty_k": plan.target_uncertainty_k,
        "bracket_low_k": assessment.bounds.lower_k or None,
        "bracket_high_k": assessment.bounds.upper_k if assessment.bounds.upper_k < float("inf") else None,
    }
    if found is None:
        keys = ("melting_temperature_k", "standard_uncertainty_k", "interval_low_k", "interval_high_k")
        return {**dict.fromkeys(keys), **common, "target_reached": False}
    systematic = assessment.timestep_uncertainty_k
    value = factor * found.temperature_k
    low, high = widened((factor * found.interval_k[0], factor * found.interval_k[1]), value, systematic)
    return {
        "melting_temperature_k": value,
        "standard_uncertainty_k": (found.standard_uncertainty_k**2 + systematic**2) ** 0.5,
        "interval_low_k": low,
        "interval_high_k": high,
        "coverage": 0.95,
        "statistical_uncertainty_k": found.standard_uncertainty_k,
        "timestep_uncertainty_k": systematic,
        "size_uncertainty_k": None,
        "timestep_correction_k": (factor - 1) * found.temperature_k,
        "target_reached": found.standard_uncertainty_k <= plan.target_uncertainty_k,
        "relaxation_time_ps": found.relaxation_time_ps,
        "slow_noise_k": found.slow_noise_k,
        "fast_noise_k": found.fast_noise_k,
        "between_runs_k": found.between_seeds_k,
        "chi2": found.chi2,
        "degrees_of_freedom": found.dof,
        **common,
    }


def _runs(assessment: Assessment, runs: Mapping[str, CoexistenceRun]) -> dict[str, Any]:
    seeds = {
        state: [runs[label].seed for label in assessment.labels(state)]
        for state in ("coexistence", "froze", "melted", "invalid")
    }
    return {
        "seeds_used": seeds["coexistence"],
        "seeds_froze": seeds["froze"],
        "seeds_melted": seeds["melted"],
        "seeds_invalid": seeds["invalid"],
        "production_time_ps": sum(runs[label].length_ps for label in assessment.labels("coexistence")),
    }


def _solid(assessment: Assessment, runs: Mapping[str, CoexistenceRun], lattice: str) -> dict[str, Any]:
    """Return the lattice that most solid atoms have at the end, their share, and that of the lattice claimed.

    Of the living runs; without any, of those whose solid became another crystal.
    """
    turned = [label for label, outcome in assessment.outcomes.items() if outcome.turned]
    every = (runs[label].found_lattices for label in assessment.labels("coexistence") or turned)
    known = [shares for shares in every if np.isfinite(shares).all()]
    if not known:
        return {"found_lattice": None, "found_lattice_share": None, "lattice_share": None}
    mean = np.mean(known, axis=0)
    return {
        "found_lattice": LATTICES[int(mean.argmax())],
        "found_lattice_share": float(mean.max()),
        "lattice_share": share_of(lattice, mean),
    }


def another_crystal(point: Mapping[str, Any]) -> str | None:
    """Return in words why the solid of a stored melting point is not the crystal it claims; None if it is, or unknown.

    Points of earlier versions have the lattice that was found and its share, and no verdict on it.
    """
    wanted, found = point.get("lattice"), point.get("found_lattice")
    if found is None or wanted not in LATTICES or found == wanted:
        return None
    share = point.get("found_lattice_share")
    shown = "most of the solid" if share is None else f"{share:.0%} of the solid"
    return f"{shown} is {found} at the end, it is to be {wanted}"


def measured(point: Mapping[str, Any]) -> Measured:
    """Return T_m of a stored melting point, the part of its uncertainty that is common to points apart.

    That is the part of the time step: the share that its correction is off by is the same for all.
    """
    total, common = point["standard_uncertainty_k"], point.get("timestep_uncertainty_k") or 0.0
    return Measured(point["melting_temperature_k"], max(total**2 - common**2, 0.0) ** 0.5, min(common, total))


def judged(point: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored melting point with its verdict: earlier versions did not judge the crystal of the solid.

    A point of today has ``lattice_share``, and was judged by its own criteria.
    """
    flaw = another_crystal(point) if point.get("lattice_share") is None else None
    if flaw is None or point["verdict"] == "invalid":
        return dict(point)
    return {**point, "verdict": "invalid", "reasons": [*point.get("reasons", []), flaw]}


def _paper(runs: Mapping[str, CoexistenceRun]) -> dict[str, Any]:
    """Return the statistic of the paper over all long enough runs, whatever their state: it has no verdict."""
    series = [Series(run.time_ps, run.temperature_k) for run in runs.values() if len(run.time_ps) > 1]
    whole = [run for run in series if run.length_ps > PAPER_WINDOW_PS - run.spacing_ps / 2]
    if not whole:
        return dict.fromkeys(("paper_mean_k", "paper_std_k", "paper_sem_k"), None)
    statistic = last_window(whole, PAPER_WINDOW_PS)
    return {
        "paper_mean_k": statistic.temperature_k,
        "paper_std_k": statistic.standard_deviation_k,
        "paper_sem_k": statistic.standard_error_k if len(whole) > 1 else None,
    }


def _assessment(assessment: Assessment) -> dict[str, Any]:
    """Return outcomes and intentions as plain values."""
    return {
        "verdict": assessment.verdict,
        "reasons": list(assessment.reasons),
        "outcomes": {
            label: {"state": outcome.state, "reasons": list(outcome.reasons), **outcome.measures}
            for label, outcome in assessment.outcomes.items()
        },
        "next_guesses_k": list(assessment.next.guesses_k),
        "next_production_time_ps": assessment.next.production_time_ps,
        "extend": list(assessment.next.extend),
    }
