"""Melting points that no run made, stored as the outputs of work chains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiida import orm
from aiida.common.links import LinkType
from aiida.manage import get_manager
from report.stored_melting import chain_node, end, give, potential
from sqlalchemy import event

from aiida_dnpmelt.provenance.query import OUTPUT, PROCESS_TYPE

POINT: dict[str, Any] = {
    "element": "Cu",
    "lattice": "fcc",
    "pressure_gpa": 0.0,
    "melting_temperature_k": 1326.4,
    "standard_uncertainty_k": 4.6,
    "interval_low_k": 1317.0,
    "interval_high_k": 1336.0,
    "statistical_uncertainty_k": 4.5,
    "timestep_uncertainty_k": 0.5,
    "timestep_correction_k": 2.1,
    "verdict": "valid",
    "reasons": ["both phases live in 4 of 4 runs"],
    "protocol": "balanced",
    "potential_label": "Cu_mishin1.eam.alloy",
    "potential_sha256": "ab" * 32,
    "potential_uuid": "00000000-0000-4000-8000-000000000001",
    "atoms": 1728,
    "production_time_ps": 192.0,
    "atom_steps": 1.4e8,
    "core_hours": 0.1,
    "seeds_used": [101, 102, 103, 104],
    "bracket_low_k": None,
    "bracket_high_k": None,
    "paper_mean_k": 1320.0,
    "paper_std_k": 20.0,
    "paper_sem_k": None,
}


def store(**changes: Any) -> orm.WorkChainNode:
    """Store a finished work chain with its melting point and return it."""
    chain = orm.WorkChainNode()
    chain.base.attributes.set("process_state", "finished")
    chain.process_type = PROCESS_TYPE
    chain.store()
    point = orm.Dict({**POINT, **changes}).store()
    point.base.links.add_incoming(chain, link_type=LinkType.RETURN, link_label=OUTPUT)
    return chain


def invalid(**changes: Any) -> dict[str, Any]:
    """Return the changes that make a melting point invalid."""
    keys = ("melting_temperature_k", "standard_uncertainty_k", "interval_low_k", "interval_high_k")
    return {**dict.fromkeys(keys), "verdict": "invalid", **changes}


def cohesive_energy(**changes: Any) -> orm.Dict:
    """Store the cohesive energy of the potential of `POINT` and return it."""
    values = {
        "schema": "dnpmelt.cohesive_energy",
        "element": "Cu",
        "cohesive_energy_ev": 3.54,
        "flags": [],
        "potential_uuid": POINT["potential_uuid"],
    }
    return orm.Dict({**values, **changes}).store()


def store_chain(parts: Mapping[str, Any] | None = None, **changes: Any) -> orm.WorkChainNode:
    """Store a whole chain with its result, the melting points of its two models and that of its teacher.

    :param parts: changes of these melting points.
    """
    chain = chain_node("melting", protocol=orm.Str("fast"), teacher=potential("the teacher"))
    names = ("seed_1", "seed_2", "teacher")
    uuids = {name: f"00000000-0000-4000-8000-0000000000a{index}" for index, name in enumerate(names)}
    for index, name in enumerate(names):
        child = chain_node("tpc", chain, f"coexistence_{name}")
        own = {"potential_label": name, "potential_sha256": f"{index}" * 64, "potential_uuid": uuids[name]}
        own["pressure_gpa"] = changes.get("pressure_gpa", POINT["pressure_gpa"])
        give(child, **{OUTPUT: orm.Dict({**POINT, **own, **(parts or {})})})
        end(child)
    result = {
        **{key: POINT[key] for key in ("element", "lattice", "pressure_gpa", "verdict")},
        "melting_temperature_k": 1340.2,
        "standard_uncertainty_k": 7.1,
        "corrected_melting_temperature_k": 1335.0,
        "corrected_uncertainty_k": 4.8,
        "models": {name: {"potential_uuid": uuids[name]} for name in names[:2]},
    }
    give(chain, melting=orm.Dict({**result, **changes}))
    end(chain)
    return chain


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Give the list of the statements that the database of the profile is asked meanwhile."""
    engine = get_manager().get_profile_storage().get_session().get_bind()
    statements: list[str] = []

    def count(*arguments: Any) -> None:
        statements.append(arguments[2])

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", count)
