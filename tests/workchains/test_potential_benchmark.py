from __future__ import annotations

import io

import pytest
from aiida import orm
from aiida.engine import run_get_node
from property_jobs import NOTHING_MORE, cell_of, potential_of

from aiida_dnpmelt.calculations.properties_settings import PropertiesSettings
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.workchains.potential_benchmark import PotentialBenchmarkWorkChain
from aiida_dnpmelt.workchains.properties import PropertiesWorkChain
from aiida_dnpmelt.workchains.protocols import load_protocols

CODES = PotentialBenchmarkWorkChain.exit_codes


def properties(code, potential, structure=None, **settings) -> orm.WorkChainNode:
    settings = {**NOTHING_MORE, **settings}
    inputs = {"code": code, "potential": potential, "structure": structure or cell_of("Cu"), "settings": settings}
    return run_get_node(PropertiesWorkChain, **inputs).node


def jobs_of(chain: orm.WorkChainNode) -> list[orm.CalcJobNode]:
    return [node for node in chain.called if isinstance(node, orm.CalcJobNode)]


def row(table: orm.Dict, name: str) -> dict:
    (found,) = [each for each in table["rows"] if each["property"] == name]
    return found


def test_table_holds_the_potential_and_its_references(compared):
    assert compared.is_finished_ok, compared.exit_message
    table = compared.outputs.table
    c44 = row(table, "c44_gpa")
    assert (c44["value"], c44["given"]) == (pytest.approx(76.2, abs=0.5), 81.8)
    assert c44["given_error_percent"] == pytest.approx(100 * (76.2 / 81.8 - 1), abs=0.7)
    assert c44["other"] == compared.outputs.reference_properties["c44_gpa"]
    assert row(table, "cohesive_energy_ev")["other"] == pytest.approx(3.54, abs=0.01), "Foiles et al. 1986"
    assert row(table, "lattice_a_angstrom")["other"] == pytest.approx(3.615, abs=1e-3)
    assert row(table, "cohesive_energy_teachers_atom_ev")["value"] == pytest.approx(3.54, abs=0.01)
    assert (table["gaps"], table["missing"], table["flags"]) == ({}, [], [])
    assert table.creator.inputs.properties.uuid == compared.outputs.properties.uuid
    assert compared.description.startswith(
        "Cu (fcc), Cu_mishin1.eam.alloy: a = 3.6149 Angstrom, E_coh = 3.540 eV, B = "
    )
    labels = {link.link_label for link in compared.base.links.get_outgoing().all()}
    assert {"properties_potential", "properties_reference", "table"} <= labels


def test_reference_that_fails_leaves_a_gap_that_is_named(lmp_code, potentials_folder):
    model = PotentialData(io.BytesIO(b"model"), "graph.pb", pair_style="deepmd", type_map=["Cu"], cutoff=4.0)
    inputs = {"code": lmp_code, "potential": potential_of(potentials_folder, "Cu"), "structure": cell_of("Cu")}
    chain = run_get_node(PotentialBenchmarkWorkChain, **inputs, settings=NOTHING_MORE, reference_potential=model).node
    assert chain.is_finished_ok, chain.exit_message
    table = chain.outputs.table
    assert "pair style 'deepmd'" in table["gaps"]["other"]
    assert table["references"] == ["experiment"]
    assert row(table, "lattice_a_angstrom")["value"] == pytest.approx(3.615, abs=1e-3)
    assert "reference_properties" not in chain.outputs


def test_potential_that_fails_ends_it(lmp_code):
    model = PotentialData(io.BytesIO(b"model"), "graph.pb", pair_style="deepmd", type_map=["Cu"], cutoff=4.0)
    chain = run_get_node(
        PotentialBenchmarkWorkChain, code=lmp_code, potential=model, structure=cell_of("Cu"), settings=NOTHING_MORE
    ).node
    assert chain.exit_status == CODES.ERROR_PROPERTIES_FAILED.status
    assert "LAMMPS refused the input" in chain.exit_message
    (inner,) = chain.called
    assert inner.exit_status == PropertiesWorkChain.exit_codes.ERROR_INPUT_REFUSED.status
    assert len(jobs_of(inner)) == 1, "the same input is not tried again"


