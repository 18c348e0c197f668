from __future__ import annotations

import re

import pytest
from aiida import orm
from physics.labelled import labelled
from publication.stored_publications import finished_point

from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.publication.references import references
from aiida_dnpmelt.publication.selection import select
from aiida_dnpmelt.report.citations import citations

_DOI = re.compile(r"doi:(10\.[^;\s]+[^;.\s])")


def frames(**facts: str) -> FramesData:
    node = FramesData(labelled(2), phase="solid", labeller="a teacher", label="frames")
    node.base.attributes.set_many(facts)
    return node.store()


def dois(pks: set[int]) -> set[str]:
    return {reference.fields["doi"] for reference in references(pks) if "doi" in reference.fields}


@pytest.fixture(scope="module")
def pks(aiida_profile) -> set[int]:
    return select([str(finished_point().pk)]).pks


def test_the_same_is_cited_as_on_the_page(pks):
    expected = {doi for text in citations(with_deepmd=True) for doi in _DOI.findall(text)}
    assert len(expected) == 5
    assert dois(pks) == {*expected, "10.1000/xyz123"}


def test_only_what_was_used_is_cited(pks):
    keys = {reference.key for reference in references({orm.Int(1).store().pk})}
    assert keys == {"aiida_dnpmelt", "andolina2024", "huber2020", "uhrin2021"}
    more = {reference.key for reference in references(pks)}
    assert {"thompson2022", "zeng2025"} <= more
    assert not {"kresse1996", "aiida_vasp", "aiida_lammps"} & more


@pytest.mark.parametrize(
    ("kind", "plugin", "cited", "version"),
    [
        ("lammps.base", "2.0.1", {"thompson2022", "aiida_lammps"}, "2.0.1"),
        ("lammps.raw", None, {"thompson2022", "aiida_lammps"}, None),
        ("vasp.vasp", "5.2.0", {"kresse1996", "kresse1999", "aiida_vasp"}, "5.2.0"),
        ("dnpmelt.vasp_md", "0.1", {"kresse1996", "kresse1999", "aiida_vasp"}, None),
        ("dnpmelt.coexistence", "0.1", {"thompson2022"}, None),
        ("dnpmelt.deepmd_train", "0.1", {"zeng2025"}, None),
        ("core.arithmetic.add", "2.9.0", set(), None),
    ],
)
def test_plugins_are_cited_where_jobs_ran_through_them_with_the_version_that_they_name(
    aiida_profile, aiida_localhost, kind, plugin, cited, version
):
    job = orm.CalcJobNode(computer=aiida_localhost, process_type=f"aiida.calculations:{kind}")
    job.base.attributes.set("version", {"core": "2.9.0", **({"plugin": plugin} if plugin else {})})
    found = references({job.store().pk})
    assert {each.key for each in found} - {"aiida_dnpmelt", "andolina2024", "huber2020", "uhrin2021"} == cited
    assert [each.fields.get("version") for each in found if each.key in ("aiida_lammps", "aiida_vasp")] == (
        [version] if cited & {"aiida_lammps", "aiida_vasp"} else []
    )


@pytest.mark.parametrize("facts", [{"labeller": "vasp"}, {"source": "vasprun"}])
def test_vasp_is_cited_where_frames_are_of_it_and_its_plugin_is_not(aiida_profile, facts):
    keys = {reference.key for reference in references({frames(**facts).pk})}
    assert {"kresse1996", "kresse1999"} <= keys
    assert "aiida_vasp" not in keys


def test_origin_of_frames_is_cited_once(aiida_profile):
    pks = {frames(origin="https://example.org/set, commit 12").pk for _ in range(2)}
    (origin,) = [each for each in references(pks) if each.kind == "misc"]
    assert origin.fields["url"] == "https://example.org/set"
    assert "origin of frames: https://example.org/set, commit 12" in origin.fields["note"]
