from __future__ import annotations

from uuid import uuid4

import pytest
from aiida import orm
from provenance.stored_points import store

BAD = {
    "element=Xx": "element is 'Xx', it can be a chemical symbol",
    "element=<b>": "element is '<b>'",
    "verdict=good": "it can be one of valid, unfinished, invalid",
    "from=nan": "from is 'nan', it can be a pressure from -1000 to 100000 GPa",
    "from=inf": "from is 'inf'",
    "to=many": "to is 'many'",
    "to=1e9": "to is '1e9'",
    "from=5&to=1": "from 5 to 1 GPa, which is no range",
    "all=yes": "all is 'yes', it can be 1",
    "page=0": "page is '0', it can be a number from 1 to 1000000",
    "page=-1": "page is '-1'",
    "page=1.5": "page is '1.5'",
    "page=99999999999999999999": "page is",
    "sort=secret": "sort is 'secret', it can be one of element, lattice",
    "sort=--element": "sort is '--element'",
    "element=Cu&element=Al": "element is there more than once",
    "where=1": "'where' is no parameter of this page, it can be one of element",
    "potential=" + "a" * 101: "potential is longer than 100 characters",
    "protocol=%00": "protocol is longer than 100 characters, or not all of it is text",
}


@pytest.mark.parametrize("question", BAD)
def test_bad_parameters_are_refused_with_a_reason(guest, question):
    assert BAD[question] in guest.refused(f"/?{question}")


@pytest.mark.parametrize("path", ["/pressure", "/experiment"])
def test_other_pages_refuse_them_as_well(guest, path):
    assert "element is 'Xx'" in guest.refused(f"{path}?element=Xx")
    assert "no parameter" in guest.refused(f"{path}?page=2")


def test_empty_parameters_are_no_conditions(visitor):
    store()
    page = visitor.see("/?element=&from=&to=&potential=&protocol=&verdict=&sort=&page=")
    assert page.column("element") == ["Cu"]


@pytest.mark.parametrize("kind", ["point", "report", "lineage", "node"])
def test_a_node_is_named_by_uuid_or_pk(guest, kind):
    for bad in ("0", "-1", "01", "1.0", "2147483648", "9" * 30, "x", "%27", "0a1b2c3d", f"{uuid4()}x"):
        assert "is neither a whole UUID nor a PK from 1 to 2147483647" in guest.refused(f"/{kind}/{bad}")
    for missing in ("2147483647", str(uuid4())):
        assert f"there is no node {missing}" in guest.refused(f"/{kind}/{missing}", 404)
    assert "no parameter of this page, it can be none here" in guest.refused(f"/{kind}/1?x=1")


def test_uuids_may_be_written_in_capitals(guest):
    node = orm.Int(3).store()
    assert guest.see(f"/node/{node.uuid.upper()}").text == guest.see(f"/node/{node.pk}").text
