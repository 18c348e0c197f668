from __future__ import annotations

from pathlib import Path

import pytest
from aiida import orm
from ase.build import bulk
from coexistence_jobs import SETTINGS, copper
from physics.test_bulk_phases import phase_run
from provenance.stored_points import POINT

from aiida_dnpmelt.calculations.bulk_phases import bulk_inputs, bulk_repetitions, melting_properties, quantity_of
from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.data.runs import to_node

pytestmark = pytest.mark.usefixtures("aiida_profile")


def properties(**changes) -> orm.Dict:
    """Return what melting changes by runs of both phases."""
    results = orm.Dict({"atom_steps": 1e6, "core_hours": 0.5, "lammps_version": "22 Jul 2025"})
    nodes = {"crystal": to_node(phase_run("crystal")), "melt": to_node(phase_run("melt", 1)), **changes}
    return melting_properties(
        orm.Dict(POINT), copper(), results_crystal=results, results_melt=orm.Dict(results.get_dict()), **nodes
    )


def test_properties_are_a_node_of_their_runs():
    values = properties().get_dict()
    assert (values["schema"], values["verdict"], values["reasons"]) == ("dnpmelt.melting_properties", "valid", [])
    assert (values["element"], values["lattice"], values["found_lattice"]) == ("Cu", "fcc", "fcc")
    assert values["melting_temperature_k"] == POINT["melting_temperature_k"]
    assert values["volume_of_melting_angstrom3"] == pytest.approx(
        values["liquid_volume_angstrom3"] - values["solid_volume_angstrom3"]
    )
    assert quantity_of(values, "enthalpy_of_melting").value == pytest.approx(0.12, abs=0.002)
    assert quantity_of(values, "slope").uncertainty == values["slope_uncertainty_k_per_gpa"] > 0
    assert (values["atom_steps"], values["core_hours"], values["atoms"]) == (2e6, 1.0, 1728)


def test_wrong_phases_leave_the_numbers_and_no_slope():
    values = properties(melt=to_node(phase_run("crystal", 3))).get_dict()
    assert values["verdict"] == "invalid"
    assert "the melt is none" in values["reasons"][0]
    assert quantity_of(values, "slope") is None
    assert values["liquid_volume_angstrom3"] == pytest.approx(12.3, abs=0.1)


def test_every_key_is_in_the_reference():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "pressure_sweep.md").read_text()
    assert not [key for key in properties().get_dict() if f"`{key}`" not in page]


def test_inputs_of_the_runs(cu_u3):
    parameters = orm.Dict(SETTINGS)
    given = {"potential": cu_u3, "bulk": orm.Dict({"time_ps": 9.0}), "parameters": parameters, "seed": orm.Int(3)}
    found = bulk_inputs(orm.Dict({**POINT, "pressure_gpa": 7.0}), copper(), **given)
    assert (found["temperature"].value, found["pressure"].value) == (POINT["melting_temperature_k"], 7.0)
    assert (found["repetitions"].get_list(), found["production_time"].value) == ([5, 5, 5], 9.0)
    for phase in ("crystal", "melt"):
        settings = CoexistenceSettings(**found[f"parameters_{phase}"].get_dict())
        assert (settings.method, settings.melt_factor, settings.equilibrate_ps) == (phase, 2.5, 6.0)
        assert settings.timestep_fs == SETTINGS["timestep_fs"]
    assert found["seed_crystal"].value != found["seed_melt"].value


def test_cells_are_as_large_as_the_cutoff_needs():
    cell = bulk("Cu", "fcc", a=3.6, cubic=True)
    assert bulk_repetitions(cell, 500, 5.0) == [5, 5, 5]
    assert bulk_repetitions(cell, 100, 9.0) == [5, 5, 5]
    long = bulk("Ti", "hcp", a=2.95, c=4.68, orthorhombic=True)
    assert min(long.cell.lengths() * bulk_repetitions(long, 64, 9.0)) >= 18.0
