from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from physics.synthetic_runs import synthetic_run
from pydantic import ValidationError

from aiida_dnpmelt.physics.lattices import LATTICES
from aiida_dnpmelt.physics.run import CoexistenceRun
from aiida_dnpmelt.physics.units import BOLTZMANN_EV_PER_K
from aiida_dnpmelt.physics.verdict import Criteria, Outcome, judge

DEFAULTS = Criteria()
_LOST = ("froze", "melted")


def judged(run: CoexistenceRun, **criteria) -> Outcome:
    return judge(run, Criteria(**criteria))


def drifting(kelvin: float) -> CoexistenceRun:
    run = synthetic_run()
    rise = kelvin * DEFAULTS.heat_capacity_k * BOLTZMANN_EV_PER_K
    return replace(run, conserved_ev=run.conserved_ev + np.linspace(0, rise, len(run.time_ps)))


def with_pressure(*offsets: float, target: float = 0.0) -> CoexistenceRun:
    run = synthetic_run(target_pressure_gpa=target)
    return replace(run, pressure_gpa=np.tile(target + np.array(offsets), (len(run.time_ps), 1)))


def with_frames(fractions: list[float], **changes) -> CoexistenceRun:
    number = len(fractions)
    frames = {
        "frame_time_ps": np.linspace(0, 20, number),
        "solid_fraction": np.array(fractions),
        "interfaces": np.full(number, 2.0),
        "order_profile": np.full((number, 22), 0.2),
    }
    return synthetic_run(**{**frames, **changes})


def test_two_living_phases_are_coexistence_with_its_numbers():
    outcome = judge(synthetic_run(length_ps=20), DEFAULTS)
    assert outcome.state == "coexistence"
    assert outcome.reasons == ("both phases lived for 20 ps: solid fraction 0.50 to 0.50",)
    measures = outcome.measures
    assert measures["mean_solid_fraction"] == pytest.approx(0.5)
    assert measures["share_with_interfaces"] == 1.0
    assert measures["energy_drift_k"] == pytest.approx(0.0, abs=1e-6)
    assert measures["normal_pressure_deviation_gpa"] == pytest.approx(0.001)
    assert abs(measures["lateral_pressure_deviation_gpa"]) == pytest.approx(0.1)
    assert measures["einstein_frequency_rad_per_ps"] == pytest.approx(37, abs=1)
    assert measures["phase_advance_rad"] == pytest.approx(0.111, abs=0.003)


def test_frozen_and_molten_cells_are_told_as_such():
    froze, melted = (judge(synthetic_run(state=state), DEFAULTS) for state in ("froze", "melted"))
    assert (froze.state, melted.state) == ("froze", "melted")
    assert froze.reasons == ("no place along z was left to one phase after 20 ps (solid fraction 1.00)",)
    assert melted.reasons == ("no place along z was left to one phase after 20 ps (solid fraction 0.00)",)


@pytest.mark.parametrize(("end", "state"), [(0.95, "froze"), (0.05, "melted")])
def test_thin_rest_of_a_phase_is_none_though_it_has_interfaces(end, state):
    assert judge(with_frames([0.5, end]), DEFAULTS).state == state


@pytest.mark.parametrize(("end", "state"), [(0.8, "froze"), (0.2, "melted")])
def test_cell_without_interfaces_at_its_end_has_lost_a_phase(end, state):
    run = with_frames([0.5, 0.5, end, end], interfaces=np.array([2.0, 2, 0, 0]))
    assert judge(run, DEFAULTS).state == state


def test_last_frame_alone_may_miss_its_interfaces():
    run = with_frames([0.5] * 10, interfaces=np.array([2.0] * 9 + [0]))
    assert judge(run, DEFAULTS).state == "coexistence"


def test_crystal_that_melted_in_bulk_has_melted_without_any_production():
    run = synthetic_run(bulk_melted=True, guess_k=2000.0, frame_time_ps=np.empty(0), time_ps=np.empty(0))
    outcome = judge(run, DEFAULTS)
    assert outcome.state == "melted"
    assert outcome.reasons == ("the whole crystal melted at 2000 K in preparation",)


@pytest.mark.parametrize("lacking", [{"frame_time_ps": np.empty(0)}, {"time_ps": np.zeros(1)}])
def test_production_without_frames_or_samples_is_invalid(lacking):
    outcome = judge(synthetic_run(**lacking), DEFAULTS)
    assert (outcome.state, outcome.measures) == ("invalid", {})
    assert outcome.reasons == ("production left no frame to analyse",)


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (with_frames([0.5, 0.05, 0.5]), "a phase was lost for a while: solid fraction 0.05 to 0.50"),
        (with_frames([0.5, 0.95, 0.5]), "a phase was lost for a while: solid fraction 0.50 to 0.95"),
        (
            with_frames([0.5] * 4, interfaces=np.array([2.0, 0, 4, 2])),
            "interfaces in 75% of the frames, less than 80%",
        ),
        (drifting(6.0), "drift of the conserved energy 6 K, more than 5 K"),
        (drifting(-6.0), "drift of the conserved energy -6 K, more than 5 K"),
        (with_pressure(0, 0, 0.04), "pressure along z off by 0.04 GPa, more than 0.03 GPa"),
        (with_pressure(0, 0, -0.04, target=5.0), "pressure along z off by -0.04 GPa, more than 0.03 GPa"),
        (with_pressure(0.1, -0.4, 0), "lateral pressure off by -0.4 GPa, more than 0.3 GPa"),
        (synthetic_run(timestep_fs=10.0), "Einstein frequency times time step 0.369 rad, more than 0.25 rad"),
    ],
)
def test_each_complaint_makes_a_run_invalid(run, reason):
    outcome = judge(run, DEFAULTS)
    assert (outcome.state, outcome.reasons) == ("invalid", (reason,))


