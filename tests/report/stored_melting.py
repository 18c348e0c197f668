"""A work chain of the whole that nobody ran, stored with its parts: the numbers of its steps are those of the steps."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
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
SEEDS = (1, 2)
COEXISTENCE_SEEDS = (101,)
MODELS = tuple(f"seed_{seed}" for seed in SEEDS)
T_K = 1350.0
ATOMS = 8
SELECTION = {"lower_ev_per_angstrom": 0.1, "upper_ev_per_angstrom": 1.5}
OFFSETS_EV = ((0.012, -0.006), (0.001, -0.0005))
"""Energies of the models less their teacher's in the liquid, in eV an atom, by iteration."""
TEACHERS_T_K = 1330.0


@dataclass(frozen=True)
class Iteration:
    """What the steps of an iteration left."""

    decision: orm.Dict
    comparison: orm.Dict
    training: orm.Dict
    frames: dict[str, FramesData]


def melting_chain(computer: orm.Computer, until: str = "end") -> orm.WorkChainNode:
    """Return the node of the whole chain, as it is after a step.

    :param until: ``learning`` (one iteration, without a decision), ``coexistence`` or ``end``.
    """
    teacher = potential(HOSTILE, "<b>somebody</b> & others")
    inputs = {
        "structure": orm.StructureData(cell=np.diag([3.6, 3.6, 3.6]), pbc=True),
        "protocol": orm.Str("fast"),
        "seed": orm.Int(11),
        "learning__training__seeds": orm.List(list(SEEDS)),
        "tpc__seeds": orm.List(list(COEXISTENCE_SEEDS)),
        "teacher": teacher,
    }
    inputs["structure"].append_atom(position=(0, 0, 0), symbols="Cu")
    chain = chain_node("melting", **inputs)
    learning, summary = _learning(chain, computer, teacher, whole=until != "learning")
    if until == "learning":
        return chain
    end(learning)
    models = {name: potential(f"dnp-{name}") for name in MODELS}
    give(chain, **{f"potentials__{name}": node for name, node in models.items()})
    points = {
        name: _coexistence(chain, computer, name, node, T_K + 8.0 * place)
        for place, (name, node) in enumerate(models.items())
    }
    own = _coexistence(chain, computer, "teacher", teacher, TEACHERS_T_K)
    if until == "coexistence":
        return chain
    correction = chain_node("exploration", chain, "correction")
    found = _explore(correction, computer, 3)
    result = made_by(
        melting_result,
        chain,
        "result",
        learning=summary,
        comparison=found.comparison,
        teacher=own,
        **{f"point_{name}": point for name, point in points.items()},
    )["result"]
    end(correction)
    give(chain, melting=result)
    end(chain)
    return chain


def chain_node(entry_point: str, parent: orm.WorkChainNode | None = None, label: str = "", **inputs: Any) -> Any:
    """Return the stored node of a work chain that has begun, called by another under a label."""
    node = orm.WorkChainNode(process_type=f"aiida.workflows:dnpmelt.{entry_point}", label=label)
    node.set_process_label(entry_point)
    node.set_process_state(ProcessState.WAITING)
    for name, value in inputs.items():
        node.base.links.add_incoming(value.store(), LinkType.INPUT_WORK, name)
    if parent is not None:
        node.base.links.add_incoming(parent, LinkType.CALL_WORK, label)
    return node.store()


def add_job(computer: orm.Computer, parent: orm.WorkChainNode, label: str, **results: Any) -> orm.CalcJobNode:
    """Return the stored node of a job with its results, none if it was killed."""
    node = orm.CalcJobNode(computer=computer)
    node.set_process_state(ProcessState.FINISHED if results else ProcessState.KILLED)
    if results:
        node.set_exit_status(0)
    node.base.links.add_incoming(parent, LinkType.CALL_CALC, label)
    node.store()
    if results:
        output = orm.Dict(results)
        output.base.links.add_incoming(node, LinkType.CREATE, "results")
        output.store()
    return node


def made_by(function: Any, parent: orm.WorkChainNode, label: str, **inputs: Any) -> dict[str, Any]:
    """Return the stored outputs of a calculation function that a work chain has called."""
    found = function.__wrapped__(**inputs)
    found = found if isinstance(found, dict) else {"result": found}
    node = orm.CalcFunctionNode()
    node.set_process_state(ProcessState.FINISHED)
    node.set_exit_status(0)
    node.base.links.add_incoming(parent, LinkType.CALL_CALC, label)
    for name, data in inputs.items():
        node.base.links.add_incoming(data.store(), LinkType.INPUT_CALC, name)
    node.store()
    for name, data in found.items():
        data.base.links.add_incoming(node, LinkType.CREATE, name)
        data.store()
    return found


def give(node: orm.WorkChainNode, **outputs: orm.Data) -> None:
    """Attach outputs to a work chain; two underscores stand for a namespace."""
    for name, data in outputs.items():
        data.store().base.links.add_incoming(node, LinkType.RETURN, name)


