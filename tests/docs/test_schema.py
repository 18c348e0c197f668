"""The page on the melting point and the dictionaries that the code makes have the same keys."""

from __future__ import annotations

import pytest
from aiida import orm
from ase.build import bulk
from physics.synthetic_runs import synthetic_run

from aiida_dnpmelt.workchains.protocols import load_protocol

from .conftest import DOCS, rows


def documented_keys(page: str = "melting_point.md") -> list[str]:
    return [row[0].strip("`") for row in rows(DOCS / "reference" / page) if row[0].startswith("`")]


@pytest.fixture
def melting_point(aiida_profile, potentials_folder):
    """Give a function that returns the melting point of a run in a state."""
    from aiida_dnpmelt.calculations.melting_point import assess_runs
    from aiida_dnpmelt.data.potential import PotentialData
    from aiida_dnpmelt.data.runs import to_node

    protocol = load_protocol("tpc", "fast")
    costs = {"atom_steps": 1.0e6, "core_hours": 0.1, "lammps_version": "22 Jul 2025"}

    def assess(state):
        found = assess_runs(
            plan=orm.Dict(protocol["plan"]),
            structure=orm.StructureData(ase=bulk("Cu", cubic=True)),
            potential=PotentialData.get_or_create(potentials_folder / "Cu_mishin1.eam.alloy"),
            pressure=orm.Float(0.0),
            repetitions=orm.List([6, 6, 12]),
            parameters=orm.Dict(protocol["run"]),
            protocol=orm.Str("fast"),
            round_number=orm.Int(1),
            unused_seeds=orm.Int(3),
            run_001=to_node(synthetic_run(seed=101, state=state)),
            results_001=orm.Dict(costs),
        )
        return found["melting_point"].get_dict()

    return assess


def test_every_key_is_documented_once(melting_point):
    keys = documented_keys()
    assert len(set(keys)) == len(keys)
    point = melting_point("coexistence")
    assert point["melting_temperature_k"] is not None
    assert set(point) == set(keys)


@pytest.mark.parametrize("state", ["froze", "melted"])
def test_a_melting_point_without_a_number_has_documented_keys_only(melting_point, state):
    point = melting_point(state)
    assert point["melting_temperature_k"] is None
    assert set(point) <= set(documented_keys())


@pytest.mark.usefixtures("aiida_profile")
def test_every_key_of_a_refitted_relation_is_documented_once():
    from aiida_dnpmelt.calculations.cohesion import refit_relation

    known = {"Cu": 1327.0, "Ni": 1700.0, "Ag": 1230.0}
    points = {
        f"point_{symbol}": orm.Dict({"element": symbol, "melting_temperature_k": value, "potential_uuid": "a"})
        for symbol, value in known.items()
    }
    keys = documented_keys("cohesive_relation.md")
    assert len(set(keys)) == len(keys)
    assert set(refit_relation(group=orm.Str("d_block"), **points).get_dict()) == set(keys)
