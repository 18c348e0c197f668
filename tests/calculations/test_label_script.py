from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aiida_dnpmelt.calculations.label_script import LabelSpec, build_script
from aiida_dnpmelt.calculations.label_settings import LabelSettings

FILES = Path(__file__).parent / "files" / "label_script"

SPEC = LabelSpec(
    temperatures_k=(300.0, 1500.5),
    seed=7,
    pair_commands=("pair_style eam/alloy", "pair_coeff * * Cu.eam.alloy Cu"),
)
CASES = {
    "single_point": {},
    "dynamics": {"steps": 500, "frames_per_start": 5},
    "melt": {"steps": 500, "frames_per_start": 5, "melt_ps": 2.0, "pressure_gpa": 5.0},
}


def script_of(name: str) -> str:
    return build_script(LabelSettings(**CASES[name]), SPEC)


@pytest.mark.parametrize("name", CASES)
def test_script_is_that_of_the_regression_file(name):
    assert script_of(name) == (FILES / f"{name}.in").read_text()


def test_another_seed_changes_the_draws_alone():
    settings = LabelSettings(**CASES["melt"])
    texts = [build_script(settings, replace(SPEC, seed=seed)).splitlines() for seed in (7, 8)]
    differing = [one for one, two in zip(*texts, strict=True) if one != two]
    assert [line.split()[1] for line in differing] == ["draw", "bath", "melt", "relax"]


def test_all_draws_of_a_job_differ():
    script = build_script(LabelSettings(**CASES["melt"]), replace(SPEC, temperatures_k=(300.0,) * 50))
    variables = [line.split() for line in script.splitlines() if line.startswith("variable")]
    draws = [word for _, name, _, *words in variables if name in ("draw", "bath", "melt", "relax") for word in words]
    assert len(draws) == len(set(draws)) == 200


if __name__ == "__main__":
    for case in CASES:
        (FILES / f"{case}.in").write_text(script_of(case))