def test_all_complaints_are_told_together():
    run = replace(drifting(50.0), interfaces=np.repeat([0.0, 2.0], [19, 2]), timestep_fs=8.0)
    assert len(judge(run, DEFAULTS).reasons) == 3


@pytest.mark.parametrize(
    ("run", "criteria"),
    [
        (with_frames([0.5, 0.05, 0.5]), {"minimum_fraction": 0.04}),
        (with_frames([0.5] * 2, interfaces=np.array([0.0, 2])), {"minimum_share_with_interfaces": 0.5}),
        (drifting(6.0), {"maximum_energy_drift_k": 7.0}),
        (with_pressure(0, 0, 0.04), {"maximum_normal_pressure_gpa": 0.05}),
        (with_pressure(0.1, -0.4, 0), {"maximum_lateral_pressure_gpa": 0.5}),
        (synthetic_run(timestep_fs=8.0), {"maximum_phase_advance": 0.3}),
    ],
)
def test_criteria_decide(run, criteria):
    assert judged(run, **criteria).state == "coexistence"


def test_lost_phase_counts_before_any_complaint():
    assert judge(replace(synthetic_run(state="froze"), timestep_fs=9.0), DEFAULTS).state == "froze"


def test_without_probes_the_time_step_is_not_judged():
    outcome = judge(synthetic_run(mean_square_force=np.empty(0), timestep_fs=9.0), DEFAULTS)
    assert outcome.state == "coexistence"
    assert "phase_advance_rad" not in outcome.measures


@pytest.mark.parametrize(("end", "state"), [(0.2, "melted"), (0.8, "froze")])
def test_halted_run_has_lost_a_phase_however_thick_the_rest(end, state):
    outcome = judge(with_frames([0.5, end], halted=True), DEFAULTS)
    assert outcome.state == state
    assert outcome.reasons[0].startswith("no place along z was left to one phase")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("minimum_fraction", 0.5),
        ("maximum_energy_drift_k", 0.0),
        ("maximum_phase_advance", 2.0),
        ("heat_capacity_k", 0.5),
        ("unknown", 1.0),
    ],
)
def test_criteria_out_of_range_are_refused_by_their_key(key, value):
    with pytest.raises(ValidationError, match=key):
        Criteria(**{key: value})


def shares(**of: float) -> np.ndarray:
    """Return shares of the lattices by their names."""
    return np.array([of.get(name, 0.0) for name in LATTICES])


BCC = shares(bcc=1.0)


def test_a_run_whose_solid_became_another_crystal_says_nothing_of_the_claimed_one():
    outcome = judge(synthetic_run(found_lattices=BCC), DEFAULTS, "fcc")
    assert (outcome.state, outcome.turned) == ("invalid", True)
    assert outcome.reasons == ("the solid is 100% bcc, 0% fcc at the end, at least 50% of it must be fcc",)
    assert outcome.measures["lattice_share"] == 0.0
    assert judge(synthetic_run(found_lattices=BCC), DEFAULTS, "bcc").state == "coexistence"


@pytest.mark.parametrize(
    ("lattice", "found", "state"),
    [
        ("fcc", shares(fcc=0.95, hcp=0.05), "coexistence"),
        ("fcc", shares(fcc=0.6, hcp=0.35, bcc=0.05), "coexistence"),  # stacking faults
        ("fcc", shares(fcc=0.45, hcp=0.55), "invalid"),
        ("hcp", shares(fcc=0.55, hcp=0.45), "invalid"),
        ("bcc", shares(fcc=0.52, bcc=0.48), "invalid"),
        ("diamond", shares(bcc=0.9, diamond=0.1), "invalid"),
        ("other", BCC, "coexistence"),
        (None, BCC, "coexistence"),
        ("fcc", np.full(4, np.nan), "coexistence"),
    ],
)
def test_the_crystal_is_judged_by_the_share_of_the_claimed_one(lattice, found, state):
    outcome = judge(synthetic_run(found_lattices=found), DEFAULTS, lattice)
    assert (outcome.state, outcome.turned) == (state, state == "invalid")
    assert ("lattice_share" in outcome.measures) == (lattice in LATTICES and np.isfinite(found).all())


def test_what_froze_as_another_crystal_bounds_nothing_and_what_melted_still_melted():
    froze, melted = (judge(synthetic_run(state=state, found_lattices=BCC), DEFAULTS, "fcc") for state in _LOST)
    assert (froze.state, froze.turned, len(froze.reasons)) == ("invalid", True, 2)
    assert (melted.state, melted.turned) == ("melted", False)


def test_share_of_the_crystal_is_a_criterion():
    run = synthetic_run(found_lattices=shares(fcc=0.7, bcc=0.3))
    assert judge(run, Criteria(minimum_lattice_share=0.8), "fcc").turned
    assert not judge(run, Criteria(minimum_lattice_share=0.6), "fcc").turned
