from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from aiida import load_profile, orm
from aiida.common.exceptions import CorruptStorage
from aiida.manage.configuration import get_config
from click.testing import CliRunner
from physics.labelled import labelled
from provenance.stored_lineage import trained
from provenance.stored_points import store
from report.stored_melting import potential

from aiida_dnpmelt.cli import main
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.data.trust import trust, untrusted
from aiida_dnpmelt.provenance.query import melting_points
from aiida_dnpmelt.setup import migrate as module
from aiida_dnpmelt.setup.codes import ensure_computer
from aiida_dnpmelt.setup.migrate import migrate
from aiida_dnpmelt.setup.migration_check import contents_of, difference
from aiida_dnpmelt.setup.postgres import Cluster
from aiida_dnpmelt.setup.profile import ProfileError, ensure_profile, ensure_url_profile


def fill(computer: orm.Computer) -> None:
    """Store something of everything: the later of two equal melting temperatures supersedes the first."""
    theirs = potential("theirs")
    orm.ImportGroup("an archive").store().add_nodes([theirs, potential("not trusted")])
    trust([theirs])
    code = orm.InstalledCode(computer=computer, filepath_executable="/bin/true", label="lmp").store()
    frames = FramesData(labelled(2), phase="solid", labeller="teacher").store()
    trained(computer, "model", frames)
    for temperature in (1320.0, 1326.4, 1e3):
        store(melting_temperature_k=temperature, atom_steps=1e22).seal()
    group = orm.Group("mine", description="of copper").store()
    group.add_nodes([code, frames])
    group.base.extras.set("campaign", {"cells": [1, 2.0]})
    orm.Comment(frames, orm.User.collection.get_default(), "these are good").store()
    for process in orm.QueryBuilder().append(orm.ProcessNode).all(flat=True):
        process.logger.warning("something was said")
        if not process.is_sealed:
            process.seal()


@pytest.fixture
def source(aiida_profile_clean, tmp_path):
    """Give a profile with something of everything; it is loaded again after the test."""
    computer, _ = ensure_computer(tmp_path / "scratch")
    fill(computer)
    yield aiida_profile_clean
    load_profile(aiida_profile_clean.name, allow_switch=True)


@pytest.fixture
def target(source):
    """Give an empty profile on SQLite: what is to be shown does not depend on the storage."""
    list(ensure_profile("target"))
    yield get_config().get_profile("target")
    load_profile(source.name, allow_switch=True)
    get_config().remove_profile("target")


@pytest.fixture
def on_postgres(source):
    """Give an empty profile on a PostgreSQL cluster."""
    folder = Path(tempfile.mkdtemp(prefix="dnpmelt-migrate-"))
    folder.chmod(0o711)  # root's server runs as another account, which has to get in
    cluster = Cluster.create(folder / "cluster", durable=False)
    try:
        cluster.start()
        config = cluster.create_database("target")
        user, password = config["database_username"], config["database_password"]
        list(ensure_url_profile("pg", f"postgresql://{user}:{password}@127.0.0.1:{cluster.state.port}/target"))
        yield get_config().get_profile("pg")
        load_profile(source.name, allow_switch=True)
        get_config().remove_profile("pg")
    finally:
        cluster.stop()
        shutil.rmtree(folder)


def test_all_arrives_on_postgresql_potcar_files_as_well(source, potcar_family, on_postgres):
    before = contents_of()
    points = [(point.melting_temperature_k, point.superseded) for point in melting_points(everything=True)]
    result = CliRunner().invoke(main, ["migrate", "-p", source.name, "--to", on_postgres.name])
    assert result.exit_code == 0, result.output
    assert f"[OK] {before.nodes} nodes are the same: " in result.output
    assert "1 PotcarFileData" in result.output
    assert "1 comments, 4 lines of logs" in result.output
    assert "[OK] 3 melting temperatures are the same" in result.output
    load_profile(on_postgres.name, allow_switch=True)
    assert difference(before, contents_of()) == []
    assert points == [(point.melting_temperature_k, point.superseded) for point in melting_points(everything=True)]
    assert orm.load_computer("localhost").is_configured
    query = orm.QueryBuilder().append(PotentialData, filters={"label": {"in": ["theirs", "not trusted"]}})
    theirs, other = sorted(query.all(flat=True), key=lambda node: node.label, reverse=True)
    assert untrusted([theirs, other]) == [other]
    assert "_aiida_hash" in theirs.base.extras.all


def test_what_setup_made_gives_way_and_it_can_be_run_again(source, target, tmp_path):
    load_profile(target.name, allow_switch=True)
    computer, _ = ensure_computer(tmp_path / "other")
    orm.InstalledCode(computer=computer, filepath_executable="/bin/false", label="lmp").store()
    load_profile(source.name, allow_switch=True)
    assert "1 codes, 1 computers that setup made there give way" in "\n".join(migrate(source, target))
    assert "nodes of an earlier migration are there" in "\n".join(migrate(source, target))


def test_a_target_with_results_is_refused_and_stays_as_it_is(source, target):
    load_profile(target.name, allow_switch=True)
    store()
    before = contents_of()
    load_profile(source.name, allow_switch=True)
    result = CliRunner().invoke(main, ["migrate", "-p", source.name, "--to", target.name])
    assert result.exit_code == 1
    assert "the target has 2 nodes of its own: name an empty profile" in result.output
    load_profile(target.name, allow_switch=True)
    assert difference(before, contents_of()) == []


def test_a_code_that_the_source_lacks_is_not_removed(source, target, tmp_path):
    load_profile(target.name, allow_switch=True)
    computer, _ = ensure_computer(tmp_path / "other")
    orm.InstalledCode(computer=computer, filepath_executable="/bin/false", label="mine").store()
    load_profile(source.name, allow_switch=True)
    with pytest.raises(ProfileError, match="the target has mine@localhost, which the source lacks"):
        list(migrate(source, target))


def test_running_processes_are_refused(source, target):
    chain = store()
    with pytest.raises(ProfileError, match=rf"1 processes of '.*' have not ended \({chain.pk}\): wait for them"):
        list(migrate(source, target))


def test_the_profile_itself_and_an_unknown_one_are_refused(source):
    for name, message in ((source.name, "is the profile that is to be moved"), ("nobody", "run `aiida-dnpmelt setup`")):
        result = CliRunner().invoke(main, ["migrate", "-p", source.name, "--to", name])
        assert result.exit_code == 1
        assert message in result.output


def test_one_that_was_ended_is_run_again(source, target, monkeypatch):
    def end(*_, **__):
        raise CorruptStorage("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(module, "import_archive", end)
        result = CliRunner().invoke(main, ["migrate", "-p", source.name, "--to", target.name])
    assert result.exit_code == 1
    assert f"the disk is full: '{source.name}' is as it was; run the command again" in result.output
    assert "nodes are the same" in "\n".join(migrate(source, target))


def test_differences_are_found(source, target):
    list(migrate(source, target))
    before = contents_of()
    load_profile(target.name, allow_switch=True)
    model = orm.QueryBuilder().append(orm.Data, filters={"label": "theirs"}).one()[0]
    model.base.extras.set("something", 1)
    orm.load_group("mine").remove_nodes([orm.load_code("lmp@localhost")])
    orm.Comment(model, orm.User.collection.get_default(), "more").store()
    assert difference(before, contents_of()) == [
        f"1 nodes differ: {model.uuid}",
        "1 members of groups differ",
        "1 comments differ",
    ]
