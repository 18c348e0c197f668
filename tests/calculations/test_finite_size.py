from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from ase.build import bulk
from physics.synthetic_runs import synthetic_run
from provenance.stored_points import POINT, invalid
from pydantic import ValidationError

from aiida_dnpmelt.calculations.finite_size import (
    SizeStudy,
    cells_of,
    finite_size,
    living_window,
    stored_law,
    stored_line,
    study_sizes,
)
from aiida_dnpmelt.calculations.melting_point import repetitions_of
from aiida_dnpmelt.data.runs import to_node
from aiida_dnpmelt.physics.crystals import orthogonal_cell
from aiida_dnpmelt.physics.estimate import Series, last_window

pytestmark = pytest.mark.usefixtures("aiida_profile")

STUDY = {"minimum_atoms": [512, 1000, 1728, 4096]}
SIZES = (512, 1000, 1728, 4096)


def points(slope: float = 4000.0, **changes: Any) -> dict[str, orm.Dict]:
    """Return melting points of cells of several sizes; changes of one size are given by its name."""
    made = {}
    for number in SIZES:
        point = {
            **POINT,
            "seeds_froze": [],
            "seeds_melted": [105],
            "seeds_invalid": [],
            "repetitions": [4, 4, 8],
            "relaxation_time_ps": 8.0,
            "atoms": number,
            "melting_temperature_k": 1320.0 + slope / number,
            "statistical_uncertainty_k": 6.0 * (number / 512) ** -0.5,
            "standard_uncertainty_k": 6.5 * (number / 512) ** -0.5,
            "production_time_ps": 100.0,
        }
        made[f"point_atoms_{number}"] = orm.Dict({**point, **changes.get(f"atoms_{number}", {})})
    return made


def windows(runs: int = 4) -> dict[str, orm.Dict]:
    found = {"window_ps": 20.0, "runs": runs, "mean_k": 1320.0, "std_k": 20.0}
    return {f"window_atoms_{n}": orm.Dict({**found, "sem_k": 12.0 * (n / 512) ** -0.5}) for n in SIZES}


def study_of(failed: dict[str, str] | None = None, **nodes: orm.Dict) -> dict[str, Any]:
    metadata = {"store_provenance": False}
    return dict(finite_size(orm.Dict(STUDY), orm.Dict(failed or {}), metadata=metadata, **nodes).get_dict())


@pytest.mark.parametrize(
    "atoms",
    [bulk("Cu", "fcc", a=3.6), bulk("Fe", "bcc", a=2.87), bulk("Mg", "hcp", a=3.2, c=5.2)],
    ids=["fcc", "bcc", "hcp"],
)
def test_numbers_of_atoms_are_cells_of_any_lattice(atoms):
    cell = orthogonal_cell(atoms)
    found = cells_of(cell, STUDY)
    assert list(found) == sorted(found)
    for (number, counts), least in zip(found.items(), STUDY["minimum_atoms"], strict=True):
        assert least <= number == len(cell) * math.prod(counts) < 1.25 * least
        x, y, z = counts * cell.cell.lengths()
        assert x / y == pytest.approx(1, abs=0.1)
        assert 1.8 < z / math.sqrt(x * y) < 3


def test_cells_of_the_paper_are_those_of_its_numbers_of_atoms():
    numbers = [8 * n**3 for n in range(4, 21, 2)]
    found = cells_of(orthogonal_cell(bulk("Ni", "fcc", a=3.52)), {"minimum_atoms": numbers})
    assert found == {8 * n**3: (n, n, 2 * n) for n in range(4, 21, 2)}


def test_sizes_are_nodes_that_a_coexistence_takes():
    cell = orm.StructureData(ase=orthogonal_cell(bulk("Cu", "fcc", a=3.6)))
    study = orm.Dict({"repetitions": [[5, 5, 10], [4, 4, 8], [4, 4, 10]]})
    sizes = study_sizes(cell, study)
    assert sorted(sizes) == ["atoms_1000", "atoms_512", "atoms_640"]
    assert repetitions_of(cell.get_ase(), sizes["atoms_640"].get_dict()) == [4, 4, 10]
    assert sizes["atoms_640"].creator.inputs.study.uuid == study.uuid


