from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk
from ase.calculators.emt import EMT
from coexistence_jobs import once
from property_jobs import NOTHING_MORE, cell_of, potential_of
from scipy.optimize import minimize_scalar
from vasp_jobs import FAMILY

from aiida_dnpmelt.workchains.cohesive_energy import CohesiveEnergyWorkChain
from aiida_dnpmelt.workchains.protocols import load_protocols

CODES = CohesiveEnergyWorkChain.exit_codes
OPTIONS = {"resources": {"num_machines": 1}, "withmpi": False}
VASP: dict[str, Any] = {
    "bulk": {"incar": {"ENCUT": 300, "EDIFF": 1e-6}, "kpoints_spacing_per_angstrom": 0.8},
    "atom_incar": {"ISMEAR": 0, "SIGMA": 0.01},
    "volumes": 6,
}


def with_potential(code, potential, structure=None, **more) -> orm.WorkChainNode:
    settings = more.pop("settings", {**NOTHING_MORE, "parts": ["atom"]})
    inputs = {"code": code, "potential": potential, "structure": structure or cell_of("Cu"), "settings": settings}
    return run_get_node(CohesiveEnergyWorkChain, **inputs, **more).node


def with_vasp(code, **more) -> orm.WorkChainNode:
    inputs = {
        "code": code,
        "structure": cell_of("Cu"),
        "potential_family": FAMILY,
        "vasp": orm.Dict(VASP),
        "job": {"metadata": {"options": OPTIONS}},
        **more,
    }
    return run_get_node(CohesiveEnergyWorkChain, **inputs).node


def emt_energy(atoms) -> float:
    atoms.calc = EMT()
    return float(atoms.get_potential_energy())


def emt_cohesion() -> float:
    """Return the cohesive energy of copper in EMT by another way: its lowest energy over the lattice parameter."""
    crystal = minimize_scalar(lambda a: emt_energy(bulk("Cu", a=a)), bounds=(3.4, 3.8), options={"xatol": 1e-6})
    lone = bulk("Cu", a=40.0)
    return emt_energy(lone) - float(crystal.fun)


def test_potential_gives_the_published_energy_and_the_estimate(lmp_code, potentials_folder):
    chain = once("cohesive_copper", lambda: with_potential(lmp_code, potential_of(potentials_folder, "Cu")))
    assert chain.is_finished_ok, chain.exit_message
    result = chain.outputs.cohesive_energy.get_dict()
    assert result["cohesive_energy_ev"] == pytest.approx(3.54, abs=0.001), "Mishin et al. 2001"
    assert (result["atom_source"], result["experiment_ev"], result["relation"]) == ("potential", 3.49, "corrected")
    assert result["melting_temperature_k"] == pytest.approx(0.0346 * 3.54 / 8.617333e-5, abs=1)
    assert result["melting_temperature_all_k"] == pytest.approx(0.032 * 3.54 / 8.617333e-5, abs=1)
    assert result["labeller"].startswith("Cu_mishin1.eam.alloy (eam/alloy, sha256 ")
    assert "E_coh = 3.540 eV/atom, experiment 3.49 eV/atom, T_m some 1421 K (corrected)" in chain.description
    assert chain.outputs.cohesive_energy.creator.process_label == "cohesive_energy_result"
    assert {link.link_label for link in chain.base.links.get_outgoing().all()} >= {
        "energies",
        "cohesive_energy",
        "estimate_corrected",
        "estimate_as_printed",
        "estimate_all",
        "result",
    }


def test_atom_from_elsewhere_takes_the_place_of_the_potentials_own(lmp_code, potentials_folder):
    settings = {**NOTHING_MORE}
    chain = with_potential(
        lmp_code, potential_of(potentials_folder, "Cu"), settings=settings, atom_energy=16.5, relation="as_printed"
    )
    assert chain.is_finished_ok, chain.exit_message
    result = chain.outputs.cohesive_energy.get_dict()
    assert result["cohesive_energy_ev"] == pytest.approx(20.04, abs=0.001)
    assert result["melting_temperature_k"] is None, "no element is bound as strongly"
    assert (result["atom_source"], result["relation"]) == ("given", "as_printed")
    assert result["flags"] == ["cohesive_energy"]
    assert "look at the free atom" in result["warnings"][0]


def test_vasp_gives_the_lowest_energy_over_volume_against_the_free_atom(make_vasp, potcar_family):
    """One of six volumes fails, and is named: five are enough."""
    largest = 1.06 * 3.6**3 / 4
    chain = with_vasp(make_vasp(steps=0, volumes=[largest - 0.01, largest + 0.01]))
    assert chain.is_finished_ok, chain.exit_message
    result = chain.outputs.cohesive_energy.get_dict()
    assert result["cohesive_energy_ev"] == pytest.approx(emt_cohesion(), abs=1e-4)
    assert result["labeller"] == "VASP 5.4.1, PAW_PBE Cu 22Jun2005"
    assert (result["atom_source"], result["flags"], result["atom_moment_mu_b"]) == ("vasp", ["run_failed"], None)
    assert result["warnings"][0].startswith("static_05_00: ")
    assert result["volume_angstrom3"] == pytest.approx(3.59**3 / 4, rel=0.01)
    (atom,) = [node for node in chain.called if node.label == "atom"]
    incar = atom.inputs.parameters["incar"]
    assert (incar["ispin"], incar["isym"], incar["magmom"], incar["encut"], incar["ismear"]) == (2, 0, "1", 300, 0)
    assert atom.inputs.structure.get_ase().cell.lengths().tolist() == [14.0, 15.0, 16.0]
    assert atom.inputs.kpoints.get_kpoints_mesh()[0] == [1, 1, 1]


