"""What active selection gains: models trained on chosen frames, against as many frames at random from the same runs.

A loop of adaptive learning begins with few crystals and no liquid, so that there is something to find. Then as many
frames at each temperature are taken at random from the very runs that it chose from, and labelled. Models of the same
seeds are trained anew on both sets, and on the first frames alone, and tested on frames of the teacher's own runs. It
needs a profile of `aiida-dnpmelt setup` whose daemon runs.

    python benchmarks/active_selection.py [--iterations 2] [--seed 1]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import load_profile, orm
from aiida.engine import ProcessBuilder, submit

from aiida_dnpmelt.calculations.initial_frames import initial_frames
from aiida_dnpmelt.calculations.learning import first_frames_inputs
from aiida_dnpmelt.calculations.selection import select_frames
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import crystal
from aiida_dnpmelt.report.chains import called
from aiida_dnpmelt.setup.engines import lammps_potentials
from aiida_dnpmelt.workchains.adaptive_learning import AdaptiveLearningWorkChain
from aiida_dnpmelt.workchains.labelling.reference import ReferenceLabelWorkChain
from aiida_dnpmelt.workchains.protocols import load_protocol
from aiida_dnpmelt.workchains.training import TrainingWorkChain

TEMPERATURE_K = 1327.0
FIRST_CRYSTALS = 20
HELD_OUT_ATOMS = 100
HELD_OUT = {"crystals": 15, "melts": 15}
"""Starts of the frames that the models are tested on; those of a melt give some frames each."""
HELD_OUT_SEED = 4711


def finished(*inputs: tuple[Any, Mapping[str, Any]] | ProcessBuilder) -> list[orm.ProcessNode]:
    """Submit processes, wait until all have ended, and return them."""
    nodes = [submit(each) if isinstance(each, ProcessBuilder) else submit(each[0], **each[1]) for each in inputs]
    while not all(node.is_terminated for node in nodes):
        time.sleep(2)
    return nodes


def learn(seed: int, iterations: int, teacher: PotentialData) -> orm.WorkChainNode:
    """Run the loop from crystals alone; it ends at its number of iterations."""
    builder = AdaptiveLearningWorkChain.get_builder_from_protocol(
        orm.load_code("dp@localhost"),
        orm.load_code("lmp-deepmd@localhost"),
        orm.StructureData(ase=crystal("Cu", "fcc", 3.615)),
        {"code": orm.load_code("lmp@localhost"), "potential": teacher},
        "fast",
        {"seed": seed},
    )
    plan = builder.plan.get_dict()
    plan["first_frames"] = {"crystals": {**plan["first_frames"]["crystals"], "number": FIRST_CRYSTALS}}
    plan.update(check_frames=0, target_shift_k=None, maximum_iterations=iterations)
    plan["thresholds"]["converged"] = 1e-6
    builder.plan = orm.Dict(plan)
    builder.temperature = orm.Float(TEMPERATURE_K)
    (node,) = finished(builder)
    return node


def chosen_at_random(loop: orm.WorkChainNode, seed: int) -> dict[str, orm.TrajectoryData]:
    """Return as many frames as the loop chose of each run and temperature, at random."""
    found = {}
    for number in range(1, len(loop.outputs.decisions) + 1):
        exploration = called(loop)[f"exploration_{number:02d}"]
        settings = orm.Dict({**exploration.inputs.selection.get_dict(), "mode": "random"})
        for name in exploration.outputs.selection:
            job = called(exploration)[f"explore_{name}"]
            chosen = select_frames(job.outputs.trajectory, job.outputs.deviation, settings, orm.Int(seed + number))
            if "frames" in chosen:
                found[f"iteration_{number:02d}_{name}"] = chosen["frames"]
    return found


def held_out(teacher: PotentialData, code: orm.Code) -> dict[str, FramesData]:
    """Return labelled frames of the teacher's own runs, in cells that are larger than those of the first frames."""
    plan = load_protocol("adaptive_learning", "fast")["plan"]
    for kind, number in HELD_OUT.items():
        plan["first_frames"][kind].update(number=number, minimum_atoms=HELD_OUT_ATOMS)
    plan["first_frames"]["crystals"]["label"]["steps"] = 1000
    cell = orm.StructureData(ase=crystal("Cu", "fcc", 3.615))
    nodes = (orm.Float(TEMPERATURE_K), orm.Float(0.0), orm.Dict(plan), orm.Int(HELD_OUT_SEED))
    found = first_frames_inputs(cell, *nodes)
    jobs = []
    for kind in HELD_OUT:
        starts = initial_frames(cell, found[f"settings_{kind}"], found[f"seed_{kind}"])
        inputs = {"code": code, "potential": teacher, "frames": {kind: starts}}
        inputs.update(settings=found[f"label_{kind}"], seed=found[f"seed_{kind}"])
        jobs.append((ReferenceLabelWorkChain, inputs))
    return {name: frames for node in finished(*jobs) for name, frames in node.outputs.frames.items()}


