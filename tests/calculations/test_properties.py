from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from property_jobs import cell_of, derived, potential_of

from aiida_dnpmelt.calculations import properties
from aiida_dnpmelt.calculations.properties import (
    SHARED_ATOM,
    crystal_properties,
    property_table,
    relative_error_percent,
    validate_values,
)
from aiida_dnpmelt.data.potential import PotentialData

HILLS = np.array([[1.0, 3.0, 0.5, 4.0, 1.2, 4.0, 0.7, 3.0, 1.0]]).T


def changed(job: orm.CalcJobNode, arrays: dict[str, Any] | None = None, **results: Any) -> dict[str, Any]:
    """Return the properties from the numbers of a job, some of which are changed."""
    series = {name: job.outputs.series.get_array(name) for name in job.outputs.series.get_arraynames()}
    inputs = {name: job.inputs[name] for name in ("structure", "potential", "settings")}
    return crystal_properties.__wrapped__(  # the function alone: it stores nothing, and takes no time
        results=orm.Dict({**job.outputs.results.get_dict(), **results}),
        series=orm.ArrayData({**series, **(arrays or {})}),
        released=job.outputs.released,
        **inputs,
    ).get_dict()


def energies_of(job: orm.CalcJobNode, function: Any) -> dict[str, Any]:
    """Return energies that are a function of the volume over that of the relaxed crystal."""
    volumes = job.outputs.series.get_array("volumes_angstrom3")
    return {"energies_ev": function(volumes / job.outputs.results["relaxed_volume_angstrom3"])}


def test_what_is_not_asked_for_is_not_known(properties_job):
    job = properties_job("Cu")
    found = changed(job, done=["elastic"], missing=["vacancy"])
    assert found["c44_gpa"] is not None
    assert (found["bulk_modulus_gpa"], found["cohesive_energy_ev"]) == (None, None)
    assert found["missing"] == ["vacancy"]
    assert set(found) == set(derived(job)), "all keys are there, whatever is known"


@pytest.mark.parametrize(
    ("function", "flag", "message"),
    [
        (lambda x: -14.0 - 5 * x, "minimum_outside", "lowest at an end of the volumes"),
        (lambda x: -14.0 + 0.0 * x + HILLS, "no_equation_of_state", "equation of state"),
        (lambda x: -14.16 + 20 * (x - 1.02) ** 2, "volumes_disagree", "% off that of the relaxation"),
    ],
)
def test_energies_that_are_no_good_curve_are_told(properties_job, function, flag, message):
    job = properties_job("Cu")
    found = changed(job, energies_of(job, function))
    assert flag in found["flags"]
    assert message in found["warnings"][found["flags"].index(flag)]
    assert (found["bulk_modulus_gpa"] is None) == (flag != "volumes_disagree")


def test_bulk_moduli_that_disagree_are_told(properties_job):
    job = properties_job("Cu")
    found = changed(job, energies_of(job, lambda x: -14.16 + 60 * (x - 1) ** 2))
    assert found["flags"] == ["moduli_disagree"]


def test_constants_without_the_symmetry_of_the_lattice_are_told(properties_job):
    job = properties_job("Cu")
    pressures = job.outputs.series.get_array("pressures_gpa").copy()
    pressures[0:2, 0] *= 1.5
    assert "asymmetric" in changed(job, {"pressures_gpa": pressures})["flags"]


@pytest.mark.parametrize(
    ("results", "flag"),
    [
        ({"relaxed_pressures_gpa": [0.1, 0.1, 0.1, 0, 0, 0]}, "not_relaxed"),
        ({"vacancy_energy_ev": -2000.0}, "vacancy_collapsed"),
        ({"atom_energy_ev": -2.0}, "cohesive_energy"),
        ({"release_energy_ev": -2000.0}, "another_phase"),
        ({"relaxed_energy_ev": None, "done": [], "crystal_lost": True}, "crystal_lost"),
    ],
)
def test_numbers_that_make_no_sense_are_flagged(properties_job, results, flag):
    found = changed(properties_job("Cu"), **results)
    assert flag in found["flags"]
    assert len(found["flags"]) == len(found["warnings"])
    if flag == "vacancy_collapsed":
        assert found["vacancy_formation_energy_ev"] is None


def test_ratio_at_the_end_of_those_looked_at_is_told(properties_job):
    job = properties_job("Mg")
    energies = job.outputs.series.get_array("energies_ev") - 5 * job.outputs.series.get_array("axial_ratios")
    assert "axial_ratio_outside" in changed(job, {"energies_ev": energies})["flags"]


def row(table: orm.Dict, name: str) -> dict[str, Any]:
    (found,) = [each for each in table["rows"] if each["property"] == name]
    return found


