"""Labels that cannot be learned as one: those of different functionals, and enthalpies among energies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm

from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import DEEPMD, PotentialData
from aiida_dnpmelt.physics.functional import current_name, functional_of
from aiida_dnpmelt.physics.ordering import by_number
from aiida_dnpmelt.physics.vasp_run import work_ev

READING = "labels_reading"
"""Attribute of frames that were read since P V of PSTRESS is taken off their energies."""
_NAMED = 3
_LARGE_EV_PER_ATOM = 1e-3


def mixed_labels(frames: Mapping[str, Any] | None, _: Any = None) -> str | None:
    """Return in words why labels cannot be learned as one, None if they can; for a port of frames.

    What is not known of a functional is not held against it.
    """
    nodes = {name: node for name, node in (frames or {}).items() if isinstance(node, FramesData)}
    sources = _as_read(nodes)
    facts = {name: node.base.attributes.all for name, node in sources.items()}
    names: dict[str, list[str]] = {}
    for name, node in nodes.items():
        if functional := _functional(node, facts[name]):
            names.setdefault(functional, []).append(name)
    if len(names) > 1:
        listed = "; ".join(f"{functional} ({_listed(found)})" for functional, found in sorted(names.items()))
        return f"frames: their labels are of different functionals and cannot be learned as one: {listed}"
    enthalpies = [name for name, node in sources.items() if _has_enthalpies(node, facts[name])]
    if enthalpies:
        return f"frames: {_listed(enthalpies)} hold enthalpies of a run with PSTRESS: import the run again"
    return None


def other_functional(frames: Mapping[str, Any], labelling: Mapping[str, Any]) -> str | None:
    """Return in words that frames would be labelled otherwise than those that are given, None if not.

    VASP has a functional that is known, an EAM potential has none; which one a DNP has learned is not known.

    :param labelling: inputs of the labeller.
    """
    potential = labelling.get("potential")
    if isinstance(potential, PotentialData) and potential.pair_style != DEEPMD:
        names = {name: functional_of_frames(node) for name, node in frames.items()}
        return _refused(names, "", f"by {potential.label} ({potential.pair_style})")
    if "vasp" not in labelling or "potential_family" not in labelling:
        return None
    from aiida_vasp.data.potcar import PotcarData

    names = {name: _functional(frames[name], node.base.attributes.all) for name, node in _as_read(frames).items()}
    symbols = sorted({symbol for node in frames.values() for symbol in node.base.attributes.get("symbols")})
    given = labelling["potential_mapping"].get_dict() if "potential_mapping" in labelling else {}
    mapping = {symbol: given.get(symbol, symbol) for symbol in symbols}
    try:
        potcars = PotcarData.get_potcars_dict(symbols, labelling["potential_family"].value, mapping)
    except Exception:  # the labeller says what is wrong with them
        return None
    meant = functional_of(labelling["vasp"].get_dict().get("incar", {}), [potcars[each].title for each in symbols])
    return _refused(names, meant, f"of {meant}") if meant else None


def _refused(names: Mapping[str, str], meant: str, labelling: str) -> str | None:
    """Return in words which frames are of a known functional that is not the one that is meant, None without any."""
    others = [name for name, functional in names.items() if functional and functional != meant]
    if not others:
        return None
    found = ", ".join(sorted({names[name] for name in others}))
    return f"frames: {_listed(others)} are of {found}, the labelling is {labelling}: they cannot be learned as one"


def functional_of_frames(node: FramesData) -> str:
    """Return the functional of labelled frames, empty if it is not known; by the settings where they are kept."""
    (source,) = _as_read({"": node}).values()
    return _functional(node, source.base.attributes.all)


def _functional(node: FramesData, facts: Mapping[str, Any]) -> str:
    """Return the functional of frames from the attributes of those that were read, else from the name of theirs."""
    if incar := facts.get("labels_incar"):
        return functional_of(incar, facts.get("labels_potcars") or [])
    return current_name(node.functional)


def _as_read(nodes: Mapping[str, FramesData]) -> dict[str, FramesData]:
    """Return the frames as they were read, of those that `screen_frames` has kept; in one query for all."""
    query = orm.QueryBuilder()
    stored = [node.pk for node in nodes.values() if node.is_stored]
    query.append(FramesData, filters={"id": {"in": stored}}, tag="kept", project="id")
    screening = {"attributes.process_label": "screen_frames"}
    query.append(orm.CalcFunctionNode, with_outgoing="kept", filters=screening, tag="screening")
    query.append(FramesData, with_outgoing="screening", edge_filters={"label": "frames"}, project="*")
    sources = dict(query.all()) if stored else {}
    return {name: sources.get(node.pk, node) for name, node in nodes.items()}


def _has_enthalpies(source: FramesData, facts: Mapping[str, Any]) -> bool:
    incar = facts.get("labels_incar") or {}
    if "PSTRESS" not in incar or facts.get(READING) is not None:
        return False
    if facts.get("source", "") != "vasprun.xml":
        return False  # those of an OUTCAR have always been energies
    largest = max(abs(work_ev(incar["PSTRESS"], cell)) for cell in np.asarray(source.get_array("cells")))
    return largest > _LARGE_EV_PER_ATOM * len(facts["symbols"])


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(sorted(names, key=by_number)[:_NAMED]) + more
