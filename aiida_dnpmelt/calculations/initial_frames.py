"""Make the frames of a first training set from a crystal."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_dnpmelt.data.trajectories import trajectory
from aiida_dnpmelt.physics.initial_frames import InitialFramesSettings, strained_and_rattled


@calcfunction
def initial_frames(structure: orm.StructureData, settings: orm.Dict, seed: orm.Int) -> orm.TrajectoryData:
    """Return strained and rattled crystals, ready for a labeller: phase `solid`, temperatures in K.

    :param settings: see `InitialFramesSettings`.
    :param seed: seed of strains and displacements.
    """
    choices = InitialFramesSettings(**settings.get_dict())
    atoms = structure.get_ase().repeat(choices.repetitions)
    crystals = strained_and_rattled(atoms.cell.array, atoms.positions, choices, seed.value)
    return trajectory(
        atoms.get_chemical_symbols(), crystals.cells, crystals.positions, crystals.temperatures_k, "solid"
    )
