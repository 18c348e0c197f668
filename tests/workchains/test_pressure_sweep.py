from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common.datastructures import CalcJobState
from aiida.common.links import LinkType
from aiida.engine import run_get_node, submit
from ase.build import bulk
from coexistence_jobs import SETTINGS, copper, once
from daemons import kill_worker, wait_for
from provenance.stored_points import POINT, invalid
from report.stored_melting import give

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import crystal
from aiida_dnpmelt.provenance.query import SWEEP_TYPE, curve_of_sweep, known_nodes, melting_points, sweep_result
from aiida_dnpmelt.workchains.forecasts import forecast_sweep
from aiida_dnpmelt.workchains.melting_properties import MeltingPropertiesWorkChain
from aiida_dnpmelt.workchains.pressure_sweep import PressureSweepWorkChain
from aiida_dnpmelt.workchains.protocols import load_protocols

T_M = {0.0: 1283.0, 5.0: 1461.0, 10.0: 1610.0}  # of Cu_u3.eam in large cells
SLOPES = {0.0: 40.5, 5.0: 35.5, 10.0: 31.7}
PLAN = {
    "initial_runs": 1,
    "guess_spread": 0.0,
    "first_time_ps": 9.0,
    "runs": 1,
    "minimum_runs": 1,
    "production_time_ps": 9.0,
    "target_uncertainty_k": 100.0,
    "maximum_rounds": 2,
    "criteria": {"minimum_fraction": 0.02, "maximum_normal_pressure_gpa": 1.0, "maximum_lateral_pressure_gpa": 2.0},
}
RUN = {**SETTINGS, "melt_ps": 2.4}
BULK = {"minimum_atoms": 256, "time_ps": 6.0, "equilibrate_ps": 1.5, "melt_ps": 1.5}


def known_point(potential: PotentialData, pressure: float, **changes: Any) -> orm.Dict:
    """Return the melting point of the literature at a pressure."""
    own = {"schema": "dnpmelt.melting_point", "potential_uuid": potential.uuid, "potential_label": potential.label}
    number = {"pressure_gpa": pressure, "melting_temperature_k": T_M[pressure]} if pressure in T_M else {}
    return orm.Dict({**POINT, **own, **number, **changes})


def known_slope(potential: PotentialData, pressure: float, **changes: Any) -> orm.Dict:
    """Return the properties of melting at a pressure, as far as a sweep looks at them."""
    numbers = {"slope_k_per_gpa": SLOPES[pressure], "slope_uncertainty_k_per_gpa": 1.0, "atom_steps": 0.0}
    own = {"schema": "dnpmelt.melting_properties", "potential_uuid": potential.uuid, "verdict": "valid"}
    return orm.Dict({**own, **numbers, "core_hours": 0.0, "pressure_gpa": pressure, **changes})


def builder_of(code: orm.InstalledCode, potential: PotentialData, *pressures: float, **changes: Any) -> Any:
    """Return the builder of a sweep of seconds a point."""
    overrides = {
        "tpc": {"run": RUN, "plan": PLAN, "seeds": [7, 8, 9, 10]},
        "bulk": BULK,
        "pressures_gpa": list(pressures or T_M),
    }
    builder = PressureSweepWorkChain.get_builder_from_protocol(code, copper(), potential, "fast", overrides)
    builder.tpc.repetitions = orm.List([4, 4, 10])
    for name, value in changes.items():
        builder[name] = value
    return builder


def bulk_jobs(node: orm.WorkChainNode) -> list[orm.CalcJobNode]:
    jobs = [each for each in node.called_descendants if isinstance(each, orm.CalcJobNode)]
    return [job for job in jobs if job.inputs.parameters["method"] in ("crystal", "melt")]


