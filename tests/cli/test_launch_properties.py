from __future__ import annotations

import json
from pathlib import Path

import pytest
from aiida import orm
from click.testing import CliRunner, Result

from aiida_dnpmelt.cli import main


@pytest.fixture
def launch(aiida_profile, lmp_code, lmp_deepmd_code, potentials_folder):
    """Give a function that runs `aiida-dnpmelt launch` for copper unless told otherwise."""

    def run(command: str, *arguments: str, element: str | None = "Cu", file: str | None = "Cu_u3.eam") -> Result:
        options = ["--element", element] if element else []
        options += ["--potential-file", str(potentials_folder / file)] if file else []
        return CliRunner().invoke(main, ["launch", command, *options, *arguments, "--profile", aiida_profile.name])

    return run


def test_dry_run_of_a_benchmark_tells_what_would_be_run(launch, potentials_folder, tmp_path):
    values = tmp_path / "values.yaml"
    values.write_text("c11_gpa: {value: 176.2, source: somebody}\n")
    before = orm.QueryBuilder().append(orm.ProcessNode).count()
    reference = str(potentials_folder / "Cu_mishin1.eam.alloy")
    result = launch("benchmark", "--reference-file", reference, "--values", str(values), "--dry-run")
    assert result.exit_code == 0, result.output
    for part in ("Cu4 (fcc), protocol balanced", "2 jobs, with Cu_u3.eam and Cu_mishin1", "9 energies", "256 atoms"):
        assert part in result.output
    assert orm.QueryBuilder().append(orm.ProcessNode).count() == before


def test_dry_run_of_a_hexagonal_crystal(launch):
    result = launch("benchmark", "--protocol", "fast", "--dry-run", element="Mg", file="Mg_mm.eam.fs")
    assert "Mg4 (hcp), protocol fast" in result.output
    assert "21 energies over volume" in result.output


def test_dry_run_of_a_cohesive_energy(launch, make_vasp, potcar_family):
    result = launch("cohesive", "--dry-run")
    assert "Cu4 (fcc) with Cu_u3.eam: 1 job" in result.output, result.output
    vasp = make_vasp().full_label
    result = launch("cohesive", "--vasp-code", vasp, "--potcar-family", potcar_family, "--dry-run", file=None)
    assert result.exit_code == 0, result.output
    assert "8 jobs, 7 volumes with 1 ratios c/a each, and the free atom in 14 x 15 x 16 Angstrom" in result.output


@pytest.mark.parametrize(
    ("command", "arguments", "changes", "message"),
    [
        ("benchmark", (), {"element": "Qq"}, "--element: 'Qq' is no chemical symbol"),
        ("benchmark", (), {"element": "Al"}, "potential: it has no Al, it knows Cu"),
        ("benchmark", (), {"element": "Sb"}, "--element: the table has no lattice of Sb"),
        ("benchmark", (), {"file": None}, "give either --potential or --potential-file"),
        ("benchmark", ("--reference", "nobody"), {}, "--reference: 0 potentials are called 'nobody'"),
        ("benchmark", ("--reference-code", "lmp@localhost"), {}, "--reference-code: it goes with --reference"),
        ("benchmark", ("--part", "atom", "--part", "atom"), {}, "parts: atom, atom has one more than once"),
        ("benchmark", ("--code", "lmp@moon"), {}, "there is no code 'lmp@moon'"),
        ("benchmark", ("--mpi", "640"), {}, "resources: 640 MPI processes of a job on computer 'localhost'"),
        ("cohesive", ("--potcar-family", "PBE"), {}, "--potcar-family: it goes with --vasp-code"),
        ("cohesive", ("--potcar", "Cu_pv"), {}, "--potcar: it goes with --vasp-code"),
        ("cohesive", ("--vasp-code", "lmp@localhost"), {}, "--potential-file: it does not go with --vasp-code"),
        ("cohesive", ("--vasp-code", "lmp@localhost"), {"file": None}, "--potcar-family: VASP needs one"),
        (
            "cohesive",
            ("--vasp-code", "lmp@localhost", "--potcar-family", "nobody's"),
            {"file": None},
            "--vasp-code: 'lmp@localhost' runs LAMMPS",
        ),
    ],
)
def test_wrong_input_is_told_and_nothing_is_submitted(launch, command, arguments, changes, message):
    before = orm.QueryBuilder().append(orm.ProcessNode).count()
    result = launch(command, *arguments, **changes)
    assert result.exit_code == 1, result.output
    assert message in result.output
    assert orm.QueryBuilder().append(orm.ProcessNode).count() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("copper, I think", "must hold properties by name"),
        ("c11_gpa: {value: 170", "is no YAML or JSON"),
        ("c11_gpa: 170\n", "values.c11_gpa"),
        ("hardness: {value: 1, source: x}\n", "hardness unknown, there are lattice_a_angstrom"),
    ],
)
def test_file_of_values_that_cannot_be_used_is_told(launch, tmp_path, content, message):
    path = tmp_path / "values.yaml"
    path.write_text(content)
    result = launch("benchmark", "--values", str(path), "--dry-run")
    assert result.exit_code == 1, result.output
    assert message in result.output


