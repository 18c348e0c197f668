from __future__ import annotations

import json
import re
from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessState
from calculations.test_finite_size import points, windows
from click.testing import CliRunner, Result
from provenance.stored_points import invalid

from aiida_dnpmelt.calculations.finite_size import finite_size
from aiida_dnpmelt.cli import main
from aiida_dnpmelt.provenance.query import SIZE_TYPE

STUDY = {"minimum_atoms": [512, 1000, 1728, 4096]}


def stored_study(status: int = 0, **changes: Any) -> orm.WorkChainNode:
    """Store a study that no run made as the output of a work chain that has ended."""
    found = finite_size(orm.Dict(STUDY), orm.Dict({"64": "it failed"}), **points(**changes), **windows())
    chain = orm.WorkChainNode(process_type=SIZE_TYPE)
    chain.set_process_state(ProcessState.FINISHED)
    chain.set_exit_status(status)
    chain.store()
    found.base.links.add_incoming(chain, link_type=LinkType.RETURN, link_label="finite_size")
    return chain


@pytest.fixture
def command(aiida_profile):
    """Give a function that runs `aiida-dnpmelt`."""
    return lambda *words: CliRunner().invoke(main, [*map(str, words), "--profile", aiida_profile.name])


class TestShow:
    def test_table_has_each_size_and_text_has_the_rest(self, command):
        chain = stored_study()
        for pk in (chain.pk, chain.outputs.finite_size.pk):
            lines = command("tm", "size", pk).output.splitlines()
            assert lines[1].split() == [
                *("512", "4x4x8", "1328(6)", "valid", "4", "1", "100", "6.0", "12.0"),
                "+8(7)",
            ]
            assert [line.split()[0] for line in lines[1:5]] == ["512", "1000", "1728", "4096"]
            text = "\n".join(lines)
            for part in (
                "Cu (fcc) at 0 GPa, Cu_mishin1.eam.alloy",
                "T_m at infinite size = 1320(2) K",
                "an effect of the size is not resolved: 512 atoms change T_m by +8(7) K, 1.2 standard uncertainties",
                "verdict: valid",
                "no T_m of 64 atoms: it failed",
                "falls as N^−0.50 (95 % −1.12 to 0.12: the paper's −0.5 is within)",
            ):
                assert part in text

    def test_json_has_all_keys(self, command):
        chain = stored_study()
        found = json.loads(command("tm", "size", chain.pk, "--format", "json", "--atoms", "2000").output)
        assert found["pk"] == chain.pk
        (added,) = found.pop("contributions")
        assert (added["atoms"], added["size_shift_k"]) == (2000, pytest.approx(2.0))
        assert {key: value for key, value in found.items() if key != "pk"} == chain.outputs.finite_size.get_dict()

    def test_contribution_of_another_size(self, command):
        chain = stored_study()
        output = command("tm", "size", chain.pk, "--atoms", "2000", "--atoms", "64000").output
        assert "2000 atoms change T_m by +2(2) K; not corrected for, that is an uncertainty of" in output
        assert "64000 atoms change T_m by +0.06(5) K" in output
        refused = command("tm", "size", chain.pk, "--atoms", "500")
        assert refused.exit_code == 1
        assert "--atoms: 500 is below the smallest size of the study, 512 atoms" in refused.output

    @pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
    def test_plot(self, command, tmp_path, suffix):
        path = tmp_path / f"size{suffix}"
        chain = stored_study(atoms_1000={"verdict": "unfinished"})
        result = command("tm", "size", chain.pk, "--plot", path)
        assert result.exit_code == 0, result.output
        assert f"{path} written" in result.output
        assert path.stat().st_size > 5_000
        again = command("tm", "size", chain.pk, "--plot", path)
        assert again.exit_code == 1
        assert "exists" in again.output
        assert command("tm", "size", chain.pk, "--plot", path, "--force").exit_code == 0

    def test_study_with_too_few_sizes(self, command, tmp_path):
        lost = invalid(reasons=["seed_1 froze"])
        chain = stored_study(501, atoms_512=lost, atoms_1000=lost)
        result = command("tm", "size", chain.pk, "--plot", tmp_path / "size.svg")
        assert result.exit_code == 0, result.output
        assert "no T_m at infinite size" in result.output
        assert "no T_m of 512 atoms: seed_1 froze" in result.output
        assert "too few sizes for a law" in result.output
        refused = command("tm", "size", chain.pk, "--atoms", "2000")
        assert refused.exit_code == 1
        assert "the study has no line: 2 of 5 sizes have a T_m" in refused.output

    def test_study_without_any_size(self, command, tmp_path):
        lost = invalid(reasons=["seed_1 froze"])
        chain = stored_study(501, **{f"atoms_{number}": lost for number in STUDY["minimum_atoms"]})
        result = command("tm", "size", chain.pk)
        assert result.exit_code == 0, result.output
        assert "verdict: invalid" in result.output
        refused = command("tm", "size", chain.pk, "--plot", tmp_path / "size.svg")
        assert refused.exit_code == 1
        assert "no size of the study has a T_m, there is nothing to draw" in refused.output

    def test_what_is_no_study_is_told(self, command, tmp_path):
        result = command("tm", "size", "999999")
        assert result.exit_code == 1
        assert "no result of a finite-size study with the pk 999999: look at" in result.output
        chain = stored_study()
        wrong = command("tm", "size", chain.pk, "--plot", tmp_path / "size.gif")
        assert wrong.exit_code == 1
        assert "ends in '.gif', it can be one of .svg, .png, .pdf" in wrong.output

    def test_status_of_a_finished_study_is_its_result(self, command):
        chain = stored_study()
        result = command("status", chain.pk)
        assert result.exit_code == 0, result.output
        assert "T_m at infinite size = 1320(2) K" in result.output
        assert f"aiida-dnpmelt tm size {chain.pk}" in result.output

    def test_status_of_a_running_study_is_what_it_reports(self, command):
        chain = orm.WorkChainNode(process_type=SIZE_TYPE, label="sizes of copper").store()
        chain.set_process_state(ProcessState.WAITING)
        chain.logger.report("[1|FiniteSizeWorkChain|run_sizes]: coexistence in cells of 512, 1000 atoms")
        for output in (command("status").output, command("status", chain.pk).output):
            assert f"sizes of copper <{chain.pk}>" in output
            assert "coexistence in cells of 512, 1000 atoms" in output
        chain.set_process_state(ProcessState.KILLED)


