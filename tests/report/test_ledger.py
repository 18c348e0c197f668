from __future__ import annotations

import pytest
from aiida import orm
from provenance.stored_traces import coexistence, lineage
from report.stored_melting import chain_node, melting_chain, potential

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.report.chains import find_chain
from aiida_dnpmelt.report.costs import costs
from aiida_dnpmelt.report.ledger import ledger, summed


def test_stages_cost_what_the_page_of_the_work_chain_says(aiida_profile_clean, aiida_localhost):
    chain = melting_chain(aiida_localhost)
    expected = {cost.stage: vars(cost) for cost in costs(find_chain(chain)).stages}
    found = {entry.stage: vars(entry.cost) for entry in ledger()}
    for stage, cost in found.items():
        assert {**cost, "labels": 0} == {**expected[stage], "labels": 0}
    assert {entry.result for entry in ledger()} == {chain.pk}
    assert {entry.element for entry in ledger()} == {"Cu"}
    assert {entry.kind for entry in ledger()} == {"dnpmelt.melting"}


def test_entries_are_summed_by_stage_element_and_result(aiida_profile_clean, aiida_localhost):
    first = lineage(aiida_localhost)
    second = coexistence(aiida_localhost, first.codes["lmp"], potential("another"))
    entries = ledger(with_bytes=True)
    by_result = {values["result"]: cost for values, cost, _ in summed(entries, ["result"])}
    assert by_result[first.chain.pk].core_hours == by_result[second.pk].core_hours == 2.0
    by_stage = {values["stage"]: cost for values, cost, _ in summed(entries, ["stage"])}
    assert by_stage["coexistence, models"].jobs == 2
    assert (by_stage["training"].core_hours, by_stage["training"].unknown) == (3.0, 0)
    ((_, total, size),) = summed(entries, [])
    assert (total.jobs, total.core_hours, total.unknown) == (7, 7.25, 2)
    assert size is not None
    assert size > 0
    assert {entry.result for entry in ledger({second.pk})} == {second.pk}


def test_what_was_not_launched_by_itself_is_refused(aiida_profile_clean, aiida_localhost):
    chain = lineage(aiida_localhost).chain
    with pytest.raises(ValueError, match=f"was called by work chain {chain.pk}"):
        ledger({chain.called[0].pk})
    with pytest.raises(ValueError, match="is no work chain of this package"):
        ledger({chain.inputs.potential.pk})
    with pytest.raises(ValueError, match="'size' is nothing to sum by"):
        summed(ledger(), ["size"])
    assert chain_node("tpc").pk not in {entry.result for entry in ledger()}


def test_coexistence_of_a_potential_that_was_not_learned_is_not_that_of_models(
    aiida_profile_clean, aiida_localhost, potentials_folder
):
    code = orm.InstalledCode(computer=aiida_localhost, filepath_executable="/bin/lmp", label="stored-lmp").store()
    eam = PotentialData.from_file(potentials_folder / "Cu_u3.eam").store()
    chain = coexistence(aiida_localhost, code, eam)
    assert [entry.stage for entry in ledger()] == ["coexistence"]
    assert [cost.stage for cost in costs(find_chain(chain)).stages] == ["coexistence"]
