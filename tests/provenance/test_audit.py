from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from physics.labelled import labelled
from provenance.stored_points import POINT, invalid
from provenance.stored_traces import coexistence, job, lineage, made
from report.stored_melting import chain_node, end, give, potential, unstored_potential

from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.provenance.audit import audit, count
from aiida_dnpmelt.provenance.query import melting_points


def states(pk: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in audit(pk):
        assert finding.reason
        found.setdefault(finding.check, []).append(finding.state)
    return found


@pytest.fixture
def clean(aiida_profile_clean, aiida_localhost):
    """Give the computer of a clean profile."""
    return aiida_localhost


def test_a_potential_that_was_not_learned_is_judged_by_its_runs(clean, potentials_folder):
    eam = PotentialData.from_file(potentials_folder / "Cu_u3.eam").store()
    code = orm.InstalledCode(computer=clean, filepath_executable="/bin/lmp", label="stored-lmp").store()
    facts = {"found_lattice": "fcc", "found_lattice_share": 0.9, "target_reached": True, "target_uncertainty_k": 10.0}
    found = states(coexistence(clean, code, eam, **facts).pk)
    about_models = ("training ended", "deviation at T_m", "range of frames")
    about_frames = ("units of imported frames", "outlier rule", "unconverged labels")
    assert {check: each for check, each in found.items() if each != ["passed"]} == {
        "size": ["doubted"],
        **{key: ["not applicable"] for key in (*about_models, *about_frames)},
    }


def test_what_does_not_apply_is_not_passed(clean, potentials_folder):
    eam = PotentialData.from_file(potentials_folder / "Cu_u3.eam").store()
    code = orm.InstalledCode(computer=clean, filepath_executable="/bin/lmp", label="stored-lmp").store()
    found = audit(coexistence(clean, code, eam, target_uncertainty_k=None).pk)
    (uncertainty,) = [finding for finding in found if finding.check == "uncertainty"]
    assert (uncertainty.state, uncertainty.reason) == ("not applicable", "u = 4.6 K, no target was set")
    assert count(found) == "1 doubted, 1 unknown, 4 passed, 7 not applicable"


def test_frames_of_a_learned_potential_that_are_not_on_record_are_unknown(clean):
    code = orm.InstalledCode(computer=clean, filepath_executable="/bin/dp", label="stored-dp").store()
    found = states(coexistence(clean, code, potential("a model of others")).pk)
    about_frames = ("range of frames", "units of imported frames", "outlier rule", "unconverged labels")
    assert {check: found[check] for check in about_frames} == {key: ["unknown"] for key in about_frames}


def test_imported_labels_that_do_not_say_whether_they_converged_are_unknown(clean):
    dp = orm.InstalledCode(computer=clean, filepath_executable="/bin/dp", label="stored-dp").store()
    node = FramesData(labelled(3, 8, seed=3), phase="liquid", labeller="somebody")
    node.base.attributes.set("source", "deepmd/npy")
    training = job(clean, "dnpmelt.deepmd_train", code=dp, seed=orm.Int(1), frames__a=node)
    found = states(coexistence(clean, dp, made(training, "potential", unstored_potential("theirs"))).pk)
    assert found["unconverged labels"] == ["unknown"]


def test_what_is_wrong_with_the_number_is_told(clean):
    code = orm.InstalledCode(computer=clean, filepath_executable="/bin/lmp", label="stored-lmp").store()
    lost = states(coexistence(clean, code, potential("eam"), **invalid(target_uncertainty_k=5.0)).pk)
    assert (lost["verdict"], lost["uncertainty"], lost["crystal"]) == (["failed"], ["failed"], ["unknown"])
    facts = {"verdict": "unfinished", "found_lattice": "bcc", "target_uncertainty_k": 1.0, "target_reached": False}
    other = states(coexistence(clean, code, potential("eam"), pressure_gpa=9.0, **facts).pk)
    assert (other["verdict"], other["uncertainty"], other["crystal"]) == (["failed"], ["doubted"], ["failed"])
    again = coexistence(clean, code, potential("eam"), pressure_gpa=9.0, **facts)
    assert states(again.pk)["superseded"] == ["passed"]


def test_a_point_of_an_earlier_version_whose_solid_is_another_crystal_is_not_valid(clean):
    code = orm.InstalledCode(computer=clean, filepath_executable="/bin/lmp", label="stored-lmp").store()
    chain = coexistence(clean, code, potential("eam"), found_lattice="bcc", found_lattice_share=1.0)
    found = {finding.check: finding for finding in audit(chain.pk)}
    assert (found["verdict"].state, found["crystal"].state) == ("failed", "failed")
    assert found["crystal"].reason == "100% of the solid is bcc at the end, it is to be fcc"
    assert found["crystal"].reason in found["verdict"].reason
    (point,) = melting_points("Cu", everything=True)
    assert (point.verdict, point.marks, point.details["verdict"]) == ("invalid", ("invalid",), "invalid")
    assert melting_points("Cu") == []
    other = coexistence(clean, code, potential("eam"), lattice="other", found_lattice="bcc", found_lattice_share=1.0)
    assert {each.check: each.state for each in audit(other.pk)}["crystal"] == "unknown"
    assert [each.verdict for each in melting_points("Cu")] == ["valid"]


def test_frames_that_vasp_labelled_are_followed_to_the_rule_that_judged_them(clean):
    found = states(lineage(clean).chain.pk)
    assert found["outlier rule"] == ["passed"]
    assert found["unconverged labels"] == ["unknown"]
    assert found["seeds"] == ["passed"]
    assert found["versions"] == ["passed"]


def test_frames_nobody_judged_and_unconverged_ones_are_told(clean):
    known = np.array([True, False, True])
    bare = FramesData(labelled(3, 8, seed=3), phase="liquid", labeller="VASP 6", converged=known).store()
    dp = orm.InstalledCode(computer=clean, filepath_executable="/bin/dp", label="stored-dp").store()
    training = job(clean, "dnpmelt.deepmd_train", code=dp, frames__bare=bare)
    model = made(training, "potential", unstored_potential("bare"))
    findings = {finding.check: finding for finding in audit(coexistence(clean, dp, model).pk)}
    assert findings["outlier rule"].state == "doubted"
    assert (findings["unconverged labels"].state, "1 frames" in findings["unconverged labels"].reason) == (
        "failed",
        True,
    )
    assert findings["seeds"].state == "failed"
    assert training.uuid in findings["seeds"].reason


def test_a_data_set_that_does_not_tell_its_units_is_doubted(clean):
    dp = orm.InstalledCode(computer=clean, filepath_executable="/bin/dp", label="stored-dp").store()
    nodes = {}
    for name, source in (("a", "deepmd/raw"), ("b", "OUTCAR")):
        nodes[f"frames__{name}"] = FramesData(labelled(2, 8, seed=ord(name)), phase="solid", labeller="VASP")
        nodes[f"frames__{name}"].base.attributes.set("source", source)
    training = job(clean, "dnpmelt.deepmd_train", code=dp, seed=orm.Int(1), **nodes)
    model = made(training, "potential", unstored_potential("of sets"))
    found = states(coexistence(clean, dp, model).pk)
    assert found["units of imported frames"] == ["passed", "doubted"]


def deep(clean, deviations: dict[str, float], temperature: float = 1326.0):
    """Return the coexistence of a learned model whose committee deviated so much in the last exploration.

    A loop before gave out the same model, after more iterations.
    """
    model = potential("a model")
    before = {
        "thresholds_ev_per_angstrom": {"converged": 0.13},
        "deviations": {
            "interface": [{"temperature_k": 1300.0, "frames_seen": 9, "largest_deviation_ev_per_angstrom": 9}]
        },
    }
    earlier = orm.WorkChainNode(process_type="aiida.workflows:dnpmelt.adaptive_learning").store()
    give(earlier, potentials__seed_1=model, decisions__iteration_105=orm.Dict(before))
    learning = orm.WorkChainNode(process_type="aiida.workflows:dnpmelt.adaptive_learning").store()
    runs = {
        phase: [
            {"temperature_k": 900.0, "frames_seen": 9, "largest_deviation_ev_per_angstrom": 9.0},
            {"temperature_k": 1300.0, "frames_seen": 31, "largest_deviation_ev_per_angstrom": value},
        ]
        for phase, value in deviations.items()
    }
    decision = {"thresholds_ev_per_angstrom": {"converged": 0.13}, "deviations": runs}
    give(learning, potentials__seed_1=model, decisions__iteration_02=orm.Dict(decision))
    dp = orm.InstalledCode(computer=clean, filepath_executable="/bin/dp", label="stored-dp").store()
    return coexistence(clean, dp, model, melting_temperature_k=temperature)


def test_the_deviation_at_the_melting_temperature_is_that_of_the_nearest_run(clean):
    chain = deep(clean, {"solid": 0.05, "liquid": 0.2})
    found = [finding for finding in audit(chain.pk) if finding.check == "deviation at T_m"]
    assert [(finding.state, finding.reason[:6]) for finding in found] == [("doubted", "liquid"), ("passed", "solid ")]


def test_an_exploration_without_a_frame_at_the_melting_temperature_tells_nothing(clean):
    chain = deep(clean, {"solid": 0.05, "liquid": None})
    found = [finding for finding in audit(chain.pk) if finding.check == "deviation at T_m"]
    assert next((finding.state, finding.reason) for finding in found) == ("unknown", "liquid at 1300 K left no frame")


def test_what_holds_no_melting_temperature_is_refused(clean):
    with pytest.raises(ValueError, match="no melting temperature"):
        audit(orm.Int(1).store().pk)


def test_the_crystal_of_a_whole_chain_is_that_of_each_of_its_models(clean):
    """Its result has none of its own; a model beyond the ninth comes last."""
    maker = orm.CalcFunctionNode(process_type="aiida_dnpmelt.calculations.melting.melting_result")
    maker.set_process_state("finished")
    for seed, share, found in ((2, 0.9, "fcc"), (10, 0.8, "bcc")):
        point = orm.Dict({**POINT, "found_lattice": found, "found_lattice_share": share}).store()
        maker.base.links.add_incoming(point, LinkType.INPUT_CALC, f"point_seed_{seed}")
    maker.store()
    numbers = ("melting_temperature_k", "standard_uncertainty_k")
    own = {key: POINT[key] for key in ("element", "lattice", "pressure_gpa", "verdict", "reasons", *numbers)}
    result = orm.Dict({**own, "corrected_melting_temperature_k": None, "models": {}})
    result.base.links.add_incoming(maker, LinkType.CREATE, "result")
    chain = chain_node("melting", protocol=orm.Str("fast"))
    give(chain, melting=result)
    end(chain)
    found = [(each.state, each.reason) for each in audit(chain.pk) if each.check == "crystal"]
    assert sorted(found, key=lambda each: each[1][:7]) == [
        ("failed", "seed_10: 80% of the solid is bcc at the end, it is to be fcc"),
        ("passed", "seed_2: 90% of the solid atoms are fcc at the end"),
    ]
