from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from physics.synthetic_runs import synthetic_run

from aiida_dnpmelt.data.runs import from_node, to_node
from aiida_dnpmelt.physics.run import ARRAYS, SCALARS


def test_stored_run_is_the_same_run():
    run = synthetic_run(seed=7, bulk_melted=False, halted=True)
    found = from_node(orm.load_node(to_node(run).store().pk))
    for name in SCALARS:
        assert getattr(found, name) == getattr(run, name), name
        assert type(getattr(found, name)) is type(getattr(run, name)), name
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(found, name), getattr(run, name), err_msg=name)


def test_empty_series_survive_their_storage():
    run = synthetic_run(frame_time_ps=np.empty(0), order_profile=np.empty((0, 22)))
    found = from_node(to_node(run).store())
    assert found.frame_time_ps.shape == (0,)
    assert found.order_profile.shape == (0, 22)


def test_what_is_no_run_is_refused_with_what_it_lacks():
    node = orm.ArrayData({"time_ps": np.zeros(3)}).store()
    with pytest.raises(ValueError, match=rf"node {node.pk} is no coexistence run: it lacks temperature_k, .*n_atoms"):
        from_node(node)
