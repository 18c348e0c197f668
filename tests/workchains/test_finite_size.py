from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import run_get_node
from coexistence_jobs import SETTINGS, copper, once

from aiida_dnpmelt.calculations.finite_size import SizeStudy
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.provenance.query import size_study
from aiida_dnpmelt.workchains.finite_size import FiniteSizeWorkChain, size_summary
from aiida_dnpmelt.workchains.forecasts import forecast_sizes
from aiida_dnpmelt.workchains.protocols import load_protocols
from aiida_dnpmelt.workchains.tpc import TPCWorkChain

T_M = 1283.0
PLAN = {
    "initial_runs": 1,
    "guess_spread": 0.0,
    "first_time_ps": 5.1,
    "runs": 1,
    "minimum_runs": 1,
    "production_time_ps": 5.1,
    "target_uncertainty_k": 200.0,
    "maximum_rounds": 1,
    # Cells of some hundred atoms have thin phases and fluctuate a lot.
    "criteria": {"minimum_fraction": 0.02, "maximum_normal_pressure_gpa": 1.0, "maximum_lateral_pressure_gpa": 2.0},
}
RUN = {**SETTINGS, "minimisation": [1e-6, 1e-6, 10, 100], "melt_ps": 2.4, "halt_on_lost_phase": True}
STUDY = {"repetitions": [[4, 4, 9], [4, 4, 10], [4, 4, 11], [4, 4, 12]], "at_once": 2}
BROKEN = 'sed -i "s/^pair_coeff.*/pair_coeff nothing/" input.in'
"""LAMMPS refuses the input after that, and no job is run twice."""
FAILS = 704
"""Atoms of the cell whose job is broken."""


def builder_of(code: orm.InstalledCode, potential: PotentialData, temperature: float = T_M, **study: Any) -> Any:
    """Return the builder of a study of seconds."""
    overrides = {"study": {**STUDY, **study}, "tpc": {"run": RUN, "plan": PLAN, "seeds": [7]}}
    builder = FiniteSizeWorkChain.get_builder_from_protocol(code, copper(), potential, "fast", overrides)
    builder.tpc.temperature = orm.Float(temperature)
    return builder


@pytest.fixture
def chain(cu_u3, code_that) -> orm.WorkChainNode:
    """Give a study of four sizes, of which one fails."""
    code = code_that(f'grep -q "replicate 4 4 11$" input.in && {BROKEN}; exec "$LMP" "$@"')
    return once("finite_size_chain", lambda: run_get_node(builder_of(code, cu_u3)).node)


def test_living_sizes_give_t_m_at_infinite_size(chain):
    assert chain.is_finished_ok, chain.exit_message
    study = chain.outputs.finite_size.get_dict()
    assert study["atoms"] == [576, 640, 768]
    assert study["repetitions"] == [[4, 4, 9], [4, 4, 10], [4, 4, 12]]
    assert study["melting_temperatures_k"] == pytest.approx([T_M] * 3, abs=200)
    assert all(uncertainty > 0 for uncertainty in study["statistical_uncertainties_k"])
    assert study["interval_low_k"] < study["infinite_temperature_k"] < study["interval_high_k"]
    assert study["living_runs"] == [1, 1, 1]
    assert study["error_law"]["atoms"] == [576, 640, 768]
    assert study["protocol"] == "fast-size"
    assert chain.description == size_summary(study)
    assert "3 of 4 sizes" in chain.description


def test_failed_size_is_a_gap_with_its_reason(chain):
    (gap,) = chain.outputs.finite_size["gaps"]
    assert gap["atoms"] == FAILS
    assert gap["reason"].startswith("No run of the round came to an end")
    assert "LAMMPS" in gap["reason"]
    assert sorted(chain.outputs.melting_points) == ["atoms_576", "atoms_640", "atoms_768"]


def test_sizes_are_run_as_many_as_may_be_at_once(chain):
    calls = {
        link.link_label: link.node
        for link in chain.base.links.get_outgoing(link_type=LinkType.CALL_WORK).all()
        if link.node.process_type == TPCWorkChain.build_process_type()
    }
    assert sorted(calls) == ["atoms_576", "atoms_640", "atoms_704", "atoms_768"]
    ended = max(node.mtime for name, node in calls.items() if name in {"atoms_576", "atoms_640"})
    assert all(calls[name].ctime > ended for name in ("atoms_704", "atoms_768"))
    assert {tuple(node.inputs.seeds.get_list()) for node in calls.values()} == {(7,)}
    assert calls["atoms_640"].label == "cu_atoms_640"


def test_every_number_has_a_way_back(chain):
    study = chain.outputs.finite_size
    points = {node.uuid for node in chain.outputs.melting_points.values()}
    behind = {node.uuid for node in study.creator.base.links.get_incoming(node_class=orm.Dict).all_nodes()}
    assert points < behind
    sizes = [node for node in chain.called if node.process_label == "study_sizes"]
    assert [node.inputs.study.uuid for node in sizes] == [chain.inputs.study.uuid]
    made = {node.outputs.melting_point.uuid for node in chain.called if "melting_point" in node.outputs}
    assert made == points
    assert size_study(chain.pk) == size_study(study.pk) == (chain.pk, study.get_dict())


