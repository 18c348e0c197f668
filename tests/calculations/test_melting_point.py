from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from aiida import orm
from ase.build import bulk
from coexistence_jobs import copper
from physics.synthetic_runs import N_ATOMS, synthetic_run

from aiida_dnpmelt import __version__
from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.calculations.melting_point import (
    assess_runs,
    cell_repetitions,
    join_pieces,
    judged,
    repetitions_of,
    shorter_timestep,
    start_plan,
    tabulated_melting_temperature,
    whole_runs,
)
from aiida_dnpmelt.data.runs import from_node, to_node
from aiida_dnpmelt.physics.lattices import LATTICES
from aiida_dnpmelt.physics.run import CoexistenceRun
from aiida_dnpmelt.workchains.protocols import load_protocol

BALANCED = load_protocol("tpc", "balanced")
RESULTS = {"steps": 1000, "atom_steps": 1000 * N_ATOMS, "core_hours": 0.01, "lammps_version": "22 Jul 2025"}


def assessed(potential: orm.Data, pieces: list[CoexistenceRun], **changes: Any) -> dict[str, orm.Data]:
    """Return what is said of runs of copper after one round."""
    nodes: dict[str, orm.Data] = {}
    for index, piece in enumerate(pieces, start=1):
        nodes[f"run_{index:03d}"] = to_node(piece)
        nodes[f"results_{index:03d}"] = orm.Dict(RESULTS)
    inputs = {
        "plan": orm.Dict({**BALANCED["plan"], **changes.pop("plan", {})}),
        "structure": copper(),
        "potential": potential,
        "pressure": orm.Float(0.0),
        "repetitions": orm.List([6, 6, 12]),
        "parameters": orm.Dict(BALANCED["run"]),
        "protocol": orm.Str("balanced"),
        "round_number": orm.Int(1),
        "unused_seeds": orm.Int(10),
    }
    return assess_runs(**{**inputs, **changes}, **nodes)


def living(length_ps: float = 120.0) -> list[CoexistenceRun]:
    return [synthetic_run(seed, length_ps=length_ps) for seed in range(11, 15)]


def test_melting_point_is_a_flat_dictionary_of_plain_finite_values(cu_u3):
    found = assessed(cu_u3, [*living(), synthetic_run(20, "froze", guess_k=1100.0)])
    point = found["melting_point"].get_dict()
    assert json.loads(json.dumps(point, allow_nan=False)) == point
    assert not [key for key, value in point.items() if isinstance(value, dict)]
    assert (point["schema"], point["schema_version"], point["dnpmelt_version"]) == (
        "dnpmelt.melting_point",
        1,
        __version__,
    )
    assert (point["element"], point["lattice"], point["pressure_gpa"]) == ("Cu", "fcc", 0.0)
    assert (point["verdict"], point["target_reached"]) == ("valid", True)
    assert point["interval_low_k"] < 1300 < point["interval_high_k"]
    assert point["standard_uncertainty_k"] == pytest.approx(
        math.hypot(point["statistical_uncertainty_k"], point["timestep_uncertainty_k"])
    )
    assert point["seeds_used"] == [11, 12, 13, 14]
    assert (point["seeds_froze"], point["seeds_melted"], point["seeds_invalid"]) == ([20], [], [])
    assert (point["bracket_low_k"], point["bracket_high_k"]) == (1100.0, None)
    assert point["production_time_ps"] == pytest.approx(480.0)
    assert (point["potential_label"], point["potential_style"]) == ("Cu_u3.eam", "eam")
    assert (point["potential_uuid"], point["potential_sha256"]) == (cu_u3.uuid, cu_u3.sha256)
    assert (point["protocol"], point["method"], point["repetitions"]) == ("balanced", "bulk", [6, 6, 12])
    assert (point["atoms"], point["rounds"]) == (N_ATOMS, 1)
    assert point["atom_steps"] == 5 * RESULTS["atom_steps"]
    assert point["core_hours"] == pytest.approx(0.05)
    assert point["lammps_version"] == "22 Jul 2025"


