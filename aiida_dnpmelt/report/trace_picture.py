"""What stands behind a melting temperature, as a picture: stages as boxes, generations of models from left to right."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aiida_dnpmelt.provenance.stages import (
    COEXISTENCE,
    EXPLORATION,
    FIRST,
    GIVEN,
    GUESSES,
    IMPORT,
    KINDS,
    LABELS,
    OTHER,
    PREPARATION,
    RESULT,
    SELECTION,
    TESTS,
    TRAINING,
)
from aiida_dnpmelt.provenance.trace import Stage, Trace
from aiida_dnpmelt.report.figures import COLOURS, page_style
from aiida_dnpmelt.report.trace_text import headline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMN, _ROW, _WIDTH, _HEIGHT = 1.75, 0.62, 1.42, 0.42
_SETTINGS = (PREPARATION, GIVEN)
"""Kinds of stages that everything stands on, which are left out."""
_ROWS = [
    *(RESULT, COEXISTENCE, GUESSES, TESTS, LABELS, SELECTION, EXPLORATION, TRAINING),
    *(FIRST, IMPORT, OTHER, PREPARATION, GIVEN),
]
"""Kinds from the top down: within a generation, each is run after those below it."""
_COLOURS = dict(zip(KINDS, (*COLOURS, *COLOURS, *COLOURS), strict=False))
_LEAST_WIDTH = 6.0
_FADED = 0.18


def write_trace(trace: Trace, path: Path) -> None:
    """Write the picture to a file; its suffix says the format.

    :raises ImportError: without the extra ``[report]``.
    """
    with page_style():
        trace_figure(trace).savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=150)


def trace_svg(trace: Trace, url_of: Callable[[Stage], str]) -> str:
    """Return the picture as SVG in which each stage is a link.

    :raises ImportError: without the extra ``[report]``.
    """
    buffer = io.StringIO()
    with page_style():
        trace_figure(trace, url_of).savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()[buffer.getvalue().index("<svg") :]


def trace_figure(trace: Trace, url_of: Callable[[Stage], str] | None = None) -> Figure:
    """Return the figure, without what was given and derived settings.

    Of arrows, those that follow from others are left out.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    stages = [stage for stage in trace.stages if stage.kind not in _SETTINGS] or list(trace.stages)
    places = _places(stages)
    columns = max(x for x, _ in places.values()) + 1
    rows = max(y for _, y in places.values()) + 1
    width = max(columns * _COLUMN, _LEAST_WIDTH)
    figure = Figure(figsize=(width + 0.3, rows * _ROW + 0.6))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-0.15, width + 0.15)
    axes.set_ylim(-0.1, rows * _ROW + 0.5)
    axes.set_axis_off()
    axes.text(0, rows * _ROW + 0.25, headline(trace.result), fontsize=10, fontweight="bold", va="center")
    corners = {key: (x * _COLUMN, (rows - 1 - y) * _ROW) for key, (x, y) in places.items()}
    for begin, end in _arrows(stages):
        (x0, y0), (x1, y1) = corners[begin], corners[end]
        right = x1 > x0
        start = (x0 + (_WIDTH if right else _WIDTH / 2), y0 + (_HEIGHT / 2 if right or y1 == y0 else _HEIGHT))
        stop = (x1 + (0 if right else _WIDTH / 2), y1 + (_HEIGHT / 2 if right else 0 if y1 > y0 else _HEIGHT))
        if not right and y1 < y0:
            start = (start[0], y0)
        axes.add_patch(FancyArrowPatch(start, stop, arrowstyle="-|>", mutation_scale=8, lw=0.7, color="0.45"))
    for stage in stages:
        x, y = corners[stage.key]
        colour = _COLOURS[stage.kind]
        box = FancyBboxPatch((x, y), _WIDTH, _HEIGHT, boxstyle="round,pad=0,rounding_size=0.06", fc="white", ec=colour)
        fill = FancyBboxPatch(
            (x, y), _WIDTH, _HEIGHT, boxstyle="round,pad=0,rounding_size=0.06", fc=colour, alpha=_FADED
        )
        title = axes.text(x + _WIDTH / 2, y + _HEIGHT * 0.66, stage.kind, ha="center", va="center", fontsize=7.5)
        note = axes.text(x + _WIDTH / 2, y + _HEIGHT * 0.28, _note(stage), ha="center", va="center", fontsize=6.5)
        for patch in (box, fill):
            axes.add_patch(patch)
        if url_of is not None:
            for artist in (box, fill, title, note):
                artist.set_url(url_of(stage))
    return figure


def _places(stages: Sequence[Stage]) -> dict[str, tuple[int, int]]:
    """Return column and row of each stage: columns are generations, rows are kinds that are there."""
    generations = sorted({stage.generation for stage in stages})
    kinds = [kind for kind in _ROWS if any(stage.kind == kind for stage in stages)]
    return {stage.key: (generations.index(stage.generation), kinds.index(stage.kind)) for stage in stages}


def _arrows(stages: Sequence[Stage]) -> list[tuple[str, str]]:
    """Return the links between stages in the order in which they are run, without those that follow from others."""
    import networkx

    order = {stage.key: (stage.generation, -_ROWS.index(stage.kind)) for stage in stages}
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    for stage in stages:
        graph.add_edges_from(
            (parent, stage.key) for parent in stage.parents if parent in order and order[parent] < order[stage.key]
        )
    return sorted(networkx.transitive_reduction(graph).edges)


def _note(stage: Stage) -> str:
    """Return the size of a stage in a few words."""
    if stage.cost.frames:
        return f"{stage.cost.frames} frames"
    if stage.cost.jobs:
        cost = stage.cost
        hours = "cost not known"
        if cost.unknown < cost.jobs:
            hours = f"{'> ' if cost.unknown else ''}{cost.core_hours:.2g} core-h"
        return f"{cost.jobs} {'job' if cost.jobs == 1 else 'jobs'}, {hours}"
    return f"{len(stage.nodes)} nodes"
