from __future__ import annotations

from dataclasses import replace

import pytest
from aiida import orm
from click.testing import CliRunner, Result
from physics.labelled import labelled

from aiida_dnpmelt.cli import main
from aiida_dnpmelt.cli.launch_learning import _repeated
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.workchains.protocols import load_protocol


@pytest.fixture
def launch(aiida_profile, lmp_code, lmp_deepmd_code, dp_code, potentials_folder):
    """Give a function that runs `aiida-dnpmelt launch` for copper with a teacher, unless told otherwise."""

    def run(command: str, *arguments: str, file: str | None = "Cu_mishin1.eam.alloy") -> Result:
        reference = ["--reference-file", str(potentials_folder / file)] if file else []
        words = ["launch", command, "--element", "Cu", *reference, *arguments, "--profile", aiida_profile.name]
        return CliRunner().invoke(main, words)

    return run


def processes() -> int:
    return orm.QueryBuilder().append(orm.ProcessNode).count()


def test_dry_run_of_the_loop_tells_labels_jobs_and_steps_and_runs_nothing(launch):
    before = processes()
    result = launch("learn", "--protocol", "fast", "--iterations", "2", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "Cu4 with Cu_mishin1.eam.alloy as teacher, protocol fast" in result.output
    assert "first 204 labels; then at most 2 iterations of 3 trainings, 2 explorations" in result.output
    assert "coexistence" not in result.output
    assert processes() == before


def test_dry_run_counts_the_first_labels_when_the_budget_is_below_them(launch):
    result = launch("learn", "--protocol", "fast", "--labels", "1", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "at most 270 labels" in result.output  # 204 first ones, and the one iteration that is always done
    assert "[!] plan.label_budget: 1 labels do not reach for the 204 first ones" in result.output
    assert "label_budget" not in launch("learn", "--protocol", "fast", "--dry-run").output


def test_dry_run_of_the_chain_tells_the_coexistence_as_well(launch):
    result = launch("melt", "--protocol", "fast", "--model-seed", "7", "--model-seed", "8", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "iterations of 2 trainings" in result.output
    assert "coexistence: 2 models, 1 runs of" in result.output
    assert "the teacher: 2 runs of" in result.output
    result = launch("melt", "--protocol", "fast", "--no-teacher", "--pressure", "5", "--dry-run")
    assert "the teacher: " not in result.output


def test_loop_begins_with_frames_that_are_given(launch):
    frames = FramesData(labelled(3), phase="liquid", labeller="somebody").store()
    for command in ("learn", "melt"):
        result = launch(command, "--protocol", "fast", "--frames", str(frames.pk), "--dry-run")
        assert result.exit_code == 0, result.output
        assert "first 0 labels" in result.output
    result = launch("learn", "--frames", "987654", "--dry-run")
    assert "--frames: there is no node and no group '987654'" in result.output
    result = launch("learn", "--frames", str(orm.Int(1).store().pk), "--dry-run")
    assert "holds no labelled frames but is a Int" in result.output


@pytest.mark.parametrize("command", ["learn", "melt"])
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_frames_of_another_element_are_refused_before_anything_runs(launch, command, more):
    before = processes()
    copper = FramesData(labelled(3), labeller="somebody").store()
    mixed = replace(labelled(3), symbols=("Cu", "Al", *labelled(3).symbols[2:]))
    aluminium = FramesData(mixed, labeller="somebody").store()
    group = orm.Group(label=f"mixed of {aluminium.uuid}").store()
    group.add_nodes([copper, aluminium])
    for given in (("--frames", str(copper.pk), "--frames", str(aluminium.pk)), ("--frames", group.label)):
        result = launch(command, "--protocol", "fast", *given, *more)
        assert result.exit_code == 1, result.output
        named = f"frames.given_{aluminium.pk}: node {aluminium.pk} holds Al, Cu, the structure has no Al"
        assert named in result.output
    assert processes() == before


def test_paper_asks_for_three_stages(launch):
    result = launch("learn", "--protocol", "paper", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "14 iterations of 3 trainings, 3 explorations" in result.output


VASP = ("--vasp-code", "vasp@localhost", "--potcar-family", "PBE.invented")


@pytest.fixture
def vasp(localhost, potcar_family) -> None:
    if not orm.QueryBuilder().append(orm.InstalledCode, filters={"label": "vasp"}).count():
        orm.InstalledCode(label="vasp", computer=localhost, filepath_executable="/bin/false").store()


def test_dry_run_with_vasp_as_teacher(launch, vasp):
    for command in ("learn", "melt"):
        result = launch(command, *VASP, "--vasp-protocol", "paper", "--dry-run", file=None)
        assert result.exit_code == 0, result.output
        assert "Cu4 with vasp@localhost (PBE.invented) as teacher, protocol balanced" in result.output
        assert "the teacher: " not in result.output


def test_dry_run_with_vasp_counts_self_consistent_cycles(launch, vasp):
    """60 crystals of 101 steps, 10 melts of 1000 + 500 + 801; 30 chosen frames and 60 unbiased ones an iteration."""
    output = launch("learn", *VASP, "--dry-run", file=None).output
    assert "29070 for the first labels, at most 90 an iteration" in output
    assert "at most 29970 in 10 iterations, some 29160 in 1, the fewest that it can take" in output
    assert "electronic steps" in output
    output = launch("melt", *VASP, "--protocol", "fast", "--dry-run", file=None).output
    assert "47478 for the first labels, at most 66 an iteration, 32 for the correction at T_m" in output
    output = launch("learn", *VASP, "--protocol", "paper", "--dry-run", file=None).output
    assert "at most 330 an iteration" in output, "a label each of 10 steps, and the start"


def test_dry_run_with_a_potential_as_teacher_counts_no_cycles(launch):
    assert "self-consistent" not in launch("learn", "--dry-run").output


@pytest.mark.parametrize(
    ("arguments", "changes", "message"),
    [
        (VASP, {}, "give either --vasp-code or --reference"),
        (VASP[:2], {"file": None}, "--potcar-family: VASP needs one"),
        (VASP[2:], {}, "--potcar-family: it goes with --vasp-code"),
        (("--potcar", "Cu_pv"), {}, "--potcar: it goes with --vasp-code"),
        (("--vasp-mpi", "4"), {}, "--vasp-mpi: it goes with --vasp-code"),
        ((*VASP[:3], "nobody's"), {"file": None}, "labelling: potential_family: "),
        ((*VASP, "--potcar", "Cu_pv"), {"file": None}, "labelling: potential_family: "),
        (("--vasp-code", "vasp@moon", *VASP[2:]), {"file": None}, "--vasp-code: there is no code 'vasp@moon'"),
    ],
)
def test_wrong_input_for_vasp_is_told(launch, vasp, arguments, changes, message):
    result = launch("learn", *arguments, "--dry-run", **changes)
    assert result.exit_code == 1, result.output
    assert message in result.output


@pytest.mark.parametrize(
    ("arguments", "changes", "message"),
    [
        ((), {"file": None}, "give either --reference or --reference-file"),
        (("--reference", "nobody"), {"file": None}, "--reference: 0 potentials are called 'nobody'"),
        ((), {"file": "Al_mm.eam.fs"}, "labelling: potential: it has no Cu, it knows Al"),
        (("--temperature", "-5"), {}, "temperature: -5 K is outside the allowed range"),
        (("--pressure", "-50"), {}, "pressure: -50 GPa is outside the allowed range"),
        (("--iterations", "0"), {}, "maximum_iterations: Input should be greater than or equal to 1"),
        (("--shift", "-1"), {}, "target_shift_k: Input should be greater than 0"),
        (("--shift", "1e-9"), {}, "target_shift_k: 1e-09 K is outside the allowed range 0.1 to 10000 K"),
        (("--model-seed", "1"), {}, "--model-seed: [1] given, a committee needs at least two seeds, all different"),
        (("--model-seed", "1", "--model-seed", "1"), {}, "--model-seed: [1, 1] given, a committee needs"),
        (("--seed", "0"), {}, "--seed: 0 is outside the allowed range 1 to 1000000"),
        (("--training-code", "dp@moon"), {}, "--training-code: there is no code 'dp@moon'"),
        (("--training-code", "lmp@localhost"), {}, "--training-code: 'lmp@localhost' runs LAMMPS (/"),
        (("--lammps-code", "dp@localhost"), {}, "--lammps-code: 'dp@localhost' runs DeePMD-kit (/"),
        (("--reference-code", "dp@localhost"), {}, "--reference-code: 'dp@localhost' runs DeePMD-kit (/"),
        (("--temperature", "1"), {}, "temperature: 1 K is outside the allowed range 339 to 5431 K"),
        (("--pressure", "900"), {}, "temperature: a first guess in K is needed at 900 GPa"),
        (("--reference-code", "lmp@moon"), {}, "--reference-code: there is no code 'lmp@moon'"),
    ],
)
@pytest.mark.parametrize("command", ["learn", "melt"])
def test_wrong_input_is_told_and_nothing_is_submitted(launch, command, arguments, changes, message):
    before = processes()
    result = launch(command, "--protocol", "fast", *arguments, **changes)
    assert result.exit_code == 1, result.output
    assert message in result.output
    assert processes() == before


def test_without_a_daemon_the_remedy_is_told(launch):
    result = launch("learn", "--protocol", "fast")
    assert result.exit_code == 1
    assert "aiida-dnpmelt services up" in result.output


@pytest.mark.parametrize("place", ["nowhere/melt.html", "file/melt.html", "."])
def test_page_that_cannot_be_written_is_told_at_the_beginning(launch, tmp_path, place):
    (tmp_path / "file").write_text("no folder")
    before = processes()
    result = launch("melt", "--watch", "--report", str(tmp_path / place))
    assert result.exit_code in (1, 2), result.output
    assert "cannot be written: " in result.output or "is a directory" in result.output
    assert processes() == before


def test_page_is_written_at_the_end_so_that_it_needs_the_watch(launch, tmp_path):
    result = launch("melt", "--report", str(tmp_path / "melt.html"))
    assert result.exit_code == 2
    assert "--report: the page is written at the end, which needs --watch" in result.output


def test_repetitions_have_seeds_of_their_own_and_the_first_those_of_the_protocol():
    protocols = {"training": load_protocol("training", "fast"), "tpc": load_protocol("tpc", "fast")}
    for work_chain, protocol in protocols.items():
        first, second, third = (_repeated(work_chain, "fast", number) for number in (1, 2, 3))
        assert first == protocol["seeds"]
        assert len({*first, *second, *third}) == 3 * len(first)
    assert _repeated("training", "fast", 2) == [4, 5, 6]