def test_the_interval_has_the_time_step_in_it_as_the_standard_uncertainty_has(cu_u3):
    point = assessed(cu_u3, living())["melting_point"].get_dict()
    bare = assessed(cu_u3, [replace(run, mean_square_force=np.empty(0)) for run in living()])[
        "melting_point"
    ].get_dict()
    factor = point["melting_temperature_k"] / bare["melting_temperature_k"]
    for key, sign in (("interval_low_k", -1), ("interval_high_k", 1)):
        half = sign * (bare[key] - bare["melting_temperature_k"]) * factor
        wider = math.hypot(half, 1.96 * point["timestep_uncertainty_k"])
        assert sign * (point[key] - point["melting_temperature_k"]) == pytest.approx(wider)


def test_point_that_is_final_asks_for_nothing(cu_u3):
    found = assessed(cu_u3, living())
    assert set(found) == {"assessment", "melting_point"}
    assert found["assessment"]["extend"] == []


def test_lost_runs_have_no_number_and_move_the_guess(cu_u3):
    found = assessed(cu_u3, [synthetic_run(1, "froze", guess_k=1000.0), synthetic_run(2, "froze", guess_k=1060.0)])
    point = found["melting_point"].get_dict()
    assert (point["verdict"], point["melting_temperature_k"], point["interval_low_k"]) == ("invalid", None, None)
    assert (point["bracket_low_k"], point["bracket_high_k"]) == (1060.0, None)
    assert point["seeds_froze"] == [1, 2]
    assert point["production_time_ps"] == 0
    assert 1060 < found["guess_1"].value < found["guess_2"].value
    assert found["production_time"].value == BALANCED["plan"]["first_time_ps"]


def test_living_runs_are_lengthened_by_their_labels(cu_u3):
    found = assessed(cu_u3, living(30.0)[:2])
    assert found["assessment"]["extend"] == ["seed_11", "seed_12"]
    assert {"guess_1", "guess_2", "production_time"} <= set(found)
    assert found["assessment"]["outcomes"]["seed_11"]["state"] == "coexistence"
    assert json.dumps(found["assessment"].get_dict(), allow_nan=False)


def test_no_seed_left_is_no_guess_left(cu_u3):
    found = assessed(cu_u3, [synthetic_run(1, "froze", guess_k=1000.0)], unused_seeds=orm.Int(0))
    assert "guess_1" not in found
    assert found["melting_point"]["reasons"][-1] == "stopped: no seed is left for another guess"


def test_statistic_of_the_paper_is_over_the_last_20_ps_of_all_runs_whatever_their_state(cu_u3):
    runs = [*living(40.0)[:2], synthetic_run(20, "froze", length_ps=40.0, guess_k=1100.0)]
    means = [run.temperature_k[-200:].mean() for run in runs]
    point = assessed(cu_u3, runs)["melting_point"].get_dict()
    assert point["paper_mean_k"] == pytest.approx(np.mean(means))
    assert point["paper_std_k"] == pytest.approx(np.mean([run.temperature_k[-200:].std(ddof=1) for run in runs]))
    assert point["paper_sem_k"] == pytest.approx(np.std(means, ddof=1) / math.sqrt(3))


def test_statistic_of_the_paper_takes_one_run_and_runs_of_20_ps(cu_u3):
    point = assessed(cu_u3, [synthetic_run(11, length_ps=19.9)])["melting_point"]
    assert point["paper_mean_k"] is not None
    assert point["paper_sem_k"] is None
    short = assessed(cu_u3, [synthetic_run(11, length_ps=15.0)])["melting_point"]
    assert (short["paper_mean_k"], short["paper_std_k"], short["paper_sem_k"]) == (None, None, None)


