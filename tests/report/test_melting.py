from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from provenance.stored_points import OUTPUT, POINT
from report.stored_melting import chain_node, end, give

from aiida_dnpmelt.report.melting import MeltingTools, agreements, melting_text, temperatures

RESULT: dict[str, Any] = {
    "element": "Cu",
    "lattice": "fcc",
    "pressure_gpa": 0.0,
    "models": {"seed_1": {}, "seed_2": {}},
    "verdict": "valid",
    "reasons": [],
    "melting_temperature_k": 1340.2,
    "standard_uncertainty_k": 7.1,
    "interval_low_k": 1326.0,
    "interval_high_k": 1354.0,
    "statistical_uncertainty_k": 4.4,
    "spread_of_models_k": 3.0,
    "predicted_shift_k": 5.2,
    "predicted_shift_uncertainty_k": 2.0,
    "second_order_k": 1.0,
    "corrected_melting_temperature_k": 1335.0,
    "corrected_uncertainty_k": 4.8,
    "teacher_melting_temperature_k": 1330.0,
    "teacher_uncertainty_k": 3.0,
    "teacher_verdict": "valid",
    "difference_k": 10.2,
    "difference_uncertainty_k": 7.7,
    "agrees": True,
    "corrected_difference_k": 5.0,
    "corrected_difference_uncertainty_k": 5.7,
    "corrected_agrees": True,
    "labels": 300,
    "iterations": 3,
}
ALONE = {
    key: None
    for key in RESULT
    if key.startswith(("corrected", "teacher", "difference", "agrees", "predicted", "second", "spread"))
}


def test_result_as_text():
    assert melting_text({**RESULT, "reasons": ["none at all"]}).splitlines() == [
        "Cu (fcc) at 0 GPa, 2 models",
        "T_m = 1340(7) K   95 % interval 1326 to 1354 K",
        "verdict: valid",
        "  - none at all",
        "statistical 4.4 K, spread between models 3.0 K, predicted shift +5(2) K, second order +1 K",
        "corrected to the teacher: 1335(5) K",
        "the teacher's own: 1330(3) K (valid); T_m differs by +10(8) K: it agrees within 95 %; corrected T_m differs "
        "by +5(6) K: it agrees within 95 %",
        "300 labels in 3 iterations",
    ]


def test_result_without_a_teacher_as_text():
    lines = melting_text({**RESULT, **ALONE}).splitlines()
    assert lines[3] == "statistical 4.4 K, spread between models – K, predicted shift – K, second order – K"
    assert lines[4] == "300 labels in 3 iterations"


def test_disagreement_is_told():
    assert agreements({**RESULT, "agrees": False, "corrected_agrees": None}) == [
        "T_m differs by +10(8) K: it does not agree within 95 %"
    ]


def test_temperatures_are_models_then_means_then_the_teacher():
    lost = {**POINT, "melting_temperature_k": None}
    points = {"seed_1": POINT, "seed_2": lost, "teacher": POINT}
    found = temperatures(points, RESULT)
    assert [(each.name, each.kind) for each in found] == [
        ("seed_1", "model"),
        ("T_m of the models, total uncertainty", "mean"),
        ("corrected to the teacher", "mean"),
        ("the teacher's own", "mean"),
    ]
    assert [each.name for each in temperatures(points, None)] == ["seed_1", "the teacher's own"]


def test_tools_of_a_node():
    chain = chain_node("melting")
    tpc = chain_node("tpc", chain, "coexistence_seed_1")
    give(tpc, **{OUTPUT: orm.Dict(POINT)})
    give(chain, melting=orm.Dict(RESULT))
    end(chain)
    tools = MeltingTools(chain)
    assert tools.summary() == melting_text(RESULT)
    (axes,) = tools.plot().axes
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == ["seed_1", "T_m of the models, total uncertainty", "corrected to the teacher"]


@pytest.mark.parametrize("what", ["summary", "plot"])
def test_chain_without_a_result_says_so(what):
    chain = chain_node("melting")
    with pytest.raises(ValueError, match=f"work chain {chain.pk} has no result: its state is"):
        getattr(MeltingTools(chain), what)()