def test_two_cells_of_one_size_are_refused():
    cell = orthogonal_cell(bulk("Cu", "fcc", a=3.6))
    with pytest.raises(ValueError, match="two cells have 512 atoms: 4 x 4 x 8 and 8 x 4 x 4 conventional cells"):
        cells_of(cell, {"repetitions": [[4, 4, 8], [8, 4, 4], [5, 5, 10]]})
    with pytest.raises(ValueError, match="two cells have 512 atoms: 4 x 4 x 8 and 4 x 4 x 8"):
        cells_of(cell, {"minimum_atoms": [500, 512, 1000]})


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ({}, "give minimum_atoms, or repetitions"),
        ({**STUDY, "repetitions": [[4, 4, 8]] * 3}, "give minimum_atoms, or repetitions"),
        ({"minimum_atoms": [512, 1000]}, r"2 sizes given, from 3 \(fewest_sizes\) to 100 can be run"),
        ({**STUDY, "fewest_sizes": 5}, r"4 sizes given, from 5 \(fewest_sizes\)"),
        ({**STUDY, "fewest_sizes": 2}, "greater than or equal to 3"),
        ({**STUDY, "at_once": 0}, "greater than or equal to 1"),
        ({**STUDY, "shape": 1}, "Extra inputs are not permitted"),
        ({"minimum_atoms": [0, 512, 1000]}, "minimum_atoms: 0 is outside the allowed range 1 to 100000000"),
        ({"repetitions": [[4, 4, 8], [5, 5, 0], [6, 6, 12]]}, r"repetitions: \[5, 5, 0\] must be three whole numbers"),
        ({"repetitions": [[4, 4], [5, 5, 10], [6, 6, 12]]}, "Field required"),
    ],
)
def test_studies_that_cannot_be_run_are_refused(study, message):
    with pytest.raises(ValidationError, match=message):
        SizeStudy(**study)


class TestLivingWindow:
    def made(self, seeds_used: list[int], *runs: Any) -> dict[str, Any]:
        nodes = {f"seed_{run.seed}_piece_{index:03d}": to_node(run) for index, run in enumerate(runs, start=1)}
        return dict(living_window(orm.Dict({**POINT, "seeds_used": seeds_used}), **nodes).get_dict())

    def test_only_living_runs_enter(self):
        runs = [synthetic_run(seed=seed, length_ps=30.0) for seed in (1, 2, 3)]
        lost = synthetic_run(seed=4, length_ps=30.0, state="melted", melting_temperature_k=1900.0)
        expected = last_window([Series(run.time_ps, run.temperature_k) for run in runs], 20.0)
        found = self.made([1, 2, 3], *runs, lost)
        assert (found["runs"], found["window_ps"]) == (3, 20.0)
        assert found["mean_k"] == pytest.approx(expected.temperature_k)
        assert found["std_k"] == pytest.approx(expected.standard_deviation_k)
        assert found["sem_k"] == pytest.approx(expected.standard_error_k)

    def test_pieces_are_joined_in_the_order_in_which_they_ran(self):
        """The tenth piece of all comes after the ninth, whatever its name says."""
        whole = synthetic_run(seed=1, length_ps=30.0)
        first = synthetic_run(seed=1, length_ps=12.0)
        nodes = {"seed_1_piece_009": to_node(first), "seed_1_piece_0010": to_node(whole)}
        found = living_window(orm.Dict({**POINT, "seeds_used": [1]}), **nodes)
        assert found["mean_k"] == pytest.approx(float(np.mean(whole.temperature_k[-200:])))
        assert found["sem_k"] is None

    def test_runs_that_are_too_short_say_nothing(self):
        found = self.made([1, 2], synthetic_run(seed=1, length_ps=15.0), synthetic_run(seed=2, length_ps=15.0))
        assert found == {"window_ps": 20.0, "runs": 0, "mean_k": None, "std_k": None, "sem_k": None}


def test_study_has_the_line_and_what_each_size_adds():
    study = study_of(**points(), **windows())
    assert (study["schema"], study["schema_version"], study["verdict"]) == ("dnpmelt.finite_size", 1, "valid")
    assert (study["atoms"], study["gaps"]) == (list(SIZES), [])
    assert study["line"]["temperature_k"] == pytest.approx(1320.0)
    assert study["line"]["slope_k_atoms"] == pytest.approx(4000.0)
    assert study["infinite_temperature_k"] == pytest.approx(1320.0)
    assert study["timestep_uncertainty_k"] == 0.5
    expected = math.hypot(study["line"]["temperature_uncertainty_k"], 0.5)
    assert study["infinite_uncertainty_k"] == pytest.approx(expected)
    assert study["interval_low_k"] < 1320.0 < study["interval_high_k"]
    half = (study["interval_high_k"] - study["interval_low_k"]) / 2
    assert half == pytest.approx(1.96 * study["infinite_uncertainty_k"])
    assert study["size_shifts_k"] == pytest.approx([4000.0 / number for number in SIZES])
    for index, number in enumerate(SIZES):
        shift, uncertainty = study["size_shifts_k"][index], study["size_shift_uncertainties_k"][index]
        assert uncertainty * number == pytest.approx(study["line"]["slope_uncertainty_k_atoms"])
        assert study["size_uncertainties_k"][index] == pytest.approx(math.hypot(shift, uncertainty))
    assert study["living_runs"] == [4] * 4
    assert study["lost_runs"] == [1] * 4
    assert study["reasons"] == ["4 of 4 sizes have a T_m"]


@pytest.mark.parametrize(("slope", "resolved"), [(0.0, False), (20000.0, True)])
def test_effect_of_the_size_is_decided(slope, resolved):
    study = study_of(**points(slope), **windows())
    assert study["size_effect_resolved"] is resolved
    assert (study["constant"]["aicc"] < study["line"]["aicc"]) is not resolved
    assert study["infinite_temperature_k"] == pytest.approx(1320.0)