def as_crystal(runs: list[CoexistenceRun], **shares: float) -> list[CoexistenceRun]:
    """Return runs whose solid has shares of lattices at the end."""
    return [replace(run, found_lattices=np.array([shares.get(name, 0.0) for name in LATTICES])) for run in runs]


def test_a_solid_of_another_crystal_gives_no_melting_point_and_is_named(cu_u3):
    found = assessed(cu_u3, as_crystal(living(), bcc=1.0))
    point = found["melting_point"].get_dict()
    assert (point["verdict"], point["lattice"], point["melting_temperature_k"]) == ("invalid", "fcc", None)
    assert (point["found_lattice"], point["found_lattice_share"], point["lattice_share"]) == ("bcc", 1.0, 0.0)
    assert point["seeds_invalid"] == [11, 12, 13, 14]
    assert "the solid is 100% bcc, 0% fcc at the end" in point["reasons"][0]
    assert "guess_1" not in found
    kept = assessed(cu_u3, as_crystal(living(), bcc=1.0), plan={"criteria": {"minimum_lattice_share": 0.0}})
    assert judged(kept["melting_point"].get_dict())["verdict"] == "valid"  # who lowers the criterion is answered


def test_faults_of_stacking_leave_a_melting_point_valid(cu_u3):
    point = assessed(cu_u3, as_crystal(living(), fcc=0.8, hcp=0.17, bcc=0.03))["melting_point"].get_dict()
    assert (point["verdict"], point["found_lattice"], point["lattice_share"]) == ("valid", "fcc", pytest.approx(0.8))
    assert "80% of the solid is fcc at the end" in point["reasons"]


def test_runs_of_another_crystal_are_left_out_of_the_joint_result(cu_u3):
    kept = as_crystal(living(), fcc=0.95, hcp=0.05)
    turned = as_crystal([synthetic_run(30, length_ps=120.0, melting_temperature_k=1500.0)], bcc=0.9, fcc=0.1)
    alone, both = (assessed(cu_u3, runs)["melting_point"].get_dict() for runs in (kept, [*kept, *turned]))
    assert both["melting_temperature_k"] == alone["melting_temperature_k"]
    assert (both["verdict"], both["seeds_invalid"], both["lattice_share"]) == ("valid", [30], pytest.approx(0.95))


def test_a_solid_that_nobody_looked_at_is_not_known(cu_u3):
    point = assessed(cu_u3, living())["melting_point"].get_dict()
    assert (point["found_lattice"], point["lattice_share"]) == (None, None)
    assert "which crystal the solid is is not known in 4 of 4 runs" in point["reasons"]
    assert judged(point) == point


def test_stored_points_are_judged_by_the_lattice_that_was_found():
    old = {"lattice": "fcc", "verdict": "valid", "reasons": ["fine"], "found_lattice": "hcp"}
    assert judged(old)["verdict"] == "invalid"
    assert judged(old)["reasons"] == ["fine", "most of the solid is hcp at the end, it is to be fcc"]
    for same in ({**old, "found_lattice": "fcc"}, {**old, "found_lattice": None}, {**old, "lattice": "other"}):
        assert judged(same) == same


def part(run: CoexistenceRun, begin: int, end: int) -> CoexistenceRun:
    """Return a part of a run by its samples; frames and probes stay whole."""
    names = ("time_ps", "temperature_k", "pressure_gpa", "enthalpy_ev", "conserved_ev", "box_angstrom")
    return replace(run, **{name: getattr(run, name)[begin:end] for name in names})


def test_later_pieces_of_a_seed_replace_earlier_ones_however_long():
    long, short = synthetic_run(1, length_ps=20.0), synthetic_run(1, length_ps=8.0, timestep_fs=1.5, halted=True)
    found = whole_runs([long, synthetic_run(2), short])
    assert list(found) == ["seed_1", "seed_2"]
    assert (found["seed_1"].length_ps, found["seed_1"].timestep_fs, found["seed_1"].halted) == (8.0, 1.5, True)


