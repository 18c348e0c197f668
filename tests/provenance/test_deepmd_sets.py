"""What is written here is what others have left, in all its kinds."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from physics.labelled import labelled
from provenance.deepmd_files import arrays_of, write_mixed, write_raw, write_set

from aiida_dnpmelt.provenance.datasets import read_dataset
from aiida_dnpmelt.provenance.deepmd_sets import sets_of
from aiida_dnpmelt.provenance.sources import Dataset, Source

SHARED = os.environ.get("DNPMELT_SHARED_DATA")
NAMES = ("cells", "positions", "energies_ev", "forces_ev_per_angstrom", "virials_ev")


def read(folder: Path, symbol: str | None = None) -> Dataset:
    (source,) = sets_of(folder)
    return read_dataset(source, symbol, 300.0)


def same(found, frames, rel: float = 1e-9) -> bool:
    return all(getattr(found, name) == pytest.approx(getattr(frames, name), rel=rel) for name in NAMES)


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_parts_are_read_in_their_order(tmp_path, parts):
    frames = labelled(5)
    found = read(write_set(tmp_path / "set", frames, parts))
    assert found.frames.symbols == frames.symbols
    assert same(found.frames, frames)


def test_shapes_that_other_tools_write_are_read(tmp_path):
    frames = labelled(3)
    write_set(
        tmp_path,
        frames,
        energy=frames.energies_ev[:, None].astype("f4"),
        coord=np.asfortranarray(frames.positions.astype(">f8")),
        box=frames.cells,
        virial=frames.virials_ev,
    )
    assert same(read(tmp_path).frames, frames, rel=1e-6)


@pytest.mark.parametrize("number", [1, 3])
def test_text_files(tmp_path, number):
    frames = labelled(number)
    assert same(read(write_raw(tmp_path, frames), "Cu").frames, frames)


def test_left_handed_cells_are_turned_with_a_remark(tmp_path):
    frames = labelled(2)
    found = read(write_set(tmp_path, frames, box=frames.cells[:, [1, 0, 2]].reshape(2, 9)))
    assert found.remarks == ("2 left-handed cells turned",)
    assert (np.linalg.det(found.frames.cells) > 0).all()
    assert found.frames.forces_ev_per_angstrom == pytest.approx(frames.forces_ev_per_angstrom)


class TestMixed:
    def test_elements_are_those_of_the_real_types(self, tmp_path):
        frames = labelled(3)
        found = read(write_mixed(tmp_path, frames, ["Al", "Cu"], np.ones((3, 4), int)))
        assert found.frames.symbols == ("Cu",) * 4
        assert same(found.frames, frames)

    def test_elements_are_part_of_the_checksum(self, tmp_path):
        frames = labelled(3)
        for name, kind in (("a", 0), ("b", 1)):
            write_mixed(tmp_path / name, frames, ["Al", "Cu"], np.full((3, 4), kind))
        assert len({Source(tmp_path / name, "deepmd/npy").sha256 for name in "ab"}) == 2

    def test_atoms_in_another_order_are_the_same_frames(self, tmp_path):
        frames = labelled(2)
        found = read(write_mixed(tmp_path, frames, ["Al", "Cu"], np.array([[0, 1, 0, 1], [1, 1, 0, 0]])))
        assert found.frames.symbols == ("Al", "Al", "Cu", "Cu")
        for index, order in enumerate(([0, 2, 1, 3], [2, 3, 0, 1])):
            assert found.frames.positions[index] == pytest.approx(frames.positions[index, order])
            forces = found.frames.forces_ev_per_angstrom[index]
            assert forces == pytest.approx(frames.forces_ev_per_angstrom[index, order])

    def test_several_compositions_are_several_sources(self, tmp_path):
        frames = labelled(4)
        types = np.array([[0, 0, 0, 0], [0, 1, 1, 1], [0, 0, 0, 0], [1, 1, 0, 1]])
        sources = sets_of(write_mixed(tmp_path, frames, ["Al", "Cu"], types))
        assert [source.formula for source in sources] == ["Al4", "AlCu3"]
        assert len({source.sha256 for source in sources}) == 2
        pure, alloy = (read_dataset(source, None, 300.0).frames for source in sources)
        assert pure.energies_ev == pytest.approx(frames.energies_ev[[0, 2]])
        assert alloy.energies_ev == pytest.approx(frames.energies_ev[[1, 3]])
        assert alloy.symbols == ("Al", "Cu", "Cu", "Cu")
        with pytest.raises(ValueError, match="element is Al, the frames hold Al, Cu"):
            read_dataset(sources[1], "Al", 300.0)

    def test_padding_is_no_atom(self, tmp_path):
        frames = labelled(2)
        types = np.array([[1, 1, 1, -1], [1, 1, 1, 1]])
        shorter, whole = sets_of(write_mixed(tmp_path, frames, ["Al", "Cu"], types))
        found = read_dataset(shorter, None, 300.0).frames
        assert (found.symbols, len(found)) == (("Cu",) * 3, 1)
        assert found.positions[0] == pytest.approx(frames.positions[0, :3])
        assert read_dataset(whole, None, 300.0).frames.symbols == ("Cu",) * 4

    def test_types_in_one_part_only_are_refused(self, tmp_path):
        frames = labelled(4)
        write_set(tmp_path, frames, 2, real_atom_types=np.zeros((2, 4), int))
        with pytest.raises(ValueError, match=r"set\.000: real_atom_types\.npy is missing"):
            read(tmp_path)

    @pytest.mark.parametrize(
        ("types", "words"),
        [
            (np.full((2, 4), 2), r"real_atom_types: type 2, and type_map\.raw names 2"),
            (np.full((2, 4), -2), r"real_atom_types: type -2"),
            (np.full((2, 4), -1), "no atoms"),
            (np.zeros((2, 3), int), r"real_atom_types\.npy: 3 numbers a frame, 4 are needed"),
            (np.zeros((3, 4), int), r"real_atom_types\.npy: 3 frames, .*coord\.npy has 2"),
            (np.full((2, 4), 0.5), r"real_atom_types\.npy holds what is no whole number"),
        ],
    )
    def test_types_that_cannot_be_are_refused(self, tmp_path, types, words):
        with pytest.raises(ValueError, match=words):
            read(write_mixed(tmp_path, labelled(2), ["Al", "Cu"], types))

    def test_types_without_names_are_no_one_element(self, tmp_path):
        write_mixed(tmp_path, labelled(2), ["Al"], np.array([[0, 0, 0, 0], [1, 1, 1, 1]]))
        (tmp_path / "type_map.raw").unlink()
        with pytest.raises(ValueError, match=r"2 types of atoms, and type_map\.raw is missing"):
            read(tmp_path, "Al")


class TestRefused:
    """A sentence each, which names the file and no folder of this machine."""

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"without": ["virial"]}, r"no stress in 1 of 2 parts \(set\.001\), which training on pressures needs"),
            ({"without": ["energy"]}, r"set\.001: energy\.npy is missing"),
            ({"without": ["force"]}, r"set\.001: force\.npy is missing"),
            ({"without": ["box"]}, r"set\.001: box\.npy is missing"),
            ({"without": ["coord"]}, r"set\.001: coord\.npy is missing"),
            ({"energy": np.zeros(3)}, r"set\.001/energy\.npy: 3 frames, .*coord\.npy has 2"),
            ({"force": np.zeros((2, 9))}, r"set\.001/force\.npy: 9 numbers a frame, 12 are needed"),
            ({"coord": np.zeros((2, 15))}, r"set\.001/coord\.npy: 15 numbers a frame, 12 are needed"),
            ({"box": np.zeros((2, 6))}, r"set\.001/box\.npy: 6 numbers a frame, 9 are needed"),
            ({"virial": np.zeros(())}, r"set\.001/virial\.npy is one number"),
            ({"energy": np.array(["a", "b"])}, r"set\.001/energy\.npy holds no numbers"),
            ({"energy": np.array([1j, 2j])}, r"set\.001/energy\.npy holds no numbers"),
        ],
    )
    def test_arrays_that_do_not_fit(self, tmp_path, options, words):
        with pytest.raises(ValueError, match=words) as error:
            read(write_set(tmp_path, labelled(4), 2, **options))
        assert str(tmp_path) not in str(error.value)

    def test_no_virial_at_all(self, tmp_path):
        with pytest.raises(ValueError, match=r"^no stress, which training on pressures needs$"):
            read(write_set(tmp_path, labelled(4), without=["virial"]))

    def test_virials_that_are_all_zero_were_not_computed(self, tmp_path):
        with pytest.raises(ValueError, match="no stress"):
            read(write_set(tmp_path, labelled(4), virial=np.zeros((4, 9))))

    @pytest.mark.parametrize("box", [None, np.zeros((2, 9))])
    def test_what_is_not_periodic(self, tmp_path, box):
        write_set(tmp_path, labelled(2), **({} if box is None else {"box": box}))
        if box is None:
            (tmp_path / "nopbc").touch()
            (tmp_path / "set.000" / "box.npy").unlink()
        with pytest.raises(ValueError, match=r"^not periodic$"):
            read(tmp_path)

    @pytest.mark.parametrize(
        ("name", "text", "words"),
        [
            ("type.raw", "0 0 0 7\n", r"type\.raw: type 7, and type_map\.raw names 1"),
            ("type.raw", "0 0 0 -1\n", r"type\.raw: type -1"),
            ("type.raw", "Cu Cu Cu Cu\n", r"type\.raw holds what is no number"),
            ("type.raw", "", "no atoms"),
            ("type_map.raw", "Q\n", "'Q': no chemical element"),
            ("type_map.raw", "X\n", "'X': no chemical element"),
            ("type_map.raw", "cu\n", "'cu': no chemical element, Cu may be meant"),
            ("type_map.raw", "", "name it"),
        ],
    )
    def test_types(self, tmp_path, name, text, words):
        write_set(tmp_path, labelled(2))
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=words):
            read(tmp_path)

    def test_type_map_that_is_no_text(self, tmp_path):
        write_set(tmp_path, labelled(2))
        (tmp_path / "type_map.raw").write_bytes(b"\xff\xfeC\x00u\x00\n")
        with pytest.raises(ValueError, match=r"type_map\.raw is no text"):
            read(tmp_path)

    def test_objects_are_never_unpickled(self, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (Path.touch, (tmp_path / "exploded",))

        folder = write_set(tmp_path / "set", labelled(2))
        for content in (None, pickle.dumps(Bomb())):
            if content is None:
                np.save(folder / "set.000" / "energy.npy", np.array([Bomb(), Bomb()]), allow_pickle=True)
            else:
                (folder / "set.000" / "energy.npy").write_bytes(content)
            with pytest.raises(ValueError, match=r"set\.000/energy\.npy is no array of numbers"):
                read(folder)
        assert not (tmp_path / "exploded").exists()

    @pytest.mark.parametrize("end", [0, 5, 60, 140])
    def test_files_that_are_cut(self, tmp_path, end):
        write_set(tmp_path, labelled(3))
        file = tmp_path / "set.000" / "coord.npy"
        file.write_bytes(file.read_bytes()[:end])
        with pytest.raises(ValueError, match=r"set\.000/coord\.npy is no array of numbers, or cut"):
            read(tmp_path)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("1.0\n", r"energy\.raw: 1 frames, coord\.raw has 3"),
            ("1.0\n2.0\nx\n", r"energy\.raw holds what is no number"),
            ("1.0\n2.0 3.0\n4.0\n", r"energy\.raw holds what is no number"),
        ],
    )
    def test_text_files(self, tmp_path, text, words):
        write_raw(tmp_path, labelled(3))
        (tmp_path / "energy.raw").write_text(text)
        with pytest.raises(ValueError, match=words):
            read(tmp_path, "Cu")

    def test_labels_that_are_no_numbers(self, tmp_path):
        with pytest.raises(ValueError, match="none of 3 frames has labels that are numbers"):
            read(write_set(tmp_path, labelled(3), energy=np.full(3, np.nan)))

    def test_flat_cells(self, tmp_path):
        with pytest.raises(ValueError, match="a volume is zero"):
            read(write_set(tmp_path, labelled(1), box=np.ones((1, 9))))


@pytest.mark.parametrize("text", [False, True])
def test_set_without_frames_is_empty(tmp_path, text):
    if text:
        write_raw(tmp_path, labelled(1))
        for name in ("coord", "box", "energy", "force", "virial"):
            (tmp_path / f"{name}.raw").write_text("")
    else:
        write_set(tmp_path, labelled(1), **arrays_of(labelled(1), 0))
    found = read(tmp_path, "Cu")
    assert (found.frames, found.flaw) == (None, "no frames")


def test_folder_of_parts_that_hold_nothing_is_empty(tmp_path):
    write_set(tmp_path, labelled(1))
    for file in (tmp_path / "set.000").iterdir():
        file.unlink()
    assert read(tmp_path, "Cu").flaw == "no frames"


def test_what_is_no_set_is_none(tmp_path):
    (tmp_path / "set.1").mkdir()
    (tmp_path / "set.1" / "other.npy").touch()
    assert sets_of(tmp_path) == []


def test_set_without_types_is_refused(tmp_path):
    write_set(tmp_path, labelled(1))
    (tmp_path / "type.raw").unlink()
    with pytest.raises(ValueError, match=r"type\.raw is missing"):
        read(tmp_path)


def test_set_that_is_good_beside_one_that_is_not_a_number(tmp_path):
    frames = labelled(3)
    energies = frames.energies_ev.copy()
    energies[1] = np.inf
    found = read(write_set(tmp_path, replace(frames), energy=energies))
    assert (len(found.frames), found.not_finite) == (2, 1)


@pytest.mark.skipif(SHARED is None, reason="DNPMELT_SHARED_DATA is not set: the cases beside it are not here")
@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("13_nopbc", "^not periodic$"),
        ("30_partvirial", r"^no stress in 1 of 2 parts \(set\.001\), which training on pressures needs$"),
        ("35_novirial", "^no stress, which training on pressures needs$"),
    ],
)
def test_cases_that_are_refused(case, words):
    with pytest.raises(ValueError, match=words):
        read(Path(SHARED).parent / "cases" / case)


@pytest.mark.skipif(SHARED is None, reason="DNPMELT_SHARED_DATA is not set: the cases beside it are not here")
def test_case_of_mixed_types_is_copper():
    found = read(Path(SHARED).parent / "cases" / "12_mixed_cu")
    assert (set(found.frames.symbols), len(found.frames)) == ({"Cu"}, 3)
