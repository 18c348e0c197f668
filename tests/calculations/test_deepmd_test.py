from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from aiida.engine import run_get_node
from physics.synthetic_frames import copper_frames
from training_jobs import frames_nodes

from aiida_dnpmelt.calculations.deepmd_test import DeepmdTestCalculation
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.provenance.importers import import_dataset, import_potential
from aiida_dnpmelt.provenance.lineage import seen_frames

CODES = DeepmdTestCalculation.exit_codes


def test_errors_are_those_of_the_training(dp_code, finished_training):
    """`dp test` at the end of a training printed them, part by part; here whole sets are tested."""
    model, nodes = finished_training.outputs.potential, frames_nodes()
    outputs, job = run_get_node(DeepmdTestCalculation, code=dp_code, potential=model, frames=nodes)
    assert job.is_finished_ok, job.exit_message
    sets, before = outputs["results"]["sets"], finished_training.outputs.results["sets"]
    for name, node in nodes.items():
        parts = before[name].values()
        for key in ("rmse_energy_mev_per_atom", "rmse_force_ev_per_angstrom", "rmse_virial_mev_per_atom"):
            mean_square = np.average([part[key] ** 2 for part in parts], weights=[part["frames"] for part in parts])
            assert sets[name][key] == pytest.approx(mean_square**0.5, rel=1e-3)
        said = outputs["frames"][name]
        assert (said.phase, said.frames.symbols) == (node.phase, node.frames.symbols)
        assert said.labeller.startswith(f"{model.label} (deepmd, sha256 {model.sha256[:12]}), DeePMD-kit 3.")
        assert sets[name]["max_force_ev_per_angstrom"] >= sets[name]["rmse_force_ev_per_angstrom"]
    assert outputs["results"]["frames"] == 12
    assert not {"data", "model.pb"} & set(job.base.repository.list_object_names())


def test_frames_that_a_model_was_trained_on_are_known(finished_training):
    assert seen_frames(finished_training.outputs.potential) == {node.pk for node in frames_nodes().values()}


def test_published_model_on_the_frames_of_its_authors(shared_data, dp_code):
    """The errors are those that `dp test` gives on the published folder as it is."""
    folder = shared_data / "vasp" / "Al_TPC" / "Al" / "TPC" / "ssschf"
    found = next(import_dataset(folder, symbol="Al", temperature_k=933.47))
    model = import_potential(shared_data / "dnp" / "Al" / "Al-0.pb", code=dp_code.full_label)
    outputs, job = run_get_node(
        DeepmdTestCalculation, code=dp_code, potential=model, frames={"interface": found.screened}
    )
    assert job.is_finished_ok, job.exit_message
    results = outputs["results"].get_dict()
    assert results["frames"] == 10
    assert results["rmse_energy_mev_per_atom"] == pytest.approx(0.8244, abs=2e-3)
    assert results["rmse_force_ev_per_angstrom"] == pytest.approx(0.02324, abs=1e-5)
    assert results["rmse_virial_mev_per_atom"] == pytest.approx(30.29, abs=0.02)
    assert seen_frames(model) is None


@pytest.mark.parametrize(
    ("script", "code", "reason"),
    [
        ('[ "$1" = test ] || exec "$DP" "$@"', CODES.ERROR_OUTPUT_INCOMPLETE, "0 of 2 sets are there"),
        ("exit 1", CODES.ERROR_NO_OUTPUT, "aiida-dnpmelt doctor"),
        (
            '[ "$1" = test ] || exec "$DP" "$@"; echo "RuntimeError: this is no model" >&2; exit 1',
            CODES.ERROR_DEEPMD,
            "RuntimeError: this is no model",
        ),
        (
            '[ "$1" = test ] || exec "$DP" "$@"; echo "std::bad_alloc" >&2; exit 1',
            CODES.ERROR_OUT_OF_MEMORY,
            "std::bad_alloc",
        ),
    ],
)
def test_failures_say_what_to_do(dp_that, finished_training, script, code, reason):
    model = finished_training.outputs.potential
    outputs, job = run_get_node(DeepmdTestCalculation, code=dp_that(script), potential=model, frames=frames_nodes())
    assert job.exit_status == code.status
    assert reason in job.exit_message
    assert "results" not in outputs


def test_bad_inputs_are_refused_before_a_job(dp_code, finished_training, potentials_folder):
    model, nodes = finished_training.outputs.potential, frames_nodes()
    with pytest.raises(ValueError, match="frames: no node given, at least one is needed"):
        run_get_node(DeepmdTestCalculation, code=dp_code, potential=model, frames={})
    eam = PotentialData.from_file(potentials_folder / "Cu_u6.eam")
    with pytest.raises(ValueError, match=r"'Cu_u6.eam' is eam, `dp test` opens deepmd models only"):
        run_get_node(DeepmdTestCalculation, code=dp_code, potential=eam, frames=nodes)
    gold = FramesData(replace(copper_frames(2), symbols=("Au",) * 32))
    with pytest.raises(ValueError, match="it has no Au, it knows Cu"):
        run_get_node(DeepmdTestCalculation, code=dp_code, potential=model, frames={"gold": gold})
