from __future__ import annotations

import json

import pytest
from aiida import orm
from aiida.common.links import LinkType
from calculations.test_pressure_sweep import PRESSURES, nodes_at
from click.testing import CliRunner, Result
from coexistence_jobs import copper
from provenance.stored_points import POINT, store

from aiida_dnpmelt.calculations.melting_curve import melting_curve
from aiida_dnpmelt.calculations.pressure_sweep import pressure_sweep
from aiida_dnpmelt.cli import main
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.provenance.query import SWEEP_TYPE


@pytest.fixture
def cli(aiida_profile):
    """Give a function that runs `aiida-dnpmelt`."""
    return lambda *words: CliRunner().invoke(main, [*words, "--profile", aiida_profile.name])


@pytest.fixture
def launch(cli, lmp_code, potentials_folder):
    """Give a function that runs `aiida-dnpmelt launch sweep` for copper."""

    def run(*words: str) -> Result:
        return cli("launch", "sweep", "--element", "Cu", "--potential-file", f"{potentials_folder}/Cu_u3.eam", *words)

    return run


@pytest.fixture
def stored(aiida_profile) -> orm.WorkChainNode:
    """Give a finished sweep with a gap."""
    nodes = nodes_at([0.0, 5.0, 15.0])
    curve = melting_curve(**{name: node for name, node in nodes.items() if name.startswith("point")})
    sweep = pressure_sweep(orm.List(PRESSURES), orm.Dict({"point_002": "No run held both phases"}), curve, **nodes)
    chain = orm.WorkChainNode()
    chain.base.attributes.set("process_state", "finished")
    chain.process_type = SWEEP_TYPE
    chain.store()
    for name, node in {"sweep": sweep, "curve": curve}.items():
        node.base.links.add_incoming(chain, link_type=LinkType.RETURN, link_label=name)
    return chain


def at(*pressures: float) -> list[str]:
    return [word for pressure in pressures for word in ("--pressure", f"{pressure:g}")]


def test_dry_run_tells_the_cost_and_runs_nothing(launch):
    before = orm.QueryBuilder().append(orm.ProcessNode).count()
    result = launch(*at(0, 5, 10), "--dry-run", "--temperature", "1283", "--reach", "10")
    assert result.exit_code == 0, result.output
    for part in ("at 0, 5, 10 GPa", "1728 atoms", "3 pressures (0 known)", "first guess 1283 K at 0 GPa", "core-hours"):
        assert part in result.output
    assert orm.QueryBuilder().append(orm.ProcessNode).count() == before


def test_known_points_are_not_counted(launch, potentials_folder):
    potential = PotentialData.get_or_create(potentials_folder / "Cu_u3.eam")
    own = {"schema": "dnpmelt.melting_point", "potential_uuid": potential.uuid}
    chain = store(**{**POINT, **own})
    chain.seal()
    result = launch(*at(0, 5, 10), "--dry-run", "--known", str(chain.pk))
    assert result.exit_code == 0, result.output
    assert "2 pressures (1 known)" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (at(0, 5), "must be at least 3 different numbers in GPa"),
        ([*at(0, 5, 10), "--reach", "0"], "sweep.reach_gpa: Input should be greater than 0"),
        ([*at(0, 5, 10), "--known", "987654321"], "there is no node 987654321"),
        ([*at(0, 5, 10), "--target", "-3"], "plan.target_uncertainty_k"),
        ([*at(0, 5, 10), "--structure-at", "7", __file__], "--structure-at: 7 GPa is not one of the pressures"),
        ([*at(0, 5, 10), "--structure-at", "5", __file__], "holds no structure that ASE can read"),
    ],
)
def test_wrong_input_is_told_and_nothing_is_submitted(launch, words, message):
    before = orm.QueryBuilder().append(orm.ProcessNode).count()
    result = launch(*words, "--dry-run")
    assert result.exit_code == 1, result.output
    assert message in result.output
    assert orm.QueryBuilder().append(orm.ProcessNode).count() == before


