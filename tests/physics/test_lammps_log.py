"""Logs that LAMMPS writes here, whole, cut and spoilt."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lammps_runs import run_lammps

from aiida_dnpmelt.physics import lammps_log
from aiida_dnpmelt.physics.lammps_log import Log, Loop, read_log
from aiida_dnpmelt.setup.engines import find_lammps_deepmd

FILES = Path(__file__).parent / "files"

CELL = """
units metal
boundary p p p
lattice fcc 3.7
region box block 0 3 0 3 0 4
create_box 1 box
create_atoms 1 box
mass 1 63.5
"""
COPPER = """
pair_style eam/alloy
pair_coeff * * {potentials}/Cu_mishin1.eam.alloy Cu
"""
RUN = """
velocity all create 2600 1234 mom yes rot no dist gaussian
thermo 10
thermo_style custom step temp pe press
thermo_modify flush yes
print "dnpmelt stage melt"
fix move all nve
run 50
"""
TWO_RUNS = f"""{CELL}{COPPER}{RUN}
variable t equal temp
print "dnpmelt value temperature_k $(v_t)"
variable name index production
print "dnpmelt stage ${{name}}"
thermo_style custom step etotal temp vol lx ly
thermo_modify line one format float %.10g
run 30
"""


def read_bytes(content: bytes) -> Log:
    return read_log(io.TextIOWrapper(io.BytesIO(content), errors="replace"))


def read_file(path: Path) -> Log:
    with path.open(errors="replace") as handle:
        return read_log(handle)


@pytest.fixture
def log_of(potentials_folder: Path, tmp_path: Path) -> Callable[..., Log]:
    """Run LAMMPS and read its log."""

    def run(script: str, **options) -> Log:
        script = script.replace("{potentials}", str(potentials_folder))
        return read_file(run_lammps(script, tmp_path, **options))

    return run


@pytest.fixture(scope="module")
def two_runs(potentials_folder: Path, tmp_path_factory) -> bytes:
    """Two runs with different thermo columns."""
    script = TWO_RUNS.replace("{potentials}", str(potentials_folder))
    return run_lammps(script, tmp_path_factory.mktemp("two")).read_bytes()


def test_runs_with_different_columns_are_read(two_runs):
    log = read_bytes(two_runs)
    melt, production = log.blocks
    assert (melt.stage, production.stage, log.stage) == ("melt", "production", "production")
    assert melt.columns == ("Step", "Temp", "PotEng", "Press")
    assert melt["Step"].tolist() == [0, 10, 20, 30, 40, 50]
    assert melt["Temp"][0] == 2600
    assert production.columns == ("Step", "TotEng", "Temp", "Volume", "Lx", "Ly")
    assert production.rows.shape == (4, 6)
    assert production["Volume"] == pytest.approx(3 * 3 * 4 * 3.7**3)
    assert production["Lx"] == pytest.approx(11.1)
    assert log.values == {"temperature_k": pytest.approx(melt["Temp"][-1], rel=1e-7)}


def test_the_end_of_the_runs_is_read(two_runs):
    log = read_bytes(two_runs)
    assert [block.loop and block.loop[1:4] for block in log.blocks] == [(1, 50, 144), (1, 30, 144)]
    assert all(block.complete and 0 < block.loop.seconds < 60 for block in log.blocks)
    assert log.complete
    assert log.wall_time_s is not None and 0 <= log.wall_time_s < 60
    assert log.version is not None and log.version in two_runs.decode().splitlines()[0]
    assert log.failure() is None
    assert (log.errors, log.halted, log.timed_out, log.quit) == ((), False, False, False)
    assert len(log.warnings) == 1
    assert "New thermo_style command" in log.warnings[0]


def test_an_unknown_column_is_refused_with_those_that_are_there(two_runs):
    with pytest.raises(KeyError, match=r"no thermo column 'Pxx' in stage 'melt'.*'PotEng'"):
        read_bytes(two_runs).blocks[0]["Pxx"]


def test_a_cut_at_any_byte_leaves_what_stood_before(two_runs):
    """What is read only grows with the length, and each row is one of the whole log."""
    whole = read_bytes(two_runs)
    before = 0
    for end in range(len(two_runs)):
        log = read_bytes(two_runs[:end])
        rows = 0
        for block, full in zip(log.blocks, whole.blocks, strict=False):
            assert (block.stage, block.columns) == (full.stage, full.columns)
            np.testing.assert_array_equal(block.rows, full.rows[: len(block.rows)])
            assert block.loop is None or block.loop[:4] == full.loop[:4]
            rows += len(block.rows)
        assert rows >= before
        before = rows
        assert log.values.items() <= whole.values.items()
        assert set(log.warnings) <= set(whole.warnings)
        assert not log.complete
        assert log.failure() is None
    assert before == sum(len(block.rows) for block in whole.blocks)


def test_binary_junk_never_raises_and_never_changes_a_row_of_other_lines(two_runs):
    generator = np.random.default_rng(7)
    good = {tuple(row) for block in read_bytes(two_runs).blocks for row in block.rows}
    for _ in range(300):
        spoilt = bytearray(two_runs)
        start = generator.integers(len(spoilt))
        length = generator.integers(1, 40)
        spoilt[start : start + length] = generator.bytes(length)
        rows = [tuple(row) for block in read_bytes(bytes(spoilt)).blocks for row in block.rows]
        assert len(set(rows) - good) <= 2  # junk of 40 bytes reaches over two rows at most


def test_numbers_that_are_not_finite_are_read_and_are_a_failure(log_of):
    """Atoms on one point: LAMMPS goes on with NaN to a regular end."""
    atom = "create_atoms 1 single 1 1 1\n"
    log = log_of(CELL.replace("create_atoms 1 box\n", 2 * atom) + COPPER + RUN)
    assert log.complete
    assert log.errors == ()
    assert np.isnan(log.blocks[-1]["Temp"][1:]).all()
    assert log.failure() == "non_finite"


def test_infinite_numbers_are_read():
    table = "   Step   Temp  Press\n 0 1 2\n 10 inf -nan\n 20 -inf nan\n"
    rows = read_log(io.StringIO(table)).blocks[0].rows
    np.testing.assert_array_equal(rows, [[0, 1, 2], [10, np.inf, np.nan], [20, -np.inf, np.nan]])


def test_lines_between_the_rows_are_left_out(log_of):
    """Atoms leave an open box: LAMMPS warns in the middle of the table; `fix print` writes there, too."""
    script = CELL.replace("boundary p p p", "boundary f p p") + COPPER
    log = log_of(
        script
        + RUN.replace("flush yes", "lost warn").replace(
            "fix move", 'fix print all print 20 "42 of ours"\nset atom 1 vx -500\nfix move'
        )
    )
    assert [warning for warning in log.warnings if warning.startswith("WARNING: Lost atoms")]
    assert log.blocks[0]["Step"].tolist() == [0, 10, 20, 30, 40, 50]
    assert log.failure() is None


def test_a_halt_is_told_with_its_name(log_of):
    log = log_of(
        CELL
        + COPPER
        + RUN.replace("run 50", "variable one equal 1\nfix gone all halt 20 v_one == 1 error soft\nrun 50")
    )
    assert log.halted
    assert log.halted_by == ("gone",)
    assert log.blocks[0]["Step"].tolist() == [0, 10, 20]
    assert log.blocks[0].complete
    assert log.failure() is None


def test_a_time_limit_is_told_and_so_is_quit(log_of):
    log = log_of(
        "timer timeout 0:00:01 every 10\n"
        + CELL
        + COPPER
        + RUN.replace("run 50", 'run 10000000 upto\nif "$(step) < 10000000" then "quit 0"')
    )
    assert log.timed_out
    assert log.quit
    assert not log.complete  # `quit` writes no wall time
    assert log.blocks[0].complete
    assert log.failure() is None


def test_a_minimisation_is_a_block(log_of):
    log = log_of(CELL + COPPER + 'print "dnpmelt stage relaxation"\nminimize 1e-10 1e-10 10 10\n')
    assert log.blocks[0].stage == "relaxation"
    assert log.blocks[0].complete


FAILURES = {
    "lost_atoms": CELL + COPPER + "displace_atoms all random 1 1 1 4\ntimestep 0.1\n" + RUN,
    "non_finite": CELL
    + COPPER
    + "displace_atoms all move 1 0 0 units box\n"
    + 3 * "create_atoms 1 single 0 0 0\n"
    + RUN,
    "non_finite, collapsed box": CELL + COPPER + "change_box all x scale 0.2 y scale 0.2 z scale 0.2 remap\n" + RUN,
    "unknown_pair_style": CELL + "pair_style deepmd graph.pb\n",
    "unknown_pair_style of a known family": CELL + "pair_style eam/nonesuch\n",
    "missing_element in eam": CELL + COPPER.replace(" Cu\n", " Al\n"),
    "missing_element in sw": CELL + "pair_style sw\npair_coeff * * {potentials}/Si.sw Ge\n",
    "missing_element in tersoff": CELL + "pair_style tersoff\npair_coeff * * {potentials}/Si.tersoff Ge\n",
    "missing_element in meam": CELL + "pair_style meam\npair_coeff * * {potentials}/library.meam Xx NULL Xx\n",
    "bad_potential, not there": CELL + "pair_style eam/alloy\npair_coeff * * nonesuch.eam.alloy Cu\n",
    "bad_potential, of another kind": CELL + "pair_style eam/alloy\npair_coeff * * {potentials}/Cu_u3.eam Cu\n",
    "bad_potential, cut": CELL
    + "shell head -c 50000 {potentials}/Cu_mishin1.eam.alloy > cut.eam.alloy\n"
    + "pair_style eam/alloy\npair_coeff * * cut.eam.alloy Cu\n",
    "syntax, command": "frobnicate\n",
    "syntax, style": CELL + "fix 7 all frobnicate 1 2\n",
    "syntax, number": CELL + "timestep fast\n",
    "syntax, missing argument": CELL + "fix 3 all npt temp 3\n",
    "syntax, variable": "timestep ${nonesuch}\n",
    "syntax, pair_style": CELL + "pair_style eam/alloy 3\n",
    "syntax, no pair_coeff": CELL + "pair_style eam/alloy\n" + RUN,
    "other_error, no data file": "units metal\nread_data nonesuch.data\n",
}


@pytest.mark.parametrize("case", FAILURES)
def test_failures_are_told_apart(log_of, case):
    log = log_of(FAILURES[case], check=False)
    assert log.failure() == case.replace(",", " ").split()[0]
    assert log.errors
    assert not log.complete


@pytest.mark.parametrize("model", ["nonesuch.pb", "in.lammps"], ids=["missing", "corrupt"])
def test_a_bad_model_is_a_bad_potential(log_of, model):
    """The input file itself is the corrupt model."""
    script = CELL + f"pair_style deepmd {model}\npair_coeff * * Cu\n"
    assert log_of(script, check=False, engine=find_lammps_deepmd()).failure() == "bad_potential"


def test_an_element_that_a_model_lacks_is_missing():
    log = read_file(FILES / "deepmd_missing_element.log")
    assert log.failure() == "missing_element"


def test_messages_are_kept_once_and_their_number_and_length_are_bounded():
    lines = [f"WARNING: number {index} {'x' * 10_000}\n" for index in range(1000)] + ["ERROR: a\n"] * 1000
    log = read_log(lines)
    assert len(log.warnings) == lammps_log.MAX_MESSAGES
    assert max(map(len, log.warnings)) == lammps_log.MAX_MESSAGE_LENGTH
    assert log.errors == ("ERROR: a",)


def test_a_limit_of_time_is_seen_behind_many_warnings():
    lines = [f"WARNING: number {index}\n" for index in range(1000)] + ["WARNING: Wall time limit reached (x)\n"]
    assert read_log(lines).timed_out


def test_a_table_longer_than_a_chunk_is_read_whole(monkeypatch):
    monkeypatch.setattr(lammps_log, "_CHUNK", 7)
    rows = [f"{step:10d}   {step / 7:.10g}\n" for step in range(100)]
    log = read_log(["   Step  Temp\n", *rows, "Loop time of 1.5e-05 on 2 procs for 99 steps with 144 atoms\n"])
    assert log.blocks[0]["Temp"] == pytest.approx(np.arange(100) / 7)
    assert log.blocks[0].loop == Loop(1.5e-05, 2, 99, 144)


def test_own_lines_that_are_echoed_commands_or_malformed_are_no_news():
    log = read_log(
        ['print "dnpmelt stage melt"\n', "dnpmelt value x\n", "dnpmelt value y abc\n", "dnpmelt\n", "dnpmelt a b\n"]
    )
    assert log.stage == ""
    assert log.values == {}


def test_the_last_of_a_value_wins():
    assert read_log(["dnpmelt value x 1\n", "dnpmelt value x 2.5e3\n"]).values == {"x": 2500.0}


def test_wall_time_is_in_seconds():
    assert read_log(["Total wall time: 101:02:03\n"]).wall_time_s == 101 * 3600 + 2 * 60 + 3


def test_an_empty_log_is_no_failure():
    log = read_file(Path(os.devnull))
    assert (log.blocks, log.failure(), log.complete, log.version) == ((), None, False, None)


@pytest.mark.parametrize(
    ("line", "share"),
    [
        ("51.3% CPU use with 1 MPI tasks x 1 OpenMP threads\n", 0.513),
        ("398% CPU use with 2 MPI tasks x 4 OpenMP threads\n", 3.98),
        ("99.9% CPU use with 4 MPI tasks x no OpenMP threads\n", 0.999),
        ("", None),
        ("51.3% CPU", None),
        ("-nan% CPU use with 1 MPI tasks x 1 OpenMP threads\n", None),
    ],
)
def test_cpu_time_is_that_of_the_run_before_it(line, share):
    table = "Step Temp\n0 1.0\n10 2.0\nLoop time of 2.5 on 4 procs for 10 steps with 36 atoms\n"
    log = read_bytes(f"99.0% CPU use with 1 MPI tasks\n{table}\n{line}\nMPI task timing breakdown:\n{table}".encode())
    assert [block.loop for block in log.blocks] == [Loop(2.5, 4, 10, 36, share), Loop(2.5, 4, 10, 36)]
