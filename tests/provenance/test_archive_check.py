from __future__ import annotations

import stat
import warnings
import zipfile

import pytest
from provenance.hand_made_archives import changed, key_of, repacked, with_member, write_archive
from provenance.stored_points import store
from report.stored_melting import potential

from aiida_dnpmelt.provenance import archive_check, archive_database
from aiida_dnpmelt.provenance.archive_check import check_archive
from aiida_dnpmelt.provenance.archive_database import ArchiveError

CHAIN = "node_type LIKE 'process.%'"
POTENTIAL = "node_type LIKE '%PotentialData.'"


@pytest.fixture(scope="module")
def archive(aiida_profile, tmp_path_factory):
    """Give an archive of a melting temperature and a potential."""
    chain = store()
    chain.seal()
    return write_archive(tmp_path_factory.mktemp("archive") / "small.aiida", [chain, potential("cu")])


def refused(path) -> str:
    with pytest.raises(ArchiveError) as refusal:
        check_archive(path)
    return str(refusal.value)


def test_an_archive_of_aiida_is_taken(archive):
    found = check_archive(archive)
    assert found.contents.nodes == 3
    assert found.contents.kinds == {"Dict": 1, "PotentialData": 1, "WorkChainNode": 1}
    assert (found.contents.foreign, found.contents.codes) == ([], [])


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_what_is_cut_is_refused(archive, tmp_path, share):
    whole = archive.read_bytes()
    (tmp_path / "cut.aiida").write_bytes(whole[: int(share * len(whole))])
    assert "no zip file that can be read to its end" in refused(tmp_path / "cut.aiida")


def test_a_damaged_file_is_refused(archive, tmp_path):
    target = repacked(archive, tmp_path / "x.aiida", lambda name, text: text + b"!" if "repo/" in name else text)
    assert "holds something else than its name says" in refused(target)


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/cron.d/x", "repo/../../x", "repo/" + "g" * 64, "repo/x/y", "a.py"]
)
def test_names_that_do_not_belong_are_refused(archive, tmp_path, name):
    assert f"'{name}' is in it" in refused(with_member(archive, tmp_path / "x.aiida", name))


def test_links_and_doubles_are_refused(archive, tmp_path):
    link = zipfile.ZipInfo(key_of(b"/etc/passwd"))
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert "is a link" in refused(with_member(archive, tmp_path / "link.aiida", link, b"/etc/passwd"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        double = with_member(archive, tmp_path / "double.aiida", "db.sqlite3")
    assert "'db.sqlite3' is in it more than once" in refused(double)


def test_a_part_that_is_missing_is_named(archive, tmp_path):
    target = repacked(archive, tmp_path / "x.aiida", lambda name, text: None if name == "metadata.json" else text)
    assert refused(target) == "it lacks metadata.json"


def test_a_zip_bomb_is_refused_before_it_is_unpacked(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(archive_check, "SMALL_BYTES", 10**6)
    bomb = bytes(5 * 10**7)
    assert "a zip bomb" in refused(with_member(archive, tmp_path / "bomb.aiida", key_of(bomb), bomb))
    monkeypatch.setattr(archive_check, "LARGEST_BYTES", 10**7)
    assert "unpacked it would be 0 GB, more than 0.01 GB" in refused(tmp_path / "bomb.aiida")
    monkeypatch.setattr(archive_check, "MOST_FILES", 2)
    assert "files, more than 2" in refused(tmp_path / "bomb.aiida")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (b"{", "metadata.json is no JSON"),
        (b"[" * 100_000, "metadata.json is no JSON"),
        (b"[]", "does not say which version of the format it is"),
        (b'{"export_version": 3}', "does not say which version of the format it is"),
        (b'{"export_version": "main_0001", "key_format": "md5"}', "its files are named by 'md5' instead of SHA-256"),
        (b'{"export_version": "main_0000"}', "`verdi archive migrate 'x.aiida' 'new_x.aiida'`"),
        (b'{"export_version": "main_0001"' + b" " * 2000 + b"}", "metadata.json has 2031 bytes, more than 1000"),
    ],
)
def test_metadata_of_another_kind_is_refused(archive, tmp_path, monkeypatch, metadata, message):
    monkeypatch.setattr(archive_check, "LARGEST_METADATA", 1000 if len(metadata) < 3000 else 10**6)
    target = repacked(archive, tmp_path / "x.aiida", lambda name, text: metadata if name == "metadata.json" else text)
    assert message in refused(target)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("CREATE TRIGGER evil AFTER UPDATE ON db_dbnode BEGIN SELECT 1; END", "its database has the trigger 'evil'"),
        ("CREATE VIEW evil AS SELECT * FROM db_dbnode", "its database has the view 'evil'"),
        ("CREATE VIRTUAL TABLE evil USING rtree(a, b, c)", "its database has the virtual table 'evil'"),
        ("CREATE TABLE evil (a)", "it has the table 'evil'"),
        ("DROP TABLE db_dbcomment", "it lacks the table 'db_dbcomment'"),
        ("ALTER TABLE db_dbnode ADD COLUMN evil AS (upper(label))", "a computed column in db_dbnode"),
        ("CREATE INDEX evil ON db_dbnode (upper(label))", "the index 'evil' of a computed value"),
        ("ALTER TABLE db_dbnode RENAME COLUMN extras TO other", "db_dbnode lacks 'extras'"),
        ("UPDATE db_dblink SET input_id = 12345", "a row of db_dblink points to none of db_dbnode"),
        ("UPDATE db_dbnode SET attributes = '{'", "attributes that are no JSON object"),
        ("UPDATE db_dbnode SET extras = '[]'", "extras that are no JSON object"),
        (f"UPDATE db_dbnode SET attributes = '{{\"a\": {'[' * 2000}{']' * 2000}}}'", "attributes that are no JSON"),
        ("UPDATE db_dbnode SET label = x'ff00'", "a label that is no text"),
        ("UPDATE db_dbnode SET ctime = 'now'", "a ctime that is no time"),
        ("UPDATE db_dbnode SET uuid = '../../etc/passwd-' || id", "a UUID that is none"),
    ],
)
def test_a_database_unlike_that_of_aiida_is_refused(archive, tmp_path, statement, message):
    assert message in refused(changed(archive, tmp_path / "x.aiida", statement))


