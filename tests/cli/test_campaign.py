from __future__ import annotations

import csv
import io
import json
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from campaigns import SMALL, load, write
from click.testing import CliRunner, Result
from daemons import wait_for

from aiida_dnpmelt.campaign import submission
from aiida_dnpmelt.campaign.states import group_label, work_chains
from aiida_dnpmelt.campaign.tables import LOAD_COLUMNS
from aiida_dnpmelt.cli import campaign as command_module
from aiida_dnpmelt.cli import main
from aiida_dnpmelt.data.potential import PotentialData, checksum

PROGRAM = str(Path(sysconfig.get_path("scripts")) / "aiida-dnpmelt")


def call(*arguments: Any) -> Result:
    return CliRunner().invoke(main, ["campaign", *map(str, arguments)])


@pytest.fixture
def run(aiida_profile_clean, lmp_code, tmp_path, monkeypatch):
    """Give a function that writes a campaign and runs it in a profile without any."""
    monkeypatch.setattr(command_module, "REFRESH_SECONDS", 0.5)
    monkeypatch.setattr(submission, "PATIENCE", 10.0)

    def run(*arguments: str, **changes: Any) -> Result:
        return call("run", write(tmp_path, **changes), *arguments, "--profile", aiida_profile_clean.name)

    return run


def processes() -> int:
    return orm.QueryBuilder().append(orm.ProcessNode).count()


def submitted(output: str) -> list[str]:
    """Return the cells that were submitted."""
    return [line.split(": submitted")[0] for line in output.splitlines() if ": submitted as work chain" in line]


def test_dry_run_tells_what_each_cell_takes_and_submits_nothing(run):
    potentials = {"Cu": ["Cu_u3.eam", "Cu_u6.eam"], "Al": "Al_mm.eam.fs"}
    result = run("--dry-run", elements=["Cu", "Al"], potentials=potentials, overrides=None)
    assert result.exit_code == 0, result.output
    head, *rows, total, jobs, cost, _ = result.output.splitlines()
    assert head.split() == list(LOAD_COLUMNS)
    assert [tuple(row.split()[:4]) for row in rows] == [
        (element, pressure, potential, "missing")
        for pressure in "01"
        for element, potential in (("Cu", "Cu_u3.eam"), ("Cu", "Cu_u6.eam"), ("Al", "Al_mm.eam.fs"))
    ]
    assert total == "to be submitted: 6 cells, 1 at once"
    assert jobs.startswith(f"  {sum(int(row.split()[4]) for row in rows)} jobs, 0 labels, ")
    assert "core-hours, some" in cost
    assert processes() == 0
    assert orm.QueryBuilder().append(orm.Group, filters={"label": group_label("small")}).count() == 0


def test_dry_run_as_json_adds_up_to_the_total(run):
    records = json.loads(run("--dry-run", "--format", "json").stdout)
    assert [(record["pressure_gpa"], record["state"], record["jobs"]) for record in records] == [
        (0.0, "missing", 1),
        (1.0, "missing", 1),
    ]
    assert all(record["atom_steps"] > 1e5 and record["disk_bytes"] > 1e5 for record in records)


def test_dry_run_of_models_that_are_learned_counts_labels(run, lmp_deepmd_code, dp_code):
    changes = {"mode": "melting", "potentials": None, "seeds": None, "overrides": None, "pressures_gpa": None}
    result = run("--dry-run", **changes, references={"Cu": "Cu_u3.eam"})
    assert result.exit_code == 0, result.output
    assert "training steps" in result.output
    assert " 0 labels" not in result.output
    assert processes() == 0


