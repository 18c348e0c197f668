from __future__ import annotations

import csv
import subprocess
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from aiida import orm
from publication.stored_publications import (
    IN_A_FILE,
    LOG_BYTES,
    SECRETS,
    answers,
    cluster,
    fields,
    finished_point,
    person,
)

from aiida_dnpmelt.publication import folder as module
from aiida_dnpmelt.publication.archive import check_archive, words_in_database
from aiida_dnpmelt.publication.citation import Author, Description
from aiida_dnpmelt.publication.folder import Written, check_folder, write_publication
from aiida_dnpmelt.publication.plan import Plan, make_plan
from aiida_dnpmelt.publication.tables import points_in

DESCRIBED = Description("Copper", (Author("Josiah Carberry"),), "CC-BY-4.0", date(2026, 11, 26), ("melting",))


@pytest.fixture(scope="module")
def chain(aiida_profile_module) -> orm.WorkChainNode:
    """Give the only melting temperature of the profile."""
    return finished_point(runs=True)


@pytest.fixture(scope="module")
def aiida_profile_module(aiida_profile) -> None:
    """Empty the profile once for all tests here."""
    aiida_profile.reset_storage()


def publish(chain: orm.WorkChainNode, path: Path, slim_kb: float | None = None, anonymous: bool = False) -> Written:
    return write_publication(make_plan([str(chain.pk)], slim_kb), DESCRIBED, path, anonymous)


