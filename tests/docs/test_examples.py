"""Every example of the documentation is run; those that would take hours or a cluster are read by the same parsers."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from aiida_dnpmelt.cli import main
from aiida_dnpmelt.report.literature import read_literature

from .conftest import DOCS, PAGES

SHORT = (
    "import potential Cu",
    "import dataset",
    "import repository",
    "potential list",
    "potential show",
    "tm list",
    "tm show",
    "tm frames",
    "tm trace",
    "tm compare",
    "tm audit",
    "tm cost",
    "impact FRAMES",
    "tm estimate",
    "tm experiment --unfinished",
    "tm cohesive --unfinished",
    "report PK",
    "--dry-run",
    "--help",
)
"""Commands that are run; the others change the machine or take long, so that only their words are checked."""
LITERATURE = "{code-block} text\n:caption: literature.csv"


def blocks(page: Path, opening: str) -> list[str]:
    return re.findall(rf"^```{re.escape(opening)}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(page: Path, program: str) -> list[list[str]]:
    text = "\n".join(blocks(page, "console") + blocks(page, "{code-block} console"))
    lines = [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]
    return [words[1:] for words in map(shlex.split, lines) if words[0] == program]


def pages_with(*openings: str) -> list[pytest.param]:
    found = [page for page in PAGES if any(blocks(page, opening) for opening in openings)]
    assert found
    return [pytest.param(page, id=page.stem) for page in found]


def parse(command: click.Command, name: str, words: list[str]) -> None:
    """Read the words as the command would, without calling it.

    :raises click.ClickException: for an unknown command, option or value.
    """
    context = click.Context(main, info_name=name)
    while isinstance(command, click.Group):
        inner = command.get_command(context, words[0])
        assert inner is not None, f"there is no command {' '.join(words)}"
        command, words = inner, words[1:]
    command.make_context(name, list(words))


@pytest.mark.parametrize("page", pages_with("python"))
def test_python_examples_run(page, reader, monkeypatch, request):
    if page.stem == "clusters":
        request.getfixturevalue("cluster")
    monkeypatch.chdir(reader.folder)
    namespace: dict[str, object] = {}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", pages_with("{code-block} python"))
def test_python_examples_that_take_long_are_python(page):
    for block in blocks(page, "{code-block} python"):
        compile(block, str(page), "exec")


@pytest.mark.parametrize("page", pages_with(LITERATURE))
def test_tables_of_literature_can_be_read(page, tmp_path):
    for block in blocks(page, LITERATURE):
        (tmp_path / "points.csv").write_text(block)
        assert read_literature(tmp_path / "points.csv")


@pytest.mark.parametrize("page", pages_with("console", "{code-block} console"))
def test_commands_are_understood_and_the_short_ones_succeed(page, reader, monkeypatch, request):
    if page.stem == "clusters":
        request.getfixturevalue("cluster")
    monkeypatch.chdir(reader.folder)
    for words in commands(page, "aiida-dnpmelt"):
        filled = [str(reader.chain.pk) if word == "PK" else word for word in words]
        filled = [{"MODEL": "my_model.pb", "FRAMES": str(reader.frames.pk)}.get(word, word) for word in filled]
        if not any(short in " ".join(words) for short in SHORT):
            parse(main, "aiida-dnpmelt", filled)
            continue
        result = CliRunner().invoke(main, filled)
        assert result.exit_code == 0, f"{' '.join(words)}: {result.output}"


@pytest.fixture(scope="module")
def cluster(reader, aiida_profile):
    """Set the cluster up by the very commands of the page, but for those that connect to it."""
    verdi = Path(sys.executable).with_name("verdi")
    for words in commands(DOCS / "how-to" / "clusters.md", "verdi"):
        if words[:2] == ["computer", "test"]:
            continue
        done = subprocess.run(
            [str(verdi), "-p", aiida_profile.name, *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"


def test_campaigns_are_read(tmp_path):
    from aiida_dnpmelt.campaign.settings import read_settings

    page, file = DOCS / "how-to" / "campaign.md", tmp_path / "campaign.yaml"
    texts = [(DOCS.parent / "examples" / "campaign.yaml").read_text(), *blocks(page, "yaml")]
    names = []
    for text in texts:
        file.write_text(text)
        names.append(read_settings(file).name)
    assert names == ["first-metals", "first-metals", "titanium", "learned-metals"]
    shown = blocks(page, "yaml")[0]
    assert yaml.safe_load(shown) == yaml.safe_load(texts[0])


@pytest.mark.parametrize("script", sorted((DOCS.parent / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_launch_scripts_make_inputs_that_are_taken(script, reader):
    """All of a script is run but its last lines, which take minutes."""
    source, begin, _ = script.read_text().partition("\nresults, node = run_get_node(builder)")
    assert begin
    namespace: dict[str, object] = {}
    exec(compile(source, str(script), "exec"), namespace)
    builder = namespace["builder"]
    assert builder.process_class.spec().inputs.validate(builder._inputs(prune=True)) is None
