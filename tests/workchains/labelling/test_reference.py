from __future__ import annotations

import io
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from label_jobs import copper_cell, frames_of, label_inputs

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.workchains.labelling.reference import ReferenceLabelWorkChain

CODES = ReferenceLabelWorkChain.exit_codes


@pytest.fixture
def copper(aiida_profile, potentials_folder) -> PotentialData:
    return PotentialData.get_or_create(potentials_folder / "Cu_mishin1.eam.alloy")


def run_chain(code: orm.InstalledCode, potential: PotentialData, **changes: Any) -> orm.WorkChainNode:
    return run_get_node(ReferenceLabelWorkChain, **label_inputs(code, potential, **changes)).node


def jobs_of(chain: orm.WorkChainNode) -> list[orm.CalcJobNode]:
    return [node for node in chain.called if isinstance(node, orm.CalcJobNode)]


def test_frames_and_report_come_from_one_job(lmp_code, copper):
    frames = {"a": frames_of(copper_cell()), "b": frames_of(copper_cell(1))}
    chain = run_chain(lmp_code, copper, frames=frames)
    assert chain.is_finished_ok, chain.exit_message
    (job,) = jobs_of(chain)
    assert {name: node.uuid for name, node in chain.outputs.frames.items()} == {
        name: node.uuid for name, node in job.outputs.frames.items()
    }
    assert chain.outputs.report.uuid == job.outputs.results.uuid
    assert chain.outputs.report["labelled"] == 2


def test_explosion_keeps_the_frames_before_it(lmp_code, copper):
    frames = {"good": frames_of(copper_cell()), "z": frames_of(copper_cell(), temperature=20_000.0)}
    chain = run_chain(lmp_code, copper, frames=frames, steps=400, timestep_fs=10.0)
    assert chain.is_finished_ok, chain.exit_message
    assert list(chain.outputs.frames) == ["good"]
    assert (chain.outputs.report["labelled"], chain.outputs.report["missing"]) == (1, 1)
    assert len(jobs_of(chain)) == 1


def test_explosion_before_the_first_frame_is_told(lmp_code, copper):
    frames = {"z": frames_of(copper_cell(), temperature=20_000.0)}
    chain = run_chain(lmp_code, copper, frames=frames, steps=400, timestep_fs=10.0)
    assert chain.exit_status == CODES.ERROR_UNSTABLE.status, chain.exit_message


def test_input_that_lammps_refuses_is_not_tried_again(lmp_code):
    model = PotentialData(io.BytesIO(b"model"), "graph.pb", pair_style="deepmd", type_map=["Cu"], cutoff=4.0)
    chain = run_chain(lmp_code, model)
    assert chain.exit_status == CODES.ERROR_INPUT_REFUSED.status
    assert "Unrecognized pair style 'deepmd'" in chain.exit_message
    assert len(jobs_of(chain)) == 1


def test_job_that_left_nothing_is_followed_by_one_that_ends(code_that, copper):
    chain = run_chain(code_that('mkdir "$0.d" 2> /dev/null || exec "$LMP" "$@"'), copper)
    assert chain.is_finished_ok, chain.exit_message
    assert len(jobs_of(chain)) == 2


def test_two_jobs_that_leave_nothing_are_enough(code_that, copper):
    chain = run_chain(code_that("true"), copper)
    assert chain.exit_status == CODES.ERROR_NO_OUTPUT.status
    assert "LAMMPS left no log" in chain.exit_message
    assert len(jobs_of(chain)) == 2


def test_frames_that_cannot_be_labelled_end_it(lmp_code, copper):
    atoms = copper_cell()
    atoms.positions[1] = atoms.positions[0]
    chain = run_chain(lmp_code, copper, frames={"bad": frames_of(atoms)})
    assert chain.exit_status == CODES.ERROR_NOTHING_LABELLED.status
    assert len(jobs_of(chain)) == 1
