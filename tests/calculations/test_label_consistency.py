from __future__ import annotations

import pytest
from aiida import orm
from physics.labelled import labelled
from provenance.stored_points import counted_statements

from aiida_dnpmelt.calculations.deepmd_train import DeepmdTrainCalculation
from aiida_dnpmelt.calculations.label_consistency import (
    READING,
    functional_of_frames,
    mixed_labels,
    other_functional,
)
from aiida_dnpmelt.calculations.screening import screen_frames
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.workchains.adaptive_learning import AdaptiveLearningWorkChain
from aiida_dnpmelt.workchains.training import TrainingWorkChain

pytestmark = pytest.mark.usefixtures("aiida_profile")


def frames(functional: str = "", **attributes) -> FramesData:
    node = FramesData(labelled(2), functional=functional)
    node.base.attributes.set_many(attributes)
    return node.store()


def test_one_functional_can_be_learned():
    assert mixed_labels({"a": frames("PBE"), "b": frames("PBE")}) is None
    assert mixed_labels({}) is None
    assert mixed_labels(None) is None


def test_what_is_not_known_is_not_another_one():
    assert mixed_labels({"a": frames("PBE"), "b": frames(), "c": frames("hybrid PBE")}) is None


def test_two_functionals_are_refused_by_name():
    problem = mixed_labels({**{f"p{index}": frames("PBE") for index in range(5)}, "scan": frames("SCAN+rVV10")})
    assert problem == (
        "frames: their labels are of different functionals and cannot be learned as one: "
        "PBE (p0, p1, p2 and 2 more); SCAN+rVV10 (scan)"
    )


def test_names_that_were_stored_before_are_those_of_now():
    assert mixed_labels({"a": frames("PBE+IVDW=12"), "b": frames("PBE+D3(BJ)")}) is None


def test_settings_that_are_kept_tell_more_than_the_name_that_was_stored():
    """As imports of before: the functional of a run with +U was called PBE."""
    old = frames("PBE", labels_incar={"LDAU": True, "LDAUU": [4.0]}, labels_potcars=["PAW_PBE Cu 22Jun2005"])
    kept = screen_frames(old, orm.Dict({}))["frames"]
    assert kept.functional == "PBE"
    assert functional_of_frames(kept) == "PBE+U(Cu d 4)"
    assert "PBE+U(Cu d 4) (b)" in mixed_labels({"a": frames("PBE"), "b": kept})


def test_enthalpies_that_were_stored_before_are_refused():
    facts = {"labels_incar": {"PSTRESS": 100.0}, "labels_potcars": ["PAW_PBE Cu"], "source": "vasprun.xml"}
    problem = mixed_labels({"old": frames("PBE", **facts)})
    assert problem == "frames: old hold enthalpies of a run with PSTRESS: import the run again"
    assert mixed_labels({"new": frames("PBE", **facts, **{READING: 2})}) is None
    assert mixed_labels({"outcar": frames("PBE", **{**facts, "source": "OUTCAR"})}) is None
    assert mixed_labels({"little": frames("PBE", **{**facts, "labels_incar": {"PSTRESS": 0.001}})}) is None


def test_sources_of_many_kept_frames_are_asked_for_at_once():
    """Each training of a loop looks at all frames that there are."""
    kept = {f"f{index}": screen_frames(frames("PBE"), orm.Dict({}))["frames"] for index in range(10)}

    def statements(number: int) -> int:
        with counted_statements() as found:
            assert mixed_labels(dict(list(kept.items())[:number])) is None
        return len(found)

    assert statements(10) - statements(2) <= 8 * 6


@pytest.mark.parametrize("process", [DeepmdTrainCalculation, TrainingWorkChain, AdaptiveLearningWorkChain])
def test_all_that_learn_refuse_them(process):
    port = process.spec().inputs["frames"]
    assert port.validate({"a": frames("PBE"), "b": frames("PBE")}) is None
    assert "different functionals" in port.validate({"a": frames("PBE"), "b": frames("SCAN")}).message


def test_labelling_by_another_functional_is_refused_before_it_begins(potcar_family):
    def labelling(**incar):
        return {"potential_family": orm.Str(potcar_family), "vasp": orm.Dict({"incar": incar})}

    given = {"given": frames("PBE"), "unknown": frames()}
    assert other_functional(given, labelling(encut=400)) is None
    assert other_functional(given, {"code": None}) is None
    problem = other_functional(given, labelling(metagga="SCAN"))
    assert problem == "frames: given are of PBE, the labelling is of SCAN: they cannot be learned as one"


def test_labels_of_a_functional_are_not_learned_with_those_of_an_eam(potentials_folder):
    labelling = {"potential": PotentialData.from_file(potentials_folder / "Cu_u3.eam")}
    assert other_functional({"given": frames()}, labelling) is None
    problem = other_functional({"given": frames("PBE"), "more": frames()}, labelling)
    assert problem == "frames: given are of PBE, the labelling is by Cu_u3.eam (eam): they cannot be learned as one"


def test_a_model_may_have_learned_the_functional_of_the_labels(tmp_path):
    (tmp_path / "model.pb").write_bytes(b"not opened")
    model = PotentialData.from_file(tmp_path / "model.pb", "deepmd", type_map=["Cu"], cutoff=6.0)
    assert other_functional({"given": frames("PBE")}, {"potential": model}) is None
