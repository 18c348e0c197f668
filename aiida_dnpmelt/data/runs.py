"""A coexistence run as a node, and back."""

from __future__ import annotations

import numpy as np
from aiida import orm

from aiida_dnpmelt.physics.run import ARRAYS, OPTIONAL, SCALARS, CoexistenceRun


def to_node(run: CoexistenceRun) -> orm.ArrayData:
    """Return an array node: the series as its arrays, the scalars as its attributes, units in the names."""
    node = orm.ArrayData({name: np.asarray(getattr(run, name), dtype=float) for name in ARRAYS})
    node.base.attributes.set_many({name: getattr(run, name) for name in SCALARS})
    return node


def from_node(node: orm.ArrayData) -> CoexistenceRun:
    """Return the run that a node holds.

    :raises ValueError: if the node holds none, or one of another version of this package.
    """
    arrays, attributes = node.get_arraynames(), node.base.attributes.all
    missing = [name for name in ARRAYS if name not in (*arrays, *OPTIONAL)]
    missing += [name for name in SCALARS if name not in attributes]
    if missing:
        raise ValueError(f"node {node.pk} is no coexistence run: it lacks {', '.join(missing)}")
    values = {name: node.get_array(name) for name in ARRAYS if name in arrays}
    return CoexistenceRun(**values, **{name: attributes[name] for name in SCALARS})
