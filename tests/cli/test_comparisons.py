from __future__ import annotations

import csv
import io
import json

import pytest
from aiida.orm import CalcFunctionNode, QueryBuilder, load_node
from click.testing import CliRunner, Result
from provenance.stored_points import cohesive_energy, store, store_chain

from aiida_dnpmelt.cli import main
from aiida_dnpmelt.data.potential import PotentialData

METALS = {"Ag": ("fcc", 1200.0), "Cu": ("fcc", 1400.0), "Mo": ("bcc", 2800.0), "Ti": ("hcp", 1633.0)}


@pytest.fixture
def tm(aiida_profile_clean):
    """Give a function that runs `aiida-dnpmelt tm` on the profile of the test."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["tm", *arguments, "--profile", aiida_profile_clean.name])

    return run


@pytest.fixture
def metals(aiida_profile_clean) -> dict[str, int]:
    """Store a melting temperature of each metal, and one that is unfinished."""
    found = {
        symbol: store(element=symbol, lattice=lattice, melting_temperature_k=value, potential_label=f"{symbol}.eam").pk
        for symbol, (lattice, value) in METALS.items()
    }
    store(element="Ni", verdict="unfinished")
    return found


class TestExperiment:
    def test_table_has_errors_and_their_means_by_lattice(self, tm, metals):
        result = tm("experiment")
        assert result.exit_code == 0, result.output
        lines = result.output.splitlines()
        assert lines[1].split() == [
            *(str(metals["Ag"]), "Ag", "fcc", "1200(5)", "1234.93", "-35", "-2.8", "valid", "Ag.eam"),
        ]
        rows = {line.split()[0]: line.split()[1:] for line in lines[6:]}
        assert rows["fcc"] == ["2", "+4", "39", "+0.1", "3.0"]
        assert rows["all"] == ["4", "-100", "121", "-4.7", "6.3"]
        assert "Ti: hcp is not what melts in reality, which is bcc" in lines
        assert "left out: 1 unfinished result, which --unfinished takes" in lines
        assert " Ni " not in result.output
        assert " Ni " in tm("experiment", "--unfinished").output

    def test_latex_has_both_tables_and_notes_as_comments(self, tm, metals):
        lines = tm("experiment", "--format", "latex").output.splitlines()
        assert lines.count(r"\begin{tabular}{lllllllll}") == lines.count(r"\begin{tabular}{llllll}") == 1
        pk = metals["Ag"]
        assert rf"{pk} & Ag & fcc & 1200(5) & 1234.93 & $-$35 & $-$2.8 & valid & Ag.eam \\" in lines
        assert "% left out: 1 unfinished result, which --unfinished takes" in lines
        lines = tm("cohesive", "--format", "latex").output.splitlines()
        assert lines[2].startswith(r"pk & element & group & $T_\mathrm{m}$/K & $E_\mathrm{coh}$/(eV/atom)")
        assert lines[-2].startswith("% mean absolute deviation of the relation over 4 results: ")
        assert all(line.startswith("%") for line in lines[lines.index(r"\end{tabular}") + 1 :])

    def test_json_and_csv_have_numbers(self, tm, metals):
        content = json.loads(tm("experiment", "--format", "json").output)
        silver = content["points"][0]
        assert (silver["element"], silver["experimental_temperature_k"]) == ("Ag", 1234.93)
        assert silver["error_k"] == pytest.approx(1200 - 1234.93)
        assert content["by_lattice"]["bcc"]["number"] == 1
        assert len(content["notes"]) == 2
        result = CliRunner().invoke(main, ["tm", "experiment", "--format", "csv"])
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        assert [row["element"] for row in rows] == ["Ag", "Cu", "Mo", "Ti"]
        assert float(rows[0]["error_percent"]) == pytest.approx(100 * silver["error_k"] / 1234.93)

    def test_unfinished_training_is_told(self, tm, aiida_profile_clean, potentials_folder):
        potential = PotentialData.from_file(potentials_folder / "Cu_u3.eam", label="half")
        potential.base.attributes.set("training", {"ended": False, "last_step": 218_000, "planned_steps": 3_000_000})
        potential.store()
        store(potential_label="half", potential_sha256=potential.sha256)
        assert "half (training unfinished)" in tm("experiment").output
        (record,) = json.loads(tm("cohesive", "--format", "json").output)["points"]
        assert record["potential_unfinished"] is True

    def test_whole_chain_is_told_with_its_models_and_their_teacher(self, tm, aiida_profile_clean):
        chain = store_chain()
        output = tm("experiment", "--protocol", "fast").output
        assert output.splitlines()[1].split()[:4] == [str(chain.pk), "Cu", "fcc", "1335(5)"]
        assert "2 models, corrected, the teacher" in output

    def test_picture_is_drawn_and_not_overwritten(self, tm, metals, tmp_path):
        plot = tmp_path / "experiment.svg"
        assert f"{plot} written" in tm("experiment", "--unfinished", "--plot", str(plot)).output
        text = plot.read_text()
        assert text.count("<svg") == 1
        for words in ("fcc, mean error 9.7 %", "fcc, unfinished", "hcp, mean error 16.0 %", "Ag", "Ni", "Ti"):
            assert f"<!-- {words} -->" in text
        assert "exists" in tm("experiment", "--plot", str(plot)).output
        assert tm("experiment", "--plot", str(plot), "--force").exit_code == 0
        assert "it can be one of .svg, .png, .pdf" in tm("experiment", "--plot", "a.gif").output

    def test_nothing_to_compare_is_told(self, tm, metals):
        result = tm("experiment", "--element", "Xe")
        assert result.exit_code == 1
        assert "there is no such melting temperature at ambient pressure, see `aiida-dnpmelt tm list`" in result.output
        result = tm("experiment", "--element", "Ni")
        assert "left out: 1 unfinished result, which --unfinished takes" in result.output
        store(element="CuNi")
        result = tm("experiment", "--element", "CuNi")
        assert "left out: CuNi, which is not in the table of the elements" in result.output


class TestCohesive:
    def test_table_says_where_the_energies_are_from(self, tm, metals):
        node = cohesive_energy(cohesive_energy_ev=3.6)
        result = tm("cohesive")
        assert result.exit_code == 0, result.output
        lines = result.output.splitlines()
        assert lines[1].split()[1:7] == ["Ag", "d_block", "1200(5)", "2.95", "experiment", "1184"]
        assert f"3.6              potential, {node.pk}" in lines[2]
        assert lines[5].startswith("mean absolute deviation of the relation over 4 results: ")
        assert "1095" in tm("cohesive", "--relation", "all").output, "0.032 x 2.95 eV / k_B"

    def test_refits_are_kept_with_their_errors(self, tm, metals):
        store(element="Al", melting_temperature_k=930.0)
        content = json.loads(tm("cohesive", "--refit", "--format", "json").output)
        assert list(content["refits"]) == ["all", "d_block"]
        assert "no refit of p_block: elements with a T_m: 1, a line needs 3" in content["notes"]
        fit = content["refits"]["d_block"]
        assert fit["elements"] == ["Ag", "Cu", "Mo", "Ti"]
        assert 0 < fit["slope_uncertainty"] < fit["slope"]
        node = load_node(fit["pk"])
        assert {link.node.pk for link in node.creator.base.links.get_incoming().all()} > {
            load_node(pk).outputs.melting_point.pk for pk in metals.values()
        }
        again = tm("cohesive", "--refit").output
        assert f"4 elements, residual {fit['residual_k']:.0f} K" in again
        assert f"kept as node {fit['pk']}" in again

    def test_refit_of_what_is_ambiguous_or_too_little_is_refused_before_anything_is_run(self, tm, metals):
        store(element="Cu", potential_label="other", potential_sha256="cd" * 32)
        before = QueryBuilder().append(CalcFunctionNode).count()
        result = tm("cohesive", "--refit")
        assert result.exit_code == 1
        assert (
            "--refit: there must be one melting temperature of an element, there are 2 of Cu: choose by --potential"
            in (result.output)
        )
        assert "--refit: elements with a T_m: 1, a line needs 3" in tm("cohesive", "--refit", "--element", "Ag").output
        assert QueryBuilder().append(CalcFunctionNode).count() == before
        assert tm("cohesive").exit_code == 0, "two points of an element can stand in a table"

    def test_energy_out_of_range_is_told(self, tm, metals):
        cohesive_energy(cohesive_energy_ev=-3.5)
        result = tm("cohesive")
        assert result.exit_code == 1
        assert "cohesive_energy: -3.5 eV/atom is outside the allowed range" in result.output

    @pytest.mark.parametrize("relation", ["corrected", "all"])
    def test_picture_is_drawn(self, tm, metals, tmp_path, relation):
        plot = tmp_path / "cohesive.png"
        result = tm("cohesive", "--relation", relation, "--refit", "--plot", str(plot))
        assert result.exit_code == 0, result.output
        assert plot.stat().st_size > 10_000

    def test_csv_has_numbers(self, tm, metals):
        result = CliRunner().invoke(main, ["tm", "cohesive", "--format", "csv"])
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        assert [row["energy_source"] for row in rows] == ["experiment"] * 4
        assert float(rows[0]["relation_temperature_k"]) == pytest.approx(0.0346 * 2.95 / 8.617333e-5, rel=1e-5)
