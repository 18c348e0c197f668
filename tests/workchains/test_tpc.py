from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common.datastructures import CalcJobState
from aiida.common.links import LinkType
from aiida.engine import run_get_node, submit
from ase.build import bulk, molecule
from coexistence_jobs import SETTINGS, copper, once
from daemons import kill_worker, wait_for

from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.calculations.coexistence_stages import preparation_time_ps
from aiida_dnpmelt.calculations.lammps_coexistence import LammpsCoexistenceCalculation
from aiida_dnpmelt.calculations.melting_point import assess_runs
from aiida_dnpmelt.data.elements import element
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import crystal
from aiida_dnpmelt.physics.plan import Plan
from aiida_dnpmelt.provenance.query import melting_point, melting_points
from aiida_dnpmelt.report.progress import progress
from aiida_dnpmelt.workchains.protocols import load_protocols
from aiida_dnpmelt.workchains.tpc import TPCWorkChain, forecast_of, summary

T_M = 1283.0
PLAN = {
    "initial_runs": 2,
    "guess_spread": 0.0,
    "first_time_ps": 6.0,
    "runs": 2,
    "minimum_runs": 1,
    "production_time_ps": 9.0,
    "target_uncertainty_k": 60.0,
    "maximum_rounds": 2,
    # A cell of 640 atoms has thin phases and fluctuates a lot.
    "criteria": {"minimum_fraction": 0.02, "maximum_normal_pressure_gpa": 1.0, "maximum_lateral_pressure_gpa": 2.0},
}
RUN = {**SETTINGS, "minimisation": [1e-6, 1e-6, 10, 100], "melt_ps": 2.4}
REPETITIONS = [4, 4, 10]


def builder_of(code: orm.InstalledCode, potential: PotentialData, **changes: Any) -> Any:
    """Return the builder of a work chain of seconds; plan and run settings are changed by their names."""
    plan = {**PLAN, **{key: changes.pop(key) for key in list(changes) if key in Plan.model_fields}}
    builder = TPCWorkChain.get_builder_from_protocol(
        code, copper(), potential, "fast", {"run": RUN, "plan": plan, "seeds": [7, 8, 9, 10]}
    )
    builder.temperature = orm.Float(T_M)
    builder.repetitions = orm.List(REPETITIONS)
    for name, value in changes.items():
        builder[name] = value
    return builder


@pytest.fixture
def chain(lmp_code, cu_u3) -> orm.WorkChainNode:
    """Give a work chain that started at T_m and came to its end."""
    return once("tpc_chain", lambda: run_get_node(builder_of(lmp_code, cu_u3)).node)


def jobs_of(chain: orm.WorkChainNode) -> list[orm.CalcJobNode]:
    return [node for node in chain.called_descendants if isinstance(node, orm.CalcJobNode)]


def test_living_cells_give_a_melting_point(chain):
    assert chain.is_finished_ok, chain.exit_message
    point = chain.outputs.melting_point.get_dict()
    assert point["verdict"] in {"valid", "unfinished"}
    assert point["element"] == "Cu"
    assert point["lattice"] == "fcc"
    assert point["atoms"] == 640
    assert point["melting_temperature_k"] == pytest.approx(T_M, abs=150)
    assert point["interval_low_k"] < point["melting_temperature_k"] < point["interval_high_k"]
    assert point["timestep_correction_k"] == pytest.approx(1.9, abs=0.5)
    assert set(point["seeds_used"]) <= {7, 8, 9, 10}
    assert point["atom_steps"] == sum(job.outputs.results["atom_steps"] for job in jobs_of(chain))
    assert point["reasons"]