class TestLaunch:
    @pytest.fixture
    def launch(self, command, lmp_code, potentials_folder):
        """Give a function that runs `aiida-dnpmelt launch size` for copper."""

        def run(*words: str, element: str = "Cu") -> Result:
            file = potentials_folder / "Cu_u3.eam"
            return command("launch", "size", "--element", element, "--potential-file", file, *words)

        return run

    def test_dry_run_tells_the_cost_of_each_size_and_runs_nothing(self, launch):
        before = orm.QueryBuilder().append(orm.ProcessNode).count()
        result = launch("--dry-run", "--target", "10", "--budget", "2e8", "--pressure", "5")
        assert result.exit_code == 0, result.output
        lines = result.output.splitlines()
        assert lines[0] == "Cu4 with Cu_u3.eam, protocol balanced-size:"
        assert [line.split()[:3] for line in lines[2:7]] == [
            ["512", "4x4x8", "6"],
            ["1000", "5x5x10", "6"],
            ["1728", "6x6x12", "6"],
            ["4096", "8x8x16", "3"],
            ["8000", "10x10x20", "2"],
        ]
        assert float(lines[6].split()[4]) <= 2e8, "the budget of a size bounds it"
        assert re.fullmatch(r"some .* core-hours .* in all, more if the first guess is far off", lines[7])
        assert orm.QueryBuilder().append(orm.ProcessNode).count() == before

    @pytest.mark.parametrize(
        ("words", "cells"),
        [
            (("--atoms", "2000", "--atoms", "800", "--atoms", "500"), ["4x4x8", "5x5x10", "6x6x14"]),
            (
                ("--size", "4", "4", "10", "--size", "4", "4", "9", "--size", "5", "5", "10"),
                ["4x4x9", "4x4x10", "5x5x10"],
            ),
        ],
    )
    def test_sizes_of_the_user(self, launch, words, cells):
        result = launch("--dry-run", *words)
        assert result.exit_code == 0, result.output
        assert [line.split()[1] for line in result.output.splitlines()[2:5]] == cells

    def test_dry_run_of_the_paper(self, launch):
        lines = launch("--dry-run", "--protocol", "paper").output.splitlines()
        assert [line.split()[1] for line in lines[2:11]] == [f"{n}x{n}x{2 * n}" for n in range(4, 21, 2)]
        assert {tuple(line.split()[2:4]) for line in lines[2:11]} == {("3", "120")}

    @pytest.mark.parametrize(
        ("words", "changes", "message"),
        [
            (("--atoms", "512", "--size", "4", "4", "8"), {}, "give either --atoms or --size"),
            (("--atoms", "512", "--atoms", "1000"), {}, "study: Value error, 2 sizes given, from 3"),
            (("--atoms", "-5", "--atoms", "1", "--atoms", "9"), {}, "minimum_atoms: -5 is outside the allowed range"),
            (("--size", "1", "1", "2", "--size", "4", "4", "8", "--size", "5", "5", "9"), {}, "study, 8 atoms: "),
            (("--at-once", "0"), {}, "study.at_once: Input should be greater than or equal to 1"),
            (("--pressure", "5000"), {}, "pressure: 5000 GPa is outside the allowed range"),
            (("--temperature", "-1"), {}, "temperature: -1 K is outside the allowed range"),
            (("--target", "0"), {}, "plan.target_uncertainty_k: Input should be greater than or equal to 0.1"),
            (("--seed", "3", "--seed", "3"), {}, "must all be different"),
            (("--code", "lmp@moon"), {}, "there is no code 'lmp@moon'"),
            ((), {"element": "Al"}, "potential: it has no Al, it knows Cu"),
            ((), {"element": "Qq"}, "--element: 'Qq' is no chemical symbol"),
        ],
    )
    def test_wrong_input_is_told_and_nothing_is_submitted(self, launch, words, changes, message):
        before = orm.QueryBuilder().append(orm.ProcessNode).count()
        result = launch(*words, **changes)
        assert result.exit_code == 1, result.output
        assert message in result.output
        assert orm.QueryBuilder().append(orm.ProcessNode).count() == before

    def test_without_a_daemon_the_remedy_is_told(self, launch):
        result = launch()
        assert result.exit_code == 1
        assert "aiida-dnpmelt services up" in result.output
