from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from lammps_runs import run_lammps

from aiida_dnpmelt.calculations.coexistence_script import (
    DATA_FILE,
    End,
    Resume,
    build_script,
    last_state,
    probe_file,
    restart_file,
)
from aiida_dnpmelt.calculations.coexistence_settings import ONE_PHASE, CoexistenceSettings
from aiida_dnpmelt.calculations.coexistence_stages import RunSpec, preparation_time_ps, random_seeds, stages_of
from aiida_dnpmelt.physics.lammps_log import Log, read_log
from aiida_dnpmelt.workchains.protocols import load_protocol

FILES = Path(__file__).parent / "files" / "coexistence_script"

SPEC = RunSpec(
    temperature_k=1300.0,
    pressure_bar=10_000.0,
    seed=101,
    repetitions=(6, 6, 12),
    pair_commands=("pair_style eam/alloy", "pair_coeff * * Cu.eam.alloy Cu"),
    reflections=((0, 2), (2, 0)),
    n_slabs=12,
)

CASES = {
    "bulk": ("balanced", None),
    "bulk_wall_time": ("balanced", None),
    "bulk_resume_equilibrate": ("balanced", Resume("equilibrate", 1000, "equilibrate.1000.restart")),
    "bulk_resume_average": ("balanced", Resume("average", 0, "equilibrate.end.restart")),
    "bulk_resume_melt": ("balanced", Resume("melt", 700, "melt.700.restart")),
    "bulk_resume_quench": ("balanced", Resume("quench", 0, "melt.end.restart")),
    "bulk_resume_production": ("balanced", Resume("production", 5000, "production.end.restart")),
    "crystal": ("balanced", None),
    "melt": ("balanced", None),
    "melt_resume_production": ("balanced", Resume("production", 5000, "production.5000.restart")),
    "paper_text": ("paper", None),
    "paper_text_resume_melt": ("paper", Resume("melt", 4000, "melt.4000.restart")),
    "paper_script": ("paper-script", None),
    "paper_script_resume_cool": ("paper-script", Resume("cool", 3000, "cool.3000.restart")),
}


def settings_of(protocol: str, **changes) -> CoexistenceSettings:
    return CoexistenceSettings(**{**load_protocol("tpc", protocol)["run"], **changes})


def script_of(name: str) -> str:
    protocol, resume = CASES[name]
    spec = replace(SPEC, wall_seconds=3725) if name.endswith("wall_time") else SPEC
    if protocol.startswith("paper"):
        spec = replace(spec, pressure_bar=1.0312, production_ps=120.0, seed=11111111)
    own = name.split("_", maxsplit=1)[0]
    changes = {"method": own} if own in ONE_PHASE else {}
    return build_script(settings_of(protocol, **changes), spec, resume)


@pytest.mark.parametrize("name", CASES)
def test_script_is_that_of_the_regression_file(name):
    assert script_of(name) == (FILES / f"{name}.in").read_text()


def test_same_inputs_give_the_same_bytes_and_another_seed_does_not():
    settings = settings_of("balanced")
    assert build_script(settings, SPEC) == build_script(settings, replace(SPEC))
    other = build_script(settings, replace(SPEC, seed=102)).splitlines()
    differing = [one for one, two in zip(build_script(settings, SPEC).splitlines(), other, strict=True) if one != two]
    assert [line.split()[0] for line in differing] == ["velocity", "fix", "fix", "fix"]


def test_random_seeds_are_independent_and_of_the_range_of_lammps():
    found = np.array([random_seeds(seed, 4) for seed in range(1, 200)])
    assert len(np.unique(found)) == found.size
    assert found.min() > 0
    assert found.max() <= 900_000_000
    assert random_seeds(7, 4)[:2] == random_seeds(7, 2)


def test_stages_have_the_lengths_of_the_settings():
    settings = settings_of("balanced")
    times = {stage.name: stage.steps * settings.timestep_fs / 1000 for stage in stages_of(settings, SPEC)}
    assert times == pytest.approx(
        {"equilibrate": 3.0, "average": 3.0, "melt": 4.5, "quench": 0.45, "thermalise": 1.5, "production": 40.0},
        abs=0.003,
    )
    assert preparation_time_ps(settings) == pytest.approx(12.45, abs=0.01)
    assert preparation_time_ps(settings_of("paper")) == 20.0
    assert preparation_time_ps(settings_of("paper-script")) == 50.0


def test_stage_that_the_method_has_not_is_refused():
    with pytest.raises(ValueError, match=r"restart\.stage: 'cool' is not a stage of 'bulk': \['equilibrate'"):
        build_script(settings_of("balanced"), SPEC, Resume("cool", 0, "melt.end.restart"))


def stage_text(name: str, stage: str) -> str:
    """Return the lines of one stage of a script."""
    return script_of(name).split(f'print "dnpmelt stage {stage}"')[1].split('print "dnpmelt stage')[0]


