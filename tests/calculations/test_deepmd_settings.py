from __future__ import annotations

import subprocess
import sys

import pytest
from training_jobs import SETTINGS, settings_with

from aiida_dnpmelt.calculations.deepmd_settings import (
    counted_cutoffs,
    cutoff_of,
    refusal,
    sel_refusal,
    with_sel,
)
from aiida_dnpmelt.physics.neighbours import TOTAL

HYBRID = {
    "type": "hybrid",
    "list": [{"type": "se_e2_a", "rcut": 6.0, "rcut_smth": 2.0}, {"type": "se_e3", "rcut": 4.0, "rcut_smth": 2.0}],
}
MOST = {4.0: {"Cu": 20, "Ni": 9, TOTAL: 25}, 6.0: {"Cu": 80, "Ni": 40, TOTAL: 100}}


def test_good_settings_are_not_refused():
    assert refusal(SETTINGS) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": {}}, "settings.optimizer: unknown, the sections are model, learning_rate, loss, training"),
        ({"loss": None}, "settings.loss: this section is needed"),
        ({"training__seed": 1}, "settings.training.seed: the job sets this key itself"),
        ({"training__numb_steps": 1}, "settings.training.numb_steps: the job sets"),
        ({"training__stat_file": "../x"}, "settings.training.stat_file: the job sets"),
        ({"training__training_data__systems": ["/"]}, "settings.training.training_data.systems: the job sets"),
        ({"model__descriptor__seed": 1}, "settings.model.descriptor.seed: the job sets"),
        ({"model__fitting_net__seed": 1}, "settings.model.fitting_net.seed: the job sets"),
        ({"model__type_map": []}, "settings.model.type_map: [] must be a list of chemical symbols"),
        ({"model__descriptor": {"rcut": 5.0}}, "settings.model.descriptor.type: the name of a descriptor is needed"),
        ({"model__descriptor": {"type": "se_e2_a", "sel": [9]}}, "settings.model.descriptor.rcut: the cutoff in Ang"),
        ({"model__descriptor__magic": 1}, "undefined key `magic`"),
        ({"model__descriptor__neuron": "many"}, "neuron"),
        ({"learning_rate__type": "magic"}, "magic"),
        ({"training__training_data__batch_size": {}}, "batch_size"),
    ],
)
def test_bad_settings_are_refused_with_the_key(changes, message):
    assert message in (refusal(settings_with(**changes)) or "")


def test_schema_is_asked_without_loading_tensorflow():
    script = (
        "import json, sys\n"
        "from aiida_dnpmelt.calculations.deepmd_settings import refusal\n"
        "assert 'undefined key' in refusal(json.load(sys.stdin))\n"
        "assert not {'tensorflow', 'torch', 'jax', 'aiida'} & set(sys.modules)\n"
    )
    import json

    text = json.dumps(settings_with(loss__magic=1))
    done = subprocess.run([sys.executable, "-c", script], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_cutoff_is_the_largest_of_all_parts():
    assert cutoff_of(SETTINGS) == 4.5
    assert cutoff_of(settings_with(model__descriptor=HYBRID)) == 6.0
    dpa2 = {"type": "dpa2", "repinit": {"rcut": 6.0, "three_body_rcut": 4.0}, "repformer": {"rcut": 4}}
    assert cutoff_of(settings_with(model__descriptor=dpa2)) == 6.0


def test_sel_below_the_counted_neighbours_is_refused_with_both_numbers():
    settings = settings_with(model__type_map=["Ni", "Cu"], model__descriptor__sel=[40, 79], model__descriptor__rcut=6.0)
    assert "79 for Cu, but an atom of the frames has 80 neighbours (Cu) within rcut = 6 Angs" in (
        sel_refusal(settings, MOST) or ""
    )
    settings["model"]["descriptor"]["sel"] = [40, 80]
    assert sel_refusal(settings, MOST) is None
    settings["model"]["descriptor"]["sel"] = [80]
    assert "[80] has 1 numbers, type_map 2 species" in (sel_refusal(settings, MOST) or "")


@pytest.mark.parametrize(("sel", "fits"), [(99, False), (100, True), ([99], False), ("auto", True)])
def test_sel_for_all_species_is_compared_with_their_sum(sel, fits):
    descriptor = {"type": "se_atten", "rcut": 6.0, "sel": sel}
    settings = settings_with(model__type_map=["Cu", "Ni"], model__descriptor=descriptor)
    assert (sel_refusal(settings, MOST) is None) == fits


def test_missing_sel_is_filled_with_a_margin_in_multiples_of_four():
    settings = settings_with(model__type_map=["Ni", "Cu", "Al"], model__descriptor=HYBRID)
    assert counted_cutoffs(settings) == [4.0, 6.0]
    filled = with_sel(settings, MOST, 1.2)
    assert [part["sel"] for part in filled["model"]["descriptor"]["list"]] == [[48, 96, 4], [12, 24, 4]]
    assert sel_refusal(filled, MOST) is None
    assert "sel" not in HYBRID["list"][0]
    total = settings_with(model__descriptor={"type": "se_atten", "rcut": 6.0})
    assert with_sel(total, MOST, 1.0)["model"]["descriptor"]["sel"] == 100
    assert with_sel(SETTINGS, {}, 1.0) == SETTINGS
