from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from aiida import orm
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from ase.build import bulk
from campaigns import SMALL, load
from provenance.stored_points import POINT
from provenance.stored_points import store as store_point

from aiida_dnpmelt.campaign import submission
from aiida_dnpmelt.campaign.cells import Campaign, Cell
from aiida_dnpmelt.campaign.modes import builder_of
from aiida_dnpmelt.campaign.states import CUT_SUBMISSION, group_label, states
from aiida_dnpmelt.campaign.submission import Submitter, changes, check, guess_of, locked


@pytest.fixture
def campaign(aiida_profile_clean, lmp_code, tmp_path) -> Campaign:
    """Give a campaign of two cells of which nothing is submitted."""
    return load(tmp_path)


def stored(campaign: Campaign, cell: Cell, checkpoint: bool = True) -> orm.WorkChainNode:
    """Store the work chain of a cell as a submission does, which is cut before the daemon hears of it."""
    runner = get_manager().get_runner()
    process = instantiate_process(runner, builder_of(campaign, cell))
    if checkpoint:
        runner.persister.save_checkpoint(process)
    process.close()
    return process.node


HOLD = """
import sys
from aiida import load_profile
from aiida_dnpmelt.campaign.submission import locked
load_profile(sys.argv[1])
with locked("small"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_at_a_time_submits_and_a_killed_one_holds_nothing(aiida_profile):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, aiida_profile.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(ValueError, match="the campaign 'small' is run by another process"), locked("small"):
            pass
        with locked("another"):
            pass
        other.kill()
        other.wait()
        with locked("small"):
            pass


def test_what_a_cut_submission_has_stored_is_no_work_chain_of_its_cell(campaign, monkeypatch):
    monkeypatch.setattr(submission, "PATIENCE", 2.0)
    nodes = [stored(campaign, campaign.cells[0], checkpoint=False), stored(campaign, campaign.cells[1])]
    assert [each.state for each in states("small", campaign.cells)] == ["submitted", "submitted"]
    submitter = Submitter(campaign)
    assert [each.state for each in submitter.states()] == ["missing", "missing"]
    for node in nodes:
        assert (node.is_killed, node.is_sealed, node.process_status) == (True, True, CUT_SUBMISSION)
    assert submitter.waiting(submitter.states()) == list(campaign.cells)


def test_what_a_kill_kept_out_of_the_group_comes_into_it(campaign):
    node = stored(campaign, campaign.cells[0])
    node.set_process_state("waiting")
    submitter = Submitter(campaign)
    group = orm.Group.collection.get(label=group_label("small"))
    assert [each.pk for each in group.nodes] == [node.pk]
    assert submitter.waiting(submitter.states()) == [campaign.cells[1]]


def test_no_more_than_the_maximum_run(campaign):
    for cell in campaign.cells[:1]:
        stored(campaign, cell).set_process_state("waiting")
    assert list(Submitter(campaign).top_up()) == []


def test_failed_cells_wait_only_if_that_is_asked_for(campaign):
    node = stored(campaign, campaign.cells[0])
    node.set_process_state("excepted")
    assert Submitter(campaign).waiting(states("small", campaign.cells)) == [campaign.cells[1]]
    assert Submitter(campaign, retry_failed=True).waiting(states("small", campaign.cells)) == list(campaign.cells)


CHANGED = {
    "protocol": ({"protocol": "balanced"}, "protocol is balanced, was fast"),
    "plan": (
        {"overrides": {**SMALL["overrides"], "plan": {**SMALL["overrides"]["plan"], "runs": 2}}},
        "plan.runs is 2, was 1",
    ),
    "seeds": ({"seeds": [8]}, "seeds is [8], was [7]"),
    "crystal": ({"elements": {"Cu": {"lattice": "fcc", "a_angstrom": 3.7}}}, "structure.cell is"),
}


@pytest.mark.parametrize("case", CHANGED)
def test_changed_settings_of_a_cell_are_refused(campaign, tmp_path, case):
    node = stored(campaign, campaign.cells[0])
    node.set_process_state("waiting")
    changed, message = CHANGED[case]
    with pytest.raises(ValueError, match="submitted with other settings") as caught:
        check(load(tmp_path, **changed))
    assert f"Cu 0 GPa Cu_u3.eam, work chain {node.pk}: {message}" in str(caught.value)


def test_guess_wall_time_and_slots_may_change(campaign, tmp_path):
    stored(campaign, campaign.cells[0]).set_process_state("waiting")
    check(load(tmp_path, elements=["Cu"], options={"max_wallclock_seconds": 99}, maximum_running=9))


def test_settings_of_a_failed_cell_may_change(campaign, tmp_path):
    stored(campaign, campaign.cells[0]).set_process_state("excepted")
    check(load(tmp_path, protocol="balanced"))


def test_same_settings_have_no_changes_whatever_the_protocol(aiida_profile, lmp_code, tmp_path):
    """Keys that are numbers are texts in a database."""
    campaign = load(tmp_path, protocol="paper", overrides=None)
    node = stored(campaign, campaign.cells[0])
    assert changes(builder_of(campaign, campaign.cells[0]), orm.load_node(node.pk)) == []


def test_all_refused_cells_are_told(campaign, tmp_path, potentials_folder):
    wrong = load(tmp_path, elements=["Cu", "Ni"], potentials={"Cu": "Ni_u3.eam", "Ni": "Cu_u3.eam"}, pressures_gpa=[0])
    with pytest.raises(ValueError, match="potential") as caught:
        check(wrong)
    assert str(caught.value).splitlines() == [
        "Cu 0 GPa Ni_u3.eam: potential: it has no Cu, it knows Ni",
        "Ni 0 GPa Cu_u3.eam: potential: it has no Ni, it knows Cu",
    ]


def test_guess_at_a_pressure_comes_from_results_of_the_same_potential_and_crystal(campaign):
    cell = campaign.cells[1]
    structure = campaign.structures["Cu"]
    assert guess_of(cell, structure, orm.Float(10.0)) is None
    own = {"potential_sha256": cell.checksum, "potential_label": "Cu_u3.eam"}
    store_point(**own, pressure_gpa=0.0, melting_temperature_k=1280.0)
    store_point(**own, pressure_gpa=5.0, melting_temperature_k=1480.0, verdict="unfinished")
    store_point(**own, pressure_gpa=10.0, melting_temperature_k=9000.0, lattice="bcc")
    store_point(pressure_gpa=10.0, melting_temperature_k=9000.0)
    assert POINT["potential_sha256"] != cell.checksum
    guess = guess_of(cell, structure, orm.Float(10.0))
    assert guess.value == pytest.approx(1680.0)
    assert guess.creator.process_label == "guess_from_points"


def test_files_of_locks_lie_in_the_folder_of_aiida(aiida_profile, aiida_config):
    with locked("x"):
        files = list((Path(aiida_config.dirpath) / "aiida-dnpmelt").glob("*.lock"))
    assert files


UNKNOWN = {"elements": ["Cu"], "potentials": {"Cu": "Cu_smf7.eam"}}
"""A potential without melting points that a guess would follow from."""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {**UNKNOWN, "pressures_gpa": [900]},
            "Cu 900 GPa .*: temperature: a first guess in K is needed at 900",
        ),
        ({"elements": {"Cu": {"temperature_k": 1}}}, "temperature: 1 K is outside the allowed range 339 to 5431 K"),
        ({"options": {"mpi_processes": 5000}}, "5000 MPI processes of a job on computer 'localhost'"),
        ({"options": {"machines": 3000}}, "3000 MPI processes of a job on computer 'localhost'"),
        (
            {"overrides": {"size": {"minimum_atoms": None, "by_atoms_in_cell": {4: [12, 6, 6]}}}},
            "along z it must be 25 Angstrom or more",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_by_cell(aiida_profile, lmp_code, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        check(load(tmp_path, name="odd", **changes))


def test_cells_whose_guess_follows_from_lower_pressures_are_taken_and_what_is_odd_is_told_once(
    aiida_profile, lmp_code, tmp_path
):
    odd = check(load(tmp_path, name="odd", elements=["Cu"], pressures_gpa=[0, -2, 200, 900]))
    assert [line for line in odd if "make a cell of" in line] == [odd[0]]
    assert odd[0].startswith("Cu 0 GPa Cu_u3.eam and 3 others: size: [")
    assert "Cu -2 GPa Cu_u3.eam: pressure: -2 GPa stretches crystal and melt" in odd[1]
    assert [line[: line.index(":")] for line in odd[2:]] == ["Cu 200 GPa Cu_u3.eam", "Cu 900 GPa Cu_u3.eam"]
    assert all("the first guess at" in line for line in odd[2:])


def test_crystal_of_a_file_may_be_asked_for_as_it_is(aiida_profile, lmp_code, tmp_path):
    atoms = bulk("Cu", cubic=True).repeat(3)
    del atoms[0]
    atoms.write(tmp_path / "vacancy.cif")
    size = {"minimum_atoms": 1700, "by_atoms_in_cell": None}
    given = {"structure": "vacancy.cif", "temperature_k": 1300}
    overrides = {"size": size}
    with pytest.raises(ValueError, match="Cu107 is none of fcc, bcc, hcp, diamond"):
        check(load(tmp_path, name="odd", elements={"Cu": given}, overrides=overrides))
    odd = check(load(tmp_path, name="odd", elements={"Cu": {**given, "any_crystal": True}}, overrides=overrides))
    assert "it is taken as it is" in odd[0]


def test_codes_of_another_kind_are_refused_by_their_key(aiida_profile, lmp_code, dp_code, tmp_path):
    with pytest.raises(ValueError, match=r"codes\.lammps: 'dp@localhost' runs DeePMD-kit"):
        load(tmp_path, name="odd", codes={"lammps": "dp@localhost"})
