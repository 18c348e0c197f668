from __future__ import annotations

import pytest
from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent
from report.stored_melting import potential

from aiida_dnpmelt.calculations.validators import both, may_run
from aiida_dnpmelt.data.trust import TRUSTED, all_codes, own_code, trust, trusted_group, untrusted

pytestmark = pytest.mark.usefixtures("aiida_profile_clean")


def came_by_an_archive(*nodes: orm.Node) -> orm.ImportGroup:
    group = orm.ImportGroup("somebody's").store()
    group.add_nodes(nodes)
    return group


def code(computer: orm.Computer, label: str = "lmp") -> orm.InstalledCode:
    return orm.InstalledCode(computer=computer, filepath_executable="/bin/true", label=label).store()


def test_what_was_made_here_may_run():
    assert untrusted([potential("own"), orm.Dict({"not": "stored"})]) == []
    assert may_run(potential("own too"), None) is None
    assert may_run(None, None) is None
    assert trusted_group() is None, "nothing was written"


def test_what_came_by_an_archive_may_run_when_it_is_trusted():
    model, other = potential("theirs"), potential("another")
    came_by_an_archive(model, other)
    problem = may_run({"seed_1": potential("own"), "seed_2": model}, None)
    assert problem == (
        f"node {model.pk} ('theirs') came by an archive and would be run: if you know where it comes from, "
        f"`aiida-dnpmelt trust {model.pk}`"
    )
    assert trust([model]) == [model]
    assert trust([model]) == [], "it is trusted already"
    assert may_run(model, None) is None
    assert may_run(other, None) is not None


def test_codes_of_archives_never_run(aiida_localhost):
    theirs = code(aiida_localhost)
    came_by_an_archive(theirs)
    assert trust([theirs]) == []
    trusted_by_hand = orm.Group(TRUSTED).store()
    trusted_by_hand.add_nodes([theirs])
    assert "codes of archives never run" in str(may_run(theirs, None))
    with pytest.raises(NotExistent, match="came by an archive"):
        own_code(theirs.full_label)


def test_a_code_of_an_archive_does_not_take_the_place_of_ours(aiida_localhost):
    own, theirs = code(aiida_localhost), code(aiida_localhost)
    potential("no code, though it is data")
    came_by_an_archive(theirs)
    assert own_code(own.full_label).pk == own.pk
    assert {each.pk for each in all_codes()} == {own.pk, theirs.pk}
    code(aiida_localhost)
    with pytest.raises(MultipleObjectsError, match="2 codes are called"):
        own_code(own.full_label)


def test_a_group_of_that_name_that_an_archive_brought_does_not_count():
    model = potential("theirs")
    came_by_an_archive(model)
    orm.Group(TRUSTED).store().add_nodes([model])
    assert untrusted([model]) == [model]
    trust([potential("own")])
    assert untrusted([model]) == [model]
    trust([model])
    assert untrusted([model]) == []
    assert trusted_group().label == f"{TRUSTED} (2)"


def test_the_first_problem_is_told():
    model = potential("theirs")
    came_by_an_archive(model)
    assert "came by an archive" in both(may_run, lambda *_: "another")(model, None)
    assert both(may_run, lambda *_: "another")(potential("own"), None) == "another"