def errors(models: Mapping[str, PotentialData], frames: Mapping[str, FramesData]) -> dict[str, tuple[float, float]]:
    """Return rms errors of forces (eV/Angstrom), and of energies but for their mean (meV an atom), of all models."""
    code = orm.load_code("lmp-deepmd@localhost")
    jobs = [
        (ReferenceLabelWorkChain, {"code": code, "potential": model, "frames": dict(frames), "seed": orm.Int(1)})
        for _, model in sorted(models.items())
    ]
    nodes = finished(*jobs)
    found = {}
    for name, node in frames.items():
        forces, energies = [], []
        for tested in nodes:
            mine, own = tested.outputs.frames[name].frames, node.frames
            forces.append((mine.forces_ev_per_angstrom - own.forces_ev_per_angstrom).ravel())
            offsets = mine.energies_per_atom_ev - own.energies_per_atom_ev
            energies.append(offsets - offsets.mean())
        found[name] = (rms(forces), 1000 * rms(energies))
    return found


def rms(parts: list[np.ndarray]) -> float:
    """Return the rms of all numbers."""
    return float(np.sqrt(np.mean(np.concatenate(parts) ** 2)))


def main() -> None:
    """Print the errors of models trained on each of the sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="dnpmelt")
    parser.add_argument("--iterations", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pk", type=int, help="a loop that has been run")
    options = parser.parse_args()
    load_profile(options.profile)
    teacher = PotentialData.get_or_create(lammps_potentials() / "Cu_mishin1.eam.alloy")
    code = orm.load_code("lmp@localhost")
    loop = learn(options.seed, options.iterations, teacher) if options.pk is None else orm.load_node(options.pk)
    print(f"loop {loop.pk}: {loop.exit_message}")
    kept = dict(loop.outputs.frames)
    first = {name: frames for name, frames in kept.items() if name.startswith("first_")}
    active = {name: frames for name, frames in kept.items() if "candidates" in name}
    starts = chosen_at_random(loop, 1000 * options.seed)
    (labelled,) = finished(
        (ReferenceLabelWorkChain, {"code": code, "potential": teacher, "frames": starts, "seed": orm.Int(1)})
    )
    drawn = dict(labelled.outputs.frames)
    test = held_out(teacher, code)
    for name, frames in test.items():
        print(f"held out: {len(frames.frames)} frames of {name}")
    sets = {"first frames": first, "chosen": {**first, **active}, "random": {**first, **drawn}}
    builders = [
        TrainingWorkChain.get_builder_from_protocol(orm.load_code("dp@localhost"), frames, "fast")
        for frames in sets.values()
    ]
    for name, training in zip(sets, finished(*builders), strict=True):
        labels = sum(len(node.frames) for node in sets[name].values())
        found = errors(training.outputs.potentials, test)
        text = ", ".join(
            f"{kind}: forces {force:.3f}, energies {energy:.2f}" for kind, (force, energy) in found.items()
        )
        print(f"{name}, {labels} labels: {text}")


if __name__ == "__main__":
    main()