@pytest.fixture
def sweep(lmp_code, cu_u3, daemon) -> orm.WorkChainNode:
    """Give a sweep that knew two points and the slope of one, whose worker was killed early and late."""

    def make() -> orm.WorkChainNode:
        known = {"a": known_point(cu_u3, 0.0), "b": known_point(cu_u3, 5.0), "c": known_slope(cu_u3, 0.0)}
        node = submit(builder_of(lmp_code, cu_u3, known=known))
        log = Path(daemon.daemon_log_file)

        def running() -> bool:
            states = [job.get_state() for job in node.called_descendants if isinstance(job, orm.CalcJobNode)]
            return CalcJobState.WITHSCHEDULER in states

        wait_for(running, log=log)
        kill_worker(daemon)
        wait_for(lambda: "point_002" in called(node), log=log)
        wait_for(running, log=log)
        kill_worker(daemon)
        wait_for(lambda: node.is_terminated, log=log)
        return node

    return once("pressure_sweep", make)


def called(node: orm.WorkChainNode) -> list[str]:
    links = node.base.links.get_outgoing(link_type=(LinkType.CALL_WORK, LinkType.CALL_CALC)).all()
    return sorted(link.link_label for link in links)


def test_sweep_gives_a_curve_and_slopes_that_agree(sweep):
    assert sweep.is_finished_ok, sweep.exit_message
    found = sweep.outputs.sweep.get_dict()
    assert found["pressures_gpa"] == [0.0, 5.0, 10.0]
    assert found["melting_temperatures_k"] == pytest.approx(list(T_M.values()), abs=150)
    assert found["slopes_k_per_gpa"] == pytest.approx(list(SLOPES.values()), abs=10)
    assert found["slopes_k_per_gpa"][0] == SLOPES[0.0]  # it was known
    assert (found["law"], found["gaps"]) == ("simon_glatzel", [])
    assert max(found["consistency_sigma"], found["largest_slope_difference_sigma"]) < 3
    assert (found["found_lattices"][2], found["lattices"]) == ("fcc", ["fcc"] * 3)
    assert 0.5 < found["found_lattice_shares"][2] <= 1
    assert set(sweep.outputs.melting_points) == {"point_000", "point_001", "point_002"}
    properties = sweep.outputs.properties.properties_002
    assert properties["enthalpy_of_melting_ev"] == pytest.approx(0.14, abs=0.03)
    assert properties["entropy_of_melting_kb"] == pytest.approx(1.0, abs=0.2)
    assert properties["found_lattice"] == "fcc"


def test_nothing_is_computed_twice_and_nothing_that_is_known(sweep):
    names = called(sweep)
    assert [name for name in names if name.startswith("point")] == ["point_002"]
    assert [name for name in names if name.startswith("properties")] == ["properties_001", "properties_002"]
    jobs = bulk_jobs(sweep)
    assert sorted((job.inputs.pressure.value, job.inputs.parameters["method"]) for job in jobs) == [
        (5.0, "crystal"),
        (5.0, "melt"),
        (10.0, "crystal"),
        (10.0, "melt"),
    ]
    assert len({job.inputs.seed.value for job in jobs}) == 2


def test_guess_of_a_point_comes_from_the_slopes_before_it(sweep):
    point = next(node for node in sweep.called if node.label == "cu_10gpa_tpc")
    guess = point.inputs.temperature
    assert guess.creator.process_label == "sweep_guesses"
    assert point.inputs.pressure.creator.uuid == guess.creator.uuid
    behind = {node.uuid for node in guess.creator.base.links.get_incoming().all_nodes()}
    assert sweep.outputs.properties.properties_001.uuid in behind
    assert guess.value == pytest.approx(T_M[10.0], rel=0.05)


def test_no_number_comes_from_nowhere(sweep):
    for name in ("sweep", "curve"):
        assert isinstance(sweep.outputs[name].creator, orm.CalcFunctionNode)
    behind = {node.uuid for node in sweep.outputs.sweep.creator.base.links.get_incoming().all_nodes()}
    assert {node.uuid for node in sweep.outputs.melting_points.values()} <= behind
    assert {node.uuid for node in sweep.outputs.properties.values()} <= behind
    properties = sweep.outputs.properties.properties_002.creator
    runs = [node for node in properties.base.links.get_incoming().all_nodes() if isinstance(node, orm.ArrayData)]
    assert all(node.creator.process_label == "LammpsCoexistenceCalculation" for node in runs) and len(runs) == 2


