from __future__ import annotations

import gzip
import io

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.manage import get_manager
from publication.stored_publications import finished_point, made, seal
from report.stored_melting import chain_node, end, unstored_potential
from vasp_jobs import MARKER

from aiida_dnpmelt.publication.contents import nodes_with_files, read_contents
from aiida_dnpmelt.publication.gate import LicenceError, Refusal, check_licences, refusals
from aiida_dnpmelt.publication.plan import make_plan

HEAD = " PAW_PBE Cu 22Jun2005\n 11.0000000000000\n parameters from PSCTR are:\n   VRHFIN =Cu: d10 p1\n"
OUTCAR = " vasp.6.4.2\n POTCAR:    PAW_PBE Cu 22Jun2005\n   VRHFIN =Cu: d10 p1\n   TITEL  = PAW_PBE Cu 22Jun2005\n"
TEXTS = {
    "head": HEAD,
    "cut head": HEAD.partition(" parameters")[0],
    "end": "0.1 0.2\n End of Dataset\n",
    "controls": "x\nEND of PSCTR-controll parameters\n",
    "late": "x" * 2_000_000 + HEAD,
}


def refused(node: orm.Node) -> list[Refusal]:
    backend = get_manager().get_profile_storage()
    nodes = nodes_with_files(backend, [node.pk])
    return refusals(backend, nodes, read_contents(backend, nodes))


def file(text: str | bytes, name: str = "file.txt") -> orm.SinglefileData:
    content = text.encode() if isinstance(text, str) else text
    return orm.SinglefileData(io.BytesIO(content), name).store()


def folder(path: str, text: str) -> orm.FolderData:
    node = orm.FolderData()
    node.base.repository.put_object_from_filelike(io.BytesIO(text.encode()), path)
    return node.store()


@pytest.mark.parametrize("name", TEXTS)
def test_text_of_a_potcar_is_refused_under_any_name(aiida_profile, name):
    (refusal,) = refused(file(TEXTS[name]))
    assert refusal.place == "file.txt"
    assert refusal.kind == "SinglefileData"


@pytest.mark.parametrize("name", ["POTCAR", "POTCAR.gz", "potcar_Cu", "POTCAR.Cu"])
def test_file_that_is_called_so_is_refused_whatever_is_in_it(aiida_profile, name):
    (refusal,) = refused(folder(f"deep/inside/{name}", "nothing"))
    assert (refusal.place, refusal.reason) == (f"deep/inside/{name}", "is called so")


def test_packed_potcar_is_refused(aiida_profile):
    (refusal,) = refused(file(gzip.compress(HEAD.encode()), "files.gz"))
    assert "PSCTR" in refusal.reason


def test_text_among_attributes_is_refused(aiida_profile):
    (refusal,) = refused(orm.Dict({"deep": {"inside": [HEAD]}}).store())
    assert refusal.place == "attributes, extras, label or description"


def test_text_in_comments_logs_and_extras_is_refused(aiida_profile):
    node = orm.CalcFunctionNode().store()
    node.base.comments.add(HEAD)
    node.logger.error(HEAD)
    node.base.extras.set("pasted", HEAD)
    assert [refusal.place.partition(",")[0] for refusal in refused(node)] == ["attributes", "comments", "logs"]


@pytest.mark.parametrize("text", [OUTCAR, "PAW_PBE Cu 22Jun2005", "<c>PAW_PBE Cu</c>", "PAW_PBE Cu\nand no number\n"])
def test_what_only_names_a_potcar_passes(aiida_profile, text):
    assert refused(file(text)) == []
    assert refused(folder("OUTCAR", text)) == []
    assert refused(folder("MY_POTCARS.md", text)) == []


def test_potcar_file_data_is_refused_and_potcar_data_is_not(potcar_family):
    from aiida_vasp.data.potcar import PotcarData, PotcarFileData

    (stored,) = orm.QueryBuilder().append(PotcarFileData).all(flat=True)
    assert {refusal.reason for refusal in refused(stored)} == {"is the POTCAR itself"}
    (used,) = orm.QueryBuilder().append(PotcarData).all(flat=True)
    assert refused(used) == []


def test_message_names_the_nodes(aiida_profile):
    node = folder("raw/POTCAR", HEAD)
    with pytest.raises(LicenceError, match=rf"(?s)1 places hold POTCAR text.*{node.pk} \(FolderData\), raw/POTCAR"):
        check_licences("the profile", refused(node))
    check_licences("the profile", [])


def test_potcar_anywhere_behind_a_melting_temperature_is_refused(aiida_profile):
    chain = finished_point()
    assert make_plan([str(chain.pk)]).selection.roots == [chain]
    job = next(node for node in chain.called_descendants if node.label == "" and "more" in node.outputs)
    kept = orm.FolderData()
    kept.base.repository.put_object_from_filelike(io.BytesIO(HEAD.encode()), "vasp/POTCAR")
    function = orm.CalcFunctionNode()
    function.base.links.add_incoming(kept.store(), LinkType.INPUT_CALC, "kept")
    function.base.links.add_incoming(job.inputs.potential, LinkType.INPUT_CALC, "model")
    function.store()
    model = unstored_potential("of a potcar")
    made(function, model, "result")
    function.seal()
    chain = chain_node("tpc", potential=model)
    end(chain)
    seal(chain)
    with pytest.raises(LicenceError, match=f"{kept.pk} \\(FolderData\\), vasp/POTCAR"):
        make_plan([str(chain.pk)])


def test_body_of_the_family_is_in_no_plan(potcar_family):
    from aiida_vasp.data.potcar import PotcarData

    chain = finished_point("with a potcar", potcar=orm.QueryBuilder().append(PotcarData).first(flat=True))
    plan = make_plan([str(chain.pk)])
    assert "PotcarData" in {node.kind for node in plan.nodes}
    assert "PotcarFileData" not in {node.kind for node in plan.nodes}
    backend = get_manager().get_profile_storage()
    found = read_contents(backend, plan.nodes, [MARKER])
    assert not any(content.found for content in found.values())