WRONG = {
    "key": ({"pressures": [0]}, "pressures: unknown key"),
    "lattice": ({"elements": ["Sb"], "potentials": {"Sb": "x"}}, "elements.Sb: the table has no lattice of Sb: give"),
    "other lattice": ({"elements": {"Cu": {"lattice": "bcc"}}}, "elements.Cu: the table has Cu as fcc: give structure"),
    "element": ({"elements": ["Fr"], "potentials": {"Fr": "x"}}, "elements.Fr: element 'Fr' is not in the table"),
    "structure": ({"elements": {"Cu": {"structure": "none.cif"}}}, "elements.Cu.structure: '"),
    "structure of another": ({"elements": {"Cu": {"structure": "Al.cif"}}}, "Al.cif' is Al4, not Cu"),
    "potential": ({"potentials": {"Cu": "nobody"}}, "potentials.Cu: 'nobody' is no file beside the campaign's"),
    "broken potential": ({"potentials": {"Cu": "broken.eam"}}, "potentials.Cu: 'broken.eam' is"),
    "file of nothing": ({"potentials": {"Cu": "campaign.yaml"}}, "potentials.Cu: "),
    "its element": ({"potentials": {"Cu": "Ni_u3.eam"}}, "Cu 0 GPa Ni_u3.eam: potential: it has no Cu, it knows Ni"),
    "code": ({"codes": {"lammps": "lmp@moon"}}, "codes.lammps: there is no code 'lmp@moon'"),
    "overrides": ({"overrides": {"plan": {"runs": 0}}}, "plan.runs: Input should be greater than or equal to 1"),
    "section": ({"overrides": {"plans": {}}}, "overrides: plans unknown, there are run, plan, size, seeds"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_told_and_nothing_is_submitted(run, tmp_path, case):
    from ase.build import bulk

    bulk("Al", cubic=True).write(tmp_path / "Al.cif")
    (tmp_path / "broken.eam").write_text("copper, I think\n")
    changes, message = WRONG[case]
    result = run(**changes)
    assert result.exit_code == 1, result.output
    assert message in result.output
    assert "Traceback" not in result.output
    assert processes() == 0


def test_potential_beside_the_file_goes_before_the_stored_one_of_its_name(run, tmp_path, potentials_folder):
    stored = PotentialData.get_or_create(potentials_folder / "Cu_u6.eam", label="Cu_u3.eam")
    (tmp_path / "Cu_u3.eam").write_bytes((potentials_folder / "Cu_u3.eam").read_bytes())
    assert list(load(tmp_path).potentials) == [checksum(potentials_folder / "Cu_u3.eam")]
    (tmp_path / "Cu_u3.eam").unlink()
    assert list(load(tmp_path).potentials) == [stored.base.attributes.get("sha256")]


def test_without_a_daemon_the_remedy_is_told(run):
    result = run()
    assert result.exit_code == 1
    assert "aiida-dnpmelt services up" in result.output


def test_status_for_print_has_dashes_for_what_is_not_known(run, aiida_profile_clean, tmp_path):
    path = write(tmp_path)
    for output_format, empty in (("latex", " & -- & "), ("csv", ",,")):
        result = call("status", path, "--format", output_format, "--profile", aiida_profile_clean.name)
        assert result.exit_code == 0, result.output
        assert "None" not in result.output
        assert empty in result.output
    result = run("--dry-run", "--format", "latex")
    assert r"\begin{tabular}" in result.output
    assert "% to be submitted: 2 cells, 1 at once" in result.output.splitlines()


def test_status_of_nothing(aiida_profile_clean, tmp_path, lmp_code):
    result = call("status", "metals", "--profile", aiida_profile_clean.name)
    assert result.exit_code == 1
    assert "there is no campaign 'metals', nothing was submitted under this name" in result.output
    orm.Group.collection.get_or_create(label=group_label("gases"))
    assert "; there are gases" in call("status", "metals", "--profile", aiida_profile_clean.name).output
    result = call("status", write(tmp_path), "--profile", aiida_profile_clean.name)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == "2 cells: 0 done, 2 missing"
    assert orm.QueryBuilder().append(orm.Data, filters={"label": "Cu_u3.eam"}).count() == 0, "it only looks"


def test_a_killed_command_is_taken_up_and_no_cell_is_submitted_twice(run, daemon, aiida_profile, tmp_path):
    pressures = [2, 3]  # GPa: this small cell keeps both phases there
    file = write(tmp_path, pressures_gpa=pressures)
    command = [PROGRAM, "campaign", "run", str(file), "--profile", aiida_profile.name]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as first:
        wait_for(lambda: work_chains("small"), 120)
        first.kill()
    result = run(pressures_gpa=pressures)
    log = Path(daemon.daemon_log_file).read_text()[-3000:]
    assert result.exit_code in (0, 1), f"{result.output}{result.exception}{log}"
    assert len(submitted(result.output)) in (1, 2), "two if the first submission was cut before its end"
    chains = work_chains("small")
    assert [len(nodes) for nodes in chains.values()] == [1, 1]
    nodes = {node.pk for (node,) in chains.values()}
    assert nodes == {node.pk for node in orm.Group.collection.get(label=group_label("small")).nodes}
    before = processes()
    again = run(pressures_gpa=pressures)
    assert submitted(again.output) == []
    assert again.exit_code == result.exit_code
    assert processes() == before
    shown = json.loads(call("status", "small", "--format", "json", "--profile", aiida_profile.name).output)
    assert [(row["element"], row["pressure_gpa"], row["tries"]) for row in shown] == [("Cu", 2.0, 1), ("Cu", 3.0, 1)]
    assert {row["state"] for row in shown} <= {"done", "failed"}
    assert all((row["state"] == "failed") == bool(row["remark"]) for row in shown)
    _guess_is_known(chains)


def _guess_is_known(chains: dict[str, list[orm.WorkChainNode]]) -> None:
    """Check that the second cell began at the T_m of the first, or at that of the file if the first has none."""
    (low,), (high,) = (chains[key] for key in sorted(chains))
    found = low.outputs.melting_point["melting_temperature_k"] if low.is_finished_ok else None
    if found is None:
        assert high.inputs.temperature.value == SMALL["elements"]["Cu"]["temperature_k"]
    else:
        assert high.inputs.temperature.value == pytest.approx(found)
        assert high.inputs.temperature.creator.process_label == "guess_from_points"


def test_failed_cells_are_submitted_again_only_if_asked_for(run, daemon, code_that, aiida_profile):
    changes = {"codes": {"lammps": code_that("exit 1").full_label}, "pressures_gpa": [0]}
    result = run("--once", **changes)
    assert result.exit_code == 0, result.output
    assert submitted(result.output) == ["Cu 0 GPa Cu_u3.eam"]
    result = run(**changes)
    assert result.exit_code == 1, result.output
    assert submitted(result.output) == []
    assert "Cu 0 GPa Cu_u3.eam failed: No run of the round came to an end." in result.output
    assert "1 cells: 0 done, 1 failed" in result.output
    result = run("--retry-failed", "--once", **changes)
    assert submitted(result.output) == ["Cu 0 GPa Cu_u3.eam"]
    (nodes,) = work_chains("small").values()
    assert len(nodes) == 2
    wait_for(lambda: nodes[1].is_terminated, log=Path(daemon.daemon_log_file))
    (row,) = csv.DictReader(io.StringIO(call("status", "small", "--format", "csv").output))
    assert (row["state"], row["tries"], row["pk"]) == ("failed", "2", str(nodes[1].pk))
