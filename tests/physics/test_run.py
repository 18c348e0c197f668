from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from physics.synthetic_runs import synthetic_run

from aiida_dnpmelt.physics.run import ARRAYS, SCALARS, CoexistenceRun, join

COLUMNS = {
    "time_ps": ("temperature_k", "pressure_gpa", "enthalpy_ev", "conserved_ev", "box_angstrom"),
    "probe_time_ps": ("mean_square_force", "bragg_solid_fraction"),
    "frame_time_ps": ("solid_fraction", "interfaces", "order_profile"),
    "preparation_time_ps": ("preparation_temperature_k", "preparation_pressure_gpa"),
}
PRODUCTION = tuple(COLUMNS)[:3]
NEVER = (-2.0, -1.0)


def between(run: CoexistenceRun, begin: float, end: float, *clocks: str) -> CoexistenceRun:
    """Return the run with only what lies between two times by these clocks."""
    cut = {}
    for clock in clocks:
        times = getattr(run, clock)
        kept = (times >= begin - 1e-9) & (times <= end + 1e-9)
        cut |= {name: getattr(run, name)[kept] for name in (clock, *COLUMNS[clock])}
    return replace(run, **cut)


def piece(whole: CoexistenceRun, begin: float, end: float, **changes) -> CoexistenceRun:
    """Return what a job would have left that ran from one time to another; the first one did the preparation."""
    run = between(whole, begin, end, *PRODUCTION)
    if begin > 0:
        run = between(run, *NEVER, "preparation_time_ps")
    return replace(run, **changes)


def assert_same(found: CoexistenceRun, expected: CoexistenceRun) -> None:
    for name in SCALARS:
        assert getattr(found, name) == getattr(expected, name), name
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def test_every_field_is_a_scalar_or_an_array():
    run = synthetic_run()
    assert {type(getattr(run, name)) for name in ARRAYS} == {np.ndarray}
    assert {type(getattr(run, name)) for name in SCALARS} == {int, float, bool}


def test_length_is_that_of_the_production():
    assert synthetic_run(length_ps=20).length_ps == pytest.approx(20)
    assert between(synthetic_run(), *NEVER, *PRODUCTION).length_ps == 0.0


@pytest.mark.parametrize(
    "cuts",
    [
        [(0, 20)],
        [(0, 8), (8, 20)],
        [(0, 12.3), (9, 20)],  # the restart file lay before the end of the log
        [(0, 5), (3, 9), (8, 15), (12, 20)],
        [(0, 12), (12.1, 20)],  # the next job did not write its first row
    ],
)
def test_pieces_make_the_whole_without_doubled_or_missing_samples(cuts):
    whole = synthetic_run(length_ps=20)
    joined = join([piece(whole, begin, end) for begin, end in cuts])
    assert_same(joined, whole)
    np.testing.assert_allclose(np.diff(joined.time_ps), 0.1, atol=1e-9)


def test_later_piece_counts_where_two_overlap():
    first, second = synthetic_run(length_ps=10), synthetic_run(length_ps=20)
    second = piece(replace(second, temperature_k=second.temperature_k + 1000), 6, 20)
    joined = join([first, second])
    np.testing.assert_array_equal(joined.temperature_k[:60], first.temperature_k[:60])
    assert (joined.temperature_k[60:] > 2000).all()


def test_piece_that_was_cut_in_preparation_gives_way_to_the_one_after_it():
    whole = synthetic_run()
    first = between(between(whole, *NEVER, *PRODUCTION), 0, 7, "preparation_time_ps")
    assert_same(join([first, between(whole, 5, 99, "preparation_time_ps")]), whole)


def test_end_of_the_last_piece_is_that_of_the_whole():
    whole = synthetic_run()
    halted = [piece(whole, 0, 10), piece(whole, 10, 20, halted=True)]
    assert join(halted).halted
    assert not join([piece(whole, 0, 10, halted=True), piece(whole, 10, 20)]).halted
    assert join([replace(whole, bulk_melted=True), whole]).bulk_melted


def test_run_that_was_started_anew_with_a_shorter_time_step_has_that_one():
    whole = synthetic_run(length_ps=20, timestep_fs=1.5)
    assert_same(join([synthetic_run(length_ps=10, timestep_fs=3.0), whole]), whole)


@pytest.mark.parametrize("other", [{"seed": 2}, {"n_atoms": 2000}, {"guess_k": 1250.0}])
def test_pieces_of_different_runs_are_refused(other):
    with pytest.raises(ValueError, match="pieces of different runs"):
        join([synthetic_run(), synthetic_run(**other)])


def test_nothing_to_join_is_refused():
    with pytest.raises(ValueError, match="no piece"):
        join([])
