from __future__ import annotations

import pytest
from aiida import orm
from provenance.stored_points import cohesive_energy, counted_statements, invalid, store, store_chain
from report.stored_melting import chain_node, end, give

from aiida_dnpmelt.provenance.ambient import ambient_points, cohesive_energies, energies_of, refit_of
from aiida_dnpmelt.provenance.query import DEMO

pytestmark = pytest.mark.usefixtures("aiida_profile_clean")
OTHER = {"potential_label": "Cu_u3.eam", "potential_sha256": "ef" * 32}


def found(**filters) -> list[int]:
    return [point.pk for point in ambient_points(**filters)]


def test_one_point_of_each_element_lattice_and_potential():
    store(melting_temperature_k=1300.0)
    latest, other = store().pk, store(**OTHER).pk
    hexagonal = store(lattice="hcp").pk
    store(pressure_gpa=5.0)
    store(**invalid())
    nickel = store(element="Ni", pressure_gpa=0.0001).pk
    assert found() == [latest, hexagonal, other, nickel]
    assert found(element="Ni") == [nickel]
    assert found(potential="u3") == [other]
    assert found(potential="efef") == [other]
    assert found(protocol="paper") == []


def test_valid_points_come_before_later_ones_that_are_unfinished_or_of_a_worse_protocol():
    valid = store(protocol="stringent").pk
    store(protocol="fast", verdict="unfinished")
    assert found() == [valid]
    later = store(protocol="fast").pk
    assert found() == [later]


def test_a_whole_chain_stands_for_its_models_with_its_corrected_temperature():
    store_chain(corrected_melting_temperature_k=1300.0)
    chain = store_chain()
    store_chain(pressure_gpa=5.0)
    teacher, models = sorted(ambient_points(), key=lambda point: point.kind)
    assert (models.pk, models.kind, models.potential) == (chain.pk, "models, corrected", "the teacher")
    assert (models.melting_temperature_k, models.standard_uncertainty_k) == (1335.0, 4.8)
    assert (models.protocol, models.verdict) == ("fast", "valid")
    assert len(models.potential_uuids) == 2
    assert (teacher.kind, teacher.potential) == ("coexistence", "teacher")
    assert found(element="Ni") == []
    assert found(protocol="fast") == [chain.pk]


def test_a_whole_chain_without_a_correction_has_the_temperature_of_its_models():
    store_chain(corrected_melting_temperature_k=None, corrected_uncertainty_k=None)
    (models,) = ambient_points(protocol="fast")
    assert (models.kind, models.melting_temperature_k, models.standard_uncertainty_k) == ("models", 1340.2, 7.1)


def test_models_need_an_energy_each():
    store_chain()
    (models,) = ambient_points(protocol="fast")
    first, second = (cohesive_energy(potential_uuid=uuid) for uuid in models.potential_uuids)
    assert [node.pk for node in energies_of(models, cohesive_energies())] == [first.pk, second.pk]
    stored = {key: node for key, node in cohesive_energies().items() if node.pk != second.pk}
    assert energies_of(models, stored) == []


def test_cohesive_energies_belong_to_their_potential_and_the_latest_counts():
    store()
    (point,) = ambient_points()
    assert energies_of(point, cohesive_energies()) == []
    cohesive_energy(cohesive_energy_ev=3.0)
    latest = cohesive_energy()
    cohesive_energy(potential_uuid="00000000-0000-4000-8000-00000000000f")
    cohesive_energy(element="Ni")
    cohesive_energy(cohesive_energy_ev=1.5, flags=["lone_atom", "cohesive_energy"])
    cohesive_energy(potential_uuid=None)  # by VASP
    (node,) = energies_of(point, cohesive_energies())
    assert node.pk == latest.pk


def test_same_points_make_one_fit_and_other_energies_another():
    for symbol, temperature in (("Cu", 1327.0), ("Ni", 1700.0), ("Ag", 1230.0)):
        store(element=symbol, melting_temperature_k=temperature)
    points = ambient_points()
    fit = refit_of("d_block", points, [])
    assert refit_of("d_block", points, []).pk == fit.pk
    assert refit_of("all", points, []).pk != fit.pk
    energy = cohesive_energy()
    again = refit_of("d_block", points, [energy])
    assert again.pk != fit.pk
    assert again["energy_sources"] == ["experiment", "potential", "experiment"]
    assert {link.node.pk for link in again.creator.base.links.get_incoming().all()} >= {
        energy.pk,
        *(point.node_pk for point in points),
    }


def test_demonstrations_and_replications_are_left_out():
    chain, kept = store_chain(), store(**OTHER).pk
    chain.base.extras.set(DEMO, True)
    store(potential_sha256="12" * 32, method="paper-text")
    assert found() == [kept]


def test_number_of_questions_does_not_grow_with_the_chains():
    numbers = []
    for _ in range(3):
        for _ in range(4):
            store_chain(element="Cu")
        with counted_statements() as statements:
            ambient_points()
        numbers.append(len(statements))
    assert 0 < numbers[0] == numbers[1] == numbers[2]


def test_a_chain_that_vasp_taught_is_named_by_the_family_of_its_potcars():
    chain = store_chain()
    other = chain_node("melting", protocol=orm.Str("balanced"), learning__labelling__potential_family=orm.Str("PBE.54"))
    give(other, melting=orm.Dict({**chain.outputs.melting.get_dict(), "lattice": "hcp"}))
    end(other)
    (point,) = [each for each in ambient_points() if each.lattice == "hcp"]
    assert (point.potential, point.protocol) == ("VASP, PBE.54", "balanced")
