from __future__ import annotations

import pytest
from campaigns import SMALL, write

from aiida_dnpmelt.campaign.overrides import override_problems
from aiida_dnpmelt.campaign.settings import check_overrides, read_settings

LEARNED = {"mode": "melting", "potentials": None, "seeds": None, "references": {"Cu": "Cu_u3.eam"}}
RUNS = {"solid": {"phase": "solid", "temperature_factors": [1.0], "minimum_atoms": 108}}
REFUSED = {
    "section": ("points", {"plans": {}}, "overrides: plans unknown, there are run, plan, size, seeds"),
    "key": (
        "points",
        {"plan": {"wishes": 0}},
        "overrides.plan.wishes: unknown key, there are initial_runs,",
    ),
    "key within a section": (
        "points",
        {"plan": {"criteria": {"least": 0}}},
        "overrides.plan.criteria.least: unknown key, there are minimum_fraction, minimum_share_with_interfaces,",
    ),
    "value": (
        "points",
        {"plan": {"runs": 0}},
        "overrides.plan.runs: Input should be greater than or equal to 1 (got '0')",
    ),
    "value of the run": ("points", {"run": {"timestep_fs": -1}}, "overrides.run.timestep_fs: Input should be greater"),
    "section of a part": (
        "melting",
        {"tpc": {"plans": {}}},
        "overrides.tpc: plans unknown, there are run, plan, size,",
    ),
    "section of the learning": (
        "melting",
        {"learning": {"plans": {}}},
        "overrides.learning: plans unknown, there are plan, training, warm, seed",
    ),
    "key of the training": (
        "melting",
        {"learning": {"training": {"step": 3}}},
        "overrides.learning.training: step unknown, there are steps, seeds, quorum",
    ),
    "key of a stage": (
        "melting",
        {"learning": {"plan": {"stages": [{"name": "bulk", "runs": RUNS, "nam": 1}]}}},
        "overrides.learning.plan.stages.0.nam: unknown key, there are runs, name",
    ),
    "value of a part": (
        "melting",
        {"correction": {"frames": 1}},
        "overrides.correction.frames: Input should be greater than or equal to 2 (got '1')",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_told_with_its_line_and_what_is_allowed(tmp_path, case):
    mode, overrides, message = REFUSED[case]
    path = write(tmp_path, **(LEARNED if mode == "melting" else {}), overrides=overrides)
    with pytest.raises(ValueError, match="overrides") as caught:
        check_overrides(path, read_settings(path))
    (*_, key), *_ = [place for place, _ in override_problems(mode, "fast", overrides)]
    first, _, rest = path.read_text().partition("overrides:")
    inside = next(number for number, text in enumerate(rest.splitlines()) if f"{key}:" in text)
    line = first.count("\n") + 1 + inside
    assert f"{path}:{line}: {message}" in str(caught.value)


def test_several_are_told_in_the_order_of_their_lines(tmp_path):
    overrides = {"run": {"timestep": 1}, "plan": {"runs": 0, "wishes": 1}, "sice": {}}
    path = write(tmp_path, overrides=overrides)
    with pytest.raises(ValueError, match="overrides") as caught:
        check_overrides(path, read_settings(path))
    told = [line.split(": ")[1] for line in str(caught.value).splitlines()]
    assert told == ["overrides.run.timestep", "overrides.plan.runs", "overrides.plan.wishes", "overrides"]


@pytest.mark.parametrize("changes", [{}, {"overrides": None}, {"protocol": "paper", "overrides": None}, LEARNED])
def test_what_is_allowed_is_not_refused(tmp_path, changes):
    overrides = {} if "mode" not in changes else {"overrides": {"learning": {"plan": {"label_budget": 250}}}}
    path = write(tmp_path, **{**changes, **overrides})
    check_overrides(path, read_settings(path))


def test_the_small_campaign_of_the_tests_is_fine():
    assert override_problems("points", SMALL["protocol"], SMALL["overrides"]) == []