@pytest.mark.parametrize(
    ("stage", "line"),
    [
        ("relaxation", "fix relax all box/relax iso 1.0312 vmax 0.001"),
        ("relaxation", "min_style cg"),
        ("equilibrate", "velocity all create 1300 11111111 rot no dist gaussian"),
        ("equilibrate", "compute solidtemp solid temp"),  # the thermostat reads the solid half,
        ("equilibrate", "fix_modify move temp solidtemp"),  # and with it the pressure counts half of the atoms
        ("equilibrate", "fix move all npt temp 1300 1300 0.02 iso 1.0312 1.0312 1 drag 0.2"),
        ("equilibrate", "run 15000 upto"),
        ("melt", "velocity liquid create 1846 11111111 rot no dist gaussian"),  # 1.42 T
        ("melt", "compute liquidtemp liquid temp"),
        ("melt", "fix_modify move temp liquidtemp"),
        ("melt", "fix move liquid npt temp 1729 1729 0.02 x 1.0312 1.0312 1 drag 0.2"),  # 1.33 T, x alone
        ("melt", "run 20000 upto"),
        ("cool", "fix move liquid npt temp 1365 1365 0.02 x 1.0312 1.0312 1 drag 0.2"),  # 1.05 T
        ("cool", "fix_modify move temp liquidtemp"),
        ("cool", "run 15000 upto"),
        ("production", "fix move all nph iso 1.0312 1.0312 0.5"),
        ("production", "run 120000 upto"),
        ("production", "dump frames all custom 5000 frames.dump id x y z"),
    ],
)
def test_published_script_is_followed_to_the_letter(stage, line):
    assert line in stage_text("paper_script", stage).splitlines()


@pytest.mark.parametrize("line", ["timestep 0.001", "thermo 500", "neighbor 2.5 bin"])
def test_published_script_has_the_published_head(line):
    assert line in script_of("paper_script").splitlines()


@pytest.mark.parametrize("stage", ["melt", "cool"])
def test_published_script_leaves_the_solid_half_where_it_is(stage):
    fixes = [line for line in stage_text("paper_script", stage).splitlines() if line.startswith("fix move")]
    assert len(fixes) == 1
    assert fixes[0].startswith("fix move liquid ")


@pytest.mark.parametrize(
    ("stage", "line"),
    [
        ("equilibrate", "fix move all npt temp 1300 1300 0.1 iso 1.0312 1.0312 1"),
        ("equilibrate", "run 10000 upto"),
        ("melt", "fix move all nph iso 1.0312 1.0312 1"),
        ("melt", "run 10000 upto"),
        ("production", "fix move all nph iso 1.0312 1.0312 1"),
        ("production", "run 120000 upto"),
    ],
)
def test_text_of_the_paper_is_followed(stage, line):
    assert line in stage_text("paper_text", stage).splitlines()


def test_text_of_the_paper_heats_the_lower_half_to_five_quarters_of_the_guess():
    assert "fix bath liquid langevin 1625 1625 0.1 " in stage_text("paper_text", "melt")


@pytest.mark.parametrize("name", ["paper_text", "paper_script"])
def test_paper_does_not_notice_a_lost_phase(name):
    assert "fix halt" not in script_of(name)


def test_our_production_has_no_thermostat_and_relaxes_z_alone():
    fixes = [line for line in stage_text("bulk", "production").splitlines() if line.startswith("fix ")]
    assert fixes[1] == "fix move all nph z 10000 10000 0.5"
    assert [line.split()[1] for line in fixes] == ["probe", "move", "halt"]


@pytest.mark.parametrize(("couple", "relaxed"), [("xyz", "iso 10000"), ("xy", "aniso 10000 couple xy")])
def test_lengths_that_are_equal_by_symmetry_relax_together(couple, relaxed):
    script = build_script(settings_of("balanced"), replace(SPEC, couple=couple))
    assert f"fix relax all box/relax {relaxed} vmax 0.001" in script
    assert f"aniso 10000 10000 0.5 couple {couple}" in script


NAMES = ("equilibrate", "average", "melt", "quench", "thermalise", "production")
EVERY = 1000  # steps between restart files
FROM_MELT = Resume("melt", 1000, "melt.1000.restart")
FROM_PRODUCTION = Resume("production", 13_767, "production.end.restart")


def end(stage: str, step: int, script_ended: bool = False, timed_out: bool = False) -> End:
    return End(stage, step, script_ended, timed_out)