def test_large_values_are_refused_before_they_are_loaded(archive, tmp_path, monkeypatch):
    statement = "UPDATE db_dbnode SET extras = '{\"a\": \"' || hex(zeroblob(3000000)) || '\"}'"
    target = changed(archive, tmp_path / "x.aiida", statement)
    assert check_archive(target).contents.nodes == 3
    monkeypatch.setattr(archive_database, "LARGEST_JSON", 5 * 10**6)
    assert "a value of db_dbnode.extras has 6000009 bytes, more than 5000000" in refused(target)
    monkeypatch.setattr(archive_database, "MOST_NODES", 2)
    assert "it has 3 nodes, more than 2" in refused(target)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ("'$.checkpoints', '!!python/object/apply:os.system [id]'", "has a checkpoint, which a daemon would run"),
        ("'$.sealed', json('false')", "has not ended: a daemon would go on with it"),
        ("'$.sealed', json('null')", "has not ended: a daemon would go on with it"),
    ],
)
def test_what_a_daemon_would_run_is_refused(archive, tmp_path, attributes, message):
    statement = f"UPDATE db_dbnode SET attributes = json_set(attributes, {attributes}) WHERE {CHAIN}"
    assert message in refused(changed(archive, tmp_path / "x.aiida", statement))


def test_a_type_that_keeps_its_checkpoint_in_an_import_is_refused(archive, tmp_path):
    """AiiDA drops the checkpoints of types that begin with `process`, and takes `node.process` for the same class."""
    statement = f"UPDATE db_dbnode SET node_type = 'node.' || node_type WHERE {CHAIN}"
    target = changed(archive, tmp_path / "x.aiida", statement)
    assert "WorkChainNode.', which is neither of data nor of a process" in refused(target)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("antigravity.geohash", "AiiDA would import that module"),
        ("ase.io.read", "AiiDA would import that module"),
        ("os; import evil", "which is none"),
        ("aiida.workflows:../x", "which is none"),
    ],
)
def test_process_types_that_would_import_a_module_are_refused(archive, tmp_path, kind, message):
    statement = f"UPDATE db_dbnode SET process_type = '{kind}' WHERE {CHAIN}"
    assert message in refused(changed(archive, tmp_path / "x.aiida", statement))


@pytest.mark.parametrize("kind", ["aiida.workflows:other.thing", "not_installed_here.functions.compute"])
def test_processes_of_packages_that_are_not_here_are_listed(archive, tmp_path, kind):
    target = changed(
        archive,
        tmp_path / "x.aiida",
        f"UPDATE db_dbnode SET process_type = '{kind}' WHERE {CHAIN}",
        f"UPDATE db_dbnode SET node_type = 'data.other.Thing.' WHERE {POTENTIAL}",
    )
    assert check_archive(target).contents.foreign == ["data.other.Thing.", kind]


@pytest.mark.parametrize(
    ("repository", "message"),
    [
        ('{"o": {"../../x": {"k": "KEY"}}}', "has a file of the name '../../x'"),
        ('{"o": {"a": {"o": {"..": {"k": "KEY"}}}}}', "has a file of the name '..'"),
        ('{"o": {"a": {"k": "../../../etc/passwd"}}}', "has the file 'a', whose content is not there"),
        ('{"o": [1]}', "a list of files is none"),
    ],
)
def test_file_names_that_lead_elsewhere_are_refused(archive, tmp_path, repository, message):
    with zipfile.ZipFile(archive) as source:
        key = next(name for name in source.namelist() if name.startswith("repo/")).removeprefix("repo/")
    text = repository.replace("KEY", key)
    statement = f"UPDATE db_dbnode SET repository_metadata = '{text}' WHERE {CHAIN}"
    assert message in refused(changed(archive, tmp_path / "x.aiida", statement))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("'$.sha256', '" + "0" * 64 + "'", "its file has another name or SHA-256"),
        ("'$.filename', '../../.bashrc'", "its file has another name or SHA-256"),
        ("'$.filename', json('[1]')", "its database holds what AiiDA does not write"),
        ("'$.type_map', json('[\"Cu\\nshell rm\"]')", "is of no elements"),
    ],
)
def test_potentials_that_are_not_what_they_say_are_refused(archive, tmp_path, change, message):
    statement = f"UPDATE db_dbnode SET attributes = json_set(attributes, {change}) WHERE {POTENTIAL}"
    assert message in refused(changed(archive, tmp_path / "x.aiida", statement))


def test_links_in_a_circle_are_refused(archive, tmp_path):
    """Who follows models to what they were trained on would never come to an end."""
    statement = "INSERT INTO db_dblink (input_id, output_id, label, type) VALUES ({}, {}, 'x', '{}')"
    target = changed(
        archive,
        tmp_path / "x.aiida",
        statement.format("(SELECT min(id) FROM db_dbnode)", "(SELECT max(id) FROM db_dbnode)", "create"),
        statement.format("(SELECT max(id) FROM db_dbnode)", "(SELECT min(id) FROM db_dbnode)", "input_calc"),
    )
    assert "comes of itself" in refused(target)
