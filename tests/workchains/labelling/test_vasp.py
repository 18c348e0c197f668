from __future__ import annotations

import itertools
import zipfile
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.common.datastructures import CalcJobState
from aiida.engine import run_get_node, submit
from aiida.tools.archive import create_archive
from ase.build import bulk
from ase.calculators.emt import EMT
from daemons import kill_worker, wait_for
from physics.labelled import labelled
from vasp_jobs import FAMILY, MARKER
from vasp_standin import BINDING_EV

from aiida_dnpmelt.calculations.vasp_frames import label_starts, take_labels
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.trajectories import trajectory
from aiida_dnpmelt.workchains.exploration import labeller_of
from aiida_dnpmelt.workchains.labelling.vasp import VaspLabelWorkChain

VASP = {"incar": {"ENCUT": 300, "EDIFF": 1e-6, "SMASS": -1, "ISYM": 0, "ISPIN": 2}, "kpoints_spacing_per_angstrom": 0.8}
OPTIONS = {"resources": {"num_machines": 1}, "withmpi": False}


def starts(temperatures=(600.0, 900.0), seed: int = 3, phase: str = "solid") -> orm.TrajectoryData:
    """Return rattled cells of four atoms."""
    atoms = bulk("Cu", cubic=True)
    random = np.random.default_rng(seed)
    number = len(temperatures)
    positions = atoms.positions + 0.08 * random.normal(size=(number, 4, 3))
    cells = np.tile(atoms.cell.array * 1.01, (number, 1, 1))
    return trajectory(["Cu"] * 4, cells, positions, np.array(temperatures), phase)


def label(code, **more):
    inputs = {
        "code": code,
        "frames": {"first": starts()},
        "potential_family": FAMILY,
        "vasp": orm.Dict(VASP),
        "job": {"metadata": {"options": OPTIONS}},
        **more,
    }
    return run_get_node(VaspLabelWorkChain, **inputs)


def emt(node: FramesData, index: int):
    atoms = bulk("Cu", cubic=True)
    atoms.set_cell(node.frames.cells[index])
    atoms.positions = node.frames.positions[index]
    atoms.calc = EMT()
    return atoms


def test_it_is_a_labeller():
    assert labeller_of("dnpmelt.label_vasp") is VaspLabelWorkChain


def test_frames_as_they_are(make_vasp, potcar_family):
    frames = starts()
    outputs, node = label(make_vasp(), frames={"first": frames, "second": starts((300.0,), seed=4)})
    assert node.is_finished_ok, node.exit_message
    first = outputs["frames"]["first"]
    assert first.frames.positions == pytest.approx(frames.get_array("positions"), abs=1e-7)
    assert first.frames.temperatures_k.tolist() == [600.0, 900.0]
    for index in range(2):
        atoms = emt(first, index)
        assert first.frames.energies_ev[index] == pytest.approx(atoms.get_potential_energy() - 4 * BINDING_EV, abs=1e-6)
        assert first.frames.forces_ev_per_angstrom[index] == pytest.approx(atoms.get_forces(), abs=1e-6)
        virial = -atoms.get_stress(voigt=False) * atoms.get_volume()
        assert first.frames.virials_ev[index] == pytest.approx(virial, abs=1e-5)
    assert first.labeller == "VASP 5.4.1, PAW_PBE Cu 22Jun2005"
    counts = {key: outputs["report"][key] for key in ("expected", "labelled", "missing", "unconverged")}
    assert counts == {"expected": 3, "labelled": 3, "missing": 0, "unconverged": 0}
    assert len(outputs["frames"]["second"].frames) == 1


def test_virial_is_the_derivative_of_the_energy_under_strain(make_vasp, potcar_family):
    """-dE/dstrain by central differences, through VASP's files: sign, unit and which axis is which."""
    outputs, _ = label(make_vasp(), frames={"first": starts((600.0,))})
    node = outputs["frames"]["first"]
    for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2)):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[i, j] += sign * 1e-4
            atoms = emt(node, 0)
            atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
            energies.append(atoms.get_potential_energy())
        slope = (energies[0] - energies[1]) / 2e-4
        assert node.frames.virials_ev[0][i, j] == pytest.approx(-slope, abs=2e-4)


