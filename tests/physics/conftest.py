from __future__ import annotations

from pathlib import Path

import pytest
from physics.bulk_frames import CRYSTALS, Crystal, bulk_frames

from aiida_dnpmelt.physics.lammps_dump import Frame

_made: dict[str, dict[str, list[Frame]]] = {}


@pytest.fixture(params=CRYSTALS)
def crystal(request: pytest.FixtureRequest) -> Crystal:
    """Give a crystal of each lattice."""
    return CRYSTALS[request.param]


@pytest.fixture
def bulk(crystal: Crystal, potentials_folder: Path, tmp_path_factory) -> dict[str, list[Frame]]:
    """Give frames of a crystal (`solid`) and its melt (`liquid`), run once."""
    if crystal.element not in _made:
        _made[crystal.element] = bulk_frames(crystal, potentials_folder, tmp_path_factory.mktemp("bulk"))
    return _made[crystal.element]
