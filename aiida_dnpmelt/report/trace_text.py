"""What stands behind a melting temperature, as text: a tree of stages with their facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from aiida_dnpmelt.calculations.melting_point import judged
from aiida_dnpmelt.physics.notation import notation
from aiida_dnpmelt.provenance.trace import Cost, Stage, Trace
from aiida_dnpmelt.report.terminal import plain
from aiida_dnpmelt.report.words import core_hours

if TYPE_CHECKING:
    from rich.tree import Tree

_MOST = 8
"""Values of one kind that are named one by one."""
_SHORT = 12
"""Characters of a checksum that are shown."""


def trace_tree(trace: Trace) -> Tree:
    """Return the stages as a tree: a branch for each generation of models, the last one first."""
    from rich.text import Text
    from rich.tree import Tree

    root = Tree(Text(plain(headline(trace.result)), style="bold"))
    for generation, stages in groupby(trace.stages, key=lambda stage: stage.generation):
        name = f"generation {generation} of models" if generation else "before the first models"
        branch = root.add(Text(name)) if any(stage.generation for stage in trace.stages) else root
        for stage in stages:
            leaf = branch.add(Text(f"{stage.kind}{cost_text(stage.cost)}", style="bold"))
            for line in fact_lines(stage):
                leaf.add(Text(plain(line)))
    root.add(Text(f"{len(trace.ancestry.nodes)} nodes in all{cost_text(trace.cost)}"))
    return root


def headline(result: Mapping[str, Any]) -> str:
    """Return a melting temperature in a line."""
    value = notation(result["melting_temperature_k"], result.get("standard_uncertainty_k"))
    number = "no T_m" if value == "-" else f"T_m = {value} K"
    whose = result.get("potential_label") or "learned models"
    return f"{number}: {result['element']} ({result['lattice']}) at {result['pressure_gpa']:g} GPa, {whose}, " + str(
        judged(result)["verdict"]
    )


def cost_text(cost: Cost) -> str:
    """Return the cost of a stage behind a colon, empty if there is none."""
    parts = [
        f"{cost.jobs} jobs" if cost.jobs else "",
        f"{cost.frames} labelled frames" if cost.frames else "",
        f"{core_hours(cost.jobs, cost.unknown, cost.core_hours)} core-hours" if cost.jobs else "",
        f"{cost.atom_steps / 1e6:.1f} M atom-steps" if cost.atom_steps else "",
        f"those of {cost.unknown} job{'s' * (cost.unknown > 1)} are not known" if 0 < cost.unknown < cost.jobs else "",
    ]
    known = ", ".join(part for part in parts if part)
    return f": {known}" if known else ""


def fact_lines(stage: Stage) -> Iterator[str]:
    """Yield the facts of a stage, a line for each kind."""
    for name, value in stage.facts.items():
        if name == "potentials":
            yield from (f"potential {_named(each)}" for each in value[:_MOST])
            if len(value) > _MOST:
                yield f"and {len(value) - _MOST} potentials more"
        elif name == "potcars":
            yield from (f"POTCAR {_named(each) if isinstance(each, dict) else each}" for each in value)
        else:
            yield f"{name}: {_text(value)}"


def _named(values: Mapping[str, Any]) -> str:
    name = values.get("label") or values.get("title") or values.get("symbol") or ""
    others = [f"{key} {_cut(key, value)}" for key, value in values.items() if value != name]
    return ", ".join([str(name), *others])


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items() if each not in ([], {}, ""))
    if isinstance(value, Sequence) and not isinstance(value, str):
        more = len(value) - _MOST
        shown = "; ".join(map(_text, value[:_MOST]))
        return f"{shown} and {more} more" if more > 0 else shown
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cut(key: str, value: Any) -> str:
    return str(value)[:_SHORT] if key.startswith("sha") else str(value)
