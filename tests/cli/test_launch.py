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
def launch(aiida_profile, lmp_code, lmp_deepmd_code, potentials_folder):
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
    assert "5 runs of 120 ps" in result.output


def test_structure_from_a_file(launch, tmp_path: Path):
    bulk("Cu").write(tmp_path / "POSCAR", format="vasp")
    result = launch("--structure", str(tmp_path / "POSCAR"), "--dry-run", element=None)
    assert result.exit_code == 0, result.output
    assert "1728 atoms" in result.output


@pytest.mark.parametrize(
    ("arguments", "changes", "message"),
    [
        ((), {"element": "Qq"}, "element 'Qq' is not in the table"),
        ((), {"element": "Al"}, "potential: it has no Al, it knows Cu"),
        ((), {"element": None}, "give either --element or --structure"),
        ((), {"file": None}, "give either --potential or --potential-file"),
        (("--potential", "nobody"), {"file": None}, "0 potentials are called 'nobody'"),
        (("--lattice", "bcc"), {}, "the table has Cu as fcc"),
        (("--code", "lmp@moon"), {}, "there is no code 'lmp@moon'"),
        (("--pressure", "-50"), {}, "pressure: -50 GPa is outside the allowed range"),
        (("--temperature", "0"), {}, "temperature: 0 K is outside the allowed range"),
        (("--target", "-1"), {}, "plan.target_uncertainty_k: Input should be greater than 0"),
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