def test_laws_of_the_error_are_fitted_at_equal_time():
    """A quarter of the size with four times the production has the same uncertainty."""
    longer = {"statistical_uncertainty_k": 3.0, "production_time_ps": 400.0}
    study = study_of(**points(atoms_512=longer), **windows())
    assert study["errors_k_ps05"] == pytest.approx([60.0 * (number / 512) ** -0.5 for number in SIZES])
    law = study["error_law"]
    assert law["exponent"] == pytest.approx(-0.5)
    assert law["prefactor"] == pytest.approx(60.0 * math.sqrt(512))
    assert law["atoms"] == list(SIZES)
    assert study["sem_law"]["exponent"] == pytest.approx(-0.5)
    assert study["sem_law"]["exponent_uncertainty"] > 0.1, "four runs tell a scatter within some 45 %"
    assert study["sem_law"]["agrees_with_paper"] is True


def test_sizes_without_a_number_are_gaps_with_their_reasons():
    lost = invalid(reasons=["seed_1 froze", "no run holds both phases"])
    nodes = points(atoms_512=lost)
    study = study_of({"64": "no run came to an end"}, **nodes, **windows())
    assert study["atoms"] == [1000, 1728, 4096]
    assert study["gaps"] == [
        {"atoms": 64, "reason": "no run came to an end"},
        {"atoms": 512, "reason": "seed_1 froze; no run holds both phases"},
    ]
    assert study["reasons"] == ["3 of 5 sizes have a T_m"]
    assert study["verdict"] == "valid"
    assert study["line"]["aicc"] is None
    assert study["infinite_temperature_k"] is not None


def test_too_few_sizes_are_kept_without_a_line():
    lost = invalid(reasons=["seed_1 froze"])
    study = study_of(**points(atoms_512=lost, atoms_1000=lost), **windows())
    assert (study["verdict"], study["atoms"]) == ("invalid", [1728, 4096])
    for key in ("line", "infinite_temperature_k", "size_effect_resolved", "size_shifts_k", "error_law", "sem_law"):
        assert study[key] is None, key
    with pytest.raises(ValueError, match="the study has no line: 2 of 4 sizes have a T_m"):
        stored_line(study)
    with pytest.raises(ValueError, match="the study has no sem_law: it needs 3 sizes"):
        stored_law(study, "sem_law")


def test_without_windows_there_is_no_law_of_the_sem():
    few = {name: orm.Dict({**node.get_dict(), "sem_k": None, "runs": 1}) for name, node in windows().items()}
    for nodes in (few, {}):
        study = study_of(**points(), **nodes)
        assert study["sem_law"] is None
        assert study["window_sems_k"] == [None] * 4
        assert study["error_law"] is not None


def test_unfinished_sizes_make_an_unfinished_study():
    study = study_of(**points(atoms_1000={"verdict": "unfinished"}), **windows())
    assert study["verdict"] == "unfinished"
    assert study["reasons"][1] == "unfinished: the cells of 1000 atoms"


def test_size_that_lost_most_of_its_runs_is_named():
    study = study_of(**points(atoms_512={"seeds_froze": [1, 2, 3], "seeds_melted": [4, 5]}), **windows())
    assert study["lost_runs"] == [5, 1, 1, 1]
    assert study["reasons"][1].startswith("more runs were lost than lived: the cells of 512 atoms")
    assert study["verdict"] == "valid"


def test_cells_that_no_line_describes_make_an_unfinished_study():
    study = study_of(**points(atoms_1000={"melting_temperature_k": 1400.0}), **windows())
    assert study["verdict"] == "unfinished"
    assert study["reasons"][1].startswith("the line does not describe the cells: chi2 = ")
    assert study["line"]["widening"] > 3


def test_points_that_do_not_belong_together_are_refused():
    for key, value in (("element", "Ni"), ("pressure_gpa", 5.0)):
        with pytest.raises(ValueError, match=f"the points differ in {key}: "):
            study_of(**points(atoms_512={key: value}))
    with pytest.raises(ValueError, match="no size has a melting point"):
        study_of({"512": "it failed"})


def test_stored_fits_give_the_same_numbers():
    study = study_of(**points(), **windows())
    line = stored_line(study)
    for index, number in enumerate(SIZES):
        assert line.shift_k(number).value == pytest.approx(study["size_shifts_k"][index])
        assert line.size_uncertainty_k(number) == pytest.approx(study["size_uncertainties_k"][index])
    assert line.temperature_k(math.inf).uncertainty == pytest.approx(study["line"]["temperature_uncertainty_k"])
    law = stored_law(study, "error_law")
    assert law.error(1000) == pytest.approx(study["errors_k_ps05"][1])
    assert stored_law(study, "sem_law").agrees_with_paper


def test_every_value_is_plain_and_every_key_is_in_the_reference():
    study = study_of({"64": "it failed"}, **points(), **windows())
    assert json.loads(json.dumps(study, allow_nan=False)) == study
    page = (Path(__file__).parents[2] / "docs" / "reference" / "finite_size.md").read_text()
    keys = (*study, *study["line"], *study["sem_law"], *study["gaps"][0])
    assert not [key for key in keys if f"`{key}`" not in page]
