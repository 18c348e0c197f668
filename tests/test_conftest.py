"""The guards of the suite themselves."""

from __future__ import annotations

import warnings

import pytest
from aiida.common.warnings import AiidaDeprecationWarning
from aiida.orm import Int, QueryBuilder
from unsaveable_workchain import UnsaveableWorkChain


@pytest.mark.xfail(strict=True, raises=pytest.fail.Exception, reason="this is what the guard is for")
def test_unsaved_checkpoint_in_the_daemon_fails_the_test(aiida_profile_clean, daemon, submit_and_await):
    node = submit_and_await(UnsaveableWorkChain, timeout=120)
    assert node.is_finished_ok


def test_deprecation_warnings_of_aiida_are_errors():
    with pytest.raises(AiidaDeprecationWarning):
        warnings.warn("old", AiidaDeprecationWarning, stacklevel=1)


def test_storage_is_the_one_that_was_asked_for(aiida_profile_clean, request):
    backend = {"sqlite": "core.sqlite_dos", "postgres": "core.psql_dos"}[request.config.getoption("--storage")]
    assert aiida_profile_clean.storage_backend == backend
    Int(1).store()
    assert QueryBuilder().append(Int).count() == 1
