"""The texts are those of DeePMD-kit 3.2.0, shortened."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_dnpmelt.parsers.training_files import (
    SystemErrors,
    combine,
    first_exception,
    join_curves,
    memory_failure,
    read_checkpoint_step,
    read_cpu_seconds,
    read_learning_curve,
    read_log,
    read_tests,
)

HEAD = (
    "# step       rmse_val    rmse_trn    rmse_e_val  rmse_e_trn    rmse_f_val  rmse_f_trn    rmse_v_val  rmse_v_trn"
    "   lr      \n# If there is no available reference data, rmse_*_{val,trn} will print nan\n"
)
ROW = (
    "{:7d}      3.19e+01    1.93e+01      1.92e+00    1.94e+00      1.00e+00    6.01e-01      9.96e-02    {}"
    "    5.0e-03\n"
)
OLD = "#  step      rmse_trn    rmse_e_trn    rmse_f_trn    rmse_v_trn         lr\n"
OLD_ROW = "      0      3.48e+01      3.31e-01      5.67e-01      2.35e+00    1.0e-03\n"
PREFIX = "[2026-11-23 21:55:16,427] DEEPMD INFO    deepmd.train.trainer                      "
LOG = (
    "[2026-11-23 21:55:14,726] DEEPMD WARNING deepmd.utils.batch_size    You can use the environment variable "
    "DP_INFER_BATCH_SIZE tocontrol the inference batch size (nframes * natoms). The default value is 1024.\n"
    "[2026-11-23 21:55:14,727] DEEPMD WARNING deepmd.tf.utils.neighbor_stat    sel is too small\n"
    f"{PREFIX}start training at lr 5.00e-03 (== 5.00e-03), final lr will be 1.00e-04\n"
    f"{PREFIX}Batch      50: total wall time = 0.43 s, eta = 0:00:01 at 2026-11-23 21:55\n"
    f"{PREFIX}average training time: 0.0025 s/batch (exclude first 50 batches)\n"
    f"{PREFIX}finished training\n"
    f"{PREFIX}wall time: 1.014 s\n"
)
SYSTEM = """\
{p}# ---------------output of dp test---------------
{p}# testing system : {name}
{p}# number of test data : {frames}
{p}Energy MAE/Natoms  : 1.761049e-01 eV
{p}Energy RMSE        : 6.482681e+00 eV
{p}Energy RMSE/Natoms : {energy} eV
{p}Force  RMSE        : {force} eV/Å
{p}Virial RMSE        : 3.467635e+01 eV
{p}Virial RMSE/Natoms : 1.083636e+00 eV
{p}# -----------------------------------------------
"""
TESTS = (
    SYSTEM.format(p=PREFIX, name="data/training/b", frames=2, energy="2.0e-01", force="3.0e+00")
    + SYSTEM.format(p=PREFIX, name="data/training/a", frames=1, energy="1.0e-01", force="7.0e-01")
    + f"{PREFIX}# ----------weighted average of errors-----------\n{PREFIX}Energy RMSE/Natoms : 9.9e+00 eV\n"
)
ENERGIES = "# data/training/b: data_e pred_e\n1.0 1.5\n1.0 0.9\n2.0 1.7\n"


def curve_of(*parts: str) -> dict[str, np.ndarray]:
    return read_learning_curve("".join(parts).splitlines(keepends=True))


def test_columns_of_a_learning_curve_are_named_with_their_units():
    curve = curve_of(HEAD, ROW.format(0, "2.38e-01"), ROW.format(50, "1.65e-01"))
    assert list(curve["step"]) == [0, 50]
    assert list(curve["rmse_virial_training_ev_per_atom"]) == [0.238, 0.165]
    assert curve["rmse_energy_validation_ev_per_atom"][0] == 1.92
    assert curve["rmse_force_training_ev_per_angstrom"][0] == 0.601
    assert curve["learning_rate"][0] == 0.005
    assert len(curve) == 10


def test_learning_curve_of_an_old_version_is_read():
    curve = curve_of(OLD, OLD_ROW)
    assert curve["rmse_energy_training_ev_per_atom"][0] == 0.331
    assert len(curve) == 6


def test_published_learning_curve_is_read(shared_data):
    with (shared_data / "dnp" / "Al" / "lcurve.out").open() as lines:
        curve = read_learning_curve(lines)
    assert len(curve["step"]) > 100
    assert (np.diff(curve["step"]) > 0).all()
    assert np.isfinite(curve["rmse_force_training_ev_per_angstrom"]).all()


def test_last_row_of_a_repeated_step_counts():
    restarted = (HEAD, ROW.format(50, "2.0e-01"), ROW.format(100, "3.0e-01"))
    curve = curve_of(HEAD, ROW.format(0, "0.0e+00"), ROW.format(50, "1.0e-01"), *restarted)
    assert list(curve["step"]) == [0, 50, 100]
    assert list(curve["rmse_virial_training_ev_per_atom"]) == [0.0, 0.2, 0.3]


def test_learning_curve_cut_anywhere_is_read_as_far_as_it_goes():
    text = HEAD + ROW.format(0, "2.38e-01") + ROW.format(50, "1.65e-01")
    first = len(HEAD + ROW.format(0, "2.38e-01"))
    for length in range(len(text)):
        curve = curve_of(text[:length])
        assert list(curve.get("step", [])) == ([0] if length >= first else [])


def test_pieces_are_joined_and_what_was_repeated_is_dropped():
    first = {"step": np.array([0.0, 50, 100, 150]), "learning_rate": np.array([4.0, 3, 2, 1])}
    second = {"step": np.array([100.0, 200]), "learning_rate": np.array([20.0, 0.5])}
    joined = join_curves([first, second, {}])
    assert list(joined["step"]) == [0, 50, 100, 200]
    assert list(joined["learning_rate"]) == [4, 3, 20, 0.5]
    assert join_curves([]) == {}


def test_log_of_a_whole_training():
    log = read_log(LOG)
    assert (log.started, log.finished) == (True, True)
    assert (log.wall_time_s, log.seconds_per_step) == (1.014, 0.0025)
    assert log.warnings == ("sel is too small",)


def test_log_that_was_cut_is_not_finished():
    for length in range(0, LOG.index("finished"), 41):
        log = read_log(LOG[:length])
        assert not log.finished
        assert log.wall_time_s is None


def test_errors_of_each_system_and_the_offset_of_its_energies():
    tests = read_tests(TESTS, ENERGIES)
    b, a = tests["data/training/b"], tests["data/training/a"]
    assert (b.frames, b.energy_ev_per_atom, b.force_ev_per_angstrom, b.virial_ev_per_atom) == (2, 0.2, 3.0, 1.083636)
    assert b.energy_offset_ev_per_atom == pytest.approx(0.2)
    assert a.energy_offset_ev_per_atom == pytest.approx(-0.3)
    assert np.isnan(read_tests(TESTS, "")["data/training/a"].energy_offset_ev_per_atom)


def test_tests_cut_anywhere_give_whole_systems_only():
    for length in range(0, len(TESTS), 53):
        for errors in read_tests(TESTS[:length], ENERGIES).values():
            assert errors.frames > 0
            assert errors.energy_ev_per_atom < 1


def test_errors_are_combined_by_frames_and_atoms():
    errors = {"a": SystemErrors(1, 3.0, 3.0, 1.0), "b": SystemErrors(3, 1.0, 1.0, 1.0)}
    found = combine(errors, {"a": 30, "b": 10})
    assert found["energy_ev_per_atom"] == pytest.approx(np.sqrt((9 + 3) / 4))
    assert found["force_ev_per_angstrom"] == pytest.approx(np.sqrt((30 * 9 + 30) / 60))
    assert found["virial_ev_per_atom"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("listed", "written", "begin", "step"),
    [
        ((), 0, 0, None),
        ((100,), 1, 0, 100),
        ((100,), 0, 0, None),
        ((100, 200), 2, 0, 200),
        ((100, 200), 1, 0, 100),
        ((100, 200, 250), 3, 0, 250),
        ((100, 200, 250), 2, 0, 200),
        ((600, 700), 7, 0, 700),
        ((600, 700), 6, 0, 600),
        ((100, 200), 0, 200, 200),
        ((200, 300), 0, 200, 200),
        ((200, 300), 1, 200, 300),
    ],
)
def test_checkpoint_counts_only_once_it_is_wholly_written(listed, written, begin, step):
    names = [f'all_model_checkpoint_paths: "model.ckpt-{number}"\n' for number in listed]
    text = "".join([f'model_checkpoint_path: "model.ckpt-{number}"\n' for number in listed[-1:]] + names)
    assert read_checkpoint_step(text, written, begin, every=100) == step


def test_small_files():
    assert read_cpu_seconds("0m0.003s 0m0.000s\n1m19.180s 0m2.700s\n") == pytest.approx(81.883)
    assert read_cpu_seconds("") is None


def test_first_exception_is_the_cause_and_harmless_words_are_none():
    harmless = "DeePMD-kit: Error message: libcudart.so.12: cannot open shared object file: No such file or directory\n"
    text = (
        f"{harmless}Traceback\na.b.InvalidArgumentError: Expected size[2]\nTraceback\na.InvalidArgumentError: Graph\n"
    )
    assert first_exception(text) == "a.b.InvalidArgumentError: Expected size[2]"
    assert first_exception(harmless) is None
    assert memory_failure(harmless) is None
    assert memory_failure(f"{harmless}a.ResourceExhaustedError: OOM when allocating tensor\n") is not None
