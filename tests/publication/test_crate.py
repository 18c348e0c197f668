from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from aiida import orm
from aiida.common.links import LinkType
from publication.crate_checks import problems
from publication.stored_publications import finished_point
from report.stored_melting import HOSTILE, chain_node, end

from aiida_dnpmelt.publication.citation import Author, Description
from aiida_dnpmelt.publication.crate import write_crate
from aiida_dnpmelt.publication.references import references
from aiida_dnpmelt.publication.selection import select

FILES = {"points.csv": "a table", "points.aiida": "the archive", "README.md": "what is in it"}


@pytest.fixture(scope="module")
def crate(aiida_profile, tmp_path_factory) -> Path:
    """Give the folder of a crate of two melting temperatures."""
    folder = tmp_path_factory.mktemp("crate")
    roots = [finished_point("Cu"), finished_point("Al")]
    for name, text in FILES.items():
        (folder / name).write_text(text)
    author = Author("Josiah Carberry", "0000-0002-1825-0097")
    described = Description("Two of them", (author,), "CC-BY-4.0", date(2026, 11, 26), ("melting",))
    pks = select([str(root.pk) for root in roots]).pks
    write_crate(folder, roots, described, FILES, references(pks))
    return folder


def graph(folder: Path) -> dict[str, dict]:
    entities = json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]
    return {entity["@id"]: entity for entity in entities}


def of_type(folder: Path, kind: str) -> list[dict]:
    return [entity for entity in graph(folder).values() if entity["@type"] == kind]


def test_crate_is_what_the_profile_requires(crate, tmp_path):
    assert problems(crate, tmp_path / "cache") == []


MISSING = {
    "OrganizeAction": ("result", "must reference the action representing the workflow run via result"),
    "ControlAction": ("instrument", "must reference a HowToStep instance"),
    "CreateAction": ("instrument", "MUST have an instrument property"),
    "FormalParameter": ("additionalType", "MUST have an additionalType"),
    "Dataset": ("license", "must specify a license"),
}


def test_what_is_missing_is_found(crate, tmp_path):
    broken = tmp_path / "crate"
    shutil.copytree(crate, broken)
    file = broken / "ro-crate-metadata.json"
    content = json.loads(file.read_text())
    for entity in content["@graph"]:
        kind = str(entity["@type"])
        if kind in MISSING:
            entity.pop(MISSING[kind][0], None)
    file.write_text(json.dumps(content))
    found = "\n".join(problems(broken, tmp_path / "cache"))
    assert [message for _, message in MISSING.values() if message not in found] == []


def test_there_is_an_action_for_each_job_and_work_chain_and_none_for_functions(crate):
    names = sorted(action["name"] for action in of_type(crate, "CreateAction"))
    jobs = ["LammpsCoexistenceCalculation", "seed_101_round_01", "tpc"]
    assert names == sorted(2 * jobs)
    assert len(of_type(crate, "ControlAction")) == 4
    assert len(of_type(crate, "OrganizeAction")) == 2


def test_runs_have_inputs_outputs_times_and_an_agent(crate):
    entities = graph(crate)
    run = next(action for action in of_type(crate, "CreateAction") if action["name"] == "tpc")
    values = {entities[each["@id"]]["name"]: entities[each["@id"]].get("value") for each in run["object"]}
    assert (values["protocol"], values["seed"]) == ("fast", 7)
    assert "melting_point" in {entities[each["@id"]]["name"] for each in run["result"]}
    assert run["startTime"] <= run["endTime"]
    assert run["agent"] == {"@id": "https://orcid.org/0000-0002-1825-0097"}
    assert run["actionStatus"].endswith("CompletedActionStatus")


def test_workflow_is_the_source_of_the_work_chain(crate):
    from aiida_dnpmelt.workchains import tpc

    assert graph(crate)["./"]["mainEntity"] == {"@id": "workflows/tpc.py"}
    assert (crate / "workflows" / "tpc.py").read_bytes() == Path(tpc.__file__).read_bytes()


def test_sweep_that_only_took_points_over_has_its_functions_as_steps(aiida_profile, tmp_path):
    sweep = chain_node("pressure_sweep", known=orm.Dict({"a": 1}))
    function = orm.CalcFunctionNode()
    function.set_process_label("pressure_sweep")
    function.base.links.add_incoming(sweep, LinkType.CALL_CALC, "sweep")
    function.store()
    end(sweep)
    write_crate(tmp_path, [sweep], Description("A sweep", (), "MIT", date(2026, 11, 26)), {}, [])
    assert [action["name"] for action in of_type(tmp_path, "ControlAction")] == ["orchestrate pressure_sweep"]
    assert problems(tmp_path, tmp_path / "cache") == []


def test_hostile_labels_and_failed_runs_are_no_problem(aiida_profile, tmp_path):
    chain = chain_node("tpc", label_of_it=orm.Str(HOSTILE))
    inner = chain_node("coexistence", chain, "seed_101_round_01")
    inner.label = HOSTILE
    end(inner, 410, HOSTILE)
    end(chain, 400, "lost")
    write_crate(tmp_path, [chain], Description(HOSTILE, (Author(HOSTILE),), "MIT", date(2026, 11, 26)), {}, [])
    assert problems(tmp_path, tmp_path / "cache") == []
    run = next(action for action in of_type(tmp_path, "CreateAction") if action["name"] == HOSTILE)
    assert (run["error"], run["actionStatus"].rpartition("/")[2]) == (HOSTILE, "FailedActionStatus")
