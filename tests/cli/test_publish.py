from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from aiida import orm
from click.testing import CliRunner, Result
from publication.stored_publications import SECRETS, finished_point
from report.stored_melting import chain_node, end

from aiida_dnpmelt.cli import main

SAID = ("--licence", "CC-BY-4.0", "--author", "Josiah Carberry <0000-0002-1825-0097>")


@pytest.fixture
def publish(aiida_profile, tmp_path, monkeypatch):
    """Give a function that runs `aiida-dnpmelt publish` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["publish", *words, "--profile", aiida_profile.name])

    return run


@pytest.fixture(scope="module")
def pk(aiida_profile) -> str:
    chain = finished_point()
    orm.Group("published").store().add_nodes([chain])
    return str(chain.pk)


def test_group_is_published(publish, pk):
    result = publish("published", "-o", "copper", *SAID, "--title", "Copper  melts")
    assert result.exit_code == 0, result.output
    assert "written" in result.output
    assert "# Copper melts\n" in Path("copper/README.md").read_text()
    assert "family-names: Carberry" in Path("copper/CITATION.cff").read_text()
    assert Path("copper/copper.aiida").exists()
    again = publish(pk, "-o", "copper", *SAID)
    assert again.exit_code == 1
    assert "is not empty" in again.output


def test_dry_run_tells_sizes_and_names_and_writes_nothing(publish, pk):
    result = publish(pk, "--dry-run", "--slim")
    assert result.exit_code == 0, result.output
    for part in ("would be left out", "FolderData", "nothing was written", SECRETS[2], "attribute remote_workdir"):
        assert part in result.output
    assert list(Path().iterdir()) == []
    told = json.loads(publish(pk, "--dry-run", "--format", "json").stdout)
    assert told["work_chains"] == [int(pk)]
    assert told["left_out"] == []
    assert {"kind": "owner of jobs", "value": SECRETS[5], "place": "attribute last_job_info", "nodes": 1} in told[
        "names"
    ]


def test_anonymous_publication_needs_no_author_and_tells_what_is_left(publish, pk):
    result = publish(pk, "-o", "copper", "--licence", "CC0-1.0", "--anonymise", "--slim", "--format", "json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [SECRETS[2] in each["words"] for each in told["named"]] == [True]
    assert "names_left.csv" in told["files"]
    assert "name: anonymous" in Path("copper/CITATION.cff").read_text()


def test_learning_without_a_melting_point_is_published(publish, aiida_profile):
    chain = chain_node("adaptive_learning", seed=orm.Int(1))
    end(chain, 400, "no frames")
    chain.seal()
    result = publish(str(chain.pk), "-o", "learned", *SAID, "--slim")
    assert result.exit_code == 0, result.output
    assert "# Melting temperatures\n" in Path("learned/README.md").read_text()
    assert not Path("learned/melting_points.csv").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "-o: name the folder"),
        (("-o", "x"), "--licence: say how others may use"),
        (("-o", "x", "--licence", "mine"), "--author: name at least one"),
        (("-o", "x", *SAID, "--licence", "mine"), "--licence: 'mine' is no licence"),
        (("-o", "x", *SAID, "--author", "A <12>"), "--author: '12' is no ORCID"),
        (("-o", "a/b", *SAID), "-o: there is no folder"),
        (("-o", ".", *SAID), "-o: it cannot be the folder that you are in"),
    ],
)
def test_bad_options_are_named_before_anything_happens(publish, pk, words, message):
    result = publish(pk, *words)
    assert result.exit_code == 1
    assert message in result.output
    assert list(Path().iterdir()) == []


def test_wrong_limit_and_no_name_are_errors_of_usage(publish, pk):
    assert publish("--dry-run").exit_code == 2
    result = publish(pk, "--dry-run", "--slim", "--slim-above", "-1")
    assert result.exit_code == 2
    assert "--slim-above" in result.output


def test_what_cannot_be_published_is_named(publish, aiida_profile):
    number = orm.Int(1).store()
    assert f"node {number.pk} is a Int" in publish(str(number.pk), "-o", "x", *SAID).output
    assert "there is no node and no group 'nowhere'" in publish("nowhere", "--dry-run").output
    group = orm.Group("with a potcar").store()
    chain = finished_point("licensed", potcar=orm.SinglefileData(io.BytesIO(b"a"), "POTCAR").store())
    group.add_nodes([chain])
    result = publish("with a potcar", "-o", "x", *SAID)
    assert result.exit_code == 1
    assert "POTCAR: is called so" in result.output
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("module", ["rocrate", "jinja2"])
def test_missing_extra_is_named(publish, pk, monkeypatch, module):
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    result = publish(pk, "-o", "x", *SAID)
    assert result.exit_code == 1
    assert "aiida-dnpmelt[publish]" in result.output
    assert list(Path().iterdir()) == []