def test_table_puts_references_beside_the_properties(properties_job, potentials_folder):
    mine = orm.Dict(derived(properties_job("Cu")))
    other = orm.Dict({**mine.get_dict(), "c11_gpa": 200.0, "atom_energy_ev": -0.5, "potential_label": "teacher"})
    given = orm.Dict(
        {
            "c11_gpa": {"value": 176.2, "source": "Overton and Gaffney 1955"},
            "c13_gpa": {"value": 1.0, "source": "nobody"},
        }
    )
    table = property_table(mine, orm.Dict({}), given=given, other=other)
    c11 = row(table, "c11_gpa")
    assert (c11["unit"], c11["given"], c11["other"], c11["experiment"]) == ("GPa", 176.2, 200.0, None)
    assert c11["given_error_percent"] == pytest.approx(100 * (c11["value"] / 176.2 - 1))
    assert c11["other_error_percent"] == pytest.approx(100 * (c11["value"] / 200 - 1))
    assert row(table, "lattice_a_angstrom")["experiment"] == 3.61
    assert row(table, "c13_gpa")["value"] is None, "a reference without a value of ours is shown"
    shared = row(table, SHARED_ATOM)
    assert shared["value"] == pytest.approx(3.04, abs=0.01)
    assert shared["other_error_percent"] == pytest.approx(100 * (3.04 / 3.54 - 1), abs=0.1)
    assert table["sources"]["given"]["c11_gpa"] == "Overton and Gaffney 1955"
    assert table["sources"]["other"].startswith("teacher (")
    assert table["references"] == ["experiment", "given", "other"]


def test_experiment_of_another_lattice_is_not_taken(properties_job):
    mine = {**derived(properties_job("Cu")), "lattice": "bcc"}
    table = property_table(orm.Dict(mine), orm.Dict({"other": "it failed"}))
    assert row(table, "lattice_a_angstrom")["experiment"] is None
    assert row(table, "cohesive_energy_ev")["experiment"] == 3.49
    assert table["gaps"] == {"other": "it failed"}
    strange = property_table(orm.Dict({**mine, "element": "Xx"}), orm.Dict({}))
    assert row(strange, "cohesive_energy_ev")["experiment"] is None


def test_relative_errors_are_those_of_the_amount():
    assert relative_error_percent(-1.1, -1.0) == pytest.approx(-10)
    assert relative_error_percent(None, 1.0) is None
    assert relative_error_percent(1.0, 0.0) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"c99_gpa": {"value": 1.0, "source": "x"}}, "c99_gpa unknown, there are lattice_a_angstrom"),
        ({"c11_gpa": 170.0}, "values.c11_gpa"),
        ({"c11_gpa": {"value": 170.0}}, "values.c11_gpa.source: Field required"),
        ({"c11_gpa": {"value": 170.0, "source": ""}}, "values.c11_gpa.source"),
        ({"c11_gpa": {"value": "high", "source": "x"}}, "values.c11_gpa.value"),
    ],
)
def test_wrong_values_are_told(aiida_profile, values, message):
    assert message in validate_values(orm.Dict(values), None)
    assert validate_values(orm.Dict({"c11_gpa": {"value": 170.0, "source": "x"}}), None) is None


def test_model_is_doubted_for_its_free_atom(properties_job):
    job = properties_job("Cu")
    model = PotentialData(io.BytesIO(b"model"), "graph.pb", pair_style="deepmd", type_map=["Cu"], cutoff=6.0)
    more = {name: job.outputs[name] for name in ("results", "series", "released")}
    found = crystal_properties(structure=cell_of("Cu"), potential=model, settings=job.inputs.settings, **more)
    assert found["flags"] == ["lone_atom"]
    assert "extrapolates to a free atom" in found["warnings"][0]


def test_derived_numbers_know_their_job(properties_job, potentials_folder):
    job = properties_job("Cu")
    inputs = {name: job.inputs[name] for name in ("structure", "potential", "settings")}
    node = crystal_properties(
        results=job.outputs.results, series=job.outputs.series, released=job.outputs.released, **inputs
    )
    assert node.creator.inputs.results.creator.pk == job.pk
    assert node["potential_uuid"] == potential_of(potentials_folder, "Cu").uuid


def test_every_key_is_in_the_reference(properties_job):
    page = (Path(__file__).parents[2] / "docs" / "reference" / "properties.md").read_text()
    mine = derived(properties_job("Mg"))
    table = property_table(orm.Dict(mine), orm.Dict({})).get_dict()
    assert not [key for key in (*mine, *table, *table["rows"][0]) if f"`{key}`" not in page]


def test_every_flag_is_explained():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "benchmark_potential.md").read_text()
    source = Path(properties.__file__).read_text()
    flags = {*re.findall(r'tell\.add\(\s*"(\w+)"', source), "no_equation_of_state"}
    assert len(flags) == 13
    assert not [flag for flag in flags if f"`{flag}`" not in page]
