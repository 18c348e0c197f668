from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from physics.synthetic_runs import synthetic_run
from scipy.signal import lfilter

from aiida_dnpmelt.physics.bulk_phases import mean_of, melting
from aiida_dnpmelt.physics.lattices import LATTICES
from aiida_dnpmelt.physics.melting_curve import Quantity
from aiida_dnpmelt.physics.run import CoexistenceRun

T_M = Quantity(1300.0, 5.0)
VOLUME = {"crystal": 12.3, "melt": 12.9}  # cubic Angstrom an atom
ENTHALPY = {"crystal": -3.20, "melt": -3.08}  # eV an atom
FCC = np.array([1.0, 0.0, 0.0, 0.0])


def correlated(length: int, samples: float, seed: int) -> np.ndarray:
    """Return normal deviates with a correlation time of some samples."""
    decay = np.exp(-1 / samples)
    noise = np.random.default_rng(seed).normal(size=length + 1000)
    return lfilter([np.sqrt(1 - decay**2)], [1.0, -decay], noise)[1000:]


def phase_run(phase: str, seed: int = 0, **changes: Any) -> CoexistenceRun:
    """Return a run of one phase of 40 ps whose volume and enthalpy fluctuate, with a correlation time of 0.5 ps."""
    run = synthetic_run(length_ps=40.0)
    n = len(run.time_ps)
    volume = run.n_atoms * VOLUME[phase] * (1 + 0.004 * correlated(n, 5.0, seed))
    solid = np.full(len(run.frame_time_ps), float(phase == "crystal"))
    values = {
        "box_angstrom": np.tile(np.cbrt(volume)[:, None], (1, 3)),
        "enthalpy_ev": ENTHALPY[phase] + 0.002 * correlated(n, 5.0, 1000 + seed),
        "solid_fraction": solid,
        "found_lattices": FCC if phase == "crystal" else np.full(4, np.nan),
    }
    return replace(run, **{**values, **changes})


def test_melting_by_hand():
    """1300 K x 0.6 A^3 / 0.12 eV x 0.0062415 eV/(A^3 GPa) = 40.57 K/GPa; 0.12 eV/(k 1300 K) = 1.071."""
    found = melting(phase_run("crystal"), phase_run("melt", 1), T_M)
    assert found.reasons == ()
    assert found.volume_of_melting_angstrom3.value == pytest.approx(0.6, abs=0.03)
    assert found.enthalpy_of_melting_ev.value == pytest.approx(0.12, abs=0.001)
    assert found.entropy_of_melting_kb.value == pytest.approx(1.071, abs=0.01)
    slope = found.slope_k_per_gpa
    assert slope is not None
    assert slope.value == pytest.approx(40.57, abs=3 * slope.uncertainty)
    assert (found.found_lattice, found.found_lattice_share) == ("fcc", 1.0)


def test_uncertainties_cover_as_often_as_they_claim():
    truth = {"volume_of_melting_angstrom3": 0.6, "enthalpy_of_melting_ev": 0.12}
    trials, hits = 150, dict.fromkeys(truth, 0)
    for seed in range(trials):
        found = melting(phase_run("crystal", 2 * seed), phase_run("melt", 2 * seed + 1), T_M)
        for name, value in truth.items():
            quantity = getattr(found, name)
            hits[name] += abs(quantity.value - value) < 1.96 * quantity.uncertainty
    for number in hits.values():
        assert 0.90 < number / trials < 0.99


@pytest.mark.parametrize(
    ("phase", "changes", "reason"),
    [
        (
            "crystal",
            {"solid_fraction": np.array([1.0, 0.6])},
            "the crystal melted: a frame has a solid fraction of 0.60",
        ),
        ("melt", {"solid_fraction": np.array([0.0, 0.9])}, "the melt is none: a frame has a solid fraction of 0.90"),
        ("melt", {"solid_fraction": np.empty(0)}, "the run of the melt left no frame"),
        ("melt", {"enthalpy_ev": np.full(401, -3.3)}, "the enthalpy of melting is -0.1"),
    ],
)
def test_a_phase_that_did_not_stay_gives_no_slope(phase, changes, reason):
    runs = {"crystal": phase_run("crystal"), "melt": phase_run("melt", 1)}
    runs[phase] = replace(runs[phase], **changes)
    found = melting(runs["crystal"], runs["melt"], T_M)
    assert found.slope_k_per_gpa is None
    assert found.reasons[0].startswith(reason)


def test_another_lattice_is_named_with_its_share():
    shares = np.array([0.2, 0.0, 0.8, 0.0])
    found = melting(phase_run("crystal", found_lattices=shares), phase_run("melt", 1), T_M)
    assert (found.found_lattice, found.found_lattice_share) == (LATTICES[2], 0.8)
    unknown = phase_run("crystal", found_lattices=np.full(4, np.nan))
    assert melting(unknown, phase_run("melt", 1), T_M).found_lattice is None


def test_a_crystal_that_became_another_one_gives_no_slope():
    turned = phase_run("crystal", found_lattices=np.array([0.0, 1.0, 0.0, 0.0]))
    found = melting(turned, phase_run("melt", 1), T_M, "fcc")
    assert found.slope_k_per_gpa is None
    assert found.reasons == (
        "the crystal became another one: the solid is 100% bcc, 0% fcc at the end, at least 50% of it must be fcc",
    )
    for lattice in ("bcc", "other", None):
        assert melting(turned, phase_run("melt", 1), T_M, lattice).slope_k_per_gpa is not None


def test_short_series_have_no_mean():
    with pytest.raises(ValueError, match="99 samples given, a mean needs 100"):
        mean_of(np.zeros(99))
