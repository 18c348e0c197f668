from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from aiida import load_profile, orm
from aiida.manage.configuration import get_config
from click.testing import CliRunner, Result
from physics.labelled import labelled
from provenance.hand_made_archives import changed, write_archive
from provenance.stored_lineage import trained
from provenance.stored_points import cohesive_energy, store, store_chain
from provenance.stored_traces import lineage
from report.stored_melting import potential

from aiida_dnpmelt.cli import main
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.trust import TRUSTED, untrusted
from aiida_dnpmelt.setup.codes import ensure_computer

ESCAPES = "\x1b]0;owned\x07\x1b[2Jcu\u202e"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def must(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code != 0, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    return result.output


def seal_all() -> None:
    """End the life of all processes, as those have that ran: an archive takes no others."""
    for node in orm.QueryBuilder().append(orm.ProcessNode).all(flat=True):
        if not node.is_sealed:
            node.seal()


@pytest.fixture
def profile(aiida_profile_clean):
    """Give the profile of the test, which is loaded again afterwards; archives that were opened are closed."""
    yield aiida_profile_clean
    load_profile(aiida_profile_clean.name, allow_switch=True)
    for each in list(get_config().profiles):
        if each.storage_backend == "core.sqlite_zip":
            get_config().delete_profile(each.name, delete_storage=False)


@pytest.fixture
def small(profile, tmp_path) -> Path:
    """Give an archive of one melting temperature and one potential."""
    store()
    potential("theirs")
    seal_all()
    return write_archive(tmp_path / "small one.aiida")


class TestOpen:
    def test_all_commands_say_the_same_as_at_the_source(self, profile, aiida_localhost, tmp_path):
        chain, point = store_chain().pk, store(melting_temperature_k=1330.0).pk
        frames = FramesData(labelled(2), phase="solid", labeller="teacher").store()
        model = trained(aiida_localhost, "model", frames)
        trained(aiida_localhost, "another", model)
        for pressure in (0.0, 5.0, 10.0):
            store(element="Ni", pressure_gpa=pressure, melting_temperature_k=1700 + 40 * pressure)
        cohesive_energy()
        one, two = lineage(aiida_localhost), lineage(aiida_localhost, training_seed=8, pressure_gpa=2.0)
        first, second, labels = one.chain.pk, two.chain.pk, one.first.pk
        curve = json.loads(must("tm", "curve", "--element", "Ni", "--format", "json", "-p", profile.name))["pk"]
        frames_pk = frames.pk
        seal_all()
        must("open", str(write_archive(tmp_path / "all.aiida")), "--name", "opened")
        for words in (
            f"tm list --all --format json;tm show {chain} --format json;tm show {point};"
            f"tm list --all --frames {frames_pk} --format json;tm frames {point};tm curve --element Ni --format json;"
            "tm experiment --unfinished --format json;tm cohesive --format json;potential list --format json;"
            f"tm list --by element,pressure --sort -temperature;tm list --where atoms>100 --format latex;"
            f"tm trace {first};tm trace {first} --format json;impact {labels} --format json;impact {labels};"
            f"tm compare {first} {second};tm compare {first} {second} --format json;tm audit {second} --format json;"
            f"tm cost --by result,stage --format json;"
            f"potential show model --format json;tm show 99999;tm sweep {point};tm size {curve};status"
        ).split(";"):
            there, here = (run(*words.split(), "-p", name) for name in (profile.name, "opened"))
            assert (here.exit_code, here.output) == (there.exit_code, there.output), words
            assert here.output

    def test_what_is_in_it_and_how_to_go_on(self, small, profile):
        lines = must("open", str(small)).splitlines()
        assert lines[0].startswith("[OK] profile 'small-one' reads '")
        assert "3 nodes: 1 Dict, 1 PotentialData, 1 WorkChainNode" in lines
        assert "1 melting temperatures, 1 of them valid: Cu" in lines
        assert "Next: aiida-dnpmelt tm list --all -p small-one" in lines
        again = must("open", str(small))
        assert again.startswith("[OK] profile 'small-one' is this archive already")
        load_profile(profile.name, allow_switch=True)
        small.rename(small.with_name("moved"))
        assert "open its archive again, or forget it by" in refused("tm", "list", "-p", "small-one")
        assert "is gone, the file" in must("open", "--close", "small-one")
        assert small.with_name("moved").is_file()
        assert "'small-one' is no archive that was opened: none is open" in refused("open", "--close", "small-one")

    def test_wrong_input_is_told(self, small, profile):
        assert "is refused: it is no zip file" in refused("open", __file__)
        assert "give either FILE" in refused("open")
        assert "give either FILE" in refused("open", str(small), "--close", "x")
        assert f"'{profile.name}' exists and is not this archive" in refused("open", str(small), "--name", profile.name)
        assert "is made of letters" in refused("open", str(small), "--name", "a/b")
        assert [each.name for each in get_config().profiles if each.storage_backend == "core.sqlite_zip"] == []

    def test_nothing_is_stored_and_nothing_runs(self, profile, tmp_path):
        for pressure in (0.0, 5.0, 10.0):
            store(pressure_gpa=pressure, melting_temperature_k=1300 + 40 * pressure)
        seal_all()
        archive = write_archive(tmp_path / "all.aiida")
        before = archive.read_bytes()
        must("open", str(archive), "--name", "opened")
        for words in (
            "tm curve --element Cu",
            "launch tpc --element Cu --potential 1",
            f"import archive {archive}",
            "potential test 1 2",
            "trust 1",
        ):
            text = refused(*words.split(), "-p", "opened")
            assert "profile 'opened' is an archive that was opened and can only be read" in text, words
        for words in ("services up", "services down", "services status"):
            assert "nothing runs in it" in refused(*words.split(), "-p", "opened")
        assert "is an archive that was opened" in refused("setup", "-p", "opened")
        assert "OK      storage" in must("doctor", "-p", "opened")
        assert archive.read_bytes() == before

    def test_what_is_refused_is_not_opened(self, small, tmp_path):
        bad = changed(small, tmp_path / "bad.aiida", "CREATE VIEW evil AS SELECT 1")
        assert f"'{bad}' is refused: its database has the view 'evil'" in refused("open", str(bad))
        assert "bad" not in get_config().profile_names

    def test_text_of_an_archive_reaches_the_terminal_as_text(self, profile, tmp_path):
        chain = store(potential_label=ESCAPES, protocol=ESCAPES, reasons=[ESCAPES, "<script>alert(1)</script>"]).pk
        potential(ESCAPES, origin=ESCAPES)
        seal_all()
        must("open", str(write_archive(tmp_path / f"{ESCAPES[-3:]}.aiida")), "--name", "opened")
        for words in ("tm list", "tm list --format csv", f"tm show {chain}", "potential list", "status"):
            text = must(*words.split(), "-p", "opened")
            assert not set(text) & {"\x1b", "\x07", "\u202e"}, words
        assert "\\x1b]0;owned\\x07" in must("tm", "show", str(chain), "-p", "opened")
        assert json.loads(must("tm", "list", "--format", "json", "-p", "opened"))[0]["protocol"] == ESCAPES
        assert "\x1b" not in refused("potential", "show", ESCAPES + "x", "-p", "opened")


class TestImport:
    @pytest.fixture
    def own(self, small, profile, tmp_path):
        """Give a profile of another user, set up, with nothing in it."""
        profile.reset_storage()
        ensure_computer(tmp_path / "scratch")
        return profile

    def test_nothing_of_it_runs_until_it_is_trusted(self, own, small):
        text = must("import", "archive", str(small), "-p", own.name)
        assert "[OK] 3 new nodes, 0 were here before: group 'small one-" in text
        model = orm.QueryBuilder().append(orm.Data, filters={"label": "theirs"}).one()[0]
        assert untrusted([model]) == [model]
        group = text.split("aiida-dnpmelt trust '")[1].split("'")[0]
        text = must("trust", group, "-p", own.name)
        assert f"[OK] potential {model.pk} may run: theirs, deepmd, SHA-256 {model.sha256[:12]}" in text
        assert untrusted([model]) == []
        assert "[OK] 0 nodes are trusted now" in must("trust", str(model.pk), "-p", own.name)
        assert "there is no group and no node 'no such'" in refused("trust", "no such", "-p", own.name)

    def test_one_that_fails_leaves_nothing(self, own, small, tmp_path):
        """A link that AiiDA does not take, and that could do no harm: its import ends in the middle."""
        statement = "UPDATE db_dblink SET type = 'call_work'"
        bad = changed(small, tmp_path / "bad.aiida", statement)
        before = [orm.QueryBuilder().append(entity).count() for entity in (orm.Node, orm.Computer, orm.Group)]
        text = refused("import", "archive", str(bad), "-p", own.name)
        assert "was not taken in: Cannot add a 'call_work' link" in text
        after = [orm.QueryBuilder().append(entity).count() for entity in (orm.Node, orm.Computer, orm.Group)]
        assert after == [*before[:2], before[2] + 1], "the group of the trusted is there, as after any import"

    def test_trust_can_be_given_at_once(self, own, small):
        assert "may run: theirs" in must("import", "archive", str(small), "--trust", "-p", own.name)

    def test_launches_refuse_it_before_anything_is_submitted(self, own, small, lmp_deepmd_code):
        must("import", "archive", str(small), "-p", own.name)
        nodes = orm.QueryBuilder().append(orm.Node).count()
        command = ("launch", "tpc", "--element", "Cu", "--potential", "theirs", "-p", own.name)
        assert "('theirs') came by an archive and would be run" in refused(*command)
        assert orm.QueryBuilder().append(orm.Node).count() == nodes

    def test_what_was_here_before_stays_trusted(self, small, profile, tmp_path):
        ensure_computer(tmp_path / "scratch")
        model = orm.QueryBuilder().append(orm.Data, filters={"label": "theirs"}).one()[0]
        text = must("import", "archive", str(small), "-p", profile.name)
        assert "[OK] 0 new nodes, 3 were here before" in text
        assert untrusted([model]) == []

    def test_an_archive_cannot_trust_itself(self, small, profile, tmp_path):
        model = orm.QueryBuilder().append(orm.Data, filters={"label": "theirs"}).one()[0]
        orm.Group(TRUSTED).store().add_nodes([model])
        archive = write_archive(tmp_path / "sly.aiida")
        profile.reset_storage()
        ensure_computer(tmp_path / "scratch")
        must("import", "archive", str(archive), "-p", profile.name)
        model = orm.QueryBuilder().append(orm.Data, filters={"label": "theirs"}).one()[0]
        assert untrusted([model]) == [model]

    def test_a_computer_of_an_archive_does_not_become_ours(self, small, profile, tmp_path):
        profile.reset_storage()
        assert "has no computer 'localhost' yet" in refused("import", "archive", str(small), "-p", profile.name)
        orm.Computer("localhost", "evil.org", transport_type="core.local", scheduler_type="core.direct").store()
        with pytest.raises(ValueError, match="computer 'localhost' is not configured: it came by an archive"):
            ensure_computer(tmp_path / "scratch")

    def test_a_file_that_is_given_by_hand_is_trusted(self, own, small, potentials_folder, tmp_path):
        from aiida_dnpmelt.data.potential import PotentialData

        file = potentials_folder / "Cu_u3.eam"
        PotentialData.from_file(file).store()
        archive = write_archive(tmp_path / "copper.aiida")
        own.reset_storage()
        ensure_computer(tmp_path / "scratch")
        must("import", "archive", str(archive), "-p", own.name)
        model = PotentialData.find(file)
        assert untrusted([model]) == [model]
        assert "It was stored before" in must("import", "potential", os.fspath(file), "-p", own.name)
        assert untrusted([model]) == []
