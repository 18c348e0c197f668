from __future__ import annotations

import filecmp
import io
import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import run_get_node
from physics.synthetic_frames import copper_frames
from training_jobs import SETTINGS, STEPS, frames_nodes, run_training, settings_with, training_inputs

from aiida_dnpmelt.calculations.deepmd_input import build_input, derive_seeds, to_json
from aiida_dnpmelt.calculations.deepmd_train import DeepmdTrainCalculation, prepend_text, splits_of_job
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData

CODES = DeepmdTrainCalculation.exit_codes


def test_input_is_that_of_the_inputs(finished_training):
    expected = build_input(
        SETTINGS,
        training=["data/training/cold", "data/training/hot"],
        validation=["data/validation/cold", "data/validation/hot"],
        seed=7,
        steps=STEPS,
    )
    assert finished_training.base.repository.get_object_content("input.json") == to_json(expected)


def test_systems_hold_the_frames_of_the_split(finished_training):
    folder = Path(finished_training.get_remote_workdir()) / "data"
    splits = splits_of_job(finished_training)
    assert {name: len(split.validation) for name, split in splits.items()} == {"cold": 2, "hot": 1}
    for name, split in splits.items():
        frames = finished_training.inputs.frames[name].frames
        for part, indices in (("training", split.training), ("validation", split.validation)):
            energies = np.load(folder / part / name / "set.000" / "energy.npy")
            np.testing.assert_array_equal(energies, frames.energies_ev[list(indices)])


def test_frames_go_to_the_job_but_not_into_the_repository_again(finished_training):
    kept = finished_training.base.repository.list_object_names()
    assert {name for name in kept if not name.startswith(("_", "."))} == {"input.json"}


def test_small_files_are_kept_and_models_are_nodes_only(finished_training):
    kept = set(finished_training.outputs.retrieved.base.repository.list_object_names())
    assert {"lcurve.out", "train.log", "test.log", "checkpoint"} <= kept
    assert not {"model.pb", "compressed.pb", "test.f.out"} & kept


def test_everything_that_decides_is_an_input(finished_training):
    labels = finished_training.base.links.get_incoming(link_type=LinkType.INPUT_CALC).all_link_labels()
    expected = "code compress frames__cold frames__hot seed settings split_seed steps validation_share"
    assert sorted(labels) == expected.split()


def test_same_inputs_give_the_same_files(dp_code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        options = {"dry_run": True, "store_provenance": False, "options": {"max_wallclock_seconds": 60}}
        run_get_node(DeepmdTrainCalculation, **training_inputs(dp_code, metadata=options))
    first, second = sorted((tmp_path / "submit_test").iterdir())
    names = [str(path.relative_to(first)) for path in first.rglob("*") if path.is_file() and ".aiida" not in path.parts]
    assert {"input.json", "_aiidasubmit.sh", "data/training/hot/set.000/virial.npy"} <= set(names)
    assert len(names) == 2 + 4 * 7
    assert filecmp.cmpfiles(first, second, names, shallow=False)[0] == names


def test_wall_time_is_in_the_script_and_only_with_one():
    assert "sleep" not in prepend_text(None)
    assert "end=$(( $(date +%s) + 3420 ))" in prepend_text(3600)


def test_script_stops_what_runs_in_time_and_runs_nothing_after_it(tmp_path):
    (tmp_path / "job.sh").write_text(f"{prepend_text(2)}\nsleep 60\ntouch after\n")
    start = time.monotonic()
    done = subprocess.run(["bash", "job.sh"], cwd=tmp_path, check=False, env={**os.environ, "COLUMNS": "80"})
    assert done.returncode == 143
    assert 0.9 < time.monotonic() - start < 50
    assert {path.name for path in tmp_path.iterdir()} == {"job.sh", "wall_time.txt", "cpu_time.txt"}


def test_script_that_ends_in_time_leaves_no_watch_behind(tmp_path):
    (tmp_path / "job.sh").write_text(f"{prepend_text(3600)}\necho $! > watch\ntrue\n")
    assert subprocess.run(["bash", "job.sh"], cwd=tmp_path, check=False).returncode == 0
    watch = int((tmp_path / "watch").read_text())
    deadline = time.monotonic() + 30
    while psutil.pid_exists(watch) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not psutil.pid_exists(watch)
    assert not (tmp_path / "wall_time.txt").exists()


def test_settings_that_only_deepmd_can_refuse_end_with_its_reason(dp_code):
    settings = settings_with(model__descriptor__activation_function="magic")
    job = run_training(dp_code, settings=settings)
    assert job.exit_status == CODES.ERROR_SETTINGS_REFUSED.status
    assert "magic is not a valid activation function" in job.exit_message
    assert job.outputs.results["finished"] is False
    assert not (Path(job.get_remote_workdir()) / "freeze.err").exists()


@pytest.mark.slow
def test_memory_that_is_not_enough_is_told_apart(dp_that):
    code = dp_that('ulimit -v 6000000; exec "$DP" "$@"')
    job = run_training(code, settings=settings_with(model__fitting_net__neuron=[20000, 20000]))
    assert job.exit_status == CODES.ERROR_OUT_OF_MEMORY.status, job.exit_message
    assert "OOM when allocating tensor" in job.exit_message
    assert CODES.ERROR_OUT_OF_MEMORY.invalidates_cache


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 0}, r"seed: 0 is outside the allowed range 1 to 899999999"),
        ({"steps": 0}, r"steps: 0 is outside the allowed range 1 to 1000000000"),
        ({"validation_share": 1.0}, r"validation_share: 1 is outside the allowed range 0 <= validation_share < 1"),
        ({"validation_share": float("nan")}, r"validation_share: nan is outside"),
        ({"split_seed": -1}, r"split_seed: -1 is outside the allowed range 0 to 899999999"),
        ({"frames": {}}, r"frames: no node given, at least one is needed"),
        ({"settings": settings_with(training__seed=1)}, r"settings\.training\.seed: the job sets this key itself"),
        ({"settings": settings_with(loss__magic=1)}, r"refused by DeePMD-kit: .*undefined key `magic`"),
        (
            {"settings": settings_with(model__type_map=["Ni"], model__descriptor__sel=[60])},
            r"settings\.model\.type_map: Cu of the frames missing, it has Ni",
        ),
        (
            {"settings": settings_with(model__descriptor__sel=[30])},
            r"sel: 30 for Cu, but an atom of the frames has \d+ neighbours \(Cu\) within rcut = 4\.5 Angstrom",
        ),
    ],
)
def test_bad_input_is_refused_with_key_value_and_range(dp_code, change, message):
    with pytest.raises(ValueError, match=message):
        run_get_node(DeepmdTrainCalculation, **training_inputs(dp_code, **change))


