from __future__ import annotations

import pytest
from aiida import orm
from campaigns import load
from provenance.stored_points import counted_statements

from aiida_dnpmelt.campaign.cells import Campaign
from aiida_dnpmelt.campaign.modes import Load, builder_of, load_of, problem_of
from aiida_dnpmelt.campaign.submission import check, forecast
from aiida_dnpmelt.workchains.melting import MeltingWorkChain
from aiida_dnpmelt.workchains.protocols import load_protocol
from aiida_dnpmelt.workchains.tpc import TPCWorkChain, forecast_of

LEARNED = {
    "mode": "melting",
    "elements": {"Cu": {"temperature_k": 1300}},
    "pressures_gpa": [5],
    "potentials": None,
    "references": {"Cu": "Cu_u3.eam"},
    "seeds": None,
    "overrides": {"learning": {"plan": {"label_budget": 250}}},
    "options": {"max_wallclock_seconds": 1234},
}


@pytest.fixture
def points(lmp_code, tmp_path) -> Campaign:
    """Give a campaign of two cells of a potential."""
    return load(tmp_path, options={"max_wallclock_seconds": 600, "mpi_processes": 2})


@pytest.fixture
def learned(lmp_code, lmp_deepmd_code, dp_code, tmp_path) -> Campaign:
    """Give a campaign of one cell, whose models are learned."""
    return load(tmp_path, **LEARNED)


def test_a_point_has_the_settings_of_the_file(points):
    builder = builder_of(points, points.cells[1])
    assert builder.process_class is TPCWorkChain
    assert problem_of(builder) is None
    assert builder.metadata.label == points.cells[1].key
    assert (builder.pressure.value, builder.temperature.value) == (1.0, 1283.0)
    assert builder.seeds.get_list() == [7]
    assert builder.plan["first_time_ps"] == 6.0
    assert builder.plan["maximum_time_ps"] == load_protocol("tpc", "fast")["plan"]["maximum_time_ps"]
    options = builder.coexistence.calc.metadata.options
    assert (options["max_wallclock_seconds"], options["withmpi"]) == (600, True)
    assert builder.coexistence.calc.code.full_label == "lmp@localhost"


def test_a_learned_point_has_the_settings_of_the_file(learned):
    (cell,) = learned.cells
    builder = builder_of(learned, cell)
    assert builder.process_class is MeltingWorkChain
    assert problem_of(builder) is None
    assert builder.metadata.label == cell.key
    assert (builder.pressure.value, builder.temperature.value) == (5.0, 1300.0)
    assert builder.learning["plan"]["label_budget"] == 250
    assert builder.teacher.sha256 == cell.checksum
    for name in ("tpc", "teacher_tpc"):
        options = builder[name]["coexistence"]["calc"]["metadata"]["options"]
        assert options["max_wallclock_seconds"] == 1234


def test_without_a_guess_in_the_file_a_builder_has_none(points, tmp_path):
    campaign = load(tmp_path, elements=["Cu"])
    builder = builder_of(campaign, campaign.cells[0])
    assert builder.temperature is None
    assert forecast_of(builder).temperature_k == pytest.approx(1357.77)


def test_load_of_a_point_is_that_of_its_forecast(points):
    builder = builder_of(points, points.cells[0])
    load, expected = load_of(builder), forecast_of(builder)
    assert (load.jobs, load.atom_steps, load.labels) == (expected.jobs, expected.atom_steps, 0)
    assert load.core_hours > 0
    assert load.disk_bytes > 1e5


def test_load_of_a_learned_point_has_labels_and_trainings(learned):
    load = load_of(builder_of(learned, learned.cells[0]))
    assert 250 <= load.labels < 600
    assert load.jobs > 30
    assert load.training_steps > 1e4
    assert load.atom_steps > 1e7
    assert load.disk_bytes > 1e7


def test_without_the_teacher_a_learned_point_takes_less(learned, tmp_path):
    without = load(tmp_path, **LEARNED, teacher=False)
    builder = builder_of(without, without.cells[0])
    assert problem_of(builder) is None
    assert builder.teacher is None
    assert load_of(builder).jobs < load_of(builder_of(learned, learned.cells[0])).jobs


def test_loads_add_up():
    assert Load(1, 2, 3, 4.0, 5.0, 6.0) + Load(jobs=10, disk_bytes=0.5) == Load(11, 2, 3, 4.0, 5.0, 6.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"overrides": {"plans": {}}}, "overrides: plans unknown, there are run, plan, size, seeds"),
        ({"overrides": {"plan": {"runs": 0}}}, "plan.runs: Input should be greater than or equal to 1"),
        ({"overrides": {"plan": {"wishes": 0}}}, "plan.wishes: Extra inputs are not permitted"),
        ({"overrides": {"size": {"minimum_atoms": 4}}}, "must be at least twice the cutoff"),
    ],
)
def test_overrides_that_the_work_chain_refuses_are_told(lmp_code, tmp_path, changes, message):
    campaign = load(tmp_path, **changes)
    try:
        problem = problem_of(builder_of(campaign, campaign.cells[0]))
    except ValueError as exception:
        problem = str(exception)
    assert message in str(problem)


def test_builders_store_nothing(points):
    before = orm.QueryBuilder().append(orm.Node).count()
    for cell in points.cells:
        load_of(builder_of(points, cell))
    assert orm.QueryBuilder().append(orm.Node).count() == before


def test_forecast_of_many_pressures_is_made_once_for_each_potential(lmp_code, tmp_path):
    campaign = load(tmp_path, pressures_gpa=[0.1 * index for index in range(40)])
    with counted_statements() as one:
        (first,) = forecast(campaign, campaign.cells[:1])
    with counted_statements() as many:
        loads = list(forecast(campaign, campaign.cells))
    assert len(loads) == 40
    assert set(loads) == {first}
    assert len(many) < 2 * len(one)


def test_check_passes_all_cells_through_who_tells(lmp_code, tmp_path):
    campaign, seen = load(tmp_path), []

    def tell(found):
        for each in found:
            seen.append(each.cell)
            yield each

    check(campaign, tell)
    assert seen == list(campaign.cells)
