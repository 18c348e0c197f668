from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from aiida_dnpmelt.parsers.training_record import training_record

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


def test_what_is_no_json_is_refused():
    with pytest.raises(ValueError, match="no JSON"):
        training_record("{", [])


@pytest.mark.skipif(SHARED is None, reason="DNPMELT_SHARED_DATA is not set: no published model here")
def test_published_training_of_aluminium_had_ended():
    folder = Path(SHARED) / "dnp" / "Al"
    with (folder / "lcurve.out").open() as lines:
        found = training_record((folder / "out.json").read_text(), lines)
    assert found["ended"] is True
    assert found["last_step"] == found["planned_steps"] == 3_000_000
