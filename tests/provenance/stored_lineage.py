"""Models that a training has left, and melting temperatures of them, that nobody ran."""

from __future__ import annotations

from aiida import orm
from aiida.common.links import LinkType
from report.stored_melting import chain_node, coexist, unstored_potential

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.provenance.labels import TRAINING_TYPE


def trained(computer: orm.Computer, label: str, *inputs: orm.Data) -> PotentialData:
    """Return a model that a training has left."""
    job = orm.CalcJobNode(computer=computer, process_type=TRAINING_TYPE)
    for index, node in enumerate(inputs):
        job.base.links.add_incoming(node, LinkType.INPUT_CALC, f"input_{index}")
    job.store()
    model = unstored_potential(label)
    model.base.links.add_incoming(job, LinkType.CREATE, "potential")
    return model.store()


def melt(computer: orm.Computer, model: PotentialData) -> orm.WorkChainNode:
    chain = chain_node("tpc")
    coexist(chain, computer, model, 1300.0)
    return chain
