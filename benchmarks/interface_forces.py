"""Forces of the models of a chain in cells with an interface, that nobody has been trained on.

The cells are those of the teacher's own coexistence, from the files that its jobs left on the computer; solid and
liquid atoms are told apart by their averaged q6. Teacher and models label them as they are.

    python benchmarks/interface_forces.py PK [--profile dnpmelt] [--frames 4]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from aiida import load_profile, orm
from aiida.engine import run

from aiida_dnpmelt.calculations.coexistence_stages import FRAMES_FILE
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.data.trajectories import trajectory
from aiida_dnpmelt.physics.lammps_dump import read_frames
from aiida_dnpmelt.physics.order import SOLID_THRESHOLD, averaged_q6
from aiida_dnpmelt.workchains.labelling.reference import ReferenceLabelWorkChain


def interface_cells(chain: orm.WorkChainNode, number: int) -> orm.TrajectoryData:
    """Return the last frames of the teacher's last round of coexistence."""
    jobs = [
        node
        for node in chain.called_descendants
        if node.process_label == "LammpsCoexistenceCalculation" and node.caller.caller.label == "coexistence_teacher"
    ]
    frames = []
    for job in jobs[-2:]:
        with (Path(job.get_remote_workdir()) / FRAMES_FILE).open(encoding="utf-8") as lines:
            frames += list(read_frames(lines))[-number:]
    symbols = [chain.inputs.structure.sites[0].kind_name] * len(frames[0].positions)
    cells = np.array([frame.cell for frame in frames])
    positions = np.array([frame.positions for frame in frames])
    temperatures = np.full(len(frames), chain.outputs.teacher_melting_point["melting_temperature_k"])
    return trajectory(symbols, cells, positions, temperatures, "interface")


def label(code: str, potential: PotentialData, cells: orm.TrajectoryData) -> FramesData:
    """Return the cells with labels of a potential."""
    inputs = {"code": orm.load_code(code), "potential": potential, "frames": {"interface": cells}}
    return run(ReferenceLabelWorkChain, **inputs)["frames"]["interface"]


def main() -> None:
    """Print the errors of the forces of each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pk", type=int)
    parser.add_argument("--profile", default="dnpmelt")
    parser.add_argument("--frames", type=int, default=4, help="frames of each of the two last jobs")
    options = parser.parse_args()
    load_profile(options.profile)
    chain = orm.load_node(options.pk)
    cells = interface_cells(chain, options.frames)
    truth = label("lmp@localhost", chain.inputs.teacher, cells).frames
    solid = np.array(
        [
            averaged_q6(np.diag(cell), positions) > SOLID_THRESHOLD
            for cell, positions in zip(truth.cells, truth.positions, strict=True)
        ]
    )
    forces = truth.forces_ev_per_angstrom
    print(f"{len(truth)} cells of {len(truth.symbols)} atoms, {solid.mean():.2f} of them solid, rms force", end=" ")
    print(f"{np.sqrt((forces**2).mean()):.3f} eV/A a component")
    for name, potential in chain.outputs.potentials.items():
        errors = label("lmp-deepmd@localhost", potential, cells).frames.forces_ev_per_angstrom - forces
        whole, inside, outside = (np.sqrt((part**2).mean()) for part in (errors, errors[solid], errors[~solid]))
        print(f"{name}: {whole:.3f} eV/A a component; solid atoms {inside:.3f}, liquid atoms {outside:.3f}")


if __name__ == "__main__":
    main()