def test_job_that_left_nothing_is_followed_by_one_that_ends(code_that, potentials_folder):
    code = code_that('mkdir "$0.d" 2> /dev/null || exec "$LMP" "$@"')
    chain = properties(code, potential_of(potentials_folder, "Cu"))
    assert chain.is_finished_ok, chain.exit_message
    assert len(jobs_of(chain)) == 2
    assert chain.outputs.properties["lattice_a_angstrom"] == pytest.approx(3.615, abs=1e-3)


def test_two_jobs_that_leave_nothing_are_enough(code_that, potentials_folder):
    chain = properties(code_that("true"), potential_of(potentials_folder, "Cu"))
    assert chain.exit_status == PropertiesWorkChain.exit_codes.ERROR_NO_OUTPUT.status
    assert "LAMMPS left no log" in chain.exit_message
    assert len(jobs_of(chain)) == 2


def test_two_cut_jobs_leave_what_they_have(code_that, potentials_folder):
    code = code_that(
        'sed -i "/^clear/,$ d" input.in; echo "print \\"dnpmelt stage release\\"" >> input.in; '
        '"$LMP" "$@"; sed -i "/Total wall/d" log.lammps'
    )
    chain = properties(code, potential_of(potentials_folder, "Cu"), parts=["elastic", "release"])
    assert chain.is_finished_ok, chain.exit_message
    assert len(jobs_of(chain)) == 2
    assert chain.outputs.properties["missing"] == ["release"]
    assert chain.outputs.properties["c44_gpa"] == pytest.approx(76.2, abs=0.5)


def test_explosion_of_the_crystal_ends_it(code_that, potentials_folder):
    explode = "set group all x 0.0 y 0.0 z 0.0"
    early = code_that(f"""sed -i 's/^min_style cg/min_style cg\\n{explode}/' input.in; "$LMP" "$@" """)
    chain = properties(early, potential_of(potentials_folder, "Cu"))
    assert chain.exit_status == PropertiesWorkChain.exit_codes.ERROR_NOT_RELAXED.status, chain.exit_message


@pytest.mark.parametrize("protocol", load_protocols("properties")["protocols"])
def test_protocols_make_builders(lmp_code, potentials_folder, protocol):
    builder = PotentialBenchmarkWorkChain.get_builder_from_protocol(
        lmp_code, cell_of("Cu"), potential_of(potentials_folder, "Cu"), protocol
    )
    assert builder.process_class.spec().inputs.validate(builder._inputs(prune=True)) is None
    assert set(builder.settings.get_dict()) == set(PropertiesSettings.model_fields), "all that is chosen is in the file"
    assert builder.protocol.value == protocol


def test_bad_input_is_refused_before_anything_is_run(lmp_code, potentials_folder):
    copper = potential_of(potentials_folder, "Cu")
    make = PotentialBenchmarkWorkChain.get_builder_from_protocol
    with pytest.raises(ValueError, match=r"overrides\.strain: Input should be greater than or equal"):
        make(lmp_code, cell_of("Cu"), copper, overrides={"strain": 0.0})
    with pytest.raises(ValueError, match="protocol: 'paper' is not one of balanced, fast, stringent"):
        make(lmp_code, cell_of("Cu"), copper, "paper")
    with pytest.raises(ValueError, match=r"values: .*c77_gpa unknown, there are lattice_a_angstrom"):
        make(lmp_code, cell_of("Cu"), copper, values={"c77_gpa": {"value": 1.0, "source": "x"}})
    builder = make(lmp_code, cell_of("Cu"), copper, reference_potential=potential_of(potentials_folder, "Fe"))
    problem = builder.process_class.spec().inputs.validate(builder._inputs(prune=True))
    assert problem is not None
    assert problem.message.startswith("reference_potential: it has no Cu, it knows Fe")
