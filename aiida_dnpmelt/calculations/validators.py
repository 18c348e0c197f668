"""Validators of inputs that more than one process has: each returns a sentence with the key, value and range."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessSpec
from pydantic import BaseModel, ValidationError

from aiida_dnpmelt.data.code_kinds import Program, wrong_program
from aiida_dnpmelt.data.frames import FramesData, lacking_labels
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.data.trust import untrusted
from aiida_dnpmelt.physics.ordering import ordered
from aiida_dnpmelt.physics.soundness import no_crystal


def may_run(given: orm.Node | Mapping[str, orm.Node] | None, _: Any) -> str | None:
    """Check that nodes that would be run did not come by an archive that the user does not trust."""
    nodes = [given] if isinstance(given, orm.Node) else list((given or {}).values())
    found = untrusted(nodes)
    if not found:
        return None
    node = found[0]
    what = f"node {node.pk} ({node.label!r}) came by an archive"
    if isinstance(node, orm.AbstractCode):
        return f"{what}, and codes of archives never run: make one of this machine, `aiida-dnpmelt setup`"
    return f"{what} and would be run: if you know where it comes from, `aiida-dnpmelt trust {node.pk}`"


def runs(program: Program) -> Any:
    """Return a validator of a code, which must not run anything else than a program; what it runs may not be known."""

    def validate(code: orm.AbstractCode | None, _: Any) -> str | None:
        problem = None if code is None else wrong_program(code, program)
        return None if problem is None else f"code: {problem}"

    return validate


def guard_job(spec: ProcessSpec, program: Program) -> None:
    """Let the inputs that AiiDA gives to each job refuse what must not run.

    That is what came by an archive, the code and folders of jobs, and a code of another program.
    """
    for name in ("code", "remote_folder", "restart_folder"):
        if name in spec.inputs:
            spec.inputs[name].validator = both(may_run, runs(program)) if name == "code" else may_run


def validate_structure(node: orm.StructureData | None, _: Any) -> str | None:
    """Check that a structure is a crystal with one atom on each site."""
    if node is None:
        return None
    for kind in node.kinds:
        if kind.is_alloy or kind.has_vacancies:
            shares = ", ".join(
                f"{symbol} {weight:g}" for symbol, weight in zip(kind.symbols, kind.weights, strict=True)
            )
            return f"structure: a site is occupied in part ({shares}): make an ordered cell of it"
    problem = no_crystal(node.get_ase())
    return None if problem is None else f"structure: {problem}"


def both(*validators: Any) -> Any:
    """Return a validator that asks several, and returns the first problem."""

    def validate(given: Any, port: Any) -> str | None:
        return next((problem for each in validators if (problem := each(given, port)) is not None), None)

    return validate


def positive(name: str, unit: str, largest: float) -> Any:
    """Return a validator of a number node that must lie in (0, largest]."""

    def validate(node: orm.Float | None, _: Any) -> str | None:
        if node is not None and not 0 < node.value <= largest:
            return f"{name}: {node.value:g} {unit} is outside the allowed range 0 < {name} <= {largest:g} {unit}"
        return None

    return validate


def validate_pressure(node: orm.Float | None, _: Any) -> str | None:
    """Check that a pressure is one of this planet's."""
    if node is not None and not -10 <= node.value <= 1000:
        return f"pressure: {node.value:g} GPa is outside the allowed range -10 <= pressure <= 1000 GPa"
    return None


def validate_pressures(fewest: int) -> Any:
    """Return a validator of a list of at least ``fewest`` different pressures."""

    def validate(node: orm.List | None, _: Any) -> str | None:
        if node is None:
            return None
        values = node.get_list()
        if not all(isinstance(value, int | float) and -10 <= value <= 1000 for value in values):
            return f"pressures: {values} must be numbers in the allowed range -10 <= pressure <= 1000 GPa"
        if len(set(values)) < len(values) or len(values) < fewest:
            return f"pressures: {values} must be at least {fewest} different numbers in GPa"
        return None

    return validate


def validate_repetitions(node: orm.List | None, _: Any) -> str | None:
    """Check that there are three positive whole numbers."""
    values = node.get_list() if node is not None else [1, 1, 1]
    if len(values) != 3 or not all(isinstance(value, int) and 1 <= value <= 1000 for value in values):
        return f"repetitions: {values} must be three whole numbers from 1 to 1000"
    return None


def validate_seed(node: orm.Int | None, _: Any) -> str | None:
    """Check that a seed is positive."""
    if node is not None and not 0 < node.value < 900_000_000:
        return f"seed: {node.value} is outside the allowed range 1 to 899999999"
    return None


def validate_seeds(node: orm.List | None, _: Any) -> str | None:
    """Check that seeds are different positive whole numbers."""
    seeds = node.get_list() if node is not None else [1]
    if not seeds or not all(isinstance(seed, int) and 0 < seed < 900_000_000 for seed in seeds):
        return f"seeds: {seeds} must be whole numbers from 1 to 899999999, at least one"
    if len(set(seeds)) < len(seeds):
        return f"seeds: {seeds} must all be different, a seed stands for one run or model"
    return None


def unfit_frames(frames: Mapping[str, FramesData], species: Collection[str]) -> str | None:
    """Return which nodes of frames cannot be learned from for some species, and why; None if all can."""
    found = {name: problem for name, node in ordered(frames).items() if (problem := _unfit(node, species))}
    if not found:
        return None
    name, problem = next(iter(found.items()))
    more = f" (and {len(found) - 1} more of {len(frames)} nodes)" if len(found) > 1 else ""
    return f"frames.{name}: {problem}{more}"


def _unfit(node: FramesData, species: Collection[str]) -> str | None:
    what = "it" if node.pk is None else f"node {node.pk}"
    if lacking := lacking_labels(node):
        return f"{what} cannot be trained on: it lacks {', '.join(lacking)}"
    own = set(node.base.attributes.get("symbols"))
    others = sorted(own - set(species))
    if others:
        return f"{what} holds {', '.join(sorted(own))}, the structure has no {', '.join(others)}"
    return None


def unfit_models(name: str, models: Mapping[str, PotentialData], species: Collection[str]) -> str | None:
    """Return which model of a namespace lacks a species, None if none does."""
    for key, model in ordered(models).items():
        if missing := sorted(set(species) - set(model.type_map)):
            return f"{name}.{key}: it has no {', '.join(missing)}, it knows {', '.join(model.type_map)}"
    return None


def fits(model: type[BaseModel], name: str) -> Any:
    """Return a validator of a dictionary node that must fit a model, each key its own range."""

    def validate(node: orm.Dict | None, _: Any) -> str | None:
        if node is None:
            return None
        try:
            model(**node.get_dict())
        except ValidationError as exception:
            return explain(exception, name)
        return None

    return validate


def explain(exception: ValidationError, name: str) -> str:
    """Return a sentence for each key that a model refused."""
    return "; ".join(
        f"{'.'.join([name, *map(str, error['loc'])])}: {error['msg']} (got {error['input']!r})"
        for error in exception.errors()
    )
