"""A work chain of the whole that nobody ran, stored with all of its parts; its numbers come from the real functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessState
from physics.labelled import labelled, labels_of
from physics.synthetic_runs import synthetic_run

from aiida_dnpmelt.calculations.comparison import compare_with_teacher
from aiida_dnpmelt.calculations.learning import decide_learning, summarise_learning
from aiida_dnpmelt.calculations.melting import melting_result
from aiida_dnpmelt.calculations.melting_point import assess_runs
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.data.runs import to_node
from aiida_dnpmelt.physics.selection import SelectionSettings, select
from aiida_dnpmelt.workchains.protocols import load_protocol

HOSTILE = "</title><script>alert('m')</script>$x_{1"
SEEDS = (1, 2, 3)
MODELS = tuple(f"seed_{seed}" for seed in SEEDS)
GUESS_K = 1350.0
OFFSETS = ({"seed_1": 0.004, "seed_2": -0.002, "seed_3": 0.001}, {"seed_1": 0.001, "seed_2": -0.001, "seed_3": 0.0})
"""Energies of the models less the teacher's in the liquid, in eV an atom, by iteration."""
EAM = "one\ntwo\nthree\n1 Cu\n5 0.1 5 0.1 5.0\n29 63.55 3.615 fcc\n" + "0.0\n" * 15


@dataclass
class Stored:
    """The node of the whole chain, and numbers of it."""

    node: orm.WorkChainNode
    result: dict[str, Any] = field(default_factory=dict)


def chain_node(entry_point: str, parent: orm.WorkChainNode | None = None, label: str = "", **inputs: Any) -> Any:
    """Return the stored node of a work chain with inputs, called by another."""
    node = orm.WorkChainNode(process_type=f"aiida.workflows:dnpmelt.{entry_point}", label=label)
    node.set_process_label(entry_point)
    node.set_process_state(ProcessState.WAITING)
    for name, value in inputs.items():
        node.base.links.add_incoming(value.store(), LinkType.INPUT_WORK, name)
    if parent is not None:
        node.base.links.add_incoming(parent, LinkType.CALL_WORK, label)
    return node.store()


def job_node(computer: Any, parent: orm.WorkChainNode, label: str, results: dict[str, Any]) -> Any:
    """Return the stored node of a job with its results, called by a work chain."""
    node = orm.CalcJobNode(computer=computer)
    node.set_process_state(ProcessState.FINISHED)
    node.set_exit_status(0)
    node.base.links.add_incoming(parent, LinkType.CALL_CALC, label)
    node.store()
    orm.Dict(results).store().base.links  # noqa: B018
    output = orm.Dict(results)
    output.base.links.add_incoming(node, LinkType.CREATE, "results")
    output.store()
    return node


def made_by(function: Any, parent: orm.WorkChainNode, label: str, **inputs: Any) -> dict[str, orm.Data]:
    """Return the stored outputs of a calculation function that a work chain has called."""
    found = function.__wrapped__(**inputs)
    found = found if isinstance(found, dict) else {"result": found}
    node = orm.CalcFunctionNode()
    node.set_process_state(ProcessState.FINISHED)
    node.set_exit_status(0)
    node.base.links.add_incoming(parent, LinkType.CALL_CALC, label)
    node.store()
    for name, data in found.items():
        data.base.links.add_incoming(node, LinkType.CREATE, name)
        data.store()
    return found


def give(node: orm.WorkChainNode, **outputs: orm.Data) -> None:
    """Attach outputs to a work chain."""
    for name, data in outputs.items():
        data.store().base.links.add_incoming(node, LinkType.RETURN, name)


def end(node: orm.WorkChainNode, exit_status: int = 0, message: str = "") -> None:
    """End a work chain."""
    node.set_exit_status(exit_status)
    if message:
        node.set_exit_message(message)
    node.set_process_state(ProcessState.FINISHED)


def teacher_potential(folder: Any) -> PotentialData:
    """Return a potential with a hostile label and origin."""
    path = folder / "Cu_test.eam.alloy"
    path.write_text(EAM)
    return PotentialData(path, label=HOSTILE, origin="<b>somebody</b> & somebody else", pair_style="eam/alloy")
