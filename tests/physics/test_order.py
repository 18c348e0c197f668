"""Phases on real bulk solid, bulk liquid and two-phase cells, made here by LAMMPS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lammps_runs import run_lammps
from physics.bulk_frames import CRYSTALS, Crystal, frames_of, head
from physics.synthetic_runs import synthetic_run

from aiida_dnpmelt.physics.lammps_dump import Frame
from aiida_dnpmelt.physics.order import (
    SOLID_THRESHOLD,
    averaged_q6,
    interfaces,
    profile,
    profile_bins,
    solid_atoms,
    solid_fraction,
)
from aiida_dnpmelt.physics.verdict import Criteria, judge

LOST = {"solid": "froze", "liquid": "melted"}


def state_of(fractions: list[float], counts: list[int]) -> str:
    """Return the verdict on a run of which these are the frames."""
    run = synthetic_run(
        frame_time_ps=np.arange(len(fractions), dtype=float),
        solid_fraction=np.array(fractions),
        interfaces=np.array(counts, dtype=float),
    )
    return judge(run, Criteria()).state


def slab_script(crystal: Crystal, potentials: Path, molten: float, bath: float, steps: int) -> str:
    """Melt the lower part of a crystal, then keep all of it at ``bath`` times the melting temperature."""
    t = crystal.melting_k
    return f"""{head(crystal, crystal.slab, potentials)}