@pytest.mark.parametrize(
    ("begin", "ended", "expected"),
    [
        # The whole script.
        (None, end("production", 5000, script_ended=True), Resume("production", 5000, "production.end.restart")),
        (FROM_PRODUCTION, end("production", 14_000, True), Resume("production", 14_000, "production.end.restart")),
        # The wall time: a file of the last step, but where a time average is under way.
        (None, end("equilibrate", 700, timed_out=True), Resume("equilibrate", 700, "equilibrate.700.restart")),
        (None, end("production", 1234, timed_out=True), Resume("production", 1234, "production.1234.restart")),
        (None, end("average", 700, timed_out=True), Resume("average", 0, "equilibrate.end.restart")),
        # Killed: the last periodic file, else the end of the stage before.
        (None, end("equilibrate", 999), None),
        (None, end("equilibrate", 1000), Resume("equilibrate", 1000, "equilibrate.1000.restart")),
        (None, end("average", 1500), Resume("average", 0, "equilibrate.end.restart")),
        (None, end("melt", 999), Resume("melt", 0, "average.end.restart")),
        (None, end("melt", 1490), Resume("melt", 1000, "melt.1000.restart")),
        (None, end("production", 3999), Resume("production", 3000, "production.3000.restart")),
        # Killed after it had been taken up: nothing before that is in its folder.
        (FROM_MELT, end("melt", 1000), FROM_MELT),
        (FROM_MELT, end("melt", 1400), FROM_MELT),
        (FROM_MELT, end("melt", 2000), Resume("melt", 2000, "melt.2000.restart")),
        (FROM_MELT, end("quench", 100), Resume("quench", 0, "melt.end.restart")),
        (FROM_PRODUCTION, end("production", 13_999), FROM_PRODUCTION),
        (FROM_PRODUCTION, end("production", 0), FROM_PRODUCTION),
        (FROM_PRODUCTION, end("production", 14_100), Resume("production", 14_000, "production.14000.restart")),
        # Before any dynamics.
        (None, end("relaxation", 40), None),
        (None, end("", 0), None),
    ],
)
def test_last_state(begin, ended, expected):
    settings = settings_of("balanced", restart_interval_ps=3.0)
    assert settings.restart_steps == EVERY
    assert last_state(settings, NAMES, begin, ended) == expected


SHORT = {
    "timestep_fs": 3.0,
    "equilibrate_ps": 0.6,
    "average_ps": 0.6,
    "melt_ps": 1.2,
    "cool_ps": 0.3,
    "quench_ps": 0.3,
    "thermalise_ps": 0.6,
    "sample_interval_fs": 30.0,
    "frame_interval_ps": 0.6,
    "restart_interval_ps": 0.6,
    "minimisation": (1e-6, 1e-6, 10, 100),
}


def run(folder: Path, potential: Path, protocol: str, production_ps: float, resume: Resume | None = None) -> Log:
    """Run a small cell of copper with short stages in LAMMPS, without AiiDA, and return its log."""
    spec = replace(
        SPEC,
        pressure_bar=0.0,
        repetitions=(4, 4, 8),
        n_slabs=8,
        production_ps=production_ps,
        pair_commands=("pair_style eam", f"pair_coeff * * {potential}"),
    )
    folder.mkdir(exist_ok=True)
    write(folder / DATA_FILE, bulk("Cu", "fcc", a=3.615, cubic=True), format="lammps-data", masses=True)
    script = build_script(settings_of(protocol, **SHORT), spec, resume)
    with run_lammps(script, folder).open() as lines:
        return read_log(lines)


def test_lammps_makes_as_many_slabs_as_it_is_told(tmp_path):
    """One more, thin and empty, would count as liquid for ever."""
    numbers = range(4, 120)
    script = ["units metal", "lattice fcc 3.6", "region box block 0 1 0 1 0 1", "create_box 1 box", "mass 1 1.0"]
    script += ["create_atoms 1 box", "pair_style zero 3.0", "pair_coeff * *"]
    for number in numbers:
        lines = build_script(settings_of("balanced"), replace(SPEC, n_slabs=number)).splitlines()
        (slab,) = [line for line in lines if line.startswith("compute slab ")]
        script.append(slab.replace("compute slab ", f"compute slab{number} "))
    columns = " ".join(f"c_slab{number}" for number in numbers)
    script += [f"thermo_style custom step {columns}", "run 0"]
    with run_lammps("\n".join(script), tmp_path).open() as lines:
        (row,) = read_log(lines).blocks[0].rows
    np.testing.assert_array_equal(row[1:], numbers)


@pytest.mark.parametrize("protocol", ["paper", "paper-script"])
def test_lammps_runs_the_stages_of_the_paper(protocol, potentials_folder, tmp_path):
    log = run(tmp_path, potentials_folder / "Cu_u3.eam", protocol, 0.3)
    assert (log.complete, log.errors) == (True, ())
    stages = [stage.name for stage in stages_of(settings_of(protocol), SPEC)]
    assert [block.stage for block in log.blocks if len(block.rows) > 2 and block.stage in stages] == stages


def test_run_that_is_taken_up_between_two_probes_is_not_halted_before_the_first_of_them(potentials_folder, tmp_path):
    potential = potentials_folder / "Cu_u3.eam"
    first = run(tmp_path, potential, "balanced", 1.0)
    assert (first.complete, first.halted) == (True, False)
    last = int(first.blocks[-1]["Step"][-1])
    state = Resume("production", last, restart_file("production", "end"))
    second = run(tmp_path, potential, "balanced", 3.1, state)
    assert (second.complete, second.halted) == (True, False)
    assert int(second.blocks[0]["Step"][0]) == last
    assert int(second.blocks[-1]["Step"][-1]) == round(3.1 / 0.003)
    steps = np.loadtxt(tmp_path / probe_file("production"), ndmin=2)[:, 0]
    np.testing.assert_array_equal(steps, [1000.0])


if __name__ == "__main__":
    FILES.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        (FILES / f"{case}.in").write_text(script_of(case))