@pytest.mark.parametrize(
    ("symbol", "file", "melting_k", "repetitions"),
    [("Mg", "Mg_mm.eam.fs", 914.0, [5, 3, 8]), ("Fe", "Fe_mm.eam.fs", 1772.0, [5, 5, 13])],
    ids=["hcp", "bcc"],
)
def test_other_lattices_give_a_melting_point(lmp_code, potentials_folder, symbol, file, melting_k, repetitions):
    """Published T_m of these potentials: 914 K (Sun et al., 2006) and 1772 K (Mendelev et al., 2003)."""
    data = element(symbol)
    builder = TPCWorkChain.get_builder_from_protocol(
        lmp_code,
        orm.StructureData(ase=crystal(symbol, data.melting_lattice, *data.lengths(data.melting_lattice))),
        PotentialData.get_or_create(potentials_folder / file),
        "fast",
        {"run": RUN, "plan": {**PLAN, "initial_runs": 1, "maximum_rounds": 1}, "seeds": [7]},
    )
    builder.temperature = orm.Float(melting_k)
    builder.repetitions = orm.List(repetitions)
    chain = run_get_node(builder).node
    assert chain.is_finished_ok, chain.exit_message
    point = chain.outputs.melting_point
    assert (point["element"], point["lattice"]) == (symbol, data.melting_lattice)
    assert point["atoms"] == len(chain.outputs.cell.sites) * math.prod(repetitions)
    assert point["melting_temperature_k"] == pytest.approx(melting_k, rel=0.1)
    assert point["found_lattice"] == data.melting_lattice
    assert 0.5 < point["lattice_share"] <= 1
    claimed = as_lattice(chain, "fcc")
    assert (claimed["verdict"], claimed["melting_temperature_k"], claimed["seeds_invalid"]) == ("invalid", None, [7])
    assert (claimed["lattice"], claimed["found_lattice"]) == ("fcc", data.melting_lattice)
    assert f"% {data.melting_lattice}" in claimed["reasons"][0]
    assert "must be fcc" in claimed["reasons"][0]


def as_lattice(chain: orm.WorkChainNode, lattice: str) -> dict[str, Any]:
    """Return the melting point of the runs of a work chain, had another crystal been claimed."""
    symbol = chain.outputs.cell.get_kind_names()[0]
    nodes: dict[str, orm.Data] = {}
    for index, job in enumerate(jobs_of(chain), start=1):
        nodes |= {f"run_{index:03d}": job.outputs.run, f"results_{index:03d}": job.outputs.results}
    names = ("plan", "potential", "pressure", "repetitions", "parameters", "protocol")
    found = assess_runs(
        structure=orm.StructureData(ase=crystal(symbol, lattice, 3.6)),
        round_number=orm.Int(1),
        unused_seeds=orm.Int(0),
        **{name: chain.inputs[name] for name in names},
        **nodes,
    )
    values: dict[str, Any] = found["melting_point"].get_dict()
    return values


def test_every_value_of_a_melting_point_is_plain_and_finite(chain):
    values = chain.outputs.melting_point.get_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    for key, value in values.items():
        assert value is None or isinstance(value, str | bool | int | float | list), key
        assert not isinstance(value, float) or math.isfinite(value), key


def test_no_input_of_a_job_comes_from_nowhere(chain):
    given = {link.node.pk for link in chain.base.links.get_incoming(link_type=LinkType.INPUT_WORK).all()}
    jobs = jobs_of(chain)
    assert jobs
    for job in jobs:
        for link in job.base.links.get_incoming(link_type=LinkType.INPUT_CALC).all():
            # A seed is taken as it is from the list of seeds, which is an input.
            known = link.node.pk in given or link.node.creator is not None or link.link_label in {"code", "seed"}
            assert known, link.link_label
        assert job.inputs.seed.value in chain.inputs.seeds.get_list()


def test_runs_of_a_chain_have_all_arrays(chain):
    runs = chain.tools.runs()
    assert {run.seed for run in runs.values()} >= set(chain.outputs.melting_point["seeds_used"])
    for run in runs.values():
        assert run.temperature_k.shape == run.time_ps.shape
        assert run.pressure_gpa.shape == (len(run.time_ps), 3)
        assert run.enthalpy_ev.shape == run.time_ps.shape
        assert run.order_profile.shape[0] == len(run.solid_fraction) == len(run.frame_time_ps)


def test_summary_and_figure_of_a_node(chain, tmp_path):
    text = chain.tools.summary()
    assert text.startswith("Cu (fcc) at 0 GPa, Cu_u3.eam")
    assert "T_m = " in text
    assert "verdict: " in text
    chain.tools.plot().savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_a_melting_point_is_found_again(chain):
    assert chain.pk in [point.pk for point in melting_points(element="Cu", protocol="fast")]
    assert melting_point(chain.outputs.melting_point.pk).pk == chain.pk
    assert chain.pk not in [point.pk for point in melting_points(element="Cu", pressure_gpa=5.0)]


def test_progress_names_the_runs_of_the_last_round(chain):
    found = progress(chain)
    assert found
    assert {run.state for run in found} <= {"done", "lost a phase"}
    assert all("seed_" in run.label for run in found)


