from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from aiida import orm
from aiida.engine import ProcessState
from provenance.stored_points import POINT
from report.browser import WIDTH, is_blank, look_at
from report.stored_melting import HOSTILE, MODELS, chain_node, coexist, end, give, melting_chain, potential

from aiida_dnpmelt.physics.notation import notation
from aiida_dnpmelt.report import words
from aiida_dnpmelt.report.page import write_html

pytest.importorskip("matplotlib", reason="a page needs the extra [report]")
ANCHORS = (
    "temperatures",
    "coexistence",
    "learning",
    "curves",
    "deviations",
    "shifts",
    "calibration",
    "parity",
    "cost",
    "checks",
    "provenance",
    "cite",
)
VOID = {"meta", "img", "link", "br", "hr", "input"}


class Reader(HTMLParser):
    """Text, tags and tables of a page; fails on tags that are not closed in their order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def images(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == "img"]

    def anchors(self) -> tuple[str, ...]:
        return tuple(a["href"].removeprefix("#") for tag, a in self.tags if tag == "a")

    def row(self, first: str) -> list[str]:
        """Return the last row that begins with a cell."""
        return next(row for row in reversed(self.rows) if row[0] == first)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", self.text)


@pytest.fixture(scope="module")
def computer(aiida_profile, tmp_path_factory) -> orm.Computer:
    """Give a computer that no job runs on."""
    from aiida_dnpmelt.setup.codes import ensure_computer

    return ensure_computer(tmp_path_factory.mktemp("scratch"))[0]


@pytest.fixture(scope="module")
def chain(computer) -> orm.WorkChainNode:
    """Give the whole chain, at its end."""
    return melting_chain(computer)


@pytest.fixture(scope="module")
def html(chain) -> str:
    """Give its page."""
    return write_html(chain)


@pytest.fixture(scope="module")
def page(html) -> Reader:
    """Give what the page says."""
    return Reader(html)


def test_headline_is_the_result_with_its_parts(chain, page):
    result = chain.outputs.melting.get_dict()
    for value, uncertainty in (
        ("melting_temperature_k", "standard_uncertainty_k"),
        ("corrected_melting_temperature_k", "corrected_uncertainty_k"),
        ("teacher_melting_temperature_k", "teacher_uncertainty_k"),
    ):
        assert f"{notation(result[value], result[uncertainty])} K" in page.text
    assert f"{result['interval_low_k']:.0f} to {result['interval_high_k']:.0f} K" in page.text
    assert f"Verdict: {result['verdict']}" in page.words
    for reason in result["reasons"]:
        assert reason in page.text
    assert page.words.count("agrees within 95 %") == 2
    parts = {row[0]: row[1] for row in page.rows if len(row) == 3}
    assert parts["statistical"] == f"{result['statistical_uncertainty_k']:.1f}"
    assert parts["spread between models"] == f"{result['spread_of_models_k']:.1f}"
    assert parts["total"] == f"{result['standard_uncertainty_k']:.1f}"
    shift = notation(result["predicted_shift_k"], result["predicted_shift_uncertainty_k"])
    assert parts["second order"] == words.signed(result["second_order_k"])
    assert parts["potential"].lstrip("+−") == shift.lstrip("-")


def test_all_sections_are_there_and_in_the_contents(page):
    assert page.anchors() == ANCHORS
    assert [a["id"] for tag, a in page.tags if tag == "h2" and a["id"] != "contents"] == list(ANCHORS)


def test_models_and_their_shifts_are_told(chain, page):
    for name, model in chain.outputs.melting["models"].items():
        row = next(row for row in page.rows if row[0] == name and len(row) == 5)
        assert row[1] == notation(model["melting_temperature_k"], model["standard_uncertainty_k"])
        shift = notation(model["predicted_shift_k"], model["predicted_shift_uncertainty_k"])
        assert row[3].lstrip("+−") == shift.lstrip("-")
    last = next(row for row in page.rows if row[0] == "at Tm" and len(row) == 1 + len(MODELS))
    assert last[1] == next(row for row in page.rows if row[0] == MODELS[0] and len(row) == 5)[3]


def test_deviations_are_those_of_the_decisions(chain, page):
    learning = next(node for node in chain.called if node.label == "learning")
    rows = [row for row in page.rows if len(row) == 10 and row[1] == "bulk"]
    assert len(rows) == 8
    for number in (1, 2):
        decision = learning.outputs.decisions[f"iteration_{number:02d}"]
        parts = decision["deviations"]["solid"]
        found = [row for row in rows if row[0] == str(number) and row[2] == "solid"]
        assert [row[4] for row in found] == [f"{part['quantile_95_deviation_ev_per_angstrom']:.3f}" for part in parts]
        assert [row[9] for row in found] == [str(part["taken"]) for part in parts]
        assert str(decision["labels"]) in [row[2] for row in page.rows if len(row) == 5 and row[0] == str(number)]


def test_runs_that_did_not_come_to_their_end_are_told(page):
    assert ["1", "bulk", "liquid", "1350", "40", "exploded"] in page.rows
    assert sum(row[-1] == "exploded" for row in page.rows) == 1
    reasons = next(row[4] for row in page.rows if len(row) == 5 and row[:2] == ["1", "bulk"])
    assert "liquid at 1350 K left 40 of 31 frames: it exploded" in reasons


def test_held_out_errors_are_those_of_the_comparison(chain, page):
    correction = next(node for node in chain.called if node.label == "correction")
    errors = correction.outputs.comparison["by_set"]["check_liquid"]["by_model"][MODELS[0]]
    (row,) = [row for row in page.rows if row[:3] == ["at Tm", "check_liquid", MODELS[0]]]
    assert row[5] == f"{errors['rmse_force_ev_per_angstrom']:.3f}"
    assert row[7].replace("−", "-") == f"{errors['energy_offset_mev_per_atom']:.2f}"
    assert {row[0] for row in page.rows if len(row) == 8} == {"exploration", "iteration 2", "at Tm"}


def test_costs_are_summed_by_stage(page):
    stages = {row[0]: row[1:] for row in page.rows if len(row) == 5}
    assert stages["first frames"] == ["1", "20", "0.2", "0.01"]
    assert stages["training"] == ["4", "–", "–", "0.20"]
    assert stages["exploration"] == ["4", "–", "8.0", "0.08"]
    assert stages["labels"] == ["2", "48", "–", "0.004"]
    assert stages["models on the labels"] == ["4", "–", "–", "0.008"]
    assert stages["coexistence, models"] == ["2", "–", "40.0", "0.20"]
    assert stages["coexistence, teacher"] == ["1", "–", "20.0", "0.10"]
    assert stages["frames at Tm"] == ["5", "24", "4.0", "0.046"]
    assert stages["total"] == ["23", "92", "72.2", "0.65"]


def test_versions_seeds_potentials_and_citations_are_told(chain, page):
    assert page.row("DeePMD-kit") == ["DeePMD-kit", "3.2.0"]
    assert page.row("LAMMPS") == ["LAMMPS", "22 Jul 2025"]
    assert page.row("learning.training.seeds")[1] == "1, 2"
    assert page.row("seed")[1] == "11"
    assert chain.uuid in page.text
    teacher = next(row for row in page.rows if row[0] == "teacher" and chain.inputs.teacher.uuid in row)
    assert teacher[1] == HOSTILE
    for doi in ("10.1039/D4DD00069B", "10.1021/acs.jctc.5c00340", "10.1016/j.cpc.2021.108171", "s41597-020-00638-4"):
        assert doi in page.text


def test_what_others_named_is_text_and_no_markup(html, page):
    assert HOSTILE in page.text
    assert "<b>somebody</b> & others" in page.text
    assert "<script" not in html
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "iframe", "object", "embed", "form", "link", "base", "b"}


def test_page_needs_nothing_beside_it(html, page):
    policy = next(a for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert "http:" not in html
    assert "https:" not in html
    assert "url(" not in html
    assert "@import" not in html
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert tag != "a" or attributes["href"].startswith("#")
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in page.images())


def test_pictures_are_told_in_words_with_their_numbers(page):
    alts = [image["alt"] for image in page.images()]
    assert len(alts) == len(set(alts)) == 9
    assert all(re.search(r"\d", alt) and len(alt) > 40 for alt in alts)
    assert sum("Solid fraction at the beginning and at the end: seed_101 from 0.50 to 0.50" in alt for alt in alts) == 3


def test_same_chain_gives_the_same_page(chain, html):
    assert write_html(chain) == html


def test_page_in_a_browser(html, tmp_path):
    path = tmp_path / "it's a page.html"
    path.write_text(html)
    seen = look_at(path, tmp_path)
    assert seen.title == "Melting temperature of Cu"
    assert len(seen.widths) == 9
    assert min(seen.widths) > 400
    assert seen.scripts == 0
    assert seen.scroll <= WIDTH
    assert seen.requests == []
    assert not is_blank(seen.grey)


def test_browser_sees_what_a_bad_page_does(tmp_path):
    """The looks at the page above would find a broken image, a request, a script and an empty window."""
    path = tmp_path / "bad.html"
    path.write_text(
        '<title>bad</title><script>1</script><img src="http://example.org/x.png"><img src="data:image/png;base64,eA==">'
    )
    seen = look_at(path, tmp_path)
    assert seen.widths == [0, 0]
    assert seen.requests == ["http://example.org/x.png"]
    assert seen.scripts == 1
    assert is_blank(seen.grey[100:])


def test_running_chain_gives_what_there_is(computer):
    found = Reader(write_html(melting_chain(computer, "learning")))
    assert "The work chain is still waiting" in found.text
    assert "not known yet" in found.text
    assert ["1", "–", "–", "–", "no decision: exploration finished"] in found.rows
    assert set(ANCHORS) - set(found.anchors()) == {"temperatures", "coexistence", "deviations", "checks"}


def test_failed_chain_says_why(computer):
    chain = chain_node("melting", seed=orm.Int(1))
    learning = chain_node("adaptive_learning", chain, "learning")
    end(learning, 401, "The first frames could not be labelled. <b>crystals</b>: no LAMMPS.")
    end(chain, 401, "The learning left no models.")
    found = Reader(write_html(chain))
    assert "The work chain has failed with exit status 401: The learning left no models." in found.words
    assert (
        "learning: failed with exit status 401: The first frames could not be labelled. <b>crystals</b>" in found.words
    )
    assert found.anchors() == ("provenance", "cite")


@pytest.mark.parametrize("kind", ["melting", "tpc"])
def test_killed_chain_is_said_to_have_ended_without_a_temperature(kind, aiida_profile):
    chain = chain_node(kind, seed=orm.Int(1))
    chain.set_process_status("Killed through `verdi process kill`")
    chain.set_process_state(ProcessState.KILLED)
    found = Reader(write_html(chain))
    assert "The work chain was killed: Killed through `verdi process kill`" in found.text
    assert "ended without one" in found.text
    assert "not known yet" not in found.text
    assert "been killed" not in found.text
    assert "yet" not in found.text


def test_learning_alone_has_a_page(chain):
    learning = next(node for node in chain.called if node.label == "learning")
    found = Reader(write_html(learning))
    assert "Adaptive learning of" in found.text
    assert "not converged" in found.text
    assert found.anchors() == tuple(
        anchor for anchor in ANCHORS if anchor not in {"temperatures", "coexistence", "checks"}
    )
    assert {row[0] for row in found.rows if len(row) == 8} == {"exploration", "iteration 2"}


def test_coexistence_alone_has_a_page(computer):
    tpc = chain_node("tpc", seeds=orm.List([101]))
    point = coexist(tpc, computer, potential(HOSTILE), 1300.0)
    end(tpc)
    found = Reader(write_html(tpc))
    assert f"{notation(point['melting_temperature_k'], point['standard_uncertainty_k'])} K" in found.text
    assert HOSTILE in found.text
    assert found.anchors() == ("temperatures", "coexistence", "cost", "checks", "provenance", "cite")
    assert "DeePMD-kit:" not in found.text


def test_point_of_an_earlier_version_has_the_verdict_that_holds_today(aiida_profile):
    tpc = chain_node("tpc", seeds=orm.List([101]))
    give(tpc, melting_point=orm.Dict({**POINT, "found_lattice": "bcc", "found_lattice_share": 1.0}))
    end(tpc)
    found = Reader(write_html(tpc))
    assert [row[-1] for row in found.rows if row[0] == POINT["potential_label"]] == ["invalid"]
    assert "100% of the solid is bcc at the end, it is to be fcc" in found.text


def test_without_a_figure_there_is_no_caption(computer):
    found = Reader(write_html(chain_node("tpc", seeds=orm.List([101]))))
    assert "no run has ended yet" in found.text
    assert "Below left" not in found.text
    assert "Below left" in Reader(write_html(melting_chain(computer, "coexistence"))).text


@pytest.mark.parametrize("make", [lambda: orm.Int(1).store(), lambda: chain_node("training")])
def test_node_without_a_page_is_named(make, aiida_profile):
    node = make()
    with pytest.raises(ValueError, match=f"node {node.pk} is no work chain that has a page"):
        write_html(node)
