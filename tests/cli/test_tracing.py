from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result
from provenance.stored_traces import coexistence, lineage
from report.stored_melting import potential

from aiida_dnpmelt.cli import main


@pytest.fixture
def run(aiida_profile_clean):
    """Give a function that runs `aiida-dnpmelt` on the profile of the test."""

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--profile", aiida_profile_clean.name])

    return call


def test_trace_is_a_tree_a_record_and_a_picture(run, aiida_localhost, tmp_path):
    chain = lineage(aiida_localhost).chain
    picture = tmp_path / "trace.svg"
    result = run("tm", "trace", str(chain.pk), "--plot", str(picture))
    assert result.exit_code == 0, result.output
    for part in (
        "T_m = 1326(5) K",
        "generation 2 of models",
        "encut 400",
        "VASP 6.4.2",
        "8 labelled frames",
        "seeds: 7",
    ):
        assert part in result.output
    assert picture.read_text().count("coexistence") > 0
    assert run("tm", "trace", str(chain.pk), "--plot", str(picture)).exit_code == 1
    record = json.loads(run("tm", "trace", str(chain.pk), "--format", "json").output)
    assert record["stages"][0]["title"] == "coexistence, generation 2"
    assert "no melting temperature with the pk 99999" in run("tm", "trace", "99999").output


def test_impact_is_the_list_of_what_falls(run, aiida_localhost):
    stored = lineage(aiida_localhost)
    other = coexistence(aiida_localhost, stored.codes["lmp"], potential("another"), pressure_gpa=4.0)
    (found,) = json.loads(run("impact", str(stored.first.pk), "--format", "json").output)
    assert found["pk"] == stored.chain.pk
    lines = run("impact", str(stored.codes["lmp"].uuid)).output.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == [str(other.pk), str(stored.chain.pk)]
    assert lines[3] == "2 melting temperatures stand on it (2 valid)"
    assert "1 melting temperatures" in run("impact", "--program", "vasp=6.4.2").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either NODE or --program"),
        (["1", "--program", "VASP=6"], "give either NODE or --program"),
        (["--program", "VASP"], "is not NAME=VERSION"),
        (["--program", "Gaussian=16"], "LAMMPS, DeePMD-kit, VASP"),
        (["--program", "VASP=1"], "no job was run by VASP 1"),
        (["nothing"], "there is no node and no group 'nothing'"),
    ],
)
def test_impact_refuses_what_it_cannot_answer(run, arguments, message):
    result = run("impact", *arguments)
    assert result.exit_code != 0
    assert message in result.output


def test_compare_says_why(run, aiida_localhost):
    one, two = lineage(aiida_localhost), lineage(aiida_localhost, training_seed=8, melting_temperature_k=1350.0)
    text = run("tm", "compare", str(one.chain.pk), str(two.chain.pk)).output
    assert "second less first: +24(6) K, 3.6 sigma" in text
    assert "assess_runs.potential < deepmd_train.seed: given data differ" in text
    record = json.loads(run("tm", "compare", str(one.chain.pk), str(two.chain.pk), "--format", "json").output)
    assert record["frames"]["both"]["frames"] == 14
    assert run("tm", "compare", str(one.chain.pk), "99999").exit_code == 1


def test_audit_fails_with_what_fails(run, aiida_localhost):
    good = lineage(aiida_localhost, found_lattice="fcc", found_lattice_share=0.9).chain
    result = run("tm", "audit", str(good.pk))
    assert result.exit_code == 0, result.output
    assert "valid: both phases live in 4 of 4 runs" in result.output
    assert result.output.splitlines()[-1].endswith(" not applicable")
    assert "not applicable" in run("tm", "audit", str(good.pk), "--format", "latex").output
    bad = coexistence(aiida_localhost, good.inputs.coexistence.calc.code, potential("b"), found_lattice="bcc")
    result = run("tm", "audit", str(bad.pk), "--format", "json")
    assert result.exit_code == 1
    assert {"check": "crystal", "state": "failed"}.items() <= json.loads(result.output)[2].items()
    assert run("tm", "audit", "99999").exit_code == 1


def test_cost_is_summed(run, aiida_localhost):
    assert "No work yet" in run("tm", "cost").output
    chain = lineage(aiida_localhost).chain
    lines = run("tm", "cost", "--by", "element,stage", "--disk").output.splitlines()
    assert lines[0].split()[:2] == ["element", "stage"]
    assert lines[-1].split()[:2] == ["total", "6"]
    assert "at least 5.25" in lines[-1], "two jobs of VASP do not tell their cost"
    (row,) = json.loads(run("tm", "cost", str(chain.pk), "--by", "result", "--format", "json").output)
    assert (row["result"], row["core-hours"], row["jobs"]) == (chain.pk, 2.0, 1)
    assert "is nothing to sum by" in run("tm", "cost", "--by", "size").output