@pytest.mark.parametrize(
    ("guess", "state", "bound"), [(700.0, "froze", "bracket_low_k"), (1750.0, "melted", "bracket_high_k")]
)
def test_a_lost_cell_bounds_the_melting_temperature_and_is_no_number(lmp_code, cu_u3, guess, state, bound):
    changes = {"temperature": orm.Float(guess), "initial_runs": 1, "maximum_rounds": 1, "first_time_ps": 9.0}
    chain = run_get_node(builder_of(lmp_code, cu_u3, **changes)).node
    assert chain.exit_status == TPCWorkChain.exit_codes.ERROR_NO_COEXISTENCE.status
    point = chain.outputs.melting_point.get_dict()
    assert (point["verdict"], point["melting_temperature_k"]) == ("invalid", None)
    assert point[f"seeds_{state}"] == [7]
    assert point[bound] == guess
    assert "stopped after 1 round" in chain.exit_message
    assert chain.pk not in [found.pk for found in melting_points()]
    assert chain.pk in [found.pk for found in melting_points(everything=True)]
    assert "no T_m yet" in summary(point)


def test_lost_cells_move_the_guess_down_until_the_rounds_end(lmp_code, cu_u3):
    """At 3000 K the crystal melts in bulk, in a moment."""
    changes = {"temperature": orm.Float(3000.0), "initial_runs": 1, "maximum_rounds": 2}
    chain = run_get_node(builder_of(lmp_code, cu_u3, **changes)).node
    assert chain.exit_status == TPCWorkChain.exit_codes.ERROR_NO_COEXISTENCE.status
    guesses = [job.inputs.temperature for job in sorted(jobs_of(chain), key=lambda job: job.pk)]
    assert [guess.value for guess in guesses] == pytest.approx([3000.0, 3000.0 / 1.08])
    assert [guess.creator.process_label for guess in guesses] == ["start_plan", "assess_runs"]
    point = chain.outputs.melting_point
    assert point["bracket_high_k"] == pytest.approx(3000.0 / 1.08)
    assert (point["seeds_melted"], point["production_time_ps"]) == ([7, 8], 0)
    assert point["reasons"][0].endswith("the whole crystal melted at 3000 K in preparation")


def test_budget_that_ends_first_leaves_the_number_unfinished_and_says_so(lmp_code, cu_u3):
    builder = builder_of(lmp_code, cu_u3, initial_runs=1, maximum_rounds=9)
    first = forecast_of(builder).first_round_atom_steps
    builder.plan = orm.Dict({**builder.plan.get_dict(), "budget_atom_steps": 1.02 * first})
    chain = run_get_node(builder).node
    assert chain.is_finished_ok, chain.exit_message
    point = chain.outputs.melting_point
    assert (point["verdict"], point["seeds_used"]) == ("unfinished", [7])
    assert point["melting_temperature_k"] == pytest.approx(T_M, abs=200)
    assert point["reasons"][-1].startswith("stopped: ")
    assert point["atom_steps"] == pytest.approx(1.02 * first, rel=0.01)


@pytest.mark.parametrize("budget", [2.0, 1e5, 0.99])
def test_budget_below_the_first_round_is_refused_with_what_it_takes(lmp_code, cu_u3, budget):
    builder = builder_of(lmp_code, cu_u3)
    first = forecast_of(builder).first_round_atom_steps
    builder.plan = orm.Dict({**builder.plan.get_dict(), "budget_atom_steps": budget if budget > 1 else budget * first})
    message = str(TPCWorkChain.spec().inputs.validate(builder._inputs(prune=True)).message)
    assert "plan.budget_atom_steps: " in message
    assert f"2 runs of {6 + preparation_time_ps(CoexistenceSettings(**RUN)):.4g} ps in a cell of 640 atoms" in message
    least = float(message.partition("Give at least ")[2].partition(",")[0])
    builder.plan = orm.Dict({**builder.plan.get_dict(), "budget_atom_steps": least})
    assert TPCWorkChain.spec().inputs.validate(builder._inputs(prune=True)) is None
    assert first <= least < 1.01 * first


def test_forecast_of_a_builder_has_no_more_runs_than_seeds(lmp_code, cu_u3):
    builder = TPCWorkChain.get_builder_from_protocol(lmp_code, copper(), cu_u3, "paper", {"seeds": [3, 4]})
    found = forecast_of(builder)
    assert (found.runs, found.jobs, found.rounds) == (2, 2, 1)
    assert found.atom_steps == found.first_round_atom_steps


