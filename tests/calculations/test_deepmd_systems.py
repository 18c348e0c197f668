from __future__ import annotations

import filecmp

import numpy as np
import pytest
from physics.synthetic_frames import copper_frames, pressure_of

from aiida_dnpmelt.calculations.deepmd_systems import splits_of, system_path, write_system, write_systems


def test_system_has_the_shapes_the_types_and_the_units_of_deepmd(tmp_path):
    frames = copper_frames(3)
    write_system(tmp_path / "s", frames, ["Ni", "Cu"])
    arrays = {path.stem: np.load(path) for path in (tmp_path / "s" / "set.000").iterdir()}
    assert {name: values.shape for name, values in arrays.items()} == {
        "coord": (3, 96),
        "box": (3, 9),
        "energy": (3,),
        "force": (3, 96),
        "virial": (3, 9),
    }
    assert {values.dtype for values in arrays.values()} == {np.dtype("float64")}
    np.testing.assert_array_equal(arrays["force"].reshape(3, 32, 3), frames.forces_ev_per_angstrom)
    np.testing.assert_array_equal(arrays["energy"], frames.energies_ev)
    volume = np.linalg.det(arrays["box"][0].reshape(3, 3))
    trace = np.trace(arrays["virial"][0].reshape(3, 3)) / 3 / volume * 160.21766
    assert trace == pytest.approx(pressure_of(frames, 0), rel=1e-6)
    assert (tmp_path / "s" / "type.raw").read_text() == "1\n" * 32
    assert (tmp_path / "s" / "type_map.raw").read_text() == "Ni\nCu\n"


def test_species_that_the_type_map_lacks_is_refused(tmp_path):
    with pytest.raises(ValueError, match="type_map: Cu missing, it has Al, Ni"):
        write_system(tmp_path / "s", copper_frames(1), ["Al", "Ni"])


def test_each_set_is_split_into_two_systems_always_the_same_bytes(tmp_path):
    parts = {"a": copper_frames(8), "b": copper_frames(1, seed=2)}
    splits = splits_of({name: len(frames) for name, frames in parts.items()}, 0.25, 3)
    for folder in ("first", "second"):
        write_systems(tmp_path / folder, parts, splits, ["Cu"])
    names = [path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*.*") if path.is_file()]
    assert len(names) == 3 * 7
    assert filecmp.cmpfiles(tmp_path / "first", tmp_path / "second", names, shallow=False)[0] == names
    energies = [
        np.load(tmp_path / "first" / system_path(part, "a") / "set.000" / "energy.npy")
        for part in ("training", "validation")
    ]
    assert [len(values) for values in energies] == [6, 2]
    np.testing.assert_array_equal(sorted(np.concatenate(energies)), sorted(parts["a"].energies_ev))
    assert not (tmp_path / "first" / system_path("validation", "b")).exists()