def test_without_a_daemon_the_remedy_is_told(launch):
    for command in ("benchmark", "cohesive"):
        result = launch(command)
        assert result.exit_code == 1
        assert "aiida-dnpmelt services up" in result.output


@pytest.fixture
def show(aiida_profile):
    """Give a function that runs `aiida-dnpmelt potential benchmark`."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["potential", "benchmark", *arguments, "--profile", aiida_profile.name])

    return run


def test_table_of_a_benchmark(show, compared, tmp_path: Path):
    plot = tmp_path / "eos.svg"
    result = show(str(compared.pk), "--plot", str(plot))
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "Cu (fcc), Cu_mishin1.eam.alloy"
    head = "property unit value experiment experiment off/% given given off/% other other off/%"
    assert lines[1].split() == head.split()
    (a,) = [line.split() for line in lines if line.startswith("lattice_a_angstrom")]
    assert a[:5] == ["lattice_a_angstrom", "Angstrom", "3.6149", "3.61", "+0.1"]
    assert "given: c44_gpa: Overton and Gaffney, Phys. Rev. 98, 969 (1955)" in lines
    assert any(line.startswith("other: Cu_u3.eam (") for line in lines)
    assert lines[-1] == f"[OK] benchmark {compared.pk}; {plot} written"
    text = plot.read_text()
    assert "Cu_mishin1.eam.alloy: V = 11.8" in text and "Cu_u3.eam: V = 11.8" in text
    assert "exists: choose another file" in show(str(compared.pk), "--plot", str(plot)).output


def test_latest_benchmark_of_a_potential_is_found(show, compared):
    potential = compared.inputs.potential
    for identifier in (str(potential.pk), potential.uuid):
        found = json.loads(show(identifier, "--format", "json").output)
        assert found["pk"] >= compared.pk
        assert found["potential_uuid"] == potential.uuid
    rows = show(str(compared.pk), "--format", "csv").output.splitlines()
    assert rows[0].split(",")[:4] == ["property", "unit", "value", "experiment"]
    assert float(rows[1].split(",")[2]) == pytest.approx(3.61492, abs=1e-4)


def test_what_has_no_benchmark_is_told(show, compared):
    assert "there is no node 'nobody', and 0 potentials are called so" in show("nobody").output
    number = orm.Int(1).store()
    assert f"node {number.pk} is no benchmark and no potential but a Int" in show(str(number.pk)).output
    other = compared.inputs.reference_potential
    result = show(str(other.pk))
    assert result.exit_code == 1
    assert "has no benchmark: `aiida-dnpmelt launch benchmark` makes one" in result.output


def test_picture_without_an_equation_of_state_is_refused(show, compared, tmp_path):
    from aiida_dnpmelt.report.equation_of_state import write_equations

    properties = {**compared.outputs.properties.get_dict(), "eos_energies_ev": None}
    with pytest.raises(ValueError, match="there is no equation of state to draw"):
        write_equations([properties], tmp_path / "eos.png")
