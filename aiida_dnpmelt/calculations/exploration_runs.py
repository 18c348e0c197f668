"""Calculation function that turns the plan of an exploration into the inputs of its jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from zlib import crc32

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from pydantic import BaseModel, ConfigDict, Field, field_validator

from aiida_dnpmelt.physics.crystals import repetitions
from aiida_dnpmelt.physics.frames import Phase

MOST_RUNS = 20
_NAME = re.compile(r"[a-z][a-z0-9]*")


class ExplorationRun(BaseModel):
    """One run of an exploration: a phase, in a cell, at temperatures one after the other."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    phase: Phase = Field(description="`solid`, `liquid` or `interface`.")
    temperature_factors: tuple[float, ...] = Field(
        min_length=1, max_length=1000, description="Temperatures in units of the reference temperature."
    )
    minimum_atoms: int = Field(ge=1, le=1_000_000, description="Least number of atoms of the cell.")
    aspect: float = Field(1.0, gt=0, le=100, description="Length of the cell along z over its width.")

    @field_validator("temperature_factors")
    @classmethod
    def _positive(cls, factors: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < factor <= 10 for factor in factors) or len(set(factors)) < len(factors):
            raise ValueError("the factors must be different numbers in 0 < factor <= 10")
        return factors


class ExplorationRuns(BaseModel):
    """The runs of an exploration by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs: dict[str, ExplorationRun] = Field(min_length=1, max_length=MOST_RUNS, description="Runs by name.")

    @field_validator("runs")
    @classmethod
    def _named(cls, runs: dict[str, ExplorationRun]) -> dict[str, ExplorationRun]:
        bad = [name for name in runs if not _NAME.fullmatch(name)]
        if bad:
            raise ValueError(f"{bad[0]!r}: a name has small letters and digits, a letter first")
        return runs


def runs_of(values: Mapping[str, Any]) -> dict[str, ExplorationRun]:
    """Return the runs of a plan.

    :raises ValidationError: if they do not fit `ExplorationRuns`.
    """
    return ExplorationRuns(**values).runs


def derived_seed(*parts: int | str) -> int:
    """Return a seed that depends on all parts, from 1 to 899999999; the same parts give the same one."""
    numbers = [crc32(part.encode()) if isinstance(part, str) else part for part in parts]
    return int(np.random.default_rng(numbers).integers(1, 900_000_000))


@calcfunction
def exploration_jobs(
    cell: orm.StructureData, temperature: orm.Float, runs: orm.Dict, seed: orm.Int
) -> dict[str, orm.Data]:
    """Return the inputs of the jobs: for each run ``phase_``, ``temperatures_`` (K), ``repetitions_`` and ``seed_``.

    :param cell: orthogonal cell of the crystal.
    :param temperature: reference temperature in K.
    :param runs: see `ExplorationRuns`.
    :param seed: of all random numbers of the exploration.
    """
    nodes: dict[str, orm.Data] = {}
    for name, run in runs_of(runs.get_dict()).items():
        temperatures = sorted(temperature.value * factor for factor in run.temperature_factors)
        nodes[f"phase_{name}"] = orm.Str(run.phase)
        nodes[f"temperatures_{name}"] = orm.List(temperatures)
        nodes[f"repetitions_{name}"] = orm.List(list(repetitions(cell.get_ase(), run.minimum_atoms, run.aspect)))
        nodes[f"seed_{name}"] = orm.Int(derived_seed(seed.value, name))
    return nodes