def test_sweep_is_found_and_can_be_taken_over(sweep):
    assert sweep_result(sweep.outputs.sweep.pk) == sweep_result(sweep.pk) == (sweep.pk, sweep.outputs.sweep.get_dict())
    assert curve_of_sweep(sweep.pk)["pressures_gpa"] == [0.0, 5.0, 10.0]
    nodes = known_nodes(sweep.pk)
    assert len(nodes) == 6
    assert 10.0 in [point.pressure_gpa for point in melting_points("Cu", potential="Cu_u3", everything=True)]
    with pytest.raises(ValueError, match="no pressure sweep with the pk"):
        sweep_result(nodes[0].pk)
    with pytest.raises(ValueError, match="has no melting point that a sweep could take over"):
        known_nodes(bulk_jobs(sweep)[0].pk)
    with pytest.raises(ValueError, match="there is no node 987654321"):
        known_nodes(987654321)


def test_a_pressure_without_a_melting_point_is_a_named_gap(cu_u3, code_that):
    known = {f"point_{p:g}": known_point(cu_u3, p) for p in T_M} | {f"slope_{p:g}": known_slope(cu_u3, p) for p in T_M}
    node = run_get_node(builder_of(code_that("exit 1"), cu_u3, *T_M, 15.0, known=known)).node
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.sweep
    assert found["melting_temperatures_k"][3] is None
    (gap,) = found["gaps"]
    assert gap.startswith("no T_m at 15 GPa: No run of the round came to an end. Two jobs left nothing")
    assert node.outputs.curve["pressures_gpa"] == [0.0, 5.0, 10.0]
    assert called(node).count("point_003") == 1


def test_points_without_a_slope_stand(cu_u3, code_that):
    known = {f"point_{p:g}": known_point(cu_u3, p) for p in T_M} | {
        f"slope_{p:g}": known_slope(cu_u3, p) for p in (0.0, 5.0)
    }
    node = run_get_node(builder_of(code_that("exit 1"), cu_u3, known=known)).node
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.sweep
    assert found["slopes_k_per_gpa"] == [SLOPES[0.0], SLOPES[5.0], None]
    assert [gap.split(":")[0] for gap in found["gaps"]] == ["no slope at 10 GPa"]
    assert "crystal (" in found["gaps"][0] and "A phase was not run to its end" in found["gaps"][0]


def test_too_few_points_make_no_curve_and_are_kept(cu_u3, code_that):
    known = {f"point_{p:g}": known_point(cu_u3, p) for p in (0.0, 5.0)}
    known |= {f"slope_{p:g}": known_slope(cu_u3, p) for p in (0.0, 5.0)}
    node = run_get_node(builder_of(code_that("exit 1"), cu_u3, known=known)).node
    assert node.exit_status == PressureSweepWorkChain.exit_codes.ERROR_NO_CURVE.status
    assert "A curve needs 3 pressures with a melting temperature, there are 2: No run of" in node.exit_message
    assert node.outputs.sweep["melting_temperatures_k"] == [1283.0, 1461.0, None]
    assert "curve" not in node.outputs


def test_no_point_at_all_fails_with_the_reasons(cu_u3, code_that):
    node = run_get_node(builder_of(code_that("exit 1"), cu_u3)).node
    assert node.exit_status == PressureSweepWorkChain.exit_codes.ERROR_NO_POINT.status
    assert "No pressure has a melting temperature: No run of the round" in node.exit_message
    assert [name for name in called(node) if name.startswith("point")] == ["point_000", "point_001", "point_002"]


