from __future__ import annotations

import csv
import io
import json

import pytest
from aiida.orm import CalcFunctionNode, QueryBuilder
from click.testing import CliRunner, Result
from physics.labelled import labelled
from provenance.stored_lineage import melt, trained
from provenance.stored_points import invalid, store
from report.stored_melting import melting_chain

from aiida_dnpmelt.cli import main
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData


@pytest.fixture
def tm(aiida_profile_clean):
    """Give a function that runs `aiida-dnpmelt tm` on the profile of the test."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["tm", *arguments, "--profile", aiida_profile_clean.name])

    return run


def test_an_empty_profile_says_what_to_do(tm):
    result = tm("list")
    assert result.exit_code == 0
    assert "launch tpc" in result.output


def test_list_is_a_table_of_what_counts(tm):
    chain = store()
    store(**invalid(pressure_gpa=3.0))
    lines = tm("list").output.splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("1 more left out (1 invalid)")
    assert lines[1].split()[:6] == [str(chain.pk), "Cu", "fcc", "0", "1326(5)", "1317"]
    assert "valid" in lines[1]
    everything = tm("list", "--all").output.splitlines()
    assert len(everything) == 3
    assert "invalid" in everything[1]


def test_list_filters(tm):
    store()
    store(element="Al")
    assert len(tm("list", "--element", "Al").output.splitlines()) == 2
    assert len(tm("list", "--pressure", "0").output.splitlines()) == 3
    assert "No melting temperature" in tm("list", "--pressure", "7").output


def test_list_as_json_and_csv_has_every_key(tm):
    chain = store()
    (record,) = json.loads(tm("list", "--format", "json").output)
    assert record["pk"] == chain.pk
    assert record["melting_temperature_k"] == 1326.4
    assert record["seeds_used"] == [101, 102, 103, 104]
    (row,) = csv.DictReader(io.StringIO(tm("list", "--format", "csv").output))
    assert set(row) == set(record)
    assert row["seeds_used"] == "101 102 103 104"


def test_show_gives_number_verdict_and_reasons(tm):
    chain = store()
    text = tm("show", str(chain.pk)).output
    for part in ("T_m = 1326(5) K", "1317 to 1336 K", "verdict: valid", "both phases live in 4 of 4 runs", "0.5 K"):
        assert part in text
    assert json.loads(tm("show", str(chain.pk), "--format", "json").output)["verdict"] == "valid"


def test_unfinished_training_is_told_with_each_number(tm, potentials_folder):
    potential = PotentialData.from_file(potentials_folder / "Cu_u3.eam", label="half")
    potential.base.attributes.set("training", {"ended": False, "last_step": 218_000, "planned_steps": 3_000_000})
    potential.store()
    chain = store(potential_label="half", potential_sha256=potential.sha256)
    store()
    lines = tm("list").output.splitlines()
    assert ["(training unfinished)" in line for line in lines] == [False, False, True]
    assert "the training of its potential had not ended" in tm("show", str(chain.pk)).output
    assert json.loads(tm("show", str(chain.pk), "--format", "json").output)["potential_unfinished"] is True


def test_show_of_a_lost_one_gives_no_number(tm):
    chain = store(**invalid(reasons=["seed_1 froze"]))
    text = tm("show", str(chain.pk)).output
    assert "no T_m" in text
    assert "seed_1 froze" in text


def test_show_of_a_whole_chain_gives_all_parts(tm, aiida_localhost):
    chain = melting_chain(aiida_localhost)
    for pk in (chain.pk, chain.outputs.melting.pk):
        text = tm("show", str(pk)).output
        for part in ("2 models", "predicted shift", "corrected to the teacher", "the teacher's own"):
            assert part in text
        assert f"aiida-dnpmelt report {chain.pk}" in text
    found = json.loads(tm("show", str(chain.pk), "--format", "json").output)
    assert (found["pk"], found["schema"]) == (chain.pk, "dnpmelt.melting")


def test_show_of_what_is_none_fails(tm):
    result = tm("show", "123456")
    assert result.exit_code == 1
    assert "no melting point with the pk 123456" in result.output


def test_frames_behind_a_point_are_listed_and_lead_back_to_it(tm, aiida_localhost):
    frames = FramesData(labelled(3, 8, seed=1, temperature_k=1300.0), phase="liquid", labeller="teacher").store()
    chain = melt(aiida_localhost, trained(aiida_localhost, "model", frames))
    melt(aiida_localhost, trained(aiida_localhost, "another"))
    lines = tm("frames", str(chain.pk)).output.splitlines()
    assert lines[1].split()[:6] == [str(frames.pk), "3", "8", "liquid", "teacher", "1300"]
    assert lines[-1] == "3 frames in all"
    (found,) = json.loads(tm("list", "--frames", str(frames.pk), "--all", "--format", "json").output)
    assert found["pk"] == chain.pk


def test_frames_of_nothing_are_told(tm):
    chain = store()
    assert "No labelled frames" in tm("frames", str(chain.pk)).output
    assert "no melting temperature with the pk" in tm("frames", "999999").output
    refused = tm("list", "--frames", str(chain.pk))
    assert refused.exit_code == 1
    assert f"--frames: node {chain.pk} holds no labelled frames" in refused.output


class TestEstimate:
    def run(self, *arguments: str):
        return CliRunner().invoke(main, ["tm", "estimate", *arguments])

    def test_all_elements_with_their_mean_error(self):
        result = self.run()
        assert result.exit_code == 0, result.output
        lines = result.output.splitlines()
        assert len(lines) == 57
        assert lines[-1] == "mean absolute error over 55 elements: 8.1 %"
        assert self.run("--relation", "as_printed").output.endswith("23.7 %\n")
        assert self.run("--relation", "all").output.endswith("19.4 %\n")

    def test_one_element_with_the_energy_of_a_potential(self):
        (row,) = json.loads(self.run("--element", "Cu", "--cohesive-energy", "3.54", "--format", "json").output)
        assert row["T_m/K"] == round(0.0346 * 3.54 / 8.617333e-5)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--element", "Xx"], "'Xx' is no chemical symbol"),
            (["--element", "Cu", "--cohesive-energy", "0"], "0 eV/atom is outside the allowed range"),
            (["--cohesive-energy", "3.5"], "name the --element"),
        ],
    )
    def test_wrong_input_is_told(self, arguments, message):
        result = self.run(*arguments)
        assert result.exit_code == 1
        assert message in result.output


class TestCurve:
    @pytest.fixture
    def copper(self, aiida_profile_clean):
        """Store points of copper on a curve, one of them unfinished, and one that is superseded."""
        store(pressure_gpa=0.0, melting_temperature_k=1200.0)
        for pressure, verdict in (
            (0.0, "valid"),
            (5.0, "valid"),
            (10.0, "valid"),
            (15.0, "valid"),
            (20.0, "unfinished"),
        ):
            temperature = 1330.0 * (1 + pressure / 20.0) ** 0.5
            store(pressure_gpa=pressure, melting_temperature_k=temperature, verdict=verdict)

    def test_curve_of_the_valid_points(self, tm, copper, tmp_path):
        plot = tmp_path / "curve.svg"
        result = tm("curve", "--element", "Cu", "--plot", str(plot))
        assert result.exit_code == 0, result.output
        lines = result.output.splitlines()
        assert lines[0].split() == ["P/GPa", "T_m/K", "verdict", "law/K", "slope/(K/GPa)"]
        assert [line.split()[0] for line in lines[1:5]] == ["0", "5", "10", "15"]
        assert lines[1].split()[1] == "1330(5)"
        assert lines[5].startswith("simon_glatzel (taken): temperature_k = 1330(5), a_gpa = ")
        assert lines[6].startswith("kechin: temperature_k = 1330(5), ")
        assert "c_gpa = not determined" in lines[6], "there is no maximum in this curve"
        assert "<svg" in plot.read_text()
        assert "exists" in tm("curve", "--element", "Cu", "--plot", str(plot)).output

    def test_same_points_make_one_node(self, tm, copper):
        first, again = (json.loads(tm("curve", "--element", "Cu", "--format", "json").output) for _ in range(2))
        assert first["pk"] == again["pk"]
        more = json.loads(tm("curve", "--element", "Cu", "--unfinished", "--format", "json").output)
        assert more["pk"] != first["pk"]
        assert more["pressures_gpa"] == [0.0, 5.0, 10.0, 15.0, 20.0]

    def test_too_few_points_and_two_potentials_are_told(self, tm, copper):
        before = QueryBuilder().append(CalcFunctionNode).count()
        result = tm("curve", "--element", "Ni")
        assert result.exit_code == 1
        assert QueryBuilder().append(CalcFunctionNode).count() == before, "it is refused before anything is run"
        assert "0 points of Ni: 0 different pressures given, a curve needs 3; points that are" in result.output
        store(pressure_gpa=5.0, potential_label="other", potential_sha256="cd" * 32)
        result = tm("curve", "--element", "Cu")
        assert "there are points of 2 potentials, choose by --potential: ['Cu_mishin1" in result.output
        assert tm("curve", "--element", "Cu", "--potential", "mishin").exit_code == 0

    def test_two_lattices_at_one_pressure_are_refused_and_can_be_chosen_from(self, tm, copper):
        store(lattice="bcc", pressure_gpa=5.0)
        result = tm("curve", "--element", "Cu")
        assert result.exit_code == 1
        assert "there are points of bcc and fcc at 5 GPa, choose by --lattice" in result.output
        result = tm("curve", "--element", "Cu", "--lattice", "fcc", "--format", "json")
        assert json.loads(result.output)["lattices"] == ["fcc"] * 4

    def test_literature_stands_beside_the_curve(self, tm, copper, tmp_path):
        points = tmp_path / "points.csv"
        points.write_text("source,pressure_gpa,temperature_k,uncertainty_k\nAdams,5,1500,30\nBrown,40,2500,\n")
        plot = tmp_path / "curve.svg"
        result = tm("curve", "--element", "Cu", "--literature", str(points), "--plot", str(plot))
        assert result.exit_code == 0, result.output
        lines = [line.split() for line in result.output.splitlines()]
        assert ["Brown", "40", "2500", "beyond", "the", "curve"] in lines
        (adams,) = [line for line in lines if line[:1] == ["Adams"]]
        assert adams[1:] == ["5", "1500(30)", "-13(30)"], "1330 K sqrt(1 + 5/20) is 1487 K"
        assert all(f"<!-- {source} -->" in plot.read_text() for source in ("Adams", "Brown"))
        content = json.loads(tm("curve", "--element", "Cu", "--literature", str(points), "--format", "json").output)
        assert [row["difference_k"] is None for row in content["literature"]] == [False, True]
        points.write_text("pressure_gpa,temperature_k\n5,1500\n")
        result = tm("curve", "--element", "Cu", "--literature", str(points))
        assert result.exit_code == 1
        assert "--literature: " in result.output
        assert "the columns must be pressure_gpa, temperature_k, source" in result.output

    def test_stored_curves_are_drawn_beside(self, tm, copper, tmp_path):
        for pressure in (0.0, 5.0, 10.0):
            store(element="Ni", pressure_gpa=pressure, melting_temperature_k=1700 + 40 * pressure)
        other = json.loads(tm("curve", "--element", "Ni", "--format", "json").output)["pk"]
        plot = tmp_path / "curves.svg"
        result = tm("curve", "--element", "Cu", "--beside", str(other), "--plot", str(plot))
        assert result.exit_code == 0, result.output
        text = plot.read_text()
        assert all(f"<!-- {symbol}, Cu_mishin1.eam.alloy -->" in text for symbol in ("Cu", "Ni"))
        assert "--beside: there is no plot" in tm("curve", "--element", "Cu", "--beside", str(other)).output
        result = tm("curve", "--element", "Cu", "--beside", "999999", "--plot", str(tmp_path / "none.png"))
        assert result.exit_code == 1
        assert "--beside: node 999999 is no melting curve" in result.output
