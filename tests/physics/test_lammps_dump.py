"""Dumps that LAMMPS writes here, whole, cut and spoilt."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import ase.io
import numpy as np
import pytest
from lammps_runs import run_lammps

from aiida_dnpmelt.physics.lammps_dump import Frame, read_frames

SCRIPT = """
units metal
lattice fcc 3.7 origin 0.1 0.2 0.3
region box block -1 1 0 2 0 3
create_box 1 box
create_atoms 1 box
mass 1 63.5
pair_style eam/alloy
pair_coeff * * {potentials}/Cu_mishin1.eam.alloy Cu
velocity all create 2600 1234 mom yes rot no dist gaussian
fix move all nph z 1 1 0.5
dump plain all custom 20 plain.dump id type x y z
dump_modify plain sort id format float %.4f
dump full all custom 20 full.dump id type xu yu zu vx vy vz fx fy fz
run 60
"""

FRAME = """ITEM: TIMESTEP
20
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS pp pp pp
-1.0 3.0
0.0e+00 5.0e+00
0.0 6.0
ITEM: ATOMS id x y z
2 1.5 2.5 3.5
1 0 1 2
"""


@pytest.fixture(scope="module")
def dumps(potentials_folder: Path, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dumps")
    run_lammps(SCRIPT.replace("{potentials}", str(potentials_folder)), folder)
    return folder


def read_text(text: str) -> list[Frame]:
    return list(read_frames(io.StringIO(text)))


@pytest.mark.parametrize("name", ["plain", "full"])
def test_frames_are_those_that_ase_reads(dumps, name):
    path = dumps / f"{name}.dump"
    with path.open() as handle:
        frames = list(read_frames(handle))
    expected = ase.io.read(path, index=":", format="lammps-dump-text")
    assert [frame.step for frame in frames] == [0, 20, 40, 60]
    assert len(expected) == len(frames)
    for frame, atoms in zip(frames, expected, strict=True):
        assert frame.lengths == pytest.approx(atoms.cell.lengths())
        assert frame["id"].tolist() == list(range(1, 49))
        assert frame.positions == pytest.approx(atoms.positions - frame.bounds[:, 0], abs=1e-9)
        if name == "full":
            forces = np.column_stack([frame["fx"], frame["fy"], frame["fz"]])
            assert forces == pytest.approx(atoms.get_forces())


def test_atoms_are_in_the_order_of_their_ids_and_measured_from_the_lower_corner():
    (frame,) = read_text(FRAME)
    assert frame.step == 20
    assert frame.columns == ("id", "x", "y", "z")
    assert frame.bounds.tolist() == [[-1, 3], [0, 5], [0, 6]]
    assert frame.lengths.tolist() == [4, 5, 6]
    assert frame.positions.tolist() == [[1, 1, 2], [2.5, 2.5, 3.5]]


def test_one_atom_with_one_column_is_read():
    text = FRAME.replace("ATOMS\n2", "ATOMS\n1").replace("id x y z", "id").partition("2 1.5")[0] + "7\n"
    assert read_text(text)[0].data.tolist() == [[7]]


def test_a_cut_at_any_byte_leaves_the_whole_frames():
    text = 3 * FRAME
    for end in range(len(text) + 1):
        assert len(read_text(text[:end])) == end // len(FRAME)


def test_frames_come_one_by_one():
    def endless() -> Iterator[str]:
        while True:
            yield from FRAME.splitlines(keepends=True)

    assert len(list(islice(read_frames(endless()), 3))) == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("TIMESTEP", "TIME", "line 12 of the dump: expected 'ITEM: TIMESTEP', found 'ITEM: TIME'"),
        ("\n20\n", "\n-20\n", "line 13 of the dump: expected an integer of at least 0, found '-20'"),
        ("ATOMS\n2\n", "ATOMS\n0\n", "line 15 of the dump: expected an integer of at least 1, found '0'"),
        ("pp pp pp", "pp pp ss", "line 16 of the dump: expected an orthogonal, periodic box"),
        ("pp pp pp", "xy xz yz pp pp pp", "line 16 of the dump: expected an orthogonal, periodic box"),
        ("-1.0 3.0", "-1.0 3.0 0.5", "line 17 of the dump: expected 2 numbers, found '-1.0 3.0 0.5'"),
        ("0.0 6.0", "6.0 0.0", "line 19 of the dump: expected box bounds with lower < upper"),
        ("id x", "q x", "line 20 of the dump: expected a column 'id'"),
        ("2 1.5 2.5 3.5", "2 1.5 2.5", "line 21 of the dump: expected 4 numbers, found '2 1.5 2.5'"),
        ("1 0 1 2", "1 0 1 2 3", "line 22 of the dump: expected 4 numbers, found '1 0 1 2 3'"),
        ("1 0 1 2", "1 0 1 Cu", "line 22 of the dump: expected 4 numbers, found '1 0 1 Cu'"),
        ("1 0 1 2", " ", "line 22 of the dump: expected 4 numbers, found ''"),
        ("1 0 1 2", "2 0 1 2", "line 22 of the dump: expected each atom id once in this frame"),
    ],
)
def test_wrong_content_is_refused_with_its_line(old, new, message):
    assert old in FRAME
    with pytest.raises(ValueError) as caught:
        read_text(FRAME + FRAME.replace(old, new))
    assert str(caught.value).startswith(message)


OBLIQUE = FRAME.replace("pp pp pp", "xy xz yz pp pp pp").replace(
    "-1.0 3.0\n0.0e+00 5.0e+00\n0.0 6.0\n", "-1.5 4.0 1.0\n0.0 5.3 -0.5\n0.0 6.0 0.3\n"
)


def test_oblique_box_has_the_edges_of_its_cell():
    (frame,) = read_frames(io.StringIO(OBLIQUE), oblique=True)
    assert frame.cell == pytest.approx(np.array([[4, 0, 0], [1, 5, 0], [-0.5, 0.3, 6]]))
    assert frame.bounds == pytest.approx(np.array([[-1, 3], [0, 5], [0, 6]]))
    assert frame.positions[0] == pytest.approx([1, 1, 2])


def test_orthogonal_box_is_read_where_an_oblique_one_may_stand():
    (frame,) = read_frames(io.StringIO(FRAME), oblique=True)
    assert frame.cell.tolist() == [[4, 0, 0], [0, 5, 0], [0, 0, 6]]
    assert frame.vectors(("x", "y", "z"))[1].tolist() == [1.5, 2.5, 3.5]


def test_a_column_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(KeyError, match=r"no column 'fx' in the dump.*'z'"):
        read_text(FRAME)[0]["fx"]


def test_positions_need_their_columns():
    with pytest.raises(KeyError, match="x, y, z or xu, yu, zu are needed"):
        _ = read_text(FRAME.replace("id x y z", "id vx vy vz"))[0].positions
