from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from physics.synthetic_runs import synthetic_run
from provenance.stored_points import POINT, invalid, store

from aiida_dnpmelt.data.runs import to_node
from aiida_dnpmelt.physics.run import CoexistenceRun
from aiida_dnpmelt.provenance.query import PROCESS_TYPE
from aiida_dnpmelt.report.tpc import TPCTools, point_text


def chain_with(runs: list[CoexistenceRun], **changes: Any) -> orm.WorkChainNode:
    """Return a work chain that has a melting point and these pieces of runs."""
    chain = store(**changes)
    for index, run in enumerate(runs, start=1):
        node = to_node(run).store()
        node.base.links.add_incoming(chain, LinkType.RETURN, f"runs__seed_{run.seed}_piece_{index:03d}")
    return chain


def test_melting_point_as_text():
    lines = point_text({**POINT, "paper_sem_k": 5.0}).splitlines()
    assert lines == [
        "Cu (fcc) at 0 GPa, Cu_mishin1.eam.alloy",
        "T_m = 1326(5) K   95 % interval 1317 to 1336 K",
        "verdict: valid",
        "  - both phases live in 4 of 4 runs",
        "statistical uncertainty 4.5 K, time step 0.5 K (corrected by +2.1 K), size not assessed",
        "statistic of the paper (last 20 ps, no verdict): 1320.0 K, standard deviation 20.0 K, sem 5.0 K",
        "protocol balanced, 1728 atoms, 192 ps in both phases, 140 M atom-steps, 0.10 core-hours",
    ]


def test_lost_melting_point_as_text_has_no_number():
    text = point_text({**POINT, **invalid(reasons=["seed_1 froze"]), "paper_mean_k": None})
    assert text.splitlines()[1:4] == ["no T_m", "verdict: invalid", "  - seed_1 froze"]
    assert "statistic of the paper" not in text
    assert "statistical uncertainty" not in text


def test_paper_statistic_of_one_run_has_no_standard_error():
    assert point_text(POINT).splitlines()[-2].endswith("standard deviation 20.0 K, sem -")


def test_node_has_the_tools():
    tools = chain_with([]).tools
    assert isinstance(tools, TPCTools)
    assert tools.summary() == point_text(POINT)


def test_pieces_are_whole_runs_in_the_order_of_their_rounds():
    pieces = [
        synthetic_run(1, length_ps=20.0),
        synthetic_run(2, length_ps=20.0),
        synthetic_run(1, length_ps=8.0, timestep_fs=1.5),
    ]
    runs = chain_with(pieces).tools.runs()
    assert {label: run.length_ps for label, run in runs.items()} == pytest.approx({"seed_1": 8.0, "seed_2": 20.0})
    assert runs["seed_1"].timestep_fs == 1.5


def test_pieces_beyond_a_thousand_are_in_the_order_of_their_numbers():
    chain = chain_with([])
    for index, length in ((999, 20.0), (1000, 8.0)):
        node = to_node(synthetic_run(1, length_ps=length)).store()
        node.base.links.add_incoming(chain, LinkType.RETURN, f"runs__seed_1_piece_{index:03d}")
    assert chain.tools.runs()["seed_1"].length_ps == pytest.approx(8.0)


@pytest.mark.parametrize("changes", [{}, invalid()])
def test_figure_shows_every_run_and_the_number_if_there_is_one(changes):
    lost = synthetic_run(3, bulk_melted=True, length_ps=0.0)
    figure = chain_with([synthetic_run(1), synthetic_run(2, "froze"), lost], **changes).tools.plot()
    temperature, fraction, profile = figure.axes
    labels = [text.get_text() for text in temperature.get_legend().get_texts()]
    runs = ["seed_1", "seed_2"]
    assert labels == (runs if changes else [*runs, "95 % interval", "T_m = 1326 K"])
    assert len(fraction.lines) == 2
    assert len(profile.lines) == 3  # and the threshold


def test_figure_takes_runs_that_are_too_short_for_an_estimate():
    figure = chain_with([synthetic_run(1, length_ps=0.5), synthetic_run(2)]).tools.plot()
    assert figure.axes[0].get_legend().get_texts()[0].get_text() == "seed_2"


@pytest.mark.parametrize("what", ["summary", "plot"])
def test_chain_without_a_melting_point_says_so(what):
    chain = orm.WorkChainNode(process_type=PROCESS_TYPE).store()
    with pytest.raises(ValueError, match=rf"work chain {chain.pk} has no melting point: its state is"):
        getattr(chain.tools, what)()
