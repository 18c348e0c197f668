from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from aiida_dnpmelt.parsers.training_record import named_systems, training_record

SHARED = os.environ.get("DNPMELT_SHARED_DATA")
SETTINGS = {
    "model": {"type_map": ["Al"], "descriptor": {"seed": 3}, "fitting_net": {"seed": 4}},
    "learning_rate": {"stop_lr": 3.5e-8},
    "training": {"numb_steps": 2000, "seed": 5},
}
HEAD = "#  step      rmse_trn    rmse_e_trn    rmse_f_trn    lr"


def curve(*rows: str) -> list[str]:
    return [f"{line}\n" for line in (HEAD, *rows)]


@pytest.mark.parametrize(
    ("last", "ended"),
    [
        ("   2000      2.6e+00      2.8e-03      4.0e-02    3.5e-08", True),
        ("   1000      2.6e+00      2.8e-03      4.0e-02    3.5e-08", False),
        ("   2000      2.6e+00      2.8e-03      4.0e-02    9.9e-04", False),
    ],
)
def test_steps_and_learning_rate_must_have_come_to_their_end(last, ended):
    found = training_record(
        json.dumps(SETTINGS), curve("      0      3.5e+01      3.3e-01      5.7e-01    1.0e-03", last)
    )
    assert found["ended"] is ended
    assert (found["planned_steps"], found["last_step"]) == (2000, int(last.split()[0]))
    assert found["last_errors"] == {
        "rmse_loss_training": 2.6,
        "rmse_energy_training_ev_per_atom": 0.0028,
        "rmse_force_training_ev_per_angstrom": 0.04,
    }
    assert found["seeds"] == {"descriptor": 3, "fitting_net": 4, "training": 5}
    assert found["type_map"] == ["Al"]


def test_without_settings_or_curve_it_is_not_known():
    assert training_record(None, curve("  5  1 1 1  1e-3"))["ended"] is None
    assert training_record(json.dumps(SETTINGS), [])["ended"] is None
    assert training_record("[]", curve("  5  1 1 1  1e-3"))["planned_steps"] is None


def test_row_that_was_cut_or_is_no_number_does_not_count():
    found = training_record(None, curve("  5  1 1 1  1e-3", "  10  nan nan nan  x", "  20  1"))
    assert found["last_step"] == 5


def test_loss_that_is_no_number_can_be_stored():
    found = training_record(None, curve("  5  nan nan nan  1e-3"))
    assert set(found["last_errors"].values()) == {None}


@pytest.mark.parametrize(
    ("content", "flaw"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"{", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "holds no settings of a training"),
        (b'"text"', "holds no settings of a training"),
    ],
)
def test_what_is_no_settings_is_told_and_the_curve_is_read(content, flaw):
    found = training_record(content, curve("  5  1 1 1  1e-3"))
    assert found["flaw"].startswith(flaw)
    assert (found["last_step"], found["planned_steps"], found["ended"], found["type_map"]) == (5, None, None, None)
    assert named_systems(content) == []


def test_bytes_that_are_no_text_are_told_and_the_rest_is_read():
    content = json.dumps({"_comment": "?", **SETTINGS}).encode().replace(b"?", b"M\xfcller")
    found = training_record(content, curve("  2000  1 1 1  3.5e-8"))
    assert (found["flaw"], found["ended"], found["type_map"]) == ("holds bytes that are no text (UTF-8)", True, ["Al"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_of_json_are_no_flaw(encoding):
    found = training_record(json.dumps(SETTINGS).encode(encoding), [])
    assert (found["flaw"], found["planned_steps"]) == ("", 2000)


@pytest.mark.parametrize("steps", ["many", True, None, [5], float("inf")])
def test_steps_that_are_no_number_are_not_known(steps):
    settings = {**SETTINGS, "learning_rate": {"stop_lr": "small"}, "training": {"numb_steps": steps}}
    found = training_record(json.dumps(settings), curve("  5  1 1 1  1e-3"))
    assert (found["planned_steps"], found["planned_learning_rate"], found["ended"]) == (None, None, None)


def of_pytorch(steps: int, every: int | None, last: int, rate: float, **schedule) -> bool | None:
    """Return whether a training ended whose last row is not that of its last step."""
    settings = {
        "learning_rate": {"type": "exp", "start_lr": 1e-3, "stop_lr": 3.51e-8, "decay_steps": 100, **schedule},
        "training": {"numb_steps": steps, **({} if every is None else {"disp_freq": every})},
    }
    return training_record(json.dumps(settings), curve(f"  {last}  1 1 1  {rate}"))["ended"]


@pytest.mark.parametrize(
    ("steps", "every", "last", "rate", "schedule", "ended"),
    [
        (1000, 100, 900, 9.8e-8, {}, True),
        (1000, 100, 1000, 3.5e-8, {}, True),
        (1000, 100, 800, 2.7e-7, {}, False),
        (1000, 300, 900, 9.8e-8, {}, True),
        (1000, 100, 899, 9.8e-8, {}, False),
        (1000, 100, 900, 5e-4, {}, False),  # the rate is that of another schedule
        (1000, 100, 900, 5.9e-6, {"decay_steps": 500}, True),  # in steps: that of step 500
        (1000, 100, 900, 5e-4, {"type": "cosine"}, True),
        (10_000, None, 9_000, 9.8e-8, {}, True),
        (10_000, None, 8_000, 2.7e-7, {}, False),
        (1000, None, 400, 1e-5, {}, False),  # rows are at most 400 steps apart
        (1000, None, 1, 1e-3, {}, None),  # one row, at the beginning: nothing is known of the end
        (1000, 2000, 0, 1e-3, {}, None),
    ],
)
def test_last_row_may_be_before_the_last_step(steps, every, last, rate, schedule, ended):
    assert of_pytorch(steps, every, last, rate, **schedule) is ended


@pytest.mark.parametrize("step", ["nan", "inf"])
def test_row_whose_step_is_no_number_does_not_count(step):
    assert training_record(None, curve("  5  1 1 1  1e-3", f"  {step}  1 1 1  1e-3"))["last_step"] == 5


@pytest.mark.parametrize(
    ("training", "systems"),
    [
        ({"training_data": {"systems": ["a", "b"]}}, ["a", "b"]),
        ({"systems": ["a"]}, ["a"]),
        ({"systems": "a"}, ["a"]),
        ({"training_data": None}, []),
        ([], []),
    ],
)
def test_data_sets_that_settings_name(training, systems):
    assert named_systems(json.dumps({"training": training})) == systems


@pytest.mark.skipif(SHARED is None, reason="DNPMELT_SHARED_DATA is not set: the cases beside it are not here")
def test_case_of_the_last_row():
    folder = Path(SHARED).parent / "cases" / "36_last_row"
    with (folder / "lcurve.out").open() as lines:
        assert training_record((folder / "out.json").read_bytes(), lines)["ended"] is True


@pytest.mark.skipif(SHARED is None, reason="DNPMELT_SHARED_DATA is not set: no published model here")
def test_published_training_of_aluminium_had_ended():
    folder = Path(SHARED) / "dnp" / "Al"
    with (folder / "lcurve.out").open() as lines:
        found = training_record((folder / "out.json").read_text(), lines)
    assert found["ended"] is True
    assert found["last_step"] == found["planned_steps"] == 3_000_000