def test_frame_that_is_denser_than_the_others_is_found(dp_code):
    frames = copper_frames(2)
    cells, positions = frames.cells.copy(), frames.positions.copy()
    cells[1] *= 0.7
    positions[1] *= 0.7
    dense = FramesData(copper_frames(2, cells=cells, positions=positions))
    with pytest.raises(ValueError, match=r"sel: 60 for Cu, but an atom of the frames has 91 neighbours"):
        run_get_node(DeepmdTrainCalculation, **training_inputs(dp_code, frames={**frames_nodes(), "dense": dense}))


def test_parents_that_cannot_be_gone_on_from_are_refused(finished_training, dp_code, potentials_folder):
    outputs = finished_training.outputs
    content = io.BytesIO(outputs.uncompressed.content)
    other = PotentialData(content, "other.pb", pair_style="deepmd", type_map=["Cu", "Ni"], cutoff=4.5)
    for changes, message in (
        ({"parent_model": outputs.potential}, "is compressed, .* the output `uncompressed` of its training"),
        ({"parent_model": PotentialData.from_file(potentials_folder / "Cu_u3.eam")}, r"is eam \(funcfl\), it must be"),
        ({"parent_model": other}, r"its type_map is \['Cu', 'Ni'\], that of the settings \['Cu'\]"),
        (
            {"parent_model": outputs.uncompressed, "parent_folder": outputs.remote_folder, "checkpoint_step": 100},
            "parent_model and parent_folder: give one of them",
        ),
        ({"parent_folder": outputs.remote_folder}, "parent_folder and checkpoint_step: give both to go on"),
        (
            {"parent_folder": outputs.remote_folder, "checkpoint_step": 0},
            "checkpoint_step: 0 is outside the allowed range 1 to 1000000000",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            run_get_node(DeepmdTrainCalculation, **training_inputs(dp_code, **changes))


def test_seeds_of_the_input_are_those_of_the_results(finished_training):
    content = json.loads(finished_training.base.repository.get_object_content("input.json"))
    seeds = finished_training.outputs.results["seeds"]
    assert seeds == derive_seeds(finished_training.inputs.seed.value).by_name
    assert content["model"]["descriptor"]["seed"] == seeds["descriptor"]
    assert content["model"]["fitting_net"]["seed"] == seeds["fitting_net"]
    assert content["training"]["seed"] == seeds["training"]


def test_compressed_and_uncompressed_model_are_potentials(finished_training):
    assert isinstance(finished_training, orm.CalcJobNode)
    for name in ("potential", "uncompressed"):
        model = finished_training.outputs[name]
        assert (model.pair_style, model.type_map, model.cutoff, model.format) == ("deepmd", ["Cu"], 4.5, "pb")
    compressed, uncompressed = (finished_training.outputs[name].content for name in ("potential", "uncompressed"))
    assert b"compressed_model" in compressed
    assert b"compressed_model" not in uncompressed
