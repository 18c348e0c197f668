from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

from aiida_dnpmelt.physics.error_budget import Measured
from aiida_dnpmelt.provenance.ambient import AmbientPoint
from aiida_dnpmelt.report.bars import bars, lacking
from aiida_dnpmelt.report.cohesion import CohesivePoint, cohesion_figure
from aiida_dnpmelt.report.cohesion import Picture as CohesionPicture
from aiida_dnpmelt.report.experiment import Comparison, experiment_figure
from aiida_dnpmelt.report.figures import Temperature, temperatures_figure
from aiida_dnpmelt.report.finite_size import study_figure
from aiida_dnpmelt.report.learned import Shift
from aiida_dnpmelt.report.learning_figures import shifts_figure
from aiida_dnpmelt.report.pressure_sweep import _draw_points

INTERVAL = (1297.0, 1337.0)
"""Not what 1.96 standard uncertainties of 9.7 K about 1319 K would be, 1300 to 1338 K."""
VALUE, UNCERTAINTY = 1319.0, 9.7
NOTE = "1 without a bar: no interval on record"


def drawn(axes: Axes) -> Iterator[tuple[float, float]]:
    """Yield the ends of all error bars."""
    for container in axes.containers:
        assert isinstance(container, ErrorbarContainer)
        for segment in container.lines[2][0].get_segments():
            if len(segment) and np.isfinite(segment).all():
                yield float(segment[0][1]), float(segment[1][1])


def legend(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def ambient(**changes) -> AmbientPoint:
    known = {"pk": 1, "node_pk": 2, "element": "Cu", "lattice": "fcc", "kind": "coexistence", "verdict": "valid"}
    known |= {"protocol": "fast", "potential": "a", "potential_sha256": "", "potential_uuids": ()}
    numbers = {"melting_temperature_k": VALUE, "standard_uncertainty_k": UNCERTAINTY, "interval_k": INTERVAL}
    return AmbientPoint(**{**known, **numbers, **changes})


def test_bars_reach_to_the_interval_and_no_further():
    lengths = bars([VALUE, VALUE, VALUE], [INTERVAL, None, (1320.0, 1330.0)])
    assert lengths[:, 0] == pytest.approx([22.0, 18.0])
    assert np.isnan(lengths[:, 1]).all()
    assert lengths[:, 2] == pytest.approx([0.0, 11.0])
    assert bars([], []).shape == (2, 0)


def test_points_without_a_bar_are_counted():
    assert lacking([INTERVAL, None, None]) == "2 without a bar: no interval on record"
    assert lacking([INTERVAL]) == lacking([]) == ""


def test_the_figure_beside_experiment_draws_the_interval():
    points = [ambient(), ambient(interval_k=None), ambient(verdict="unfinished", interval_k=(1300.0, 1320.0))]
    (axes,) = experiment_figure([Comparison(point, 1357.8, "fcc") for point in points]).axes
    assert sorted(drawn(axes)) == [INTERVAL, (1300.0, 1320.0)]
    assert NOTE in legend(axes)


def test_the_figure_over_the_cohesive_energy_draws_the_interval():
    points = [ambient(), ambient(interval_k=None, verdict="unfinished")]
    group = [CohesivePoint(point, "d_block", 3.49, "experiment", 1300.0) for point in points]
    (axes,) = cohesion_figure(CohesionPicture(group, "all", {})).axes
    assert list(drawn(axes)) == [INTERVAL]
    assert NOTE in legend(axes)


def test_temperatures_of_models_are_drawn_with_their_intervals():
    measured = Measured(VALUE, UNCERTAINTY)
    found = [Temperature("a", measured, interval_k=INTERVAL), Temperature("b", measured)]
    (axes,) = temperatures_figure(found).axes
    lines = [tuple(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2]
    assert lines == [INTERVAL]
    assert axes.get_xlabel().endswith(f"({NOTE})")


def test_shifts_are_drawn_with_the_interval_of_their_few_blocks():
    shifts = [Shift("1", {"seed_1": (10.0, 2.0), "seed_2": (3.0, 2.0)}, {"seed_1": (2.0, 18.0)})]
    (axes,) = shifts_figure(shifts, None).axes
    assert list(drawn(axes)) == [(2.0, 18.0)]
    assert NOTE in legend(axes)


def test_points_of_a_sweep_without_a_curve_have_their_intervals():
    from matplotlib.figure import Figure

    sweep = {
        "element": "Cu",
        "potential_label": "a",
        "pressures_gpa": [0.0, 5.0, 10.0],
        "melting_temperatures_k": [VALUE, None, 1650.0],
        "standard_uncertainties_k": [UNCERTAINTY, None, 4.0],
        "interval_lows_k": [INTERVAL[0], None, None],
        "interval_highs_k": [INTERVAL[1], None, None],
    }
    axes = Figure().subplots()
    _draw_points(axes, sweep)
    assert list(drawn(axes)) == [INTERVAL]
    assert legend(axes) == [NOTE]


def test_sizes_are_drawn_with_their_intervals_and_scatter_is_said_to_be_one_sigma():
    study = {
        "element": "Cu",
        "potential_label": "a",
        "atoms": [512, 1024],
        "melting_temperatures_k": [VALUE, 1325.0],
        "standard_uncertainties_k": [UNCERTAINTY, 5.0],
        "interval_lows_k": [INTERVAL[0], None],
        "interval_highs_k": [INTERVAL[1], None],
        "verdicts": ["valid", "unfinished"],
        "window_sems_k": [4.0, None],
        "window_runs": [4, 0],
        "errors_k_ps05": [90.0, 60.0],
        "sem_law": None,
        "error_law": None,
        "line": None,
    }
    error, temperature = study_figure(study).axes
    assert list(drawn(temperature)) == [INTERVAL]
    assert NOTE in legend(temperature)
    assert any("one standard deviation" in text for text in legend(error))
