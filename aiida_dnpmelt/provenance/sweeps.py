"""What there is of a pressure sweep that has no result: it was killed, it failed, or it still runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiida import orm
from aiida.common.links import LinkType

from aiida_dnpmelt.calculations.bulk_phases import SCHEMA as PROPERTIES_SCHEMA
from aiida_dnpmelt.calculations.known_points import no_melting_point
from aiida_dnpmelt.calculations.melting_curve import curve_of
from aiida_dnpmelt.calculations.melting_point import SCHEMA as POINT_SCHEMA
from aiida_dnpmelt.calculations.pressure_sweep import POINT, PROPERTIES, name_of, sweep_of
from aiida_dnpmelt.physics.melting_curve import FEWEST_PRESSURES

OUTPUTS = {POINT: "melting_point", PROPERTIES: "properties"}
"""What the work chains that a sweep calls return, by the beginning of the labels of the calls."""
_KINDS = {POINT_SCHEMA: POINT, PROPERTIES_SCHEMA: PROPERTIES}


def sweep_so_far(chain: orm.WorkChainNode) -> dict[str, Any]:
    """Return what there is of a sweep, as its result would have it; nothing of it is stored.

    :return: see the reference of the pressure sweep; beside it ``state`` of the work chain, and ``curve`` through the
        points if there are enough.
    :raises ValueError: if no pressure has a melting temperature.
    """
    nodes = {name: node.get_dict() for name, node in parts_of(chain).items()}
    points = [values for name, values in nodes.items() if name.startswith(POINT)]
    state = "of unknown state" if chain.process_state is None else chain.process_state.value
    if not points:
        raise ValueError(f"the pressure sweep {chain.pk} is {state}, and has no melting temperature at any pressure")
    pressures = chain.inputs.pressures.get_list()
    names = [name_of(POINT, index) for index in range(len(pressures))]
    gaps = {name: f"the sweep is {state}" for name in names if name not in nodes}
    curve = curve_of(points) if len(points) >= FEWEST_PRESSURES else None
    return {**sweep_of(pressures, gaps, curve, nodes), "state": state, "curve": curve}


def parts_of(chain: orm.WorkChainNode) -> dict[str, orm.Dict]:
    """Return melting points and properties by the names that a sweep has for them: what it knew, and what it called."""
    found = dict(_known(chain))
    for link in chain.base.links.get_outgoing(link_type=LinkType.CALL_WORK).all():
        for kind, output in OUTPUTS.items():
            if link.link_label.startswith(kind) and output in link.node.outputs:
                found[link.link_label] = link.node.outputs[output]
    points = {
        name: node for name, node in found.items() if name.startswith(POINT) and not no_melting_point(node.get_dict())
    }
    slopes = {
        name: node
        for name, node in found.items()
        if name.startswith(PROPERTIES) and node["verdict"] != "invalid" and name.replace(PROPERTIES, POINT) in points
    }
    return {**points, **slopes}


def _known(chain: orm.WorkChainNode) -> Iterator[tuple[str, orm.Dict]]:
    pressures = chain.inputs.pressures.get_list()
    for node in chain.inputs.known.values() if "known" in chain.inputs else ():
        yield name_of(_KINDS[node["schema"]], pressures.index(node["pressure_gpa"])), node
