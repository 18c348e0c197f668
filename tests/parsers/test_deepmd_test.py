from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from physics.labelled import labelled

from aiida_dnpmelt.parsers.deepmd_test import predictions

HEADERS = {
    "e": "data_e pred_e",
    "f": "data_fx data_fy data_fz pred_fx pred_fy pred_fz",
    "v": " ".join(f"{kind}_v{a}{b}" for kind in ("data", "pred") for a in "xyz" for b in "xyz"),
}


def write(folder: Path, sets) -> None:
    """Write details as `dp test` does: labels, then what a model says, which is twice the label."""
    for kind, header in HEADERS.items():
        with (folder / f"test.{kind}.out").open("w") as handle:
            for index, (name, frames) in enumerate(sets.items()):
                number = len(frames)
                values = {
                    "e": frames.energies_ev.reshape(number, 1),
                    "f": frames.forces_ev_per_angstrom.reshape(-1, 3),
                    "v": frames.virials_ev.reshape(number, 9),
                }[kind]
                np.savetxt(handle, np.hstack([values, 2 * values]), header="" if index else f"{name}: {header}")


@pytest.fixture
def sets(tmp_path):
    found = {"data/a": labelled(2, atoms=3), "data/b": labelled(4, atoms=2, seed=1)}
    write(tmp_path, found)
    return found


def test_labels_of_the_model_by_set(tmp_path, sets):
    found = predictions(sets, tmp_path)
    assert set(found) == set(sets)
    for name, frames in sets.items():
        np.testing.assert_array_equal(found[name].energies_ev, 2 * frames.energies_ev)
        np.testing.assert_array_equal(found[name].forces_ev_per_angstrom, 2 * frames.forces_ev_per_angstrom)
        np.testing.assert_array_equal(found[name].virials_ev, 2 * frames.virials_ev)
        np.testing.assert_array_equal(found[name].positions, frames.positions)


def test_cut_anywhere_it_gives_the_whole_sets_only(tmp_path, sets):
    path = tmp_path / "test.f.out"
    content = path.read_bytes()
    whole = {frozenset(predictions(sets, tmp_path)) for size in range(len(content) + 1) if _cut(path, content, size)}
    assert whole == {frozenset(), frozenset({"data/a"}), frozenset({"data/a", "data/b"})}


def _cut(path: Path, content: bytes, size: int) -> bool:
    path.write_bytes(content[:size])
    return True


def test_what_is_no_number_leaves_the_set_out(tmp_path, sets):
    path = tmp_path / "test.e.out"
    lines = path.read_text().splitlines(keepends=True)
    lines[1] = lines[1].split()[0] + " nan\n"
    path.write_text("".join(lines))
    assert set(predictions(sets, tmp_path)) == {"data/b"}
    lines[1] = lines[1].split()[0] + " broken\n"
    path.write_text("".join(lines))
    assert set(predictions(sets, tmp_path)) == {"data/b"}


def test_rows_of_other_frames_are_not_taken(tmp_path, sets):
    assert predictions(dict(reversed(sets.items())), tmp_path) == {}


def test_without_files_there_is_nothing(tmp_path, sets):
    (tmp_path / "test.v.out").unlink()
    assert predictions(sets, tmp_path) == {}
