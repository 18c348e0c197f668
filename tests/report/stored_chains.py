"""Work chains that nobody ran, as they are stored while they run, and the folders of their jobs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessState

from aiida_dnpmelt.calculations.lammps_coexistence import LammpsCoexistenceCalculation
from aiida_dnpmelt.workchains.coexistence import CoexistenceWorkChain
from aiida_dnpmelt.workchains.tpc import TPCWorkChain


def stored_chain(state: ProcessState = ProcessState.WAITING) -> orm.WorkChainNode:
    """Return the node of a TPC work chain that has just begun."""
    node = orm.WorkChainNode(process_type=TPCWorkChain.build_process_type())
    node.set_process_state(state)
    return node.store()


def add_run(
    chain: orm.WorkChainNode, label: str, guess: float = 1283.0, state: ProcessState = ProcessState.WAITING
) -> orm.WorkChainNode:
    """Return the node of a run that a chain has called."""
    node = orm.WorkChainNode(process_type=CoexistenceWorkChain.build_process_type(), label=label)
    node.set_process_state(state)
    temperature = orm.Float(guess).store()
    node.base.links.add_incoming(temperature, LinkType.INPUT_WORK, "calc__temperature")
    node.base.links.add_incoming(chain, LinkType.CALL_WORK, label)
    return node.store()


def add_job(run: orm.WorkChainNode, like: orm.CalcJobNode, folder: Path | None) -> orm.CalcJobNode:
    """Return the node of a job of a run with the inputs of another, which runs in a folder."""
    node = orm.CalcJobNode(computer=like.computer, process_type=LammpsCoexistenceCalculation.build_process_type())
    node.set_process_state(ProcessState.WAITING)
    for link in like.base.links.get_incoming(link_type=LinkType.INPUT_CALC).all():
        node.base.links.add_incoming(link.node, LinkType.INPUT_CALC, link.link_label)
    node.base.links.add_incoming(run, LinkType.CALL_CALC, f"iteration_{len(run.called):02d}")
    if folder is not None:
        node.set_remote_workdir(str(folder))
    return node.store()


def end(node: orm.WorkChainNode, **results: Any) -> None:
    """End a run with these results, or without any: then it has failed."""
    if results:
        output = orm.Dict({"halted": False, "bulk_melted": False, **results}).store()
        output.base.links.add_incoming(node, LinkType.RETURN, "results")
    else:
        node.set_exit_message("the moon fell")
    node.set_exit_status(0 if results else 410)
    node.set_process_state(ProcessState.FINISHED)


def copied_folder(job: orm.CalcJobNode, place: Path) -> Path:
    """Return a copy of the folder of a job, with all of its files and a name that needs quotes."""
    return Path(shutil.copytree(job.get_remote_workdir(), place / "it's a job"))


def cut(folder: Path, stage: str, step: int) -> None:
    """Cut the log within the row of a step of a stage."""
    log = folder / "log.lammps"
    text = log.read_text()
    row = text.index(f"\n{step:10d} ", text.index(f"\ndnpmelt stage {stage}\n"))
    log.write_text(text[: row + 40])