def test_crystal_stands_where_the_atom_fails(code_that, potentials_folder):
    code = code_that('sed -i "s/^group lone id 1/fly 0/" input.in; "$LMP" "$@"')
    chain = with_potential(code, potential_of(potentials_folder, "Cu"))
    assert chain.exit_status == CODES.ERROR_ATOM_FAILED.status
    result = chain.outputs.cohesive_energy.get_dict()
    assert result["bulk_energy_ev"] == pytest.approx(-3.54, abs=0.001)
    assert (result["cohesive_energy_ev"], result["melting_temperature_k"]) == (None, None)
    assert "no cohesive energy, experiment 3.49 eV/atom" in chain.description


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"potential_family": None, "vasp": None}, "potential: give either a potential"),
        ({"vasp": None}, "vasp: it goes with `potential_family`"),
        ({"atom_energy": 1.0}, "without `atom_energy`"),
        ({"potential_family": "nobody's"}, "potential_family: "),
        ({"potential_mapping": {"Cu": "Cu_pv"}}, "potential_family: .*Cu_pv"),
        ({"relation": "best"}, "relation: 'best' is not one of corrected, as_printed, all"),
        ({"vasp": {**VASP, "atom_box_angstrom": [14, 14, 16]}}, "must be three edges of 8 to 40 Angstrom"),
        ({"vasp": {**VASP, "atom_incar": {"ENCUT": 400}}}, "atom_incar: ENCUT must be those of the crystal"),
        ({"vasp": {**VASP, "atom_incar": {"ENCAT": 400}}}, "atom_incar: ENCAT are no tags of VASP"),
        ({"structure": "CuNi"}, "structure: CuNi is 'other'"),
    ],
)
def test_bad_input_is_refused_before_anything_is_run(make_vasp, potcar_family, changes, message):
    if "structure" in changes:
        changes = {"structure": orm.StructureData(ase=bulk("CuNi", "cesiumchloride", a=2.9))}
    given = {"potential_family": FAMILY, "vasp": orm.Dict(VASP), **changes}
    inputs = {name: value for name, value in given.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        run_get_node(CohesiveEnergyWorkChain, **{"code": make_vasp(), "structure": cell_of("Cu"), **inputs})


def test_a_potential_needs_the_atom_or_its_energy(lmp_code, potentials_folder):
    with pytest.raises(ValueError, match=r"settings\.parts: `atom` is needed"):
        with_potential(lmp_code, potential_of(potentials_folder, "Cu"), settings=NOTHING_MORE)
    with pytest.raises(ValueError, match="potential: it has no Cu, it knows Mg"):
        with_potential(lmp_code, potential_of(potentials_folder, "Mg"))


def test_energy_of_the_crystal_is_missing_where_lammps_fails(code_that, potentials_folder):
    chain = with_potential(code_that("true"), potential_of(potentials_folder, "Cu"))
    assert chain.exit_status == CODES.ERROR_BULK_FAILED.status
    assert "LAMMPS left no log" in chain.exit_message


def test_every_key_is_in_the_reference(lmp_code, potentials_folder):
    page = (Path(__file__).parents[2] / "docs" / "reference" / "properties.md").read_text()
    chain = once("cohesive_copper", lambda: with_potential(lmp_code, potential_of(potentials_folder, "Cu")))
    assert not [key for key in chain.outputs.cohesive_energy.get_dict() if f"`{key}`" not in page]


@pytest.mark.parametrize("protocol", load_protocols("cohesive_energy")["protocols"])
def test_protocols_make_builders_of_both_kinds(lmp_code, make_vasp, potcar_family, potentials_folder, protocol):
    own = CohesiveEnergyWorkChain.get_builder_from_protocol(
        lmp_code, cell_of("Cu"), potential_of(potentials_folder, "Cu"), protocol=protocol
    )
    vasp = CohesiveEnergyWorkChain.get_builder_from_protocol(
        make_vasp(), cell_of("Cu"), potential_family=FAMILY, protocol=protocol, options=OPTIONS
    )
    for builder in (own, vasp):
        assert builder.process_class.spec().inputs.validate(builder._inputs(prune=True)) is None
    with pytest.raises(ValueError, match=r"overrides\.volumes"):
        CohesiveEnergyWorkChain.get_builder_from_protocol(make_vasp(), cell_of("Cu"), overrides={"volumes": 2})
    assert np.isclose(vasp.vasp["bulk"]["incar"]["ENCUT"], {"paper": 720, "balanced": 500}[protocol])
