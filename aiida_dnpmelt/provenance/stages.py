"""Sort what stands behind a melting temperature into stages: generations of models, and the kinds of steps in each."""

from __future__ import annotations

from collections.abc import Collection
from graphlib import TopologicalSorter

from aiida_dnpmelt.provenance.ancestry import Ancestry, Link, Node

RESULT, COEXISTENCE, GUESSES = "result", "coexistence", "earlier coexistence"
TESTS, LABELS = "models on the labels", "labels"
SELECTION, EXPLORATION, TRAINING = "selection", "exploration", "training"
FIRST, PREPARATION, IMPORT, OTHER, GIVEN = "first frames", "preparation", "import", "other", "given"
KINDS = (
    RESULT,
    COEXISTENCE,
    GUESSES,
    TRAINING,
    TESTS,
    LABELS,
    SELECTION,
    EXPLORATION,
    FIRST,
    IMPORT,
    PREPARATION,
    OTHER,
    GIVEN,
)
"""Kinds of stages, from the melting temperature back."""

_JOBS = {
    "dnpmelt.coexistence": COEXISTENCE,
    "dnpmelt.deepmd_train": TRAINING,
    "dnpmelt.exploration": EXPLORATION,
    "dnpmelt.label": LABELS,
    "dnpmelt.vasp_md": LABELS,
    "dnpmelt.deepmd_test": TESTS,
    "dnpmelt.deepmd_show": IMPORT,
    "vasp.vasp": LABELS,
}
_FUNCTIONS = {
    "melting_point": COEXISTENCE,
    "bulk_phases": COEXISTENCE,
    "pressure_sweep": COEXISTENCE,
    "first_guess": COEXISTENCE,
    "melting": RESULT,
    "vasp_frames": LABELS,
    "screening": LABELS,
    "selection": SELECTION,
    "initial_frames": FIRST,
    "comparison": TESTS,
    "training": TRAINING,
    "learning": PREPARATION,
    "structures": PREPARATION,
    "exploration_runs": PREPARATION,
}
_PREPARING = ("complete_settings", "tabulated_melting_temperature", "cell_repetitions")
_OF_RESULT = "melting_result"
_JOB_PREFIX = "aiida.calculations:"
_RESTART = "parent_folder"
"""Label of the link that a training goes on by: it makes no later generation."""
_MODEL = ("potential",)

StageKey = tuple[str, int]
"""Kind of a stage, and its generation: how many trainings stand one on the other up to there."""


def stages_of(ancestry: Ancestry, own: Collection[int]) -> dict[int, StageKey]:
    """Return the stage of each node by its PK.

    A node that a process made is in the stage of the process; one that none made is given.

    :param own: PKs of the processes of the work chain that gives the result. Coexistence that others have run, which
        gave a first guess, is a stage apart.
    """
    inputs = ancestry.inputs()
    order = TopologicalSorter({pk: {link.source for link in links} for pk, links in inputs.items()}).static_order()
    found: dict[int, StageKey] = {}
    for pk in order:
        node, before = ancestry.nodes[pk], inputs[pk]
        if node.is_process:
            kind, generation = _of_process(node, before, found)
            found[pk] = (GUESSES if kind == COEXISTENCE and pk not in own else kind), generation
        else:
            found[pk] = found[before[0].source] if before else (GIVEN, 0)
    return _with_preparation(ancestry, found)


def _with_preparation(ancestry: Ancestry, found: dict[int, StageKey]) -> dict[int, StageKey]:
    """Return stages in which what prepared the coexistence, without a job, stands with the last coexistence."""
    last = max((key for key in found.values() if key[0] == COEXISTENCE), key=lambda key: key[1], default=None)
    with_jobs = {found[pk] for pk, node in ancestry.nodes.items() if node.is_job}
    if last is None:
        return found
    return {pk: last if key[0] == COEXISTENCE and key not in with_jobs else key for pk, key in found.items()}


def _of_process(node: Node, inputs: list[Link], found: dict[int, StageKey]) -> StageKey:
    generations = [found[link.source][1] for link in inputs]
    kind = _kind(node)
    if kind == TRAINING and node.is_job:
        begun = [found[link.source][1] + (link.label != _RESTART) for link in inputs]
        return kind, max(begun, default=1)
    if kind == LABELS and any(link.label in _MODEL and found[link.source][1] for link in inputs):
        kind = TESTS  # a model labels what its teacher did
    return kind, max(generations, default=0)


def _kind(node: Node) -> str:
    """Return the kind of stage that a process belongs to."""
    if node.is_job:
        return _JOBS.get(node.process_type.removeprefix(_JOB_PREFIX), OTHER)
    module, _, function = node.process_type.rpartition(".")
    if module.endswith("provenance.importers"):
        return IMPORT
    name = module.rpartition(".")[2]
    if function in _PREPARING:
        return PREPARATION
    if name == "melting" and function != _OF_RESULT:
        return PREPARATION
    return _FUNCTIONS.get(name, OTHER)
