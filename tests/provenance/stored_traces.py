"""A melting temperature with all that it stands on, as a learning of two generations leaves it, that nobody ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessState
from physics.labelled import labelled
from provenance.stored_points import POINT
from report.stored_melting import chain_node, end, unstored_potential

from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData

LAMMPS = "22 Jul 2025"


@dataclass
class Lineage:
    """The nodes of interest; ``first`` and ``second`` are frames by generation."""

    codes: dict[str, orm.InstalledCode]
    first: FramesData
    second: FramesData
    parent: PotentialData
    model: PotentialData
    incar: orm.Dict
    chain: orm.WorkChainNode
    jobs: dict[str, orm.CalcJobNode]


def job(
    computer: orm.Computer, kind: str, caller: tuple[Any, str] | None = None, **inputs: orm.Data
) -> orm.CalcJobNode:
    """Store a job with its inputs."""
    node = orm.CalcJobNode(computer=computer, process_type=f"aiida.calculations:{kind}")
    node.set_process_state(ProcessState.FINISHED)
    for label, value in inputs.items():
        node.base.links.add_incoming(value if value.is_stored else value.store(), LinkType.INPUT_CALC, label)
    if caller is not None:
        node.base.links.add_incoming(caller[0], LinkType.CALL_CALC, caller[1])
    return node.store()


def function(name: str, caller: Any = None, **inputs: orm.Data) -> orm.CalcFunctionNode:
    """Store a call of a calculation function, named by its module and itself."""
    node = orm.CalcFunctionNode(process_type=f"aiida_dnpmelt.calculations.{name}")
    node.set_process_state(ProcessState.FINISHED)
    for label, value in inputs.items():
        node.base.links.add_incoming(value if value.is_stored else value.store(), LinkType.INPUT_CALC, label)
    if caller is not None:
        node.base.links.add_incoming(caller, LinkType.CALL_CALC, name.rpartition(".")[2])
    return node.store()


def made(process: orm.ProcessNode, label: str, node: orm.Data) -> Any:
    """Store data that a process made."""
    node.base.links.add_incoming(process, LinkType.CREATE, label)
    return node.store()


def frames(
    number: int, seed: int, phase: str = "solid", labeller: str = "VASP 6.4.2, PAW_PBE Cu 22Jun2005"
) -> FramesData:
    return FramesData(labelled(number, 8, seed=seed, temperature_k=1300.0), phase=phase, labeller=labeller)


def lineage(computer: orm.Computer, training_seed: int = 7, lammps: str = LAMMPS, **changes: Any) -> Lineage:
    """Store a melting temperature of a model of the second generation.

    :param changes: of its melting point.
    """
    codes = {
        name: orm.InstalledCode(computer=computer, filepath_executable=f"/bin/{name}", label=f"stored-{name}").store()
        for name in ("lmp", "dp", "vasp")
    }
    incar = orm.Dict({"encut": 400, "ismear": 1}).store()
    jobs: dict[str, orm.CalcJobNode] = {}
    learning = chain_node("adaptive_learning", structure=crystal())

    def label(name: str, start: orm.Data, number: int, seed: int, phase: str) -> FramesData:
        calc = job(computer, "vasp.vasp", (learning, name), code=codes["vasp"], structure=start, parameters=incar)
        jobs[name] = calc
        made(calc, "misc", orm.Dict({"version": "6.4.2"}))
        taken = function("vasp_frames.take_labels", learning, run=made(calc, "retrieved", orm.FolderData()))
        raw = made(taken, "frames", frames(number, seed, phase))
        screened = function("screening.screen_frames", learning, frames=raw, settings=orm.Dict({"force": 10.0}))
        made(screened, "report", orm.Dict({"dropped": {"unconverged": 2}}))
        return made(screened, "frames", frames(number, seed + 100, phase))

    def train(name: str, seed: int, **inputs: orm.Data) -> PotentialData:
        calc = job(computer, "dnpmelt.deepmd_train", (learning, name), code=codes["dp"], seed=orm.Int(seed), **inputs)
        jobs[name] = calc
        made(calc, "results", orm.Dict({"core_hours": 1.5, "deepmd_version": "3.2.0", "finished": True}))
        return made(calc, "potential", unstored_potential(name, f"seed {seed}"))

    first = label("label_first", crystal(), 3, 1, "solid")
    parent = train("training_01", 1, frames__first=first)
    exploration = job(
        computer,
        "dnpmelt.exploration",
        (learning, "exploration_01"),
        code=codes["lmp"],
        seed=orm.Int(5),
        potential=parent,
    )
    made(exploration, "results", orm.Dict({"core_hours": 0.25, "atom_steps": 2e6, "lammps_version": lammps}))
    chosen = function("selection.select_frames", learning, trajectory=made(exploration, "trajectory", crystal()))
    second = label("label_second", made(chosen, "frames", crystal()), 4, 2, "liquid")
    model = train("training_02", training_seed, frames__first=first, frames__second=second, parent_model=parent)
    chain = coexistence(computer, codes["lmp"], model, lammps, jobs, **changes)
    return Lineage(codes, first, second, parent, model, incar, chain, jobs)


def coexistence(
    computer: orm.Computer,
    code: orm.InstalledCode,
    model: PotentialData,
    lammps: str = LAMMPS,
    jobs: dict[str, orm.CalcJobNode] | None = None,
    guess: orm.Float | None = None,
    **changes: Any,
) -> orm.WorkChainNode:
    """Store a coexistence work chain with one run."""
    chain = chain_node("tpc", structure=crystal(), potential=model, coexistence__calc__code=code)
    run = chain_node("coexistence", chain, "seed_101_round_01", calc__code=code, calc__potential=model)
    parameters = orm.Dict({"timestep_fs": 2.0, "method": "bulk"})
    calc = job(
        computer,
        "dnpmelt.coexistence",
        (run, "iteration_01"),
        code=code,
        potential=model,
        seed=orm.Int(101),
        parameters=parameters,
        temperature=guess or orm.Float(1350.0),
    )
    if jobs is not None:
        jobs["coexistence"] = calc
    results = made(calc, "results", orm.Dict({"core_hours": 2.0, "atom_steps": 5e6, "lammps_version": lammps}))
    assessed = function("melting_point.assess_runs", chain, potential=model, results_001=results)
    own = {"potential_uuid": str(model.uuid), "potential_sha256": model.sha256, "potential_label": model.label}
    point = made(assessed, "melting_point", orm.Dict({**POINT, **own, "lammps_version": lammps, **changes}))
    point.base.links.add_incoming(chain, LinkType.RETURN, "melting_point")
    for each in (run, chain):
        end(each)
    return chain


def crystal() -> orm.StructureData:
    node = orm.StructureData(cell=[[3.6, 0, 0], [0, 3.6, 0], [0, 0, 3.6]])
    node.append_atom(position=(0, 0, 0), symbols="Cu")
    return node