def test_a_crystal_that_melts_gives_no_slope(lmp_code, cu_u3):
    """At twice its T_m."""
    point = known_point(cu_u3, 0.0, melting_temperature_k=2600.0)
    builder = MeltingPropertiesWorkChain.get_builder_from_protocol(
        lmp_code, copper(), cu_u3, point, "fast", {"run": SETTINGS, "bulk": {**BULK, "time_ps": 3.0}}
    )
    node = run_get_node(builder).node
    assert node.exit_status == MeltingPropertiesWorkChain.exit_codes.ERROR_WRONG_PHASE.status
    assert "the crystal melted: a frame has a solid fraction of" in node.exit_message
    assert node.outputs.properties["slope_k_per_gpa"] is None
    assert set(node.outputs.runs) == {"crystal", "melt"}


BAD_INPUT = {
    "pressures": ([0.0, 5.0], "must be at least 3 different numbers in GPa"),
    "pressures, same": ([0.0, 5.0, 5.0], "must be at least 3 different numbers in GPa"),
    "pressures, range": ([0.0, 5.0, 5000.0], "must be numbers in the allowed range -10 <= pressure <= 1000 GPa"),
    "pressures, words": ([0.0, 5.0, "ten"], "must be numbers in the allowed range"),
    "temperature": (0.0, "temperature: 0 K is outside the allowed range"),
    "seed": (0, "seed: 0 is outside the allowed range 1 to 899999999"),
    "sweep": ({"reach_gpa": 0}, "sweep.reach_gpa: Input should be greater than 0"),
    "sweep, unknown": ({"reach": 1}, "sweep.reach: Extra inputs are not permitted"),
    "bulk": ({"minimum_atoms": 4}, "bulk.minimum_atoms: Input should be greater than or equal to 64"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_refused_before_anything_is_submitted(lmp_code, cu_u3, case):
    value, message = BAD_INPUT[case]
    before = orm.QueryBuilder().append(orm.ProcessNode).count()
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        run_get_node(builder_of(lmp_code, cu_u3, **{case.split(",")[0]: orm.to_aiida_type(value)}))
    assert orm.QueryBuilder().append(orm.ProcessNode).count() == before


def test_structures_and_known_nodes_that_do_not_fit_are_refused(lmp_code, cu_u3, potentials_folder):
    def refused(**changes: Any) -> str:
        builder = builder_of(lmp_code, cu_u3, **changes)
        return str(PressureSweepWorkChain.spec().inputs.validate(builder._inputs(prune=True)))

    aluminium = orm.StructureData(ase=bulk("Al"))
    other = PotentialData.get_or_create(potentials_folder / "Cu_mishin1.eam.alloy")
    assert "structures.point_001: potential: it has no Al" in refused(structures={"point_001": aluminium})
    assert "the names are point_000 to point_002" in refused(structures={"point_7": copper()})
    point = known_point(cu_u3, 0.0)
    for node, message in (
        (orm.Dict({"schema": "other"}), "its schema is 'other', it can be dnpmelt.melting_point or"),
        (known_point(cu_u3, 7.0, pressure_gpa=7.0), "7 GPa is not one of the pressures"),
        (known_point(other, 0.0), "it is one of another potential"),
        (known_point(cu_u3, 0.0, **invalid()), "its verdict is invalid"),
        (known_point(cu_u3, 0.0, element="Al"), "its element is Al, the structure that is to melt there is Cu"),
        (known_point(cu_u3, 0.0, lattice="bcc"), "its lattice is bcc, the structure that is to melt there is fcc"),
        (known_point(cu_u3, 0.0, found_lattice="bcc"), "most of the solid is bcc at the end, it is to be fcc"),
        (known_point(cu_u3, 0.0, standard_uncertainty_k=0.0), "its standard_uncertainty_k is 0.0, it must be a number"),
        (known_point(cu_u3, 0.0, melting_temperature_k=None), "its melting_temperature_k is None, it must be a number"),
        (known_point(cu_u3, 0.0, pressure_gpa="0"), "its pressure_gpa is '0', it must be a number"),
        (orm.Dict({"schema": "dnpmelt.melting_point"}), "it lacks pressure_gpa, verdict, potential_uuid"),
        (known_slope(cu_u3, 0.0, element="Al"), "its element is Al"),
        (known_slope(cu_u3, 0.0, lattice="bcc"), "its lattice is bcc"),
        (known_slope(cu_u3, 0.0, verdict="invalid"), "its verdict is invalid"),
    ):
        assert f"known.a: {message}" in refused(known={"a": node})
    bcc = orm.StructureData(ase=crystal("Cu", "bcc", 2.88))
    assert "its lattice is fcc, the structure that is to melt there is bcc" in refused(
        structures={"point_001": bcc}, known={"a": known_point(cu_u3, 5.0)}
    )
    assert "known.a" not in refused(structures={"point_001": bcc}, known={"a": known_point(cu_u3, 5.0, lattice="bcc")})
    assert "there is another one of its kind at 0 GPa" in refused(known={"a": point, "b": known_point(cu_u3, 0.0)})
    assert "without the melting point there" in refused(known={"a": known_slope(cu_u3, 5.0)})


def test_crystals_of_a_sweep_are_of_one_formula(lmp_code, potentials_folder):
    both = PotentialData.get_or_create(potentials_folder / "AlCu.eam.alloy")
    builder = builder_of(lmp_code, both, structures={"point_001": orm.StructureData(ase=bulk("Al"))})
    problem = PressureSweepWorkChain.spec().inputs.validate(builder._inputs(prune=True))
    assert "structures.point_001: it is Al, all crystals of a sweep must be Cu" in problem.message


@pytest.mark.parametrize(
    ("bulk_settings", "run", "message"),
    [
        ({"time_ps": 60.0}, {"sample_interval_fs": 1000.0}, "61 samples in bulk.time_ps = 60 ps, a mean needs 100"),
        ({"time_ps": 6.0}, {"frame_interval_ps": 7.0}, "frame_interval_ps: 7 ps is longer than bulk.time_ps = 6 ps"),
    ],
)
def test_bulk_runs_that_could_not_be_evaluated_are_refused(lmp_code, cu_u3, bulk_settings, run, message):
    settings = {"bulk": {**BULK, **bulk_settings}, "run": {**RUN, **run}}
    sweep = builder_of(lmp_code, cu_u3, bulk=orm.Dict(settings["bulk"]))
    sweep.tpc.parameters = orm.Dict(settings["run"])
    point = known_point(cu_u3, 0.0)
    alone = MeltingPropertiesWorkChain.get_builder_from_protocol(lmp_code, copper(), cu_u3, point, "fast", settings)
    for builder in (sweep, alone):
        problem = builder.process_class.spec().inputs.validate(builder._inputs(prune=True))
        assert message in problem.message


@pytest.fixture
def cut(lmp_code, cu_u3, aiida_profile) -> orm.WorkChainNode:
    """Give a sweep that was killed: one point was known, another is there with its slope, the third was lost."""
    chain = orm.WorkChainNode(process_type=SWEEP_TYPE)
    known = known_point(cu_u3, 0.0).store()
    chain.base.links.add_incoming(orm.List(list(T_M)).store(), LinkType.INPUT_WORK, "pressures")
    chain.base.links.add_incoming(known, LinkType.INPUT_WORK, "known__a")
    chain.store()
    for label, output, node in (
        ("point_001", "melting_point", known_point(cu_u3, 5.0)),
        ("properties_001", "properties", known_slope(cu_u3, 5.0)),
        ("point_002", "melting_point", known_point(cu_u3, 10.0, **invalid())),
    ):
        child = orm.WorkChainNode()
        child.base.links.add_incoming(chain, LinkType.CALL_WORK, label)
        child.store()
        give(child, **{output: node})
    chain.set_process_state("killed")
    chain.seal()
    return chain


def test_what_a_killed_sweep_has_is_shown_and_can_be_taken_over(cut, lmp_code, cu_u3):
    pk, found = sweep_result(cut.pk)
    assert (pk, found["state"], found["curve"]) == (cut.pk, "killed", None)
    assert found["melting_temperatures_k"] == [T_M[0.0], T_M[5.0], None]
    assert found["slopes_k_per_gpa"] == [None, SLOPES[5.0], None]
    assert found["gaps"] == ["no T_m at 10 GPa: the sweep is killed"]
    nodes = known_nodes(cut.pk)
    assert [node["pressure_gpa"] for node in nodes] == [0.0, 5.0, 5.0]
    builder = builder_of(lmp_code, cu_u3, known={f"node_{node.pk}": node for node in nodes})
    assert PressureSweepWorkChain.spec().inputs.validate(builder._inputs(prune=True)) is None


def test_what_is_no_process_and_no_point_cannot_be_taken_over(aiida_profile):
    for node in (copper().store(), orm.Int(1).store(), orm.WorkChainNode().store()):
        with pytest.raises(ValueError, match=f"node {node.pk} has no melting point that a sweep could take over"):
            known_nodes(node.pk)
    empty = orm.WorkChainNode(process_type=SWEEP_TYPE)
    empty.base.links.add_incoming(orm.List([0.0, 5.0, 10.0]).store(), LinkType.INPUT_WORK, "pressures")
    empty.store()
    with pytest.raises(ValueError, match="has no melting temperature at any pressure"):
        sweep_result(empty.pk)


def test_points_that_do_not_fit_are_refused_by_the_properties(lmp_code, cu_u3, potentials_folder):
    make = MeltingPropertiesWorkChain.get_builder_from_protocol
    for point, message in (
        (orm.Dict({"schema": "other"}), "its schema is 'other'"),
        (known_point(cu_u3, 0.0, **invalid()), "its verdict is invalid"),
        (known_point(cu_u3, 0.0, found_lattice="bcc", found_lattice_share=0.9), "90% of the solid is bcc at the end"),
    ):
        with pytest.raises(ValueError, match=message):
            make(lmp_code, copper(), cu_u3, point)
    other = PotentialData.get_or_create(potentials_folder / "Cu_mishin1.eam.alloy")
    builder = make(lmp_code, copper(), other, known_point(cu_u3, 0.0))
    problem = MeltingPropertiesWorkChain.spec().inputs.validate(builder._inputs(prune=True))
    assert "it is one of another potential" in problem.message
    for key, value in (("element", "Al"), ("lattice", "bcc")):
        builder = make(lmp_code, copper(), cu_u3, known_point(cu_u3, 0.0, **{key: value}))
        problem = MeltingPropertiesWorkChain.spec().inputs.validate(builder._inputs(prune=True))
        assert f"melting_point: its {key} is {value}, the structure that is to melt there is" in problem.message
    with pytest.raises(ValueError, match="overrides: plan unknown, there are bulk, run, seed"):
        make(lmp_code, copper(), cu_u3, known_point(cu_u3, 0.0), overrides={"plan": {}})


@pytest.mark.parametrize("name", load_protocols("pressure_sweep")["protocols"])
def test_protocols_make_whole_builders(lmp_code, cu_u3, name):
    builder = PressureSweepWorkChain.get_builder_from_protocol(lmp_code, copper(), cu_u3, name)
    assert PressureSweepWorkChain.spec().inputs.validate(builder._inputs(prune=True)) is None
    assert builder.tpc["protocol"].value == name
    point, slope = forecast_sweep(builder)
    assert point.atom_steps > slope > 1e6


def test_unknown_sections_are_refused(lmp_code, cu_u3):
    with pytest.raises(ValueError, match="overrides: plan unknown, there are tpc, bulk, sweep, seed, pressures_gpa"):
        PressureSweepWorkChain.get_builder_from_protocol(lmp_code, copper(), cu_u3, overrides={"plan": {}})