@pytest.mark.parametrize("counts", [[630, 630, 630], [1000, 1000, 1000]])
def test_cell_that_nobody_can_run_is_refused_with_its_atoms(lmp_code, cu_u3, counts):
    builder = builder_of(lmp_code, cu_u3, budget_atom_steps=1e30)
    builder.repetitions = orm.List(counts)
    message = str(TPCWorkChain.spec().inputs.validate(builder._inputs(prune=True)).message)
    assert f"make a cell of {4 * math.prod(counts)} atoms, at most 100000000 can be run" in message


@pytest.mark.parametrize("lattice", ["fcc", "bcc", "hcp", "diamond"])
@pytest.mark.parametrize("protocol", load_protocols("tpc")["protocols"])
def test_no_protocol_has_a_budget_below_its_first_round(lmp_code, cu_u3, protocol, lattice):
    structure = orm.StructureData(ase=crystal("Cu", lattice, 3.6))
    builder = TPCWorkChain.get_builder_from_protocol(lmp_code, structure, cu_u3, protocol)
    assert TPCWorkChain.spec().inputs.validate(builder._inputs(prune=True)) is None
    if protocol in ("balanced", "stringent", "paper"):
        builder.repetitions = orm.List([14, 14, 28])
        assert TPCWorkChain.spec().inputs.validate(builder._inputs(prune=True)) is None


def test_seeds_of_failed_runs_are_spent(cu_u3, code_that):
    """Only the first run of all comes to its end: the crystal melts in bulk."""
    code = code_that('mkdir "$0.d" 2> /dev/null && exec "$LMP" "$@"')
    changes = {"temperature": orm.Float(3000.0), "initial_runs": 2, "maximum_rounds": 9}
    chain = run_get_node(builder_of(code, cu_u3, **changes)).node
    assert chain.exit_status == TPCWorkChain.exit_codes.ERROR_NO_COEXISTENCE.status
    point = chain.outputs.melting_point
    assert len(point["seeds_melted"]) == 1
    assert point["rounds"] == 2
    assert point["reasons"][-1] == "stopped: no seed is left for another guess"
    said = [entry.message for entry in orm.Log.collection.get_logs_for(chain)]
    assert any("jobs left nothing that tells what they took: it is not known" in message for message in said)


def test_what_failed_runs_took_counts_in_the_budget(cu_u3, code_that):
    """The first run of all melts in bulk, the other stops at a wrong command after its equilibration."""
    spoilt = "sed -i 's/^print \"dnpmelt stage average\"/bogus\\n&/' input.in"
    code = code_that(f'mkdir "$0.d" 2> /dev/null || {spoilt}\nexec "$LMP" "$@"')
    changes = {"temperature": orm.Float(3000.0), "initial_runs": 2, "maximum_rounds": 1}
    chain = run_get_node(builder_of(code, cu_u3, **changes)).node
    failed = [job for job in jobs_of(chain) if job.exit_status]
    assert failed
    assert all(job.outputs.results["atom_steps"] > 0 for job in failed)
    point = chain.outputs.melting_point
    assert len(point["seeds_melted"]) == 1
    assert point["atom_steps"] == sum(job.outputs.results["atom_steps"] for job in jobs_of(chain))


def test_a_round_without_a_finished_run_fails_with_the_reason(cu_u3, code_that):
    chain = run_get_node(builder_of(code_that("exit 1"), cu_u3)).node
    assert chain.exit_status == TPCWorkChain.exit_codes.ERROR_RUNS_FAILED.status
    assert "Two jobs left nothing that can be read. LAMMPS left no log" in chain.exit_message


