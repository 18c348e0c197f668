from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from coexistence_jobs import REPETITIONS, SETTINGS, TEMPERATURE_K
from lammps_runs import run_lammps

from aiida_dnpmelt.calculations.coexistence_script import (
    DATA_FILE,
    End,
    build_script,
    last_state,
    probe_file,
    restart_file,
)
from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.calculations.coexistence_stages import FRAMES_FILE, PRODUCTION, RunSpec, stages_of
from aiida_dnpmelt.parsers.coexistence_files import RunFacts, dynamics, read_run
from aiida_dnpmelt.physics.lammps_log import read_log
from aiida_dnpmelt.physics.run import ARRAYS, CoexistenceRun

SETTINGS_READ = CoexistenceSettings(**SETTINGS)


@pytest.fixture(scope="module")
def folder(potentials_folder, tmp_path_factory) -> Path:
    """Give the folder of a run of 252 atoms that came to its end."""
    path = tmp_path_factory.mktemp("run")
    write(path / DATA_FILE, bulk("Cu", "fcc", a=3.615, cubic=True), format="lammps-data", masses=True)
    run_lammps(build_script(SETTINGS_READ, spec(potentials_folder)), path)
    return path


def spec(potentials: Path) -> RunSpec:
    pair = ("pair_style eam", f"pair_coeff * * {potentials / 'Cu_u3.eam'}")
    return RunSpec(TEMPERATURE_K, 0.0, 1, tuple(REPETITIONS), pair, ((0, 2), (2, 0)), 7, production_ps=1.5)


@pytest.fixture(scope="module")
def facts(potentials_folder) -> RunFacts:
    return RunFacts(
        seed=1,
        n_atoms=252,
        mass_amu=63.546,
        length_angstrom=7 * 3.615,
        guess_k=TEMPERATURE_K,
        pressure_gpa=0.0,
        timestep_fs=3.0,
        sample_steps=10,
        stages=tuple(stages_of(SETTINGS_READ, spec(potentials_folder))),
    )


def parsed(log: bytes, probes: bytes, frames: bytes, facts: RunFacts) -> CoexistenceRun:
    """Return the run that these bytes hold, which may have been cut anywhere."""
    texts = (io.StringIO(content.decode(errors="replace")) for content in (log, probes, frames))
    lines, probe, dump = texts
    return read_run(read_log(lines), probe, dump, facts)


def contents(folder: Path) -> tuple[bytes, bytes, bytes]:
    names = ("log.lammps", probe_file(PRODUCTION), FRAMES_FILE)
    log, probes, frames = ((folder / name).read_bytes() for name in names)
    return log, probes, frames


def test_whole_run(folder, facts):
    run = parsed(*contents(folder), facts)
    np.testing.assert_allclose(run.time_ps, np.arange(51) * 0.03, atol=1e-9)
    np.testing.assert_allclose(run.frame_time_ps, [0.0, 0.6, 1.2])
    np.testing.assert_allclose(run.probe_time_ps, [1.5])
    assert run.order_profile.shape == (3, 13)
    assert not (run.halted or run.bulk_melted)


def test_times_of_the_preparation_go_on_through_its_stages(folder, facts):
    run = parsed(*contents(folder), facts)
    steps = {"equilibrate": 200, "average": 500, "melt": 400, "quench": 100, "thermalise": 200}
    assert {name: start for name, start in facts.starts.items() if name != "equilibrate"} == {
        "average": 200,
        "melt": 700,
        "quench": 1100,
        "thermalise": 1200,
        "production": 1400,
    }
    assert run.preparation_time_ps[-1] == pytest.approx(sum(steps.values()) * 0.003)
    assert (np.diff(run.preparation_time_ps) >= 0).all()
    assert len(run.preparation_time_ps) == len(run.preparation_temperature_k) == len(run.preparation_pressure_gpa)


def assert_beginning(run: CoexistenceRun, whole: CoexistenceRun) -> None:
    for name in set(ARRAYS) - {"found_lattices"}:  # of the last frame
        found, expected = getattr(run, name), getattr(whole, name)
        np.testing.assert_array_equal(found, expected[: len(found)], err_msg=name)


def test_log_that_was_cut_anywhere_is_the_beginning_of_the_run(folder, facts):
    log, probes, frames = contents(folder)
    whole = parsed(log, probes, frames, facts)
    for end in np.linspace(0, len(log), 150).astype(int):
        assert_beginning(parsed(log[:end], b"", b"", facts), whole)


def test_log_that_was_cut_anywhere_names_a_restart_file_that_there_is(folder, facts):
    log = contents(folder)[0]
    names = [stage.name for stage in facts.stages]
    states = set()
    for end in np.linspace(0, len(log), 150).astype(int):
        cut = read_log(io.StringIO(log[:end].decode()))
        tables = dynamics(cut, facts)
        step = int(tables[-1]["Step"][-1]) if tables and tables[-1].stage == cut.stage else 0
        state = last_state(SETTINGS_READ, names, None, End(cut.stage, step, cut.complete, cut.timed_out))
        if state is not None:
            assert (folder / state.file).exists()
            assert state.file in {restart_file(name, number) for name in names for number in ("end", state.step)}
            states.add(state)
    assert {state.stage for state in states} == set(names)


@pytest.mark.parametrize("which", [1, 2])
def test_probes_and_frames_that_were_cut_anywhere_are_the_beginning_of_theirs(folder, facts, which):
    files = list(contents(folder))
    whole = parsed(*files, facts)
    for end in np.linspace(0, len(files[which]), 15).astype(int):
        cut = [content[:end] if index == which else content for index, content in enumerate(files)]
        assert_beginning(parsed(*cut, facts), whole)


@pytest.mark.parametrize("junk", [b"\x00" * 100, b"\xff\xfe\n" * 20, b"\n" * 30, "T_m = 1 °C\n".encode() * 3])
def test_junk_at_the_end_of_a_log_changes_nothing(folder, facts, junk):
    log, probes, frames = contents(folder)
    assert_beginning(parsed(log + junk, probes, frames, facts), parsed(log, probes, frames, facts))


def test_frame_that_was_written_twice_counts_once(folder, facts):
    log, probes, frames = contents(folder)
    last = frames[frames.rindex(b"ITEM: TIMESTEP") :]
    whole = parsed(log, probes, frames, facts)
    again = parsed(log, probes, frames + last, facts)
    np.testing.assert_array_equal(again.frame_time_ps, whole.frame_time_ps)


def test_samples_between_two_beats_are_left_out(folder, facts):
    log, probes, frames = contents(folder)
    run = parsed(log, probes, frames, replace(facts, sample_steps=20))
    np.testing.assert_allclose(run.time_ps, np.arange(0, 26) * 0.06, atol=1e-9)


@pytest.mark.parametrize("frames", [b"no dump\n", b"ITEM: TIMESTEP\nzero\n"])
def test_what_is_no_dump_is_refused(folder, facts, frames):
    with pytest.raises(ValueError, match="of the dump: expected"):
        parsed(*contents(folder)[:2], frames, facts)