@pytest.fixture(scope="module")
def full(chain, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("full") / "copper"
    publish(chain, path)
    return path


@pytest.fixture(scope="module")
def hidden(chain, tmp_path_factory) -> tuple[Path, Written]:
    """Give a slim and anonymous publication, and what was told of it."""
    path = tmp_path_factory.mktemp("hidden") / "copper"
    return path, publish(chain, path, 100.0, anonymous=True)


def texts(archive: Path) -> str:
    """Return all files of an archive as one text, the database unpacked."""
    with zipfile.ZipFile(archive) as opened:
        return "\n".join(opened.read(name).decode("utf-8", "replace") for name in opened.namelist())


def test_folder_holds_what_the_readme_says_and_the_checksums_hold(full):
    files = {file.relative_to(full).as_posix() for file in full.rglob("*") if file.is_file()}
    told = (full / "README.md").read_text()
    assert {name for name in files if f"`{name}`" not in told} == {"workflows/tpc.py"}
    assert {"copper.aiida", "CITATION.cff", "references.bib", "melting_points.csv", "SHA256SUMS"} < files
    assert {Path(name).suffix for name in files} >= {".html", ".svg"}
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=full, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert {line.partition(":")[0] for line in done.stdout.splitlines()} == files - {"SHA256SUMS"}


def test_archives_give_the_same_answers_when_opened_and_when_imported(chain, full, hidden, tmp_path):
    expected = [fields(point) for point in points_in(make_plan([str(chain.pk)]).selection.pks)]
    assert len(expected) == 1
    whole, bare = answers([full / "copper.aiida", hidden[0] / "copper.aiida"], tmp_path)
    for said in (whole, bare):
        assert said["opened"] == said["imported"] == expected
        assert said["processes"] == 1 + len(chain.called_descendants)
    assert (whole["folders"], bare["folders"]) == (2, 1)
    assert SECRETS[0] in whole["emails"]
    assert SECRETS[0] not in bare["emails"]


def test_slim_says_what_it_left_out(chain, hidden):
    path, written = hidden
    (row,) = csv.DictReader((path / "left_out.csv").open())
    folder = next(node for node in chain.called_descendants if "more" in node.outputs).outputs.retrieved
    assert (row["uuid"], row["bytes"], row["as"]) == (folder.uuid, str(LOG_BYTES), "retrieved")
    assert row["made by"] == folder.creator.uuid
    assert len(row["sha256"]) == 64
    assert "1 FolderData (0.3 MB)" in " ".join(written.remarks)
    assert "1 FolderData (0.3 MB)" in (path / "README.md").read_text()


def test_nobody_is_named_in_an_anonymous_archive(full, hidden):
    path, _ = hidden
    assert [word for word, _ in words_in_database(full / "copper.aiida", SECRETS)] != []
    assert words_in_database(path / "copper.aiida", SECRETS) == []
    assert "acc-4711" in texts(full / "copper.aiida")
    assert "acc-4711" not in texts(path / "copper.aiida")
    with zipfile.ZipFile(path / "copper.aiida") as archive:
        database = archive.read("db.sqlite3")
    assert [word for word in SECRETS if word.encode() in database] == []


def test_names_that_are_left_in_files_are_told_but_not_repeated(hidden):
    path, written = hidden
    assert IN_A_FILE in texts(path / "copper.aiida")
    (row,) = csv.DictReader((path / "names_left.csv").open())
    assert row["file"] == "_scheduler-stdout.txt"
    assert "host name of a computer" in row["what it names"]
    ((place, words),) = written.named
    assert "_scheduler-stdout.txt" in place
    assert SECRETS[2] in words
    for file in path.rglob("*"):
        if file.is_file() and file.suffix != ".aiida":
            assert [word for word in SECRETS if word in file.read_text()] == []


def test_profile_is_not_touched(chain, hidden):
    assert person().email == SECRETS[0]
    assert cluster().hostname == SECRETS[2]
    job = next(node for node in chain.called_descendants if "more" in node.outputs)
    assert job.base.attributes.get("last_job_info")["job_owner"] == SECRETS[5]
    assert "_aiidasubmit.sh" in job.base.repository.list_object_names()
    assert job.outputs.retrieved.base.repository.list_object_names() == ["log.lammps"]


def test_broken_archive_is_found(full, tmp_path):
    check_archive(full / "copper.aiida")
    broken = tmp_path / "broken.aiida"
    with zipfile.ZipFile(full / "copper.aiida") as old, zipfile.ZipFile(broken, "w") as new:
        names = old.namelist()
        lost = next(name for name in names if name.startswith("repo/"))
        for name in names:
            if name != lost:
                new.writestr(name, old.read(name))
    with pytest.raises(ValueError, match="1 files of nodes are missing or broken"):
        check_archive(broken)


def test_cut_run_leaves_nothing(chain, tmp_path, monkeypatch):
    def cut(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_tables", cut)
    with pytest.raises(KeyboardInterrupt):
        publish(chain, tmp_path / "copper")
    assert list(tmp_path.iterdir()) == []


def test_other_folders_are_never_replaced(full, tmp_path):
    check_folder(tmp_path / "new", force=False)
    (tmp_path / "empty").mkdir()
    check_folder(tmp_path / "empty", force=False)
    with pytest.raises(ValueError, match="is not empty: choose another"):
        check_folder(full, force=False)
    check_folder(full, force=True)
    (tmp_path / "empty" / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match=r"holds 'thesis.tex', which is of no publication"):
        check_folder(tmp_path / "empty", force=True)
    with pytest.raises(ValueError, match="is a file"):
        check_folder(tmp_path / "empty" / "thesis.tex", force=True)
    with pytest.raises(ValueError, match="there is no folder"):
        check_folder(tmp_path / "a" / "b", force=False)


def test_publication_is_replaced_as_a_whole(chain, tmp_path):
    chain, path = finished_point(), tmp_path / "copper & tin"
    publish(chain, path, 100.0)
    assert (path / "left_out.csv").exists()
    publish(chain, path)
    assert not (path / "left_out.csv").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["copper & tin"]
    assert (path / "copper___tin.aiida").exists()


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    """Give a new publication under its hidden name, and the earlier one."""
    place, path = tmp_path / ".copper.partial-a1", tmp_path / "copper"
    for folder, text in ((place, "new"), (path, "old")):
        folder.mkdir()
        (folder / "README.md").write_text(text)
    return place, path


def test_the_earlier_publication_is_put_back_if_the_new_one_cannot_take_its_place(folders, monkeypatch):
    place, path = folders
    rename = Path.rename
    monkeypatch.setattr(
        Path, "rename", lambda self, target: rename(self, target) if self != place else _fail(f"no {target}")
    )
    with pytest.raises(PermissionError, match="no "):
        module._replace(place, path)
    assert (path / "README.md").read_text() == "old"
    assert {file.name for file in path.parent.iterdir()} == {"copper", ".copper.partial-a1"}


def test_it_is_said_where_the_earlier_publication_is_if_it_cannot_be_put_back(folders, monkeypatch):
    place, path = folders
    rename = Path.rename
    monkeypatch.setattr(
        Path, "rename", lambda self, target: rename(self, target) if target != path else _fail(f"no {target}")
    )
    old = path.parent / ".copper.partial-a1-replaced"
    with pytest.raises(OSError, match=rf"what was there is at '{old}' now"):
        module._replace(place, path)
    assert (old / "README.md").read_text() == "old"
    monkeypatch.undo()
    with pytest.raises(ValueError, match=rf"the publication that was '{path}' is at '{old}'"):
        check_folder(path, force=False)


def _fail(message: str) -> None:
    raise PermissionError(message)


def test_full_disk_is_told_before_anything_is_written(chain, tmp_path):
    plan = make_plan([str(chain.pk)])
    key = next(iter(plan.contents))
    huge = {**plan.contents, key: replace(plan.contents[key], size=10**18)}
    with pytest.raises(ValueError, match="GB left"):
        write_publication(_with(plan, huge), DESCRIBED, tmp_path / "copper")
    assert list(tmp_path.iterdir()) == []


def _with(plan: Plan, contents: dict) -> Plan:
    return replace(plan, contents=contents)