def test_a_structure_cannot_be_taken_over(launch):
    structure = copper().store()
    result = launch(*at(0, 5, 10), "--dry-run", "--known", str(structure.pk))
    assert result.exit_code == 1, result.output
    assert f"node {structure.pk} has no melting point that a sweep could take over" in result.output


def test_what_is_no_melting_point_is_refused_by_its_schema(launch):
    node = orm.Dict({"anything": 1}).store()
    for words in ((), ("--dry-run",)):
        result = launch(*at(0, 5, 10), "--known", str(node.pk), *words)
        assert result.exit_code == 1, result.output
        assert f"known.node_{node.pk}: its schema is None, it can be dnpmelt.melting_point" in result.output


def test_a_point_of_another_element_is_refused_before_anything_runs(launch, potentials_folder):
    potential = PotentialData.get_or_create(potentials_folder / "Cu_u3.eam")
    point = orm.Dict({**POINT, "schema": "dnpmelt.melting_point", "potential_uuid": potential.uuid, "element": "Al"})
    result = launch(*at(0, 5, 10), "--known", str(point.store().pk))
    assert result.exit_code == 1, result.output
    assert f"known.node_{point.pk}: its element is Al, the structure that is to melt there is Cu" in result.output


def test_a_sweep_that_was_killed_is_shown_with_what_it_has(cli, aiida_profile):
    chain = orm.WorkChainNode(process_type=SWEEP_TYPE)
    chain.base.links.add_incoming(orm.List(PRESSURES).store(), LinkType.INPUT_WORK, "pressures")
    chain.store()
    for name, node in nodes_at(PRESSURES[:3]).items():
        child = orm.WorkChainNode()
        child.base.links.add_incoming(chain, LinkType.CALL_WORK, name)
        child.store()
        output = "melting_point" if name.startswith("point") else "properties"
        orm.Dict(node.get_dict()).store().base.links.add_incoming(child, LinkType.RETURN, output)
    chain.set_process_state("killed")
    result = cli("tm", "sweep", str(chain.pk))
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[1].split()[:3] == ["0", "1330(5)", "valid"]
    assert "the sweep is killed and has no result: this is what there is of it" in result.output
    assert "simon_glatzel (taken)" in result.output
    assert f"no T_m at {PRESSURES[3]:g} GPa: the sweep is killed" in result.output
    found = json.loads(cli("tm", "sweep", str(chain.pk), "--format", "json").output)
    assert (found["state"], found["curve"]["law"]) == ("killed", "simon_glatzel")


def test_table_and_picture_of_a_sweep(cli, stored, tmp_path):
    picture = tmp_path / "sweep.png"
    result = cli("tm", "sweep", str(stored.pk), "--plot", str(picture))
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].split()[:4] == ["P/GPa", "T_m/K", "verdict", "solid"]
    assert lines[1].split()[:5] == ["0", "1330(5)", "valid", "fcc", "90%"]
    assert lines[3].split() == ["10", "-", "none", "-", "-", "-", "-", "-"]
    assert "simon_glatzel (taken): temperature_k = 1330(5)" in result.output
    assert "consistent: slopes of the law and of Clausius-Clapeyron differ by 0.0 sigma at most" in result.output
    assert "consistent: T_m rises by what the slopes of Clausius-Clapeyron integrate to, within 0." in result.output
    assert "no T_m at 10 GPa: No run held both phases" in result.output
    assert picture.stat().st_size > 10_000
    again = cli("tm", "sweep", str(stored.pk), "--plot", str(picture))
    assert again.exit_code == 1
    assert "exists" in again.output


def test_sweep_in_other_formats(cli, stored):
    found = json.loads(cli("tm", "sweep", str(stored.pk), "--format", "json").output)
    assert (found["pk"], found["law"], found["curve"]["law"]) == (stored.pk, "simon_glatzel", "simon_glatzel")
    rows = cli("tm", "sweep", str(stored.pk), "--format", "csv").output.splitlines()
    assert len(rows) == 5
    assert rows[1].startswith("0,1330(5),valid,fcc 90%,")


def test_what_is_no_sweep_is_told(cli):
    result = cli("tm", "sweep", "987654321")
    assert result.exit_code == 1
    assert "no pressure sweep with the pk 987654321" in result.output