def end(node: orm.WorkChainNode, exit_status: int = 0, message: str = "") -> None:
    """End a work chain."""
    node.set_exit_status(exit_status)
    if message:
        node.set_exit_message(message)
    node.set_process_state(ProcessState.FINISHED)


def potential(label: str, origin: str = "") -> PotentialData:
    """Return a stored potential that nothing could run."""
    return unstored_potential(label, origin).store()


def unstored_potential(label: str, origin: str = "") -> PotentialData:
    """Return the same before it is stored, to be linked with what made it."""
    file = io.BytesIO(f"a model, {label}".encode())
    return PotentialData(file, "model.pb", pair_style="deepmd", type_map=["Cu"], cutoff=6.0, label=label, origin=origin)


def _learning(
    chain: orm.WorkChainNode, computer: orm.Computer, teacher: PotentialData, whole: bool
) -> tuple[orm.WorkChainNode, orm.Dict | None]:
    """Store the learning: first frames, then two iterations, or one without a decision."""
    plan = orm.Dict(load_protocol("adaptive_learning", "fast")["plan"])
    learning = chain_node("adaptive_learning", chain, "learning", plan=plan, labelling__potential=teacher)
    first = chain_node("label_reference", learning, "label_first_crystals")
    crystals = FramesData(labelled(20, ATOMS, seed=7), phase="solid", labeller="teacher")
    give(first, frames__first_crystals=crystals)
    add_job(
        computer, first, "iteration_01", core_hours=0.01, atom_steps=160_000, labelled=20, lammps_version="22 Jul 2025"
    )
    end(first)
    frames, done = {"frames_first_crystals": crystals}, []
    for number in (1, 2) if whole else (1,):
        results = _train(learning, computer, number)
        exploration = chain_node("exploration", learning, f"exploration_{number:02d}")
        found = _explore(exploration, computer, number)
        end(exploration)
        if not whole:
            return learning, None
        frames.update({f"frames_iteration_{number:02d}_{name}": node for name, node in found.frames.items()})
        decision = made_by(
            decide_learning,
            learning,
            f"decision_{number:02d}",
            plan=plan,
            stage=orm.Int(0),
            iteration=orm.Int(number),
            selection=orm.Dict(SELECTION),
            comparison=found.comparison,
            **{f"report_{phase}": selection_report(number, phase) for phase in ("solid", "liquid")},
            **frames,
        )["result"]
        done.append(Iteration(decision, found.comparison, results, found.frames))
    kinds = ("decision", "comparison", "training")
    nodes = {f"{kind}_{index:02d}": getattr(each, kind) for index, each in enumerate(done, 1) for kind in kinds}
    summary = made_by(summarise_learning, learning, "summary", **nodes)["result"]
    give(
        learning, summary=summary, **{f"decisions__iteration_{i:02d}": each.decision for i, each in enumerate(done, 1)}
    )
    return learning, summary


def _train(learning: orm.WorkChainNode, computer: orm.Computer, number: int) -> orm.Dict:
    """Store a training of all models with its learning curves."""
    training = chain_node("training", learning, f"training_{number:02d}")
    for seed, name in zip(SEEDS, MODELS, strict=True):
        child = chain_node("deepmd_training", training, name)
        results = {"core_hours": 0.05, "deepmd_version": "3.2.0"}
        add_job(computer, child, "iteration_01", **results)
        step = np.arange(100.0, 4001.0, 100.0)
        error = 0.05 / number + (0.8 / number) * np.exp(-step / 900) * (1 + 0.05 * np.cos(step * seed))
        curve = {
            "step": step,
            "rmse_force_training_ev_per_angstrom": error,
            "rmse_force_validation_ev_per_angstrom": 1.1 * error,
        }
        give(child, learning_curve=orm.ArrayData(curve))
        end(child)
    end(training)
    trainings = {name: {"steps": 4000} for name in MODELS}
    return orm.Dict({"core_hours": 0.15, "frames_training": 20 * number, "trainings": trainings})