def test_study_says_what_it_found(chain, tmp_path):
    text = chain.tools.summary()
    for part in ("T_m at infinite size = ", f"no T_m of {FAILS} atoms: No run", "too few sizes for a law"):
        assert part in text
    chain.tools.plot().savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_lost_sizes_are_too_few_and_their_points_are_kept(lmp_code, cu_u3):
    """At 3000 K the crystal melts in bulk, in a moment."""
    chain = run_get_node(builder_of(lmp_code, cu_u3, 3000.0, repetitions=STUDY["repetitions"][:3])).node
    assert chain.exit_status == FiniteSizeWorkChain.exit_codes.ERROR_TOO_FEW_SIZES.status
    assert chain.exit_message.startswith("Only 0 sizes have a T_m, 3 are needed. 576 atoms: ")
    assert "the whole crystal melted at 3000 K" in chain.exit_message
    study = chain.outputs.finite_size
    assert (study["verdict"], study["atoms"]) == ("invalid", [])
    assert [gap["atoms"] for gap in study["gaps"]] == [576, 640, 704]
    assert len(chain.outputs.melting_points) == 3
    assert "no T_m at infinite size" in chain.tools.summary()
    with pytest.raises(ValueError, match="nothing to draw"):
        chain.tools.plot()


def test_study_without_a_melting_point_fails_with_the_reasons(cu_u3, code_that):
    builder = builder_of(code_that(f'{BROKEN}; exec "$LMP" "$@"'), cu_u3, repetitions=STUDY["repetitions"][:3])
    chain = run_get_node(builder).node
    assert chain.exit_status == FiniteSizeWorkChain.exit_codes.ERROR_NO_MELTING_POINT.status
    assert "576 atoms: No run of the round came to an end" in chain.exit_message
    assert "finite_size" not in chain.outputs


BAD_INPUT = {
    "sizes, too small": ({"repetitions": [[1, 1, 2], [4, 4, 8], [5, 5, 10]]}, "study, 8 atoms: .* twice the cutoff"),
    "sizes, equal": ({"repetitions": [[4, 4, 8]] * 3}, "structure, study: two cells have 512 atoms"),
    "sizes, too few": ({"repetitions": [[4, 4, 8], [5, 5, 10]]}, "study: Value error, 2 sizes given, from 3"),
    "sizes, out of range": ({"repetitions": [[4, 4, 0], [4, 4, 8], [5, 5, 10]]}, r"repetitions: \[4, 4, 0\] must be"),
    "unknown key": ({"shape": 1}, "study.shape: Extra inputs are not permitted"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_refused_before_anything_is_submitted(lmp_code, cu_u3, case):
    changes, message = BAD_INPUT[case]
    before = orm.QueryBuilder().append(orm.ProcessNode).count()
    with pytest.raises(ValueError, match=message):
        run_get_node(builder_of(lmp_code, cu_u3, **changes))
    assert orm.QueryBuilder().append(orm.ProcessNode).count() == before


def test_element_that_the_potential_lacks_is_told(lmp_code, potentials_folder):
    nickel = PotentialData.get_or_create(potentials_folder / "Ni_u3.eam")
    with pytest.raises(ValueError, match="potential: it has no Cu, it knows Ni"):
        run_get_node(builder_of(lmp_code, nickel))


@pytest.mark.parametrize("name", load_protocols("finite_size")["protocols"])
def test_protocols_make_whole_builders(lmp_code, cu_u3, name):
    builder = FiniteSizeWorkChain.get_builder_from_protocol(lmp_code, copper(), cu_u3, name)
    assert FiniteSizeWorkChain.spec().inputs.validate(builder._inputs(prune=True)) is None
    assert builder.tpc.protocol.value == f"{name}-size"
    found = [(cells, each.n_atoms) for cells, each in forecast_sizes(builder)]
    assert found[0] == ("4x4x8", 512)
    assert [number for _, number in found] == builder.study["minimum_atoms"]
    window = builder.tpc.plan["production_time_ps"]
    assert window >= 20.0, "the published statistic takes the last 20 ps"
    if name == "paper":
        assert found[-1] == ("20x20x40", 64000)
        assert builder.tpc.seeds.get_list() == [1, 2, 3]


def test_sizes_in_another_way_replace_those_of_the_protocol(lmp_code, cu_u3):
    builder = builder_of(lmp_code, cu_u3)
    assert SizeStudy(**builder.study.get_dict()).minimum_atoms is None
    with pytest.raises(ValueError, match="give minimum_atoms, or repetitions"):
        builder_of(lmp_code, cu_u3, minimum_atoms=[512, 1000, 1728])


def test_unknown_protocols_and_sections_are_refused(lmp_code, cu_u3):
    make = FiniteSizeWorkChain.get_builder_from_protocol
    with pytest.raises(ValueError, match="protocol: 'quick' is not one of balanced, fast, paper"):
        make(lmp_code, copper(), cu_u3, "quick")
    with pytest.raises(ValueError, match="overrides: sizes unknown, there are study, tpc"):
        make(lmp_code, copper(), cu_u3, overrides={"sizes": {}})
    with pytest.raises(ValueError, match=r"overrides: tpc\.size unknown, the sizes are in study"):
        make(lmp_code, copper(), cu_u3, overrides={"tpc": {"size": {"minimum_atoms": 500}}})
