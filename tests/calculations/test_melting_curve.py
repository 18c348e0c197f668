from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from provenance.stored_points import POINT, invalid

from aiida_dnpmelt.calculations.melting_curve import melting_curve, stored_fit
from aiida_dnpmelt.physics.melting_curve import simon_glatzel
from aiida_dnpmelt.report.melting_curve import law_lines

pytestmark = pytest.mark.usefixtures("aiida_profile")

LAW = (1330.0, 20.0, 2.0)


def points(pressures=(10.0, 0.0, 5.0, 20.0, 15.0), **changes) -> dict[str, orm.Dict]:
    return {
        f"point_{index}": orm.Dict(
            {
                **POINT,
                "pressure_gpa": pressure,
                "melting_temperature_k": float(simon_glatzel(np.array(pressure), *LAW)),
                **changes,
            }
        )
        for index, pressure in enumerate(pressures)
    }


def test_curve_is_a_node_of_its_points():
    given = points()
    curve = melting_curve(**given)
    assert curve["law"] == "simon_glatzel"
    assert curve["pressures_gpa"] == [0.0, 5.0, 10.0, 15.0, 20.0]
    best = curve["fits"][0]
    assert [best["parameters"][name] for name in ("temperature_k", "a_gpa", "c")] == pytest.approx(LAW, rel=1e-3)
    assert best["temperatures_k"] == pytest.approx(curve["melting_temperatures_k"], abs=0.1)
    assert best["slopes_k_per_gpa"][0] == pytest.approx(1330 / 20 / 2, rel=1e-2)
    assert all(best["uncertainties"][name] > 0 for name in best["parameters"])
    assert {node.uuid for node in curve.creator.base.links.get_incoming().all_nodes()} == {
        node.uuid for node in given.values()
    }


def test_the_time_step_moves_the_whole_curve_and_is_not_averaged_out():
    """15 points of 2 K of their own and 3 K in common: T_m of the curve is never known better than to 3 K."""
    pressures = [float(value) for value in range(15)]
    alone, both = (
        melting_curve(**points(pressures, standard_uncertainty_k=(4 + step**2) ** 0.5, timestep_uncertainty_k=step))
        for step in (0.0, 3.0)
    )
    for first, second in zip(*(fit["fits"][0]["temperature_uncertainties_k"] for fit in (alone, both)), strict=True):
        assert second == pytest.approx((first**2 + 9) ** 0.5, rel=1e-3)
    slopes = [fit["fits"][0]["slope_uncertainties_k_per_gpa"] for fit in (alone, both)]
    assert slopes[1] == pytest.approx(slopes[0], rel=0.05)
    assert both["fits"][0]["chi2"] == pytest.approx(alone["fits"][0]["chi2"], abs=1e-6)


def test_stored_fit_gives_the_same_numbers():
    curve = melting_curve(**points())
    fit, values = stored_fit(curve.get_dict()), curve["fits"][0]
    for index, pressure in enumerate(values["pressures_gpa"]):
        temperature, slope = fit.temperature_k(pressure), fit.slope_k_per_gpa(pressure)
        assert temperature.value == pytest.approx(values["temperatures_k"][index])
        assert temperature.uncertainty == pytest.approx(values["temperature_uncertainties_k"][index])
        assert slope.uncertainty == pytest.approx(values["slope_uncertainties_k_per_gpa"][index])
    assert stored_fit(curve.get_dict(), "kechin").law.name == "kechin"
    with pytest.raises(ValueError, match="law is 'linear', there are fits of simon_glatzel, kechin"):
        stored_fit(curve.get_dict(), "linear")


def test_every_key_is_in_the_reference():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "melting_curve.md").read_text()
    curve = melting_curve(**points()).get_dict()
    assert not [key for key in (*curve, *curve["fits"][0]) if f"`{key}`" not in page]


def test_order_of_keys_does_not_matter():
    """PostgreSQL does not keep it."""
    curve = melting_curve(**points()).get_dict()
    expected = stored_fit(curve).temperature_k(7.5)
    for fit in curve["fits"]:
        fit["parameters"] = dict(sorted(fit["parameters"].items(), reverse=True))
    assert stored_fit(curve).temperature_k(7.5) == expected


def test_points_that_do_not_belong_together_are_refused():
    given = points()
    lost = orm.Dict({**POINT, **invalid(pressure_gpa=25.0)})
    with pytest.raises(ValueError, match="the point at 25 GPa is no melting point: its verdict is invalid"):
        melting_curve(**given, point_9=lost)
    nickel = orm.Dict({**POINT, "element": "Ni", "pressure_gpa": 25.0})
    with pytest.raises(ValueError, match="the points differ in element: Cu, Ni"):
        melting_curve(**given, point_9=nickel)
    with pytest.raises(ValueError, match="2 different pressures given, a curve needs 3"):
        melting_curve(**points((0.0, 5.0)))


def test_points_of_another_crystal_than_they_claim_make_no_curve():
    with pytest.raises(ValueError, match="is no melting point: most of the solid is bcc at the end, it is to be fcc"):
        melting_curve(**points(found_lattice="bcc"))


def test_points_of_several_crystals_are_told():
    given = points()
    assert not [line for line in law_lines(melting_curve(**given).get_dict()) if "crystals" in line]
    given["point_3"] = orm.Dict({**given["point_3"].get_dict(), "lattice": "bcc"})
    told = law_lines(melting_curve(**given).get_dict())[-1]
    assert told.startswith("the points are of 2 crystals (fcc at 0, 5, 10, 15 GPa; bcc at 20 GPa)")