def _explore(exploration: orm.WorkChainNode, computer: orm.Computer, number: int) -> Iteration:
    """Store what an exploration finds, and return its comparison and its frames."""
    job = {"core_hours": 0.02, "atom_steps": 2_000_000, "lammps_version": "22 Jul 2025"}
    add_job(computer, exploration, "explore_solid", **job)
    add_job(computer, exploration, "explore_liquid", **job)
    offsets = OFFSETS_EV[min(number, len(OFFSETS_EV)) - 1]
    labels = chain_node("label_reference", exploration, "label_check")
    add_job(computer, labels, "iteration_01", core_hours=0.002, atom_steps=0)
    teacher, answers = {}, {name: {} for name in MODELS}
    for index, phase in enumerate(("solid", "liquid")):
        frames = labelled(12, ATOMS, seed=10 * number + index, temperature_k=T_K)
        teacher[f"check_{phase}"] = FramesData(frames, phase=phase, labeller="teacher")
        for seed, name, offset in zip(SEEDS, MODELS, offsets, strict=True):
            answer = labels_of(frames, 10 * seed + index, offset if phase == "liquid" else 0.0)
            answers[name][f"check_{phase}"] = FramesData(answer, phase=phase, labeller=name)
    give(labels, **_spaced(teacher))
    give(exploration, **_spaced(teacher))
    end(labels)
    nodes: dict[str, orm.Data] = {f"teacher_{name}": frames for name, frames in teacher.items()}
    for name, sets in answers.items():
        test = chain_node("label_reference", exploration, f"test_{name}")
        add_job(computer, test, "iteration_01", core_hours=0.002, atom_steps=0)
        give(test, **_spaced(sets))
        end(test)
        nodes.update({f"model_{name}__{of_set}": frames for of_set, frames in sets.items()})
    nodes.update(enthalpy_solid=_enthalpy(-3.40), enthalpy_liquid=_enthalpy(-3.28))
    found = made_by(compare_with_teacher, exploration, "comparison", temperature=orm.Float(T_K), **nodes)
    give(exploration, comparison=found["report"], arrays=found["arrays"])
    return Iteration(orm.Dict({}), found["report"], orm.Dict({}), teacher)


def _coexistence(
    chain: orm.WorkChainNode, computer: orm.Computer, name: str, model: PotentialData, temperature_k: float
) -> orm.Dict:
    """Store the coexistence of a potential, and return its melting point."""
    tpc = chain_node("tpc", chain, f"coexistence_{name}")
    point = coexist(tpc, computer, model, temperature_k)
    end(tpc)
    return point


def coexist(tpc: orm.WorkChainNode, computer: orm.Computer, model: PotentialData, temperature_k: float) -> orm.Dict:
    """Store the runs of a coexistence work chain and what is made of them, and return the melting point."""
    results = {"core_hours": 0.1, "atom_steps": 20_000_000, "lammps_version": "22 Jul 2025"}
    runs = {}
    for seed in COEXISTENCE_SEEDS:
        child = chain_node("coexistence", tpc, f"seed_{seed}_round_01")
        add_job(computer, child, "iteration_01", **results)
        runs[seed] = to_node(synthetic_run(seed, length_ps=40.0, melting_temperature_k=temperature_k))
        give(child, run=runs[seed])
        end(child)
    cell = orm.StructureData(cell=np.diag([3.6, 3.6, 3.6]), pbc=True)
    for place in ((0, 0, 0), (0, 1.8, 1.8), (1.8, 0, 1.8), (1.8, 1.8, 0)):
        cell.append_atom(position=place, symbols="Cu")
    found = made_by(
        assess_runs,
        tpc,
        "assessment_01",
        plan=orm.Dict(load_protocol("tpc", "fast")["plan"]),
        structure=cell,
        potential=model,
        pressure=orm.Float(0.0),
        repetitions=orm.List([6, 6, 12]),
        parameters=orm.Dict({"method": "bulk"}),
        protocol=orm.Str("fast"),
        round_number=orm.Int(1),
        unused_seeds=orm.Int(0),
        **{f"run_{index:03d}": run for index, run in enumerate(runs.values(), 1)},
        **{f"results_{index:03d}": orm.Dict(results) for index in range(1, len(runs) + 1)},
    )
    outputs = {f"runs__seed_{seed}_piece_{index:03d}": run for index, (seed, run) in enumerate(runs.items(), 1)}
    give(tpc, melting_point=found["melting_point"], assessment=found["assessment"], **outputs)
    point: orm.Dict = found["melting_point"]
    return point


def selection_report(number: int, phase: str) -> orm.Dict:
    """Return what a selection says of the frames of a run at two temperatures; the first liquid explodes."""
    random = np.random.default_rng([number, len(phase)])
    temperatures = np.repeat([0.9 * T_K, T_K], 40)
    deviations = random.gamma(6.0, 0.08 / number, size=80)
    settings = SelectionSettings(**SELECTION)
    report = select(temperatures, np.tile(np.arange(40) * 0.2, 2), deviations, settings, 1).report
    for part, ended in zip(report["by_temperature"], ("complete", "exploded"), strict=True):
        part["ended"] = ended if (number, phase) == (1, "liquid") else "complete"
    return orm.Dict(report)


def _spaced(frames: Mapping[str, FramesData]) -> dict[str, FramesData]:
    return {f"frames__{name}": node for name, node in frames.items()}


def _enthalpy(level: float, points: int = 80) -> orm.ArrayData:
    """Return what an exploration says of energies and volumes at T_K."""
    energies = ATOMS * (level + 0.01 * np.random.default_rng(3).normal(size=points))
    return orm.ArrayData(
        {
            "temperature_k": np.full(points, T_K),
            "potential_energy_ev": energies,
            "volume_angstrom3": np.full(points, 12.0 * ATOMS),
        }
    )
