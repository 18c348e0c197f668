"""A dry run stores nothing, whatever it is given."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiida import orm
from ase.build import bulk
from click.testing import CliRunner, Result

from aiida_dnpmelt.cli import main

COMMANDS = {
    "tpc": ("launch", "tpc", "--potential-file", "mine.eam.alloy"),
    "size": ("launch", "size", "--potential-file", "mine.eam.alloy"),
    "sweep": (
        "launch",
        "sweep",
        "--potential-file",
        "mine.eam.alloy",
        *["--pressure", "0", "--pressure", "2", "--pressure", "4"],
    ),
    "benchmark": ("launch", "benchmark", "--potential-file", "mine.eam.alloy", "--reference-file", "Cu_u6.eam"),
    "cohesive": ("launch", "cohesive", "--potential-file", "mine.eam.alloy"),
    "learn": ("launch", "learn", "--protocol", "fast", "--reference-file", "mine.eam.alloy"),
    "melt": ("launch", "melt", "--protocol", "fast", "--reference-file", "mine.eam.alloy"),
    "model": ("launch", "tpc", "--potential-file", "mine.pb"),
    "model as teacher": ("launch", "melt", "--protocol", "fast", "--reference-file", "mine.pb"),
    "campaign": ("campaign", "run", "campaign.yaml"),
    "campaign of models": ("campaign", "run", "models.yaml"),
    "campaign with learning": ("campaign", "run", "learned.yaml"),
}
CAMPAIGN = "name: mine\nelements: [Cu]\npressures_gpa: [0, 5]\n"


@pytest.fixture
def dry_run(aiida_profile, lmp_code, lmp_deepmd_code, dp_code, potentials_folder, tmp_path, monkeypatch):
    """Give a function that makes a dry run in a folder with potentials that nobody has stored."""
    monkeypatch.chdir(tmp_path)
    _, *lines = (potentials_folder / "Cu_mishin1.eam.alloy").read_text().splitlines()
    Path("mine.eam.alloy").write_text("\n".join([f"seen by nobody but {tmp_path}", *lines]))
    Path("mine.pb").write_bytes(b"a model that is not opened")
    bulk("Cu").write("crystal.cif")
    Path("campaign.yaml").write_text(f"{CAMPAIGN}potentials: {{Cu: [mine.eam.alloy, Cu_smf7.eam]}}\n")
    Path("models.yaml").write_text(f"{CAMPAIGN}potentials: {{Cu: mine.pb}}\n")
    Path("learned.yaml").write_text(f"{CAMPAIGN}mode: melting\nprotocol: fast\nreferences: {{Cu: mine.eam.alloy}}\n")

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--dry-run", "--profile", aiida_profile.name])

    return run


def stored() -> tuple[int, ...]:
    return tuple(orm.QueryBuilder().append(entity).count() for entity in (orm.Node, orm.Group, orm.Computer))


@pytest.mark.parametrize("crystal", [("--element", "Cu"), ("--structure", "crystal.cif")], ids=["element", "file"])
@pytest.mark.parametrize("command", COMMANDS)
def test_dry_run_stores_nothing(dry_run, command, crystal):
    words = COMMANDS[command]
    if words[0] == "campaign" and crystal[0] == "--structure":
        words, crystal = (*words, "--format", "json"), ()
    before = stored()
    result = dry_run(*words, *(() if words[0] == "campaign" else crystal))
    assert result.exit_code == 0, result.output
    assert stored() == before


def test_a_model_that_is_not_opened_is_told(dry_run):
    result = dry_run(*COMMANDS["model"], "--element", "Cu")
    assert "[!] mine.pb is not opened in a dry run: its elements and cutoff are not checked" in result.output


def test_wrong_input_stores_no_potential_either(dry_run):
    before = stored()
    for words in (("--temperature", "1"), ("--pressure", "900"), ("--mpi", "5000"), ("--target", "1e-9")):
        result = CliRunner().invoke(main, [*COMMANDS["tpc"], "--element", "Cu", *words])
        assert result.exit_code == 1, result.output
        assert stored() == before
