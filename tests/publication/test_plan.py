from __future__ import annotations

import pytest
from publication.stored_publications import LOG_BYTES, finished_point

from aiida_dnpmelt.publication.plan import check_size, make_plan


def test_size_counts_each_file_once_and_what_is_left_out_not_at_all(aiida_profile):
    pk = str(finished_point().pk)
    whole, slim, bare = make_plan([pk]), make_plan([pk], 100.0), make_plan([pk], 0.0)
    assert whole.size > LOG_BYTES
    assert whole.size - slim.size == LOG_BYTES
    assert bare.size < slim.size
    assert ("FolderData", 2) in [row[:2] for row in whole.kinds()]
    assert ("FolderData", 1) in [row[:2] for row in slim.kinds()]
    assert "PotentialData" in [row[0] for row in bare.kinds()], "what a T_m belongs to stays"


@pytest.mark.parametrize(("size", "advice"), [(10**6, ""), (6 * 10**9, "it has 6.0 GB"), (49 * 10**9, "--slim")])
def test_advice_on_sizes(size, advice):
    assert advice in check_size(size)
    assert bool(check_size(size)) == bool(advice)


def test_what_no_repository_takes_is_refused():
    with pytest.raises(ValueError, match=r"it has 51\.0 GB, more than the 50 GB"):
        check_size(51 * 10**9)