def test_pieces_are_taken_in_the_order_of_their_names(cu_u3):
    whole = synthetic_run(11, length_ps=40.0)
    pieces = [part(whole, 0, 200), part(whole, 150, 401)]
    found = assessed(cu_u3, pieces)["melting_point"]
    assert found["production_time_ps"] == pytest.approx(40.0)
    alone = assessed(cu_u3, [whole])["melting_point"]
    assert found["melting_temperature_k"] == pytest.approx(alone["melting_temperature_k"])


def test_pieces_are_taken_in_the_order_of_their_numbers(cu_u3):
    whole = synthetic_run(11, length_ps=40.0)
    nodes: dict[str, orm.Data] = {}
    for index, piece in ((999, part(whole, 0, 200)), (1000, part(whole, 150, 401))):
        nodes[f"run_{index:03d}"] = to_node(piece)
        nodes[f"results_{index:03d}"] = orm.Dict({**RESULTS, "lammps_version": f"of piece {index}"})
    found = assessed(cu_u3, [], **nodes)["melting_point"]
    assert found["production_time_ps"] == pytest.approx(40.0)
    assert found["lammps_version"] == "of piece 1000"


def test_join_pieces_gives_the_series_and_the_sum_of_the_costs():
    whole = synthetic_run(11, length_ps=40.0)
    nodes: dict[str, orm.Data] = {}
    for index, piece in enumerate((part(whole, 0, 200), part(whole, 190, 401))):
        nodes[f"run_{index:04d}"] = to_node(piece)
        nodes[f"results_{index:04d}"] = orm.Dict({**RESULTS, "ended": index == 1})
    found = join_pieces(**nodes)
    np.testing.assert_array_equal(from_node(found["run"]).temperature_k, whole.temperature_k)
    assert (found["results"]["ended"], found["results"]["steps"]) == (True, 2000)
    assert found["results"]["core_hours"] == pytest.approx(0.02)


@pytest.mark.parametrize(("timestep", "interval"), [(3.0, 30.0), (7.0, 30.0), (4.0, 30.0), (10.0, 35.0)])
def test_half_the_time_step_keeps_the_spacing_of_the_samples(timestep, interval):
    """Runs with both time steps enter one estimate, in bins of one width."""
    settings = {**BALANCED["run"], "timestep_fs": timestep, "sample_interval_fs": interval}
    before, after = CoexistenceSettings(**settings), CoexistenceSettings(**shorter_timestep(orm.Dict(settings)))
    assert after.timestep_fs == timestep / 2
    assert after.sample_steps * after.timestep_fs == pytest.approx(before.sample_steps * before.timestep_fs)


def test_first_round_has_its_guesses_and_its_time():
    found = start_plan(orm.Float(1000.0), orm.Dict(BALANCED["plan"]))
    assert found["guess_1"].value == pytest.approx(970.0)
    assert found["guess_2"].value == pytest.approx(1030.0)
    assert found["production_time"].value == BALANCED["plan"]["first_time_ps"]


def test_first_guess_is_the_tabulated_melting_temperature():
    assert tabulated_melting_temperature(copper()).value == pytest.approx(1357.77, abs=0.1)


def test_repetitions_follow_from_the_size():
    assert cell_repetitions(copper(), orm.Dict({"minimum_atoms": 1700, "aspect": 2.0})).get_list() == [6, 6, 12]
    paper = orm.Dict(load_protocol("tpc", "paper")["size"]).store()
    assert cell_repetitions(copper(), paper).get_list() == [14, 14, 28]


def test_size_that_the_paper_does_not_have_is_refused():
    size = load_protocol("tpc", "paper")["size"]
    with pytest.raises(ValueError, match=r"size\.by_atoms_in_cell: no repetitions for a cell of 1 atoms, only for"):
        repetitions_of(bulk("Cu"), size)
