from __future__ import annotations

import pytest
from aiida import orm
from aiida.engine import run_get_node
from coexistence_jobs import SETTINGS
from workchains.test_tpc import PLAN

from aiida_dnpmelt.data.runs import from_node
from aiida_dnpmelt.physics.crystals import crystal
from aiida_dnpmelt.provenance.importers import import_potential
from aiida_dnpmelt.workchains.tpc import TPCWorkChain

T_M = 923.0  # of this model, as published

# 1,700 steps of 500 atoms: as few as have all stages and enough production for an estimate.
RUN = {
    **SETTINGS,
    "timestep_fs": 5.0,
    "relax_cell": False,
    "equilibrate_ps": 0.3,
    "melt_ps": 1.0,
    "thermalise_ps": 0.3,
    "frame_interval_ps": 1.0,
}
ONE_SHORT_RUN = {"initial_runs": 1, "runs": 1, "maximum_rounds": 1, "first_time_ps": 5.1, "production_time_ps": 5.1}


@pytest.mark.slow
def test_published_model_goes_through_a_work_chain(shared_data, lmp_deepmd_code, dp_code):
    """At this size a phase may be lost: what counts is that the model runs, and that its run can be judged."""
    model = import_potential(shared_data / "dnp" / "Al" / "Al-0.pb")
    assert (model.pair_style, model.type_map, model.cutoff) == ("deepmd", ["Al"], 9.0)
    builder = TPCWorkChain.get_builder_from_protocol(
        lmp_deepmd_code,
        orm.StructureData(ase=crystal("Al", "fcc", 4.05)),
        model,
        "fast",
        {"run": RUN, "plan": {**PLAN, **ONE_SHORT_RUN}},
    )
    builder.temperature = orm.Float(T_M)
    builder.repetitions = orm.List([5, 5, 5])
    chain = run_get_node(builder).node
    assert chain.exit_status in {0, TPCWorkChain.exit_codes.ERROR_NO_COEXISTENCE.status}, chain.exit_message
    point = chain.outputs.melting_point
    assert (point["element"], point["potential_style"], point["atoms"]) == ("Al", "deepmd", 500)
    (node,) = chain.outputs.runs.values()
    run = from_node(node)
    assert not run.bulk_melted
    assert run.enthalpy_ev.mean() == pytest.approx(-3.5, abs=0.4)
    assert run.temperature_k.mean() == pytest.approx(T_M, rel=0.2)
    assert run.mean_square_force.mean() > 0
    assert 0 < run.solid_fraction[0] < 1