fix move all npt temp {t} {t} 0.1 iso 1 1 0.5
run 300
unfix move
variable top equal zlo+{molten}*lz
region lower block INF INF INF INF INF $(v_top) units box
group lower region lower
fix move lower nph z 1 1 0.5 dilate all
fix bath lower langevin {2.5 * t} {2.5 * t} 0.05 12
run 700
unfix bath
unfix move
fix move all nph z 1 1 0.5
fix bath all langevin {bath * t} {bath * t} 0.05 13
run 200
dump frames all custom 50 frames.dump id x y z
run {steps}
"""


def analyse(frames: list[Frame]) -> tuple[list[float], list[int]]:
    """Return solid fractions and numbers of interfaces, one a frame."""
    bins = profile_bins(frames[0].lengths[2])
    orders = [averaged_q6(frame.lengths, frame.positions) for frame in frames]
    profiles = [
        profile(frame.lengths, frame.positions, order, bins) for frame, order in zip(frames, orders, strict=True)
    ]
    return [solid_fraction(order) for order in orders], [interfaces(each.solid) for each in profiles]


@pytest.fixture
def slab(potentials_folder: Path, tmp_path: Path) -> Callable[..., list[Frame]]:
    def run(crystal: Crystal, molten: float, bath: float, steps: int) -> list[Frame]:
        run_lammps(slab_script(crystal, potentials_folder, molten, bath, steps), tmp_path)
        return frames_of(tmp_path / "frames.dump")

    return run


def crystal_positions(basis: list[list[float]], cell: tuple[float, float, float], repeat: int) -> np.ndarray:
    corners = np.stack(np.meshgrid(*[np.arange(repeat)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    return ((corners + np.array(basis)) * cell).reshape(-1, 3)


FCC = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
BCC = [[0, 0, 0], [0.5, 0.5, 0.5]]
HCP = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 5 / 6, 0.5], [0, 1 / 3, 0.5]]
DIAMOND = [[x + d, y + d, z + d] for x, y, z in FCC for d in (0, 0.25)]


@pytest.mark.parametrize(
    ("basis", "cell", "neighbours", "expected"),
    [
        (FCC, (4.0, 4.0, 4.0), 12, 0.57452),
        (BCC, (3.0, 3.0, 3.0), 14, 0.51069),
        (HCP, (3.0, 3.0 * 3**0.5, 3.0 * (8 / 3) ** 0.5), 12, 0.48476),
        (DIAMOND, (5.4, 5.4, 5.4), 4, 0.62854),
    ],
    ids=["fcc", "bcc", "hcp", "diamond"],
)
def test_perfect_crystals_have_the_published_q6(basis, cell, neighbours, expected):
    """P. J. Steinhardt, D. R. Nelson and M. Ronchetti, Phys. Rev. B 28, 784 (1983)."""
    positions = crystal_positions(basis, cell, 5)
    order = averaged_q6(5 * np.array(cell), positions, neighbours)
    assert order == pytest.approx(np.full(len(order), expected), abs=1e-4)


def test_bulk_atoms_are_told_apart(bulk):
    for frame in bulk["solid"]:
        assert solid_atoms(averaged_q6(frame.lengths, frame.positions)).mean() > 0.99
    for frame in bulk["liquid"]:
        assert solid_atoms(averaged_q6(frame.lengths, frame.positions)).mean() < 0.01


def test_frozen_and_molten_boxes_are_told_as_such(bulk):
    for phase, frames in bulk.items():
        fractions, counts = analyse(frames)
        assert counts == [0] * len(frames)
        assert state_of(fractions, counts) == LOST[phase]


def test_half_and_half_coexists_with_two_interfaces(crystal, slab):
    frames = slab(crystal, molten=0.5, bath=1.0, steps=100)
    fractions, counts = analyse(frames)
    assert counts == [2] * len(frames)
    assert state_of(fractions, counts) == "coexistence"
    order = averaged_q6(frames[-1].lengths, frames[-1].positions)
    result = profile(frames[-1].lengths, frames[-1].positions, order, 24)
    assert (result.solid[4:8] < 0.1).all()
    assert (result.solid[16:20] > 0.9).all()
    assert (result.order[4:8] < SOLID_THRESHOLD).all()
    assert (result.order[16:20] > SOLID_THRESHOLD).all()


@pytest.mark.parametrize(
    ("name", "course", "end"),
    [
        ("fcc", {"molten": 0.5, "bath": 1.35, "steps": 700}, "liquid"),
        ("bcc", {"molten": 0.2, "bath": 0.75, "steps": 1200}, "solid"),
    ],
    ids=["melts", "freezes"],
)
def test_a_cell_that_loses_a_phase_is_told_by_its_end(slab, name, course, end):
    fractions, counts = analyse(slab(CRYSTALS[name], **course))
    assert state_of(fractions[:2], counts[:2]) == "coexistence"
    assert state_of(fractions[-2:], counts[-2:]) == LOST[end]
    assert counts[-1] == 0
    assert state_of(fractions, counts) == LOST[end]


def test_order_does_not_depend_on_the_image_or_the_origin(bulk):
    frame = bulk["liquid"][0]
    expected = averaged_q6(frame.lengths, frame.positions)
    images = np.random.default_rng(1).integers(-3, 4, size=frame.positions.shape)
    moved = frame.positions + images * frame.lengths + [1.1, -2.2, 3.3]
    assert averaged_q6(frame.lengths, moved) == pytest.approx(expected, abs=2e-4)


def test_positions_that_are_not_finite_are_refused():
    positions = np.full((100, 3), np.nan)
    with pytest.raises(ValueError, match="must be finite"):
        averaged_q6([10, 10, 10], positions)


def test_too_few_atoms_are_refused():
    with pytest.raises(ValueError, match="16 neighbours need at least 17 atoms, there are 16"):
        averaged_q6([10, 10, 10], np.zeros((16, 3)))


def test_a_profile_has_no_holes_between_layers_of_atoms():
    layers = np.repeat(np.arange(16) * 3.0, 10)
    positions = np.column_stack([np.zeros((160, 2)), layers])
    order = np.where(layers < 24, 0.1, 0.3)
    result = profile([10, 10, 48], positions, order, profile_bins(48.0))
    assert len(result.z) == 24
    assert result.z[[0, -1]] == pytest.approx([1, 47])
    assert np.isfinite(result.solid).all()
    assert interfaces(result.solid) == 2


def test_a_profile_is_undefined_where_there_are_no_atoms():
    positions = np.column_stack([np.zeros((100, 2)), np.linspace(0, 20, 100)])
    result = profile([10, 10, 60], positions, np.full(100, 0.3), 30)
    assert np.isnan(result.solid[18:22]).all()
    assert interfaces(result.solid) == 0


@pytest.mark.parametrize(
    ("solid", "expected"),
    [
        ([1, 1, 1, 1], 0),
        ([0, 0, 0, 0], 0),
        ([0.5, 0.5, 0.5, 0.5], 0),
        ([0, 0, 1, 1], 2),
        ([1, 0, 0, 1], 2),
        ([0, 0.5, 1, 0.6, 0.4, 0.6, 1, 0.5], 2),
        ([0, 0.4, 0.6, 0.4, 0.6, 0.2], 0),
        ([0, 1, 0, 1], 4),
    ],
)
def test_interfaces_are_counted_with_hysteresis(solid, expected):
    assert interfaces(np.array(solid, dtype=float)) == expected
