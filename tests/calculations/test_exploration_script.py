from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aiida_dnpmelt.calculations.exploration_script import ExplorationSpec, build_script
from aiida_dnpmelt.calculations.exploration_settings import ExplorationSettings

FILES = Path(__file__).parent / "files" / "exploration_script"

SPEC = ExplorationSpec(
    temperatures_k=(300.0, 1200.5),
    pressure_bar=50_000.0,
    phase="solid",
    seed=5,
    models=("model_1.pb", "model_2.pb", "model_3.pb"),
    species=("Al", "Cu"),
    couple="xyz",
)
SETTINGS = {"time_ps": 10.0}
CASES = ("solid", "liquid", "interface")


def script_of(phase: str, **changes) -> str:
    return build_script(ExplorationSettings(**{**SETTINGS, **changes}), replace(SPEC, phase=phase))


@pytest.mark.parametrize("name", CASES)
def test_script_is_that_of_the_regression_file(name):
    assert script_of(name) == (FILES / f"{name}.in").read_text()


@pytest.mark.parametrize(
    ("phase", "couple", "barostat"),
    [
        ("solid", "xyz", "xyz"),
        ("solid", "xy", "xy"),
        ("solid", "none", "none"),
        ("interface", "xyz", "xy"),
        ("interface", "xy", "xy"),
        ("liquid", "none", "xyz"),
    ],
)
def test_lengths_that_are_equal_by_symmetry_relax_together(phase, couple, barostat):
    text = build_script(ExplorationSettings(**SETTINGS), replace(SPEC, phase=phase, couple=couple))
    assert f"fix move all nph aniso 50000 50000 0.5 couple {barostat}\n" in text


def test_another_seed_changes_the_draws_alone():
    settings = ExplorationSettings(**SETTINGS)
    texts = [build_script(settings, replace(SPEC, phase="interface", seed=seed)).splitlines() for seed in (5, 6)]
    differing = [one.split()[:2] for one, two in zip(*texts, strict=True) if one != two]
    assert differing == [
        ["velocity", "all"],
        ["fix", "bath"],
        ["fix", "bath"],
        ["variable", "draw"],
        ["variable", "bath"],
    ]


@pytest.mark.parametrize(
    ("settings", "check", "checks", "equilibrate"),
    [
        ({"time_ps": 10.0}, 500, 10, 250),
        ({"time_ps": 0.3}, 150, 1, 250),
        ({"time_ps": 10.0, "deviation_interval_ps": 0.3, "check_interval_ps": 1.0, "equilibrate_ps": 0}, 450, 11, 0),
        ({"time_ps": 10.0, "deviation_interval_ps": 2.0, "check_interval_ps": 1.0}, 1000, 5, 1000),
    ],
)
def test_checks_and_equilibration_are_whole_deviation_intervals(settings, check, checks, equilibrate):
    found = ExplorationSettings(**settings)
    assert (found.check_steps, found.checks, found.equilibrate_steps) == (check, checks, equilibrate)
    assert found.check_steps % found.deviation_steps == found.equilibrate_steps % found.deviation_steps == 0
    assert found.last_step == equilibrate + check * checks


if __name__ == "__main__":
    for case in CASES:
        (FILES / f"{case}.in").write_text(script_of(case))
