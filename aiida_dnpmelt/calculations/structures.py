"""Structures derived from structures."""

from __future__ import annotations

from aiida.engine import calcfunction
from aiida.orm import StructureData

from aiida_dnpmelt.physics.crystals import orthogonal_cell


@calcfunction
def coexistence_cell(structure: StructureData) -> StructureData:
    """Return the conventional cell with axes along x, y and z.

    :raises ValueError: if the crystal has none, see `aiida_dnpmelt.physics.crystals.orthogonal_cell`.
    """
    return StructureData(ase=orthogonal_cell(structure.get_ase()))
