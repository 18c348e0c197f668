"""Pages and pictures of what is published."""

from __future__ import annotations

from pathlib import Path

from aiida import orm

from aiida_dnpmelt.provenance.intervals import with_intervals
from aiida_dnpmelt.provenance.query import MELTING_TYPE, PROCESS_TYPE, SIZE_TYPE, SWEEP_TYPE
from aiida_dnpmelt.publication.selection import LEARNING_TYPE, Selection
from aiida_dnpmelt.publication.tables import points_in
from aiida_dnpmelt.report.chains import descendants
from aiida_dnpmelt.report.figures import page_style
from aiida_dnpmelt.report.finite_size import write_study
from aiida_dnpmelt.report.page import write_html
from aiida_dnpmelt.report.pressure_sweep import sweep_to_draw, write_sweep

_DPI = 200
_WITH_PAGE = (PROCESS_TYPE, MELTING_TYPE, LEARNING_TYPE)


def write_pages(selection: Selection, folder: Path) -> list[str]:
    """Write a page for each work chain that was named, and return the names of the files.

    A sweep and a study of sizes have none: each of their coexistences has one, also those that were taken over.

    :raises ImportError: without the extra ``[report]``.
    """
    files = []
    for chain in _chains_with_page(selection):
        name = f"{_short(chain)}.html"
        (folder / name).write_text(write_html(chain), encoding="utf-8")
        files.append(name)
    return files


def _chains_with_page(selection: Selection) -> list[orm.WorkChainNode]:
    found: dict[int, orm.WorkChainNode] = {}
    points = {point.node_pk: point.pk for point in points_in(selection.pks)}
    for root in selection.roots:
        if root.process_type in _WITH_PAGE:
            found[root.pk] = root
            continue
        links = root.base.links.get_incoming().all() + root.base.links.get_outgoing().all()
        chains = {node.pk for _, node in descendants(root) if node.process_type == PROCESS_TYPE}
        chains |= {points[link.node.pk] for link in links if link.node.pk in points}
        found.update({pk: orm.load_node(pk) for pk in chains})
    return [found[pk] for pk in sorted(found)]


def write_pictures(selection: Selection, folder: Path) -> list[str]:
    """Draw each result that was named, and return the names of the files.

    :raises ImportError: without the extra ``[report]``.
    """
    files = []
    for root in selection.roots:
        name = f"{_short(root)}.svg"
        if _draw(root, folder / name):
            files.append(name)
    return files


def _draw(root: orm.WorkChainNode, path: Path) -> bool:
    """Draw a result, and return whether there was something to draw."""
    if root.process_type == SWEEP_TYPE and "sweep" in root.outputs:
        write_sweep(sweep_to_draw(root.pk), path)
    elif root.process_type == SIZE_TYPE and "finite_size" in root.outputs:
        study = root.outputs.finite_size
        if study["atoms"]:
            write_study(with_intervals(study), path)
    elif (root.process_type == PROCESS_TYPE and "melting_point" in root.outputs) or (
        root.process_type == MELTING_TYPE and "melting" in root.outputs
    ):
        with page_style():
            root.tools.plot().savefig(path, dpi=_DPI)
    return path.exists()


def _short(node: orm.WorkChainNode) -> str:
    """Return a name of a file: what it is of, and the beginning of its UUID."""
    return f"{str(node.process_type).rpartition('.')[2]}_{node.uuid[:8]}"