def test_frames_of_runs_that_are_cut(make_vasp, potcar_family):
    """Labels are at equal distances after the start, whichever job they come from."""
    settings = {"steps": 4, "frames_per_start": 2, "timestep_fs": 2.0}
    whole, _ = label(make_vasp(), settings=orm.Dict(settings), seed=7)
    cut, node = label(make_vasp(steps=3), settings=orm.Dict(settings), seed=7)
    assert node.is_finished_ok, node.exit_message
    assert cut["report"]["labelled"] == 4
    assert cut["frames"]["first"].frames.temperatures_k.tolist() == [600.0, 600.0, 900.0, 900.0]
    for name in ("energies_ev", "positions", "virials_ev"):
        assert getattr(cut["frames"]["first"].frames, name) == pytest.approx(
            getattr(whole["frames"]["first"].frames, name), abs=1e-5
        )
    other, _ = label(make_vasp(), settings=orm.Dict(settings), seed=8)
    assert np.abs(other["frames"]["first"].frames.positions - whole["frames"]["first"].frames.positions).max() > 1e-3


def test_unconverged_labels_are_dropped_and_counted(make_vasp, potcar_family):
    settings = {"steps": 2, "frames_per_start": 2}
    outputs, node = label(make_vasp(unconverged=[3], at=900), settings=orm.Dict(settings))
    assert node.is_finished_ok, node.exit_message
    counts = {key: outputs["report"][key] for key in ("expected", "labelled", "unconverged", "missing")}
    assert counts == {"expected": 4, "labelled": 3, "unconverged": 1, "missing": 0}
    assert outputs["frames"]["first"].creator.process_label == "screen_frames"


def test_run_that_fails_is_named_and_the_others_stand(make_vasp, potcar_family):
    settings = {"steps": 2, "frames_per_start": 1}
    outputs, node = label(make_vasp(steps=0, at=900), settings=orm.Dict(settings))
    assert node.is_finished_ok, node.exit_message
    report = outputs["report"].get_dict()
    assert (report["labelled"], report["missing"]) == (1, 1)
    assert list(report["failed"]) == ["1"]
    assert report["failed"]["1"].startswith("label: VASP ended without a whole ionic step")
    assert outputs["frames"]["first"].frames.temperatures_k.tolist() == [600.0]
    outputs, node = label(make_vasp(steps=0, at=900), settings=orm.Dict(settings), quorum=0.9)
    assert node.exit_status == VaspLabelWorkChain.exit_codes.ERROR_QUORUM.status
    assert "1 of 2 runs failed" in node.exit_message
    assert len(outputs["frames"]["first"].frames) == 1, "what was labelled is kept"


def test_melts_are_hot_first_and_liquid(make_vasp, potcar_family):
    settings = {
        "steps": 2,
        "frames_per_start": 1,
        "timestep_fs": 2.0,
        "melt_ps": 0.01,
        "relax_ps": 0.006,
        "melt_factor": 3.0,
    }
    outputs, node = label(make_vasp(), frames={"first": starts((600.0,))}, settings=orm.Dict(settings))
    assert node.is_finished_ok, node.exit_message
    assert outputs["frames"]["first"].phase == "liquid"
    jobs = [each for each in node.called_descendants if isinstance(each, orm.CalcJobNode)]
    told = [(job.inputs.parameters["tebeg"], job.inputs.parameters["nsw"]) for job in jobs]
    assert told == [(1800.0, 5), (600.0, 3), (600.0, 3)]
    for before, after in itertools.pairwise(jobs):
        assert after.inputs.structure.creator.process_label == "go_on_from"
        assert after.inputs.structure.creator.inputs.retrieved.uuid == before.outputs.retrieved.uuid


def test_text_of_the_potcar_is_in_no_file_but_its_own_and_in_no_archive(make_vasp, potcar_family, tmp_path):
    from aiida_vasp.data.potcar import PotcarFileData

    _, node = label(make_vasp(), frames={"first": starts((600.0,), seed=9)})
    owners = set()
    for each in orm.QueryBuilder().append(orm.Node).all(flat=True):
        names = each.base.repository.list_object_names() if each.base.repository else []
        for name in names:
            try:
                text = each.base.repository.get_object_content(name, mode="rb")
            except IsADirectoryError:
                continue
            if MARKER.encode() in text or name == "POTCAR":
                owners.add(type(each))
        assert MARKER not in str(each.base.attributes.all)
    assert owners <= {PotcarFileData}
    (job,) = [each for each in node.called_descendants if isinstance(each, orm.CalcJobNode)]
    assert len(job.inputs.potential["Cu"].sha512) == 128
    create_archive([node], filename=tmp_path / "label.aiida")
    with zipfile.ZipFile(tmp_path / "label.aiida") as archive:
        contents = [archive.read(name) for name in archive.namelist()]
    assert any(b"PAW_PBE Cu" in content for content in contents), "the files of the job are in it"
    assert not any(MARKER.encode() in content for content in contents)


