from __future__ import annotations

import numpy as np
from aiida.orm import StructureData
from ase.build import bulk

from aiida_dnpmelt.calculations.structures import coexistence_cell


def test_coexistence_cell_is_orthogonal_and_linked_to_its_structure():
    structure = StructureData(ase=bulk("Mg", "hcp", a=3.21, c=5.21))
    cell, node = coexistence_cell.run_get_node(structure)
    np.testing.assert_allclose(cell.get_ase().cell.array, np.diag([3.21, np.sqrt(3) * 3.21, 5.21]), atol=1e-6)
    assert cell.get_formula() == "Mg4"
    assert node.inputs.structure.uuid == structure.uuid