BAD_INPUT = {
    "temperature": (-5.0, "temperature: -5 K is outside the allowed range"),
    "pressure": (5000.0, "pressure: 5000 GPa is outside the allowed range -10 <= pressure <= 1000"),
    "repetitions": ([4, 4], "must be three whole numbers"),
    "repetitions, too few": ([1, 1, 2], "must be at least twice the cutoff of 4.95 Angstrom"),
    "seeds": ([1, 1], "must all be different"),
    "seeds, zero": ([0], "must be whole numbers from 1"),
    "size": ({"minimum_atoms": 0, "aspect": 2.0}, "size.minimum_atoms: Input should be greater than or equal to 1"),
    "size, unknown": ({"minimum_atoms": 99, "aspect": 2.0, "shape": 3}, "size.shape: Extra inputs are not permitted"),
    "size, both": (
        {"minimum_atoms": 99, "by_atoms_in_cell": {4: [9, 9, 9]}},
        "size: Value error, give minimum_atoms, or by_atoms",
    ),
    "size, none": ({}, "size: Value error, give minimum_atoms, or by_atoms"),
    "size, zero": ({"by_atoms_in_cell": {4: [0, 9, 9]}}, "size.by_atoms_in_cell.4.0: Input should be greater than 0"),
    "plan": ({**PLAN, "runs": 0}, "plan.runs: Input should be greater than or equal to 1"),
    "plan, unknown": ({**PLAN, "wishes": 3}, "plan.wishes: Extra inputs are not permitted"),
    "parameters": ({**RUN, "timestep_fs": 50}, "parameters.timestep_fs: Input should be less than"),
    "structure": (bulk("Al"), "potential: it has no Al, it knows Cu"),
    "structure, none": (molecule("H2"), "is not periodic"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_refused_before_anything_is_submitted(lmp_code, cu_u3, case):
    value, message = BAD_INPUT[case]
    name = case.split(",")[0]
    builder = builder_of(lmp_code, cu_u3)
    before = orm.QueryBuilder().append(orm.ProcessNode).count()
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        builder[name] = orm.StructureData(ase=value) if name == "structure" else orm.to_aiida_type(value)
        run_get_node(builder)
    assert orm.QueryBuilder().append(orm.ProcessNode).count() == before


def test_a_guess_is_needed_for_what_is_no_element(lmp_code, potentials_folder):
    potential = PotentialData.get_or_create(potentials_folder / "CuNi.eam.alloy")
    structure = orm.StructureData(ase=bulk("CuNi", "rocksalt", a=4.5))
    builder = TPCWorkChain.get_builder_from_protocol(lmp_code, structure, potential)
    with pytest.raises(ValueError, match="temperature: a guess of T_m in K is needed for"):
        run_get_node(builder)


@pytest.mark.parametrize("name", load_protocols("tpc")["protocols"])
def test_protocols_make_whole_builders(lmp_code, cu_u3, name):
    builder = TPCWorkChain.get_builder_from_protocol(lmp_code, copper(), cu_u3, name)
    assert TPCWorkChain.spec().inputs.validate(builder._inputs(prune=True)) is None
    CoexistenceSettings(**builder.parameters.get_dict())
    expected = forecast_of(builder)
    least = {"paper": 21952, "paper-script": 21952, "stringent": 4000}.get(name, 1728)
    assert least <= expected.n_atoms < 1.2 * least
    assert expected.atom_steps > 1e6


def test_unknown_protocols_and_sections_are_refused(lmp_code, cu_u3):
    with pytest.raises(ValueError, match="protocol: 'quick' is not one of balanced, fast"):
        TPCWorkChain.get_builder_from_protocol(lmp_code, copper(), cu_u3, "quick")
    for section in ("plans", "name"):
        with pytest.raises(ValueError, match=f"overrides: {section} unknown, there are run, plan, size, seeds"):
            TPCWorkChain.get_builder_from_protocol(lmp_code, copper(), cu_u3, overrides={section: {}})


def test_a_killed_worker_loses_nothing(lmp_code, cu_u3, daemon):
    """The daemon starts another worker, which takes the chain up where it was."""
    chain = submit(builder_of(lmp_code, cu_u3, maximum_rounds=1, first_time_ps=12.0, production_time_ps=12.0))
    wait_for(lambda: [job.get_state() for job in jobs_of(chain)] == [CalcJobState.WITHSCHEDULER] * 2)
    kill_worker(daemon)
    wait_for(lambda: chain.is_terminated, log=Path(daemon.daemon_log_file))
    assert chain.exit_status in {0, TPCWorkChain.exit_codes.ERROR_NO_COEXISTENCE.status}
    seeds = [job.inputs.seed.value for job in jobs_of(chain)]
    assert sorted(seeds) == [7, 8]
    kinds = [node.process_class for node in chain.called_descendants if isinstance(node, orm.CalcJobNode)]
    assert kinds == [LammpsCoexistenceCalculation] * 2