def test_parameters_are_made_from_settings_and_elements(potcar_family):
    settings = orm.Dict({"steps": 10, "frames_per_start": 5, "timestep_fs": 1.5})
    found = label_starts(settings, orm.Dict(VASP), orm.Int(1), first=starts())
    incar = found["label_1"]["incar"]
    assert (incar["nsw"], incar["ibrion"], incar["potim"], incar["tebeg"], incar["teend"]) == (11, 0, 1.5, 900.0, 900.0)
    assert incar["magmom"] == "0.6 0.6 0.6 0.6"
    velocities = found["velocities_1"].get_array("velocities")
    assert velocities.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-15)
    mesh, shift = found["kpoints_0"].get_kpoints_mesh()
    assert mesh == [3, 3, 3]  # 2 pi / (3.65 A) = 1.72 / A in parts of 0.8 / A
    assert shift == [0, 0, 0]


def test_run_that_did_not_come_to_its_first_label_gives_none():
    short = FramesData(labelled(2), phase="solid", converged=np.ones(2, dtype=bool)).store()
    longer = FramesData(labelled(4), phase="solid", converged=np.ones(4, dtype=bool)).store()
    settings = orm.Dict({"steps": 3, "frames_per_start": 1})
    assert take_labels(settings, run_0=short) == {}
    found = take_labels(settings, run_0=short, run_1=longer)["frames"]
    assert found.frames.energies_ev == pytest.approx(longer.frames.energies_ev[[3]])


def test_kpoints_and_moments_as_asked_for(potcar_family):
    vasp = {**VASP, "gamma_centred": False, "kpoints_spacing_per_angstrom": 0.5}
    atoms = bulk("Ni", cubic=True)
    frames = trajectory(["Ni"] * 4, atoms.cell.array[None], atoms.positions[None], np.array([300.0]), "solid")
    found = label_starts(orm.Dict({}), orm.Dict(vasp), orm.Int(1), first=frames)
    assert found["kpoints_0"].get_kpoints_mesh() == ([4, 4, 4], [0.5, 0.5, 0.5])
    assert found["label_0"]["incar"]["magmom"] == "0.606 0.606 0.606 0.606"
    assert (found["label_0"]["incar"]["nsw"], found["label_0"]["incar"]["ibrion"]) == (0, -1)
    assert "velocities_0" not in found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vasp": {"incar": {"ENCAT": 300}}}, "vasp: .*ENCAT are no tags of VASP that aiida-vasp knows"),
        ({"vasp": {"incar": {"nsw": 5}}}, "vasp: .*nsw are made from other inputs"),
        ({"potential_family": "nobody's"}, "potential_family"),
        ({"potential_mapping": {"Cu": "Cu_pv"}}, "potential_family: .*Cu_pv"),
        ({"quorum": 0.0}, "quorum: 0 is outside the allowed range"),
        ({"settings": {"steps": 3, "frames_per_start": 2}}, "settings"),
    ],
)
def test_bad_input_is_refused_before_anything_is_run(make_vasp, potcar_family, changes, message):
    with pytest.raises(ValueError, match=message):
        label(make_vasp(), **changes)


def test_a_killed_worker_loses_no_label(make_vasp, potcar_family, daemon):
    """Jobs of VASP go on while there is no daemon, and the next worker takes up what waited for them."""
    builder = VaspLabelWorkChain.get_builder()
    builder.code = make_vasp(seconds=8)
    builder.frames = {"first": starts()}
    builder.potential_family, builder.vasp = FAMILY, orm.Dict(VASP)
    builder.settings = orm.Dict({"steps": 3})
    builder.job = {"metadata": {"options": OPTIONS}}
    chain = submit(builder)

    def jobs() -> list[orm.CalcJobNode]:
        return [node for node in chain.called_descendants if isinstance(node, orm.CalcJobNode)]

    wait_for(lambda: [job.get_state() for job in jobs()] == [CalcJobState.WITHSCHEDULER] * 2)
    kill_worker(daemon)
    wait_for(lambda: chain.is_terminated, log=Path(daemon.daemon_log_file))
    assert chain.is_finished_ok, chain.exit_message
    assert len(jobs()) == 2, "none is run twice"
    assert len(chain.outputs.frames.first.frames) == 2
