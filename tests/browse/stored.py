"""A melting temperature of a learned model that nobody ran: what the pages need of one, and no more."""

from __future__ import annotations

from dataclasses import dataclass

from aiida import orm
from aiida.common.links import LinkType
from physics.labelled import labelled
from provenance.stored_lineage import trained
from provenance.stored_points import POINT
from report.stored_melting import chain_node, end, give

from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.provenance.query import OUTPUT

FUNCTION = "aiida_dnpmelt.calculations.melting_point.assess_runs"


@dataclass(frozen=True)
class Learned:
    """Labelled frames, the model that was trained on them, and the work chain and the dictionary of its T_m."""

    frames: FramesData
    model: PotentialData
    chain: orm.WorkChainNode
    point: orm.Dict


def learn(computer: orm.Computer) -> Learned:
    """Store three liquid frames and what came of them."""
    frames = FramesData(labelled(3), phase="liquid", labeller="a teacher").store()
    model = trained(computer, "a model", frames)
    chain = chain_node("tpc")
    function = orm.CalcFunctionNode(process_type=FUNCTION)
    function.base.links.add_incoming(model, LinkType.INPUT_CALC, "potential")
    function.base.links.add_incoming(chain, LinkType.CALL_CALC, "assessment_01")
    function.store()
    own = {"potential_label": model.label, "potential_uuid": model.uuid, "potential_sha256": "ef" * 32}
    point = orm.Dict({**POINT, **own, "melting_temperature_k": 1341.0})
    point.base.links.add_incoming(function, LinkType.CREATE, OUTPUT)
    give(chain, **{OUTPUT: point})
    end(chain)
    return Learned(frames, model, chain, point)
