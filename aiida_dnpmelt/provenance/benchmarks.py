"""Ask for benchmarks of potentials."""

from __future__ import annotations

from aiida import orm

PROCESS_TYPE = "aiida.workflows:dnpmelt.potential_benchmark"


def benchmark_of(potential: orm.Data) -> orm.WorkChainNode | None:
    """Return the latest benchmark of a potential that has a table, None if there is none."""
    query = orm.QueryBuilder().append(orm.Data, filters={"uuid": potential.uuid}, tag="potential")
    query.append(
        orm.WorkChainNode,
        with_incoming="potential",
        edge_filters={"label": "potential"},
        filters={"process_type": PROCESS_TYPE},
        tag="chain",
    )
    query.append(orm.Dict, with_incoming="chain", edge_filters={"label": "table"})
    query.order_by({"chain": [{"ctime": "desc"}, {"id": "desc"}]})
    query.add_projection("chain", "*")
    chain: orm.WorkChainNode | None = query.first(flat=True)
    return chain


def stored_benchmark(identifier: str) -> orm.WorkChainNode:
    """Return a benchmark by its PK or UUID, or the latest one of a potential by its PK, UUID or label.

    :raises ValueError: if there is none, or it has no table (yet).
    """
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    from aiida_dnpmelt.data.potential import PotentialData

    hint = "`aiida-dnpmelt launch benchmark` makes one"
    labelled = orm.QueryBuilder().append(PotentialData, filters={"label": identifier}).all(flat=True)
    if len(labelled) == 1:
        node = labelled[0]
    else:
        try:
            node = orm.load_node(identifier)
        except (NotExistent, MultipleObjectsError, ValueError) as error:
            raise ValueError(
                f"PK: there is no node '{identifier}', and {len(labelled)} potentials are called so"
            ) from error
    if isinstance(node, PotentialData):
        chain = benchmark_of(node)
        if chain is None:
            raise ValueError(f"PK: potential {node.pk} ({node.label}) has no benchmark: {hint}")
        return chain
    if getattr(node, "process_type", None) != PROCESS_TYPE:
        raise ValueError(f"PK: node {node.pk} is no benchmark and no potential but a {type(node).__name__}: {hint}")
    if "table" not in node.outputs:
        state = node.exit_message or node.process_state.value
        raise ValueError(f"PK: work chain {node.pk} has no table: {state}")
    return node
